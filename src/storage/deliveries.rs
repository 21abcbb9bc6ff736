//! How far each notifier has got: a cursor a name, and what is parked because it could not be delivered yet.
//!
//! Who delivers, and when a failed delivery is tried again, is left to the module `delivery`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::model::RunId;

/// Whether notifiers come or have been here since they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attendance {
    /// They come: one that was absent too long begins anew, and what is parked for each is answered.
    Arrives,
    /// They have been here all along: none is lost, whatever the clock says, and nothing parked is answered.
    Stays,
}

/// The names of the notifiers that are here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClaimCursors {
    /// Every name that is here, each once.
    pub names: Vec<String>,
    /// Whether they come or stay.
    pub attendance: Attendance,
    /// Names seen last before this lose their place.
    pub absent_before: DateTime<Utc>,
    /// The time of the claim.
    pub now: DateTime<Utc>,
}

impl ClaimCursors {
    /// Names that come at `now`; who was seen last before `absent_before` loses its place.
    #[must_use]
    pub const fn new(names: Vec<String>, absent_before: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            names,
            attendance: Attendance::Arrives,
            absent_before,
            now,
        }
    }
}

/// Where a notifier stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifierCursor {
    /// Its name.
    pub name: String,
    /// Every event up to this number was delivered, is not wanted, or is parked.
    pub seq: u64,
    /// What is parked, by number: all that is not dead, and of the dead those after the place.
    pub parked: Vec<ParkedEvent>,
}

impl NotifierCursor {
    /// A place with nothing parked.
    #[must_use]
    pub const fn new(name: String, seq: u64) -> Self {
        Self {
            name,
            seq,
            parked: Vec::new(),
        }
    }
}

/// A place that was lost since its name was absent too long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostCursor {
    /// The name.
    pub name: String,
    /// Where it stood.
    pub seq: u64,
    /// How many of its events were parked, dead ones aside.
    pub parked_count: u64,
    /// When it was seen last.
    pub seen_at: DateTime<Utc>,
}

impl LostCursor {
    /// A place that was lost with nothing parked.
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

/// The places of the names that are here, and which others were lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cursors {
    /// One a name, in the order of the names.
    pub cursors: Vec<NotifierCursor>,
    /// Places that were lost in this step, by name.
    pub lost: Vec<LostCursor>,
}

/// An event that a notifier has not got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// The event's run.
    pub run: RunId,
    /// The event's number.
    pub seq: u64,
    /// How often its delivery was tried.
    pub tries: u32,
    /// When it is tried next.
    pub next_at: DateTime<Utc>,
    /// Whether it was given up: a dead letter.
    pub is_dead: bool,
}

impl ParkedEvent {
    /// An event of this number that was not tried yet.
    #[must_use]
    pub const fn new(run: RunId, seq: u64, next_at: DateTime<Utc>) -> Self {
        Self {
            run,
            seq,
            tries: 0,
            next_at,
            is_dead: false,
        }
    }
}

/// What became of a notifier's deliveries.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutDeliveries {
    /// The notifier's name.
    pub notifier: String,
    /// Every event up to this number was delivered, is not wanted, or is parked.
    pub seq: u64,
    /// Events that are no longer parked, since they were delivered.
    pub delivered: Vec<u64>,
    /// Events that are parked from now on, or parked otherwise than before.
    pub parked: Vec<ParkedEvent>,
    /// The time of the step.
    pub now: DateTime<Utc>,
}

impl PutDeliveries {
    /// The notifier stands at this number, with nothing parked otherwise than before.
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

/// How far each notifier has got.
#[async_trait]
pub trait Deliveries: Send + Sync + 'static {
    /// Notes that these names are here, and answers where each stands.
    ///
    /// A name without a place MUST get one at the newest event. Any other name that was seen last before [`ClaimCursors::absent_before`] MUST lose its place,
    /// with all that is parked for it; so MUST one of these names if it [arrives](Attendance::Arrives), and begins anew.
    /// What is parked MUST be answered by number, of the dead those alone that the place has not passed.
    ///
    /// # Errors
    /// `Unavailable` or `StorageFull`; nothing was changed then.
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors>;

    /// Moves a notifier on, in one transaction: its place, what it got, what is parked. The same step again changes nothing.
    ///
    /// A place MUST NOT go back; a name without one gets it here. An event of a run that is not there MUST NOT be parked. A parked event of a run that is
    /// purged goes with it; until it is dead or delivered, and while a notifier's place is before the run's last event, [`purge`](super::System::purge) MUST spare the run.
    ///
    /// # Errors
    /// `Unavailable` or `StorageFull`; nothing was changed then.
    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()>;
}
