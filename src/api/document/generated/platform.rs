//! The operations on the system, on all pipelines together, and on events.

use serde_json::{Value, json};

use super::answer::Answer;
use super::bodies;
use super::operation::Operation;
use super::parameters::{if_none_match, last_event_id};
use super::schemas::Schemas;
use crate::api::capabilities::Capabilities;
use crate::api::route::{Route, Verb};
use crate::api::system::Deleted;
use crate::error::Problem;
use crate::lineage::LineageGraph;
use crate::model::Event;
use crate::views::{Dashboard, PipelineSummary, ScheduleStatus, SearchHit, SystemInfo};

/// Describes the operation of a route, if it is one of these.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("platform", id);
    Some(match (route.method, route.path) {
        (Verb::Get, "/health") => {
            let schema = schemas.define("Health", health());
            operation("checkHealth").answer(Answer::json(200, "The service works.", schema))
        }
        (Verb::Get, "/capabilities") => {
            let schema = schemas.of::<Capabilities>();
            operation("getCapabilities").answer(Answer::json(
                200,
                "What the server can execute.",
                schema,
            ))
        }
        (Verb::Get, "/openapi.json") => {
            let schema = json!({"type": "object", "additionalProperties": true});
            let answer = Answer::json(200, "This document.", schema)
                .always("ETag", "Changes with the document.");
            operation("getOpenapi")
                .header(if_none_match())
                .answer(answer)
                .answer(
                    Answer::empty(304, "The caller has this answer.").always("ETag", "The tag."),
                )
        }
        (Verb::Get, "/system/info") => {
            let schema = schemas.of::<SystemInfo>();
            operation("getSystemInfo").answer(Answer::json(200, "The figures.", schema))
        }
        (Verb::Post, "/system/purge") => {
            let body = schemas.define("PurgeRequest", bodies::purge());
            let answer = Answer::json(200, "The runs are deleted.", schemas.of::<Deleted>());
            operation("purgeRuns")
                .body(body, json!({"days": 90, "preview": true}))
                .answer(answer)
        }
        (Verb::Get, "/ws") => websocket(schemas),
        (Verb::Get, "/events") => server_sent_events(),
        _ => return overview(route, schemas),
    })
}

/// Describes the operations across all pipelines. What is too large is cut.
fn overview(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let (id, about, schema) = match (route.method, route.path) {
        (Verb::Get, "/lineage") => ("getLineage", "The graph.", schemas.of::<LineageGraph>()),
        (Verb::Get, "/dashboard") => {
            let dashboard = schemas.of::<Dashboard<PipelineSummary>>();
            ("getDashboard", "The dashboard.", dashboard)
        }
        (Verb::Get, "/search") => ("search", "The hits.", schemas.of::<Vec<SearchHit>>()),
        (Verb::Get, "/scheduler/status") => (
            "listSchedules",
            "All schedules.",
            schemas.of::<Vec<ScheduleStatus>>(),
        ),
        _ => return None,
    };
    let answer = Answer::json(200, about, schema).may_have(
        "Floret-Truncated",
        "`true` if the answer would be too large with all items.",
    );
    Some(Operation::new("platform", id).answer(answer))
}

fn health() -> Value {
    json!({
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "ok"}},
    })
}

/// The problems of a request for a stream of either kind.
const STREAM_PROBLEMS: [Problem; 4] = [
    Problem::CrossOrigin,
    Problem::EventsExpired,
    Problem::RunNotFound,
    Problem::TooManyStreams,
];

/// What a stream of either kind sends.
const MESSAGES: &str = "an `Event` of the schemas as JSON, or `{\"type\": \"lagged\", \"missed\", \
                        \"next_seq\"}` for a client that reads too slowly";

fn websocket(schemas: &mut Schemas) -> Operation {
    let event = schemas.of::<Event>();
    let event = event["$ref"].as_str().unwrap_or_default();
    assert_eq!(event, "#/components/schemas/Event");
    let about = format!("The connection is a WebSocket. Each message is {MESSAGES}.");
    Operation::new("events", "streamEvents")
        .answer(Answer::empty(101, about))
        .problems(&STREAM_PROBLEMS)
        .problems(&[Problem::UpgradeRequired])
}

fn server_sent_events() -> Operation {
    let about = format!(
        "Blocks of server-sent events, until the client or the server closes the connection. The \
         data of each is {MESSAGES}. The id is the number after which a client continues, also of \
         a block without data."
    );
    let answer = Answer::empty(200, about)
        .content("text/event-stream", json!({"type": "string"}))
        .always(
            "X-Accel-Buffering",
            "`no`: a proxy passes each block on at once.",
        );
    Operation::new("events", "streamServerSentEvents")
        .header(last_event_id())
        .answer(answer)
        .problems(&STREAM_PROBLEMS)
}
