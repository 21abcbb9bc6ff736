//! Storage: the trait that a backend implements, composed of one small trait for each noun.
//!
//! - A method is one step of the domain. It MUST be atomic, and durable once it returns.
//! - Times and new ids are arguments: a backend reads no clock.
//! - Every query takes a [`Scope`](crate::Scope), except those that only the engine makes.
//! - Each method states its promises with MUST. Each promise is a case of `storage_contract!`
//!   (feature `testing`).
//!
//! What all backends decide in the same way is in `rules`.

#[cfg(test)]
mod agreement;
mod audit;
mod backfills;
mod connections;
mod deliveries;
mod dependencies;
mod dependency_table;
mod events;
mod finished_changes;
mod journal;
mod memory;
mod node_indexes;
mod node_runs;
mod outputs;
mod pipelines;
mod queue;
mod replaced_runs;
mod rules;
mod runs;
mod schedules;
#[cfg(feature = "sqlite")]
mod sqlite;
mod system;
mod variables;
mod versions;

pub use audit::{AuditFilter, Audits, NewAudit, RefusedCommand};
pub use backfills::{
    BackfillDetail, BackfillFilter, Backfills, CancelBackfill, CancelBackfillOutcome, NewBackfill,
    SetBackfillPause,
};
pub use connections::{ConnectionFilter, Connections, DeleteConnection, PutConnection};
pub use deliveries::{
    ChangeDeadLetter, ClaimCursors, CursorClaimKind, Cursors, DeadLetterAction, Deliveries,
    DeliveryFilter, ExpiredCursor, NotifierCursor, ParkedDelivery, ParkedEvent, PutDeliveries,
};
pub use dependencies::{
    AnswerEnds, AnswerOutcome, Dependencies, EndAnswer, UpstreamEnd, WaitingEnds,
};
pub use dependency_table::{ChangedRules, DependencyTable, LatestEnd};
pub use events::{EarlierEvents, EventFilter, EventPage, Events};
pub(crate) use finished_changes::Unchanged;
pub use journal::{Append, AppendOutcome, Entry, FinishedNode, Journal, OutputRef};
pub use memory::{MemoryOptions, MemoryStorage};
pub use node_indexes::NodeIndexes;
pub use node_runs::{NewestRuns, NodeRuns, PastNodeRun, RunNodes};
pub use outputs::{OutputChunk, Outputs, StoredOutput};
pub use pipelines::{
    DeletePipeline, Expect, PipelineFilter, Pipelines, PutPipeline, SavedBy, SetPause, SlugChoice,
    TokenChange,
};
pub use queue::{Claim, ClaimOutcome, ClaimedRun, HeldRun, Queue};
pub use replaced_runs::ReplacedRun;
pub(crate) use rules::{blocks_resume, not_resumable};
pub use runs::{
    CancelOutcome, CancelRequest, CreateRuns, CreatedRuns, EditRun, FirstCreation, FoundProfile,
    IdempotencyKey, IdempotentOperation, NewRun, RunDetail, RunFilter, Runs,
};
pub use schedules::{Advance, AdvanceOutcome, Schedules, StoredSchedule, TickOutcome};
#[cfg(all(feature = "sqlite", any(test, feature = "testing")))]
pub use sqlite::CommitFault;
#[cfg(all(feature = "sqlite", feature = "testing"))]
pub(crate) use sqlite::decode;
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStorage};
pub use system::{
    Figures, FiguresBy, FiguresFilter, Purge, PurgeCursor, PurgeMode, PurgeOutcome, Stats, System,
};
pub use variables::{DeleteVariable, PutVariable, VariableFilter, Variables};
pub use versions::{VersionFilter, Versions};

pub use crate::model::{
    ConnectionFields, InheritedOutput, LaneClass, NodeIndex, OwnerId, Qualified, Rank, Sealed,
    SearchText, StoredConnection, StoredPipeline, StoredVariable, TokenHash, UnstoredOutput,
    VariableFields, VariableKey, VariableValue,
};

/// A complete backend. Every type that implements the traits of all nouns implements it.
pub trait Storage:
    Pipelines
    + Connections
    + Variables
    + Versions
    + Runs
    + NodeRuns
    + Backfills
    + Queue
    + Journal
    + Outputs
    + Events
    + Deliveries
    + Schedules
    + Dependencies
    + Audits
    + System
    + std::fmt::Debug
{
}

impl<T> Storage for T where
    T: Pipelines
        + Connections
        + Variables
        + Versions
        + Runs
        + NodeRuns
        + Backfills
        + Queue
        + Journal
        + Outputs
        + Events
        + Deliveries
        + Schedules
        + Dependencies
        + Audits
        + System
        + std::fmt::Debug
{
}
