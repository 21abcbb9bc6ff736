//! The priority of a pending run in the queue.
//!
//! Which trigger has which is decided in `run`; the claim of the next run is left to storage.

macro_rules! priorities {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The priority of a pending run, in the order of claiming: the smallest goes first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Priority {
            $($(#[$doc])* $name,)*
        }

        impl Priority {
            /// Every priority, in the order of claiming.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

// One list makes the variants and `ALL`, so that no loop over them can miss one.
priorities! {
    /// A caller waits for the run.
    Manual,
    /// A schedule or an upstream pipeline started the run.
    Schedule,
    /// A backfill started the run.
    Backfill,
}
