//! The priority of a pending run in the queue.
//!
//! `run` maps each trigger to its priority. Storage claims the next run.

macro_rules! priorities {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The priority of a pending run.
        ///
        /// The smallest value is claimed first: `Manual`, then `Schedule`, then `Backfill`.
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

// One list generates the variants and `ALL`, so a loop over `ALL` cannot miss a variant.
priorities! {
    /// A caller started the run and waits for it.
    Manual,
    /// A schedule or an upstream pipeline started the run.
    Schedule,
    /// A backfill started the run.
    Backfill,
}
