//! The refusals of a route: those that follow from its row in the table, and its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::api::query::Parameter;
use crate::api::request::Payload;
use crate::api::route::{Need, Route, Verb};
use crate::api::subject::Subject;
use crate::error::Problem;

const PROBLEM: &str = "#/components/schemas/Problem";

/// What every route can answer.
const EVERYWHERE: [Problem; 5] = [
    Problem::InvalidParameter,
    Problem::UriTooLong,
    Problem::Misdirected,
    Problem::UnsupportedMediaType,
    Problem::InternalError,
];
/// What a route can answer that reads a body.
const BODY: [Problem; 7] = [
    Problem::InvalidJson,
    Problem::JsonTooDeep,
    Problem::DuplicateKey,
    Problem::BodyTooLarge,
    Problem::RequestTimeout,
    Problem::InvalidField,
    Problem::UnknownField,
];

/// What a route can answer that takes an idempotency key.
pub(super) const IDEMPOTENCY: [Problem; 3] = [
    Problem::InvalidIdempotencyKey,
    Problem::IdempotencyKeyReused,
    Problem::IdempotencyInProgress,
];
/// What a route can answer that starts the nodes of a pipeline.
pub(super) const START: [Problem; 6] = [
    Problem::ParamsTooLarge,
    Problem::ParamInvalid,
    Problem::NodeTypeUnknown,
    Problem::NodeTypeClosed,
    Problem::TooManyRequests,
    Problem::EncryptionKeyMissing,
];

/// Returns the problems that follow from the row of a route.
fn from_row(route: &Route) -> Vec<Problem> {
    let mut all = EVERYWHERE.to_vec();
    if route.needs != Need::Nothing {
        all.extend([Problem::Unauthenticated, Problem::Forbidden]);
    }
    if !matches!(route.path, "/capabilities" | "/openapi.json") {
        all.extend([
            Problem::StorageBusy,
            Problem::StorageFull,
            Problem::ShuttingDown,
        ]);
    }
    if route.method != Verb::Get {
        all.push(Problem::CrossOrigin);
    }
    if route.payload != Payload::Ignored {
        all.extend(BODY);
    }
    let has = |name| route.query.contains(&Parameter::Single(name));
    if has("per_page") {
        all.push(Problem::PageTooLarge);
    }
    if has("pipeline_id") {
        all.extend([Problem::PipelineNotFound, Problem::TenantRequired]);
    }
    if has("backfill_id") {
        all.push(Problem::BackfillNotFound);
    }
    all.extend(of_subject(route.subject));
    all
}

fn of_subject(subject: Subject) -> &'static [Problem] {
    match subject {
        Subject::Nothing => &[],
        Subject::Pipeline => &[
            Problem::NotFound,
            Problem::PipelineNotFound,
            Problem::TenantRequired,
        ],
        Subject::Version | Subject::Versions => &[
            Problem::NotFound,
            Problem::PipelineNotFound,
            Problem::VersionNotFound,
            Problem::TenantRequired,
        ],
        Subject::PipelineNode => &[
            Problem::NotFound,
            Problem::PipelineNotFound,
            Problem::NodeNotFound,
            Problem::TenantRequired,
        ],
        Subject::Run => &[Problem::NotFound, Problem::RunNotFound],
        Subject::Node => &[
            Problem::NotFound,
            Problem::RunNotFound,
            Problem::NodeNotFound,
        ],
        Subject::Backfill => &[Problem::NotFound, Problem::BackfillNotFound],
        Subject::Connection => &[
            Problem::NotFound,
            Problem::ConnectionNotFound,
            Problem::TenantRequired,
        ],
        Subject::Delivery => &[Problem::NotFound, Problem::DeliveryNotFound],
        Subject::Variable => &[
            Problem::NotFound,
            Problem::VariableNotFound,
            Problem::TenantRequired,
        ],
    }
}

/// The most slugs of a response that has a name, which lists them.
const NAMED_MAX: usize = 5;

/// Returns the responses with the problems of a route. Those with few slugs are references to
/// `shared`.
pub(super) fn responses(
    route: &Route,
    own: &[Problem],
    shared: &mut Map<String, Value>,
) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for problem in from_row(route).iter().chain(own) {
        let problem = problem.on_wire();
        by_status
            .entry(problem.status())
            .or_default()
            .insert(problem.slug());
    }
    let responses = by_status.into_iter().map(|(status, slugs)| {
        let shown: Vec<_> = slugs.iter().map(|slug| format!("`{slug}`")).collect();
        let mut response = json!({
            "description": format!("A problem: {}.", shown.join(", ")),
            "content": {"application/problem+json": {"schema": {"$ref": PROBLEM}}},
            "x-problem-types": slugs,
        });
        if let Some(name) = header(status) {
            response["headers"][name] = json!({"required": true, "schema": {"type": "string"}});
        }
        if slugs.len() <= NAMED_MAX {
            let name = slugs.into_iter().collect::<Vec<_>>().join(".");
            let reference = json!({"$ref": format!("#/components/responses/{name}")});
            shared.insert(name, std::mem::replace(&mut response, reference));
        }
        (status.to_string(), response)
    });
    responses.collect()
}

/// Returns the header that problems with this status have.
const fn header(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("WWW-Authenticate"),
        426 => Some("Upgrade"),
        429 | 503 => Some("Retry-After"),
        _ => None,
    }
}
