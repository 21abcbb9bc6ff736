//! Deliveries that have not succeeded: those that wait for a retry, and dead letters.
//!
//! The module `delivery` delivers them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{EventKind, IdError, PipelineId, RunId, TenantId};

/// The id of a delivery: a notifier and the number of an event. Its text is `<notifier>.<seq>`.
///
/// ```
/// use floret::DeliveryId;
///
/// let id: DeliveryId = "ops.slack.7".parse()?;
/// assert_eq!((id.notifier.as_str(), id.seq), ("ops.slack", 7));
/// assert_eq!(id.to_string(), "ops.slack.7");
/// # Ok::<(), floret::IdError>(())
/// ```
// The order of the fields is that of lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DeliveryId {
    /// The number of the event.
    pub seq: u64,
    /// The name of the notifier.
    pub notifier: String,
}

impl DeliveryId {
    /// Creates the id of the delivery of an event to a notifier.
    #[must_use]
    pub fn new(notifier: impl Into<String>, seq: u64) -> Self {
        Self {
            seq,
            notifier: notifier.into(),
        }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.notifier, self.seq)
    }
}

impl FromStr for DeliveryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parsed = text.rsplit_once('.').and_then(|(notifier, seq)| {
            // A number has one text, so that an id has one, too.
            let is_plain = seq.bytes().all(|byte| byte.is_ascii_digit());
            let is_plain = is_plain && (seq == "0" || !seq.starts_with('0'));
            let seq = seq.parse().ok().filter(|_| is_plain)?;
            Some(Self::new(notifier, seq))
        });
        parsed.ok_or(IdError::of_delivery())
    }
}

/// What happens next with a delivery that has not succeeded.
///
/// ```
/// let text = serde_json::to_string(&floret::DeliveryState::Dead)?;
/// assert_eq!(text, "\"dead\"");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DeliveryState {
    /// It waits for its next try, or for an earlier event of its run.
    Waiting,
    /// It is a dead letter: no try follows, unless a caller asks for one.
    Dead,
}

impl DeliveryState {
    /// Returns the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dead => "dead",
        }
    }
}

/// A delivery that has not succeeded, from [`Client::deliveries`](crate::Client::deliveries).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The id: the notifier and the number of the event.
    pub id: DeliveryId,
    /// What happens next.
    pub state: DeliveryState,
    /// The kind of the event. `None` if the event cannot be read.
    pub kind: Option<EventKind>,
    /// The run of the event.
    pub run_id: RunId,
    /// The pipeline of that run.
    pub pipeline_id: PipelineId,
    /// The tenant of that run, if any.
    pub tenant: Option<TenantId>,
    /// How many times the delivery was tried.
    pub tries: u32,
    /// When the next try is due, or when the dead letter died.
    pub at: DateTime<Utc>,
    /// Why the last try failed, at most 500 bytes. `None` if it was not tried since it was parked.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        for id in [DeliveryId::new("", 0), DeliveryId::new("a.b/c", u64::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "", "slack", "slack.", "slack.07", "slack.+7", "slack.7x", "7", "a.-1",
        ] {
            assert!(text.parse::<DeliveryId>().is_err(), "{text}");
        }
    }
}
