//! What Floret remembers: the trait that a backend implements, the sum of one small trait a noun.
//!
//! A method is one step of the domain, atomic and durable when it answers. Times and new ids are
//! arguments: a backend asks no clock. Every question takes a [`Scope`](crate::Scope). What must
//! hold for each method stands on the method as MUST and is a case of `storage_contract!` (feature
//! `testing`).

#[cfg(test)]
mod agreement;
mod backfills;
mod connections;
mod deliveries;
mod events;
mod journal;
mod memory;
mod node_indexes;
mod outputs;
mod pipelines;
mod queue;
mod rules;
mod runs;
mod schedules;
#[cfg(feature = "sqlite")]
mod sqlite;
mod system;
mod variables;

pub use backfills::{
    BackfillDetail, BackfillFilter, Backfills, CancelBackfill, CancelledBackfill, NewBackfill,
};
pub use connections::{ConnectionFilter, Connections, PutConnection};
pub use deliveries::{
    ClaimCursors, CursorClaimKind, Cursors, Deliveries, ExpiredCursor, NotifierCursor, ParkedEvent,
    PutDeliveries,
};
pub use events::{EventFilter, Events};
pub use journal::{Append, AppendOutcome, Entry, FinishedNode, Journal, OutputRef};
pub use memory::{MemoryOptions, MemoryStorage};
pub use node_indexes::NodeIndexes;
pub use outputs::{OutputChunk, Outputs, StoredOutput};
pub use pipelines::{DeletePipeline, Expect, PipelineFilter, Pipelines, PutPipeline, SlugChoice};
pub use queue::{Claim, ClaimOutcome, ClaimedRun, HeldRun, Queue};
pub(crate) use rules::{not_resumable, stands_in_the_way};
pub use runs::{
    CancelRequest, Cancelled, ChainRun, CreateRuns, CreatedRuns, FoundProfile, IdempotencyKey,
    NewRun, Operation, RunDetail, RunFilter, Runs,
};
pub use schedules::{Advance, AdvancedSchedule, Schedules, StoredSchedule, Tick};
#[cfg(all(feature = "sqlite", any(test, feature = "testing")))]
pub use sqlite::CommitFault;
#[cfg(all(feature = "sqlite", feature = "testing"))]
pub(crate) use sqlite::decode;
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStorage};
pub use system::{
    Figures, FiguresBy, FiguresFilter, Purge, PurgeCursor, PurgeMode, PurgeOutcome, Stats, System,
};
pub use variables::{PutVariable, VariableFilter, Variables};

pub use crate::model::Priority;

/// Everything that a backend does; implemented for whatever implements the parts.
pub trait Storage:
    Pipelines
    + Connections
    + Variables
    + Runs
    + Backfills
    + Queue
    + Journal
    + Outputs
    + Events
    + Deliveries
    + Schedules
    + System
    + std::fmt::Debug
{
}

impl<T> Storage for T where
    T: Pipelines
        + Connections
        + Variables
        + Runs
        + Backfills
        + Queue
        + Journal
        + Outputs
        + Events
        + Deliveries
        + Schedules
        + System
        + std::fmt::Debug
{
}
