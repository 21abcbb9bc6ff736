//! The events that a caller asks a stream for: its filter, and where the stream begins.
//!
//! `websocket` and `sse` send them.

use http::Response;

use crate::api::body::Body;
use crate::api::call::Call;
use crate::api::problem;
use crate::api::query::{self, Query};
use crate::error::{Error, Problem, Result};
use crate::events::{Feed, FeedSignals};
use crate::model::{EventKind, RunId};
use crate::views::{EventFilter, EventSpan};

const KINDS: &[(&str, EventKind)] = &[
    ("run.created", EventKind::RunCreated),
    ("run.started", EventKind::RunStarted),
    ("run.cancelling", EventKind::RunCancelling),
    ("run.completed", EventKind::RunCompleted),
    ("run.failed", EventKind::RunFailed),
    ("run.cancelled", EventKind::RunCancelled),
    ("node.started", EventKind::NodeStarted),
    ("node.completed", EventKind::NodeCompleted),
    ("node.failed", EventKind::NodeFailed),
    ("node.retrying", EventKind::NodeRetrying),
    ("node.recovered", EventKind::NodeRecovered),
    ("node.skipped", EventKind::NodeSkipped),
    ("node.cancelled", EventKind::NodeCancelled),
    ("log", EventKind::Log),
];

/// The events of a stream.
pub(super) struct Selection {
    filter: EventFilter,
    /// The stream has the events after this number. Without one, it has the new events.
    since: Option<u64>,
}

/// The answer to a request for events.
pub(super) enum Selected {
    Events(Selection),
    /// The response that refuses the request, and says from where the events are still stored.
    Expired(Response<Body>),
}

impl Selection {
    /// Reads a selection from the query. The number of the last event that the caller has, if it
    /// sends one, replaces the parameter `since`.
    ///
    /// # Errors
    /// `Malformed` for a parameter with a wrong value, and `NotFound` for a run that the caller may
    /// not view.
    pub(super) async fn read(call: &Call, last_event: Option<u64>) -> Result<Selected> {
        let query = call.query()?;
        let filter = filter(call, &query).await?;
        let since = query.number("since", 0..=u64::MAX)?;
        let (name, since) = match last_event {
            Some(number) => ("Last-Event-ID", Some(number)),
            None => ("since", since),
        };
        let span = match since {
            Some(since) => Some((since, span(call, name, since).await?)),
            None => None,
        };
        if let Some(run) = filter.run {
            call.views().check_run(run, &call.scope).await?;
        } else if let Some((since, span)) = span
            && since < span.purged
        {
            let refusal = problem::to_response_with(&expired(name, since, span), Some(span.purged));
            return Ok(Selected::Expired(refusal));
        }
        Ok(Selected::Events(Self { filter, since }))
    }

    /// Opens a feed of the events.
    ///
    /// # Errors
    /// `ShuttingDown`, and `Unavailable` (`too-many-streams`) at the maximum of streams.
    pub(super) fn open(self, call: &Call) -> Result<(Feed, FeedSignals)> {
        let engine = &call.shared.engine;
        engine.refuse_in_shutdown()?;
        let max = engine.limits().streams_max;
        let feed = engine.events().feed(self.filter, self.since);
        feed.ok_or_else(|| too_many(max))
    }
}

async fn filter(call: &Call, query: &Query) -> Result<EventFilter> {
    let types = query.get("types").map(|types| {
        let kinds = types
            .split(',')
            .map(|word| query::choose("types", word.trim(), KINDS));
        kinds.collect::<Result<Vec<_>>>()
    });
    let (kinds, run) = (types.transpose()?, query.parse::<RunId>("run_id")?);
    let (scope, pipeline) = call.pipeline_filter(query).await?;
    Ok(EventFilter {
        scope,
        run,
        pipeline,
        kinds: kinds.unwrap_or_default(),
    })
}

/// Returns the span of stored events and refuses a number beyond it.
///
/// A number from another store would otherwise skip events silently.
async fn span(call: &Call, name: &str, since: u64) -> Result<EventSpan> {
    let span = call.views().event_span().await?;
    if since > span.newest {
        return Err(query::invalid(
            name,
            format!(
                "must be the number of an event, at most {}, received {since}",
                span.newest
            ),
        ));
    }
    Ok(span)
}

fn expired(name: &str, since: u64, span: EventSpan) -> Error {
    let EventSpan { purged, newest: _ } = span;
    Error::new(
        Problem::EventsExpired,
        format!("events after {since} were purged; {name} must be at least {purged}"),
    )
}

fn too_many(max: usize) -> Error {
    Error::new(
        Problem::TooManyStreams,
        format!("{max} streams are open, which is the limit; try again later"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_filter_uses_the_names_of_the_events() {
        for (name, kind) in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), *name);
        }
        assert_eq!(KINDS.len(), 14);
    }
}
