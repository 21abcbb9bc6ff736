//! The handler of `GET /ws`: decides whether a caller gets a stream, and of which events.
//!
//! `session` sends the events.

use http::Response;

use super::handshake;
use super::session::{NewSession, Session};
use super::upgrade::Pending;
use crate::api::body::Body;
use crate::api::call::Call;
use crate::api::query::{self, Query};
use crate::api::{origin, problem};
use crate::error::{Error, Problem, Result};
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

/// `GET /ws`
pub(in crate::api) async fn open(mut call: Call) -> Result<Response<Body>> {
    origin::check_stream(&call.parts, &call.shared.origins)?;
    let query = call.query()?;
    let filter = filter(&call, &query).await?;
    let since = query.number("since", 0..=u64::MAX)?;
    let span = match since {
        Some(since) => Some((since, span(&call, since).await?)),
        None => None,
    };
    if let Some(run) = filter.run {
        call.views().check_run(run, &call.scope).await?;
    } else if let Some((since, span)) = span
        && since < span.purged
    {
        return Ok(problem::to_response_with(
            &expired(since, span),
            Some(span.purged),
        ));
    }
    let response = match handshake::accept(&call.parts) {
        Ok(response) => response,
        Err(error) if error.problem() == Problem::UpgradeRequired => {
            return Ok(handshake::refuse(&error));
        }
        Err(error) => return Err(error),
    };
    let engine = call.shared.engine.clone();
    engine.refuse_in_shutdown()?;
    let pending = Pending::take(&mut call.parts.extensions)?;
    let max = engine.limits().streams_max;
    let (feed, signals) = engine
        .events()
        .feed(filter, since)
        .ok_or_else(|| too_many(max))?;
    let new = NewSession {
        feed,
        signals,
        clock: engine.clock().clone(),
        limits: engine.limits().clone(),
    };
    engine.spawn_stream(Session::serve(new, pending));
    Ok(response)
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
async fn span(call: &Call, since: u64) -> Result<EventSpan> {
    let span = call.views().event_span().await?;
    if since > span.newest {
        return Err(query::invalid(
            "since",
            format!(
                "must be the number of an event, at most {}, received {since}",
                span.newest
            ),
        ));
    }
    Ok(span)
}

fn expired(since: u64, span: EventSpan) -> Error {
    let EventSpan { purged, newest: _ } = span;
    Error::new(
        Problem::EventsExpired,
        format!("events after {since} were purged; since must be at least {purged}"),
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
