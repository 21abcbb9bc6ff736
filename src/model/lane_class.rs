//! The class of a pending run in the queue.
//!
//! `run` maps each trigger to its class, and `priority` orders the runs of a class.

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The class of a pending run in the queue.
        ///
        /// The smallest value is claimed first: `Manual`, then `Schedule`, then `Backfill`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum LaneClass {
            $($(#[$doc])* $name,)*
        }

        impl LaneClass {
            /// Every class, in the order of claiming.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

// One list generates the variants and `ALL`, so a loop over `ALL` cannot miss a variant.
classes! {
    /// A caller started the run and waits for it.
    Manual,
    /// A schedule or an upstream pipeline started the run.
    Schedule,
    /// A backfill started the run.
    Backfill,
}
