//! The progress of each notifier: one cursor per name, and the events that are parked until they
//! are delivered.
//!
//! The module `delivery` delivers events and decides when a failed delivery is retried.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::NewAudit;
use crate::error::Result;
use crate::model::{
    DeliveryId, DeliveryState, Page, PageRequest, PipelineId, RunId, Scope, TenantId,
};

/// Whether a claim is the first one of an engine or a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CursorClaimKind {
    /// The first claim: expired cursors of the claimed names start anew, and parked events are
    /// returned.
    Start,
    /// A renewal: no cursor of the claimed names expires, and no parked events are returned.
    Renewal,
}

/// A claim on the cursors of all registered notifiers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClaimCursors {
    /// Every registered name, each once.
    pub names: Vec<String>,
    /// Further names whose notifiers have not begun, as far as the caller knows: claimed if they
    /// have a cursor.
    pub dormant: Vec<String>,
    /// Whether this is the first claim or a renewal.
    pub kind: CursorClaimKind,
    /// The cursor of a name that was last seen before this expires.
    pub absent_before: DateTime<Utc>,
    /// The time of the claim.
    pub now: DateTime<Utc>,
}

impl ClaimCursors {
    /// Creates the first claim of an engine, made at `now`. Cursors last seen before
    /// `absent_before` expire.
    #[must_use]
    pub const fn new(names: Vec<String>, absent_before: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            names,
            dormant: Vec::new(),
            kind: CursorClaimKind::Start,
            absent_before,
            now,
        }
    }
}

/// The progress of a notifier.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifierCursor {
    /// The notifier's name.
    pub name: String,
    /// Every event up to this number is delivered, unwanted or parked.
    pub seq: u64,
    /// The parked events, by number: all that are not dead, and the dead letters after `seq`.
    pub parked: Vec<ParkedEvent>,
}

impl NotifierCursor {
    /// Creates a cursor without parked events.
    #[must_use]
    pub const fn new(name: String, seq: u64) -> Self {
        Self {
            name,
            seq,
            parked: Vec::new(),
        }
    }
}

/// A cursor that expired because its name was absent too long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiredCursor {
    /// The notifier's name.
    pub name: String,
    /// The number that the cursor had.
    pub seq: u64,
    /// How many of its events were parked, without dead letters.
    pub parked_count: u64,
    /// When the name was last seen.
    pub seen_at: DateTime<Utc>,
}

impl ExpiredCursor {
    /// Creates an expired cursor without parked events.
    #[must_use]
    pub const fn new(name: String, seq: u64, seen_at: DateTime<Utc>) -> Self {
        Self {
            name,
            seq,
            parked_count: 0,
            seen_at,
        }
    }
}

/// The cursors of the claimed names, and the cursors that expired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursors {
    /// One cursor per claimed name, in the order of the names, the dormant ones last.
    pub cursors: Vec<NotifierCursor>,
    /// The cursors that this claim removed, by name.
    pub expired: Vec<ExpiredCursor>,
}

/// An event that a notifier has not received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// The event's run.
    pub run: RunId,
    /// The event's number.
    pub seq: u64,
    /// How many times its delivery was tried.
    pub tries: u32,
    /// When the next try is due, or when the dead letter died.
    pub next_at: DateTime<Utc>,
    /// Whether it is a dead letter, which is not tried again.
    pub is_dead: bool,
    /// Why its last try failed, at most 500 bytes.
    pub error: Option<String>,
}

impl ParkedEvent {
    /// Creates a parked event that was not tried yet.
    #[must_use]
    pub const fn new(run: RunId, seq: u64, next_at: DateTime<Utc>) -> Self {
        Self {
            run,
            seq,
            tries: 0,
            next_at,
            is_dead: false,
            error: None,
        }
    }
}

/// A parked event of a notifier, with the pipeline of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedDelivery {
    /// The notifier's name.
    pub notifier: String,
    /// The pipeline of the event's run.
    pub pipeline: PipelineId,
    /// The tenant of that run, if any.
    pub tenant: Option<TenantId>,
    /// The event.
    pub event: ParkedEvent,
}

impl ParkedDelivery {
    /// Creates the delivery of an event of a run without a tenant.
    #[must_use]
    pub const fn new(notifier: String, pipeline: PipelineId, event: ParkedEvent) -> Self {
        Self {
            notifier,
            pipeline,
            tenant: None,
            event,
        }
    }

    /// Returns the id of the delivery.
    #[must_use]
    pub fn id(&self) -> DeliveryId {
        DeliveryId::new(self.notifier.clone(), self.event.seq)
    }

    /// Returns whether the delivery waits or is dead.
    #[must_use]
    pub const fn state(&self) -> DeliveryState {
        if self.event.is_dead {
            DeliveryState::Dead
        } else {
            DeliveryState::Waiting
        }
    }
}

/// The conditions that every delivery of a list meets.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeliveryFilter {
    /// The scope of the caller: that of the events' runs.
    pub scope: Scope,
    /// The state of the deliveries, or any.
    pub state: Option<DeliveryState>,
}

/// What a caller does with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadLetterAction {
    /// It is parked again, not tried yet and due at once.
    Retry,
    /// It is deleted.
    Drop,
}

/// A request to change a dead letter.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChangeDeadLetter {
    /// The delivery.
    pub id: DeliveryId,
    /// What happens with it.
    pub action: DeadLetterAction,
    /// The scope of the caller: that of the event's run.
    pub scope: Scope,
    /// The time of the change.
    pub now: DateTime<Utc>,
    /// The entry of the audit, if the command has one.
    pub audit: Option<NewAudit>,
}

impl ChangeDeadLetter {
    /// Creates a request of a caller who sees every run.
    #[must_use]
    pub const fn new(id: DeliveryId, action: DeadLetterAction, now: DateTime<Utc>) -> Self {
        Self {
            id,
            action,
            scope: Scope::All,
            now,
            audit: None,
        }
    }
}

/// New progress of a notifier.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutDeliveries {
    /// The notifier's name.
    pub notifier: String,
    /// Every event up to this number is delivered, unwanted or parked.
    pub seq: u64,
    /// Events that are no longer parked because they were delivered.
    pub delivered: Vec<u64>,
    /// Events that are newly parked, or whose parked row changed.
    pub parked: Vec<ParkedEvent>,
    /// The time of the step.
    pub now: DateTime<Utc>,
}

impl PutDeliveries {
    /// Creates progress up to `seq` without changes to parked events.
    #[must_use]
    pub const fn new(notifier: String, seq: u64, now: DateTime<Utc>) -> Self {
        Self {
            notifier,
            seq,
            delivered: Vec::new(),
            parked: Vec::new(),
            now,
        }
    }
}

/// Stores the progress of each notifier.
#[async_trait]
pub trait Deliveries: Send + Sync + 'static {
    /// Records that these names are registered, and returns their cursors.
    ///
    /// - A name without a cursor MUST get one at the newest event. A
    ///   [dormant](ClaimCursors::dormant) one MUST NOT, and is left out of the answer. With a
    ///   cursor, it is like any other claimed name, and comes after them.
    /// - The cursor of any other name last seen before [`ClaimCursors::absent_before`] MUST be
    ///   removed, with its parked events.
    /// - In a [first claim](CursorClaimKind::Start) this also applies to the claimed names, which
    ///   then start anew.
    /// - Parked events MUST be returned by number. Dead letters up to the cursor MUST NOT be
    ///   returned.
    ///
    /// # Errors
    /// Returns `Unavailable` or `StorageFull`. In both cases, nothing changes.
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors>;

    /// Stores the progress of a notifier in one transaction: its cursor, delivered events and
    /// parked events.
    ///
    /// - Repeating the same call MUST change nothing.
    /// - A cursor MUST NOT go back. A name without a cursor MUST get one.
    /// - An event of a run that does not exist MUST NOT be parked.
    /// - [`purge`](super::System::purge) MUST keep a run that has a parked event that is not dead.
    /// - It MUST also keep a run whose last event is after the cursor of any notifier.
    /// - It MUST remove the dead letters of the runs that it purges.
    ///
    /// # Errors
    /// Returns `Unavailable` or `StorageFull`. In both cases, nothing changes.
    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()>;

    /// Returns a page of the parked events of all notifiers, registered or not.
    ///
    /// - The order MUST be by number, and then by the name of the notifier, both descending.
    /// - The cursor of a page MUST be the id of its last delivery. It need not be parked any more.
    ///
    /// # Errors
    /// Returns `Malformed` (`invalid-parameter`) for an invalid cursor, or `Unavailable`.
    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<ParkedDelivery>>;

    /// Returns a parked event, or `None` if no such event is parked in the scope.
    ///
    /// # Errors
    /// Returns `Unavailable`.
    async fn find_delivery(&self, id: &DeliveryId, scope: &Scope)
    -> Result<Option<ParkedDelivery>>;

    /// Retries or drops a dead letter, and returns it as it is then, or as it was dropped.
    ///
    /// - A retried one MUST be parked with no tries, due at [`ChangeDeadLetter::now`], like any
    ///   parked event.
    ///
    /// # Errors
    /// - `NotFound` (`delivery-not-found`) if no such event is parked in the scope.
    /// - `Conflict` (`delivery-waiting`) if it is not dead.
    /// - `Unavailable` or `StorageFull`.
    ///
    /// In all cases, nothing changes.
    async fn change_dead_letter(&self, change: ChangeDeadLetter) -> Result<ParkedDelivery>;
}
