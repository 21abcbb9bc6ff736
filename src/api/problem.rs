//! How an error reads on the wire (RFC 9457), and the one match from kind to status.
//!
//! Which error it is was decided where it was made; the words of an error that is Floret's own fault are replaced here.

use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::body::Body;
use super::response;
use crate::error::{Error, ErrorKind, Issue, IssueAt, causes};

/// Problems of an input that one answer tells.
const ISSUES_MAX: usize = 20;

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<u64>,
    // Clients of the system before read this one.
    error: &'a str,
}

/// One problem of an input, as it reads on the wire.
#[derive(Debug, Serialize)]
pub(super) struct Fault<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    detail: &'a str,
}

impl<'a> From<&'a Issue> for Fault<'a> {
    fn from(issue: &'a Issue) -> Self {
        let (pointer, parameter) = match &issue.at {
            IssueAt::Pointer(pointer) => (Some(pointer.as_str()), None),
            IssueAt::Parameter(name) => (None, Some(name.as_str())),
        };
        Self {
            pointer,
            parameter,
            detail: &issue.detail,
        }
    }
}

/// The answer that an error becomes; what caused it goes to the log under the same `instance`.
pub(super) fn answer(error: &Error) -> Response<Body> {
    answer_from(error, None)
}

/// The same, telling the smallest number after which events can be had.
pub(super) fn answer_from(error: &Error, first_seq: Option<u64>) -> Response<Body> {
    let status = status(error);
    let instance = Uuid::new_v4().urn().to_string();
    log(error, status, &instance);
    let (slug, detail) = told(error, status);
    let issues = error.issues().iter().take(ISSUES_MAX);
    let errors: Vec<_> = issues.map(Fault::from).collect();
    let problem = Problem {
        kind: format!("urn:floret:problem:{slug}"),
        title: title(slug),
        status: status.as_u16(),
        detail: &detail,
        instance: &instance,
        errors: &errors,
        first_seq,
        error: &detail,
    };
    let mut answer = response::json_as(status, "application/problem+json", &problem);
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after(status) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    answer
}

/// The status of an error.
pub(super) fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::OutputDropped => StatusCode::NOT_FOUND,
        ErrorKind::Malformed => malformed(error.slug()),
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Conflict if error.slug() == "precondition-failed" => {
            StatusCode::PRECONDITION_FAILED
        }
        ErrorKind::Conflict | ErrorKind::RunFinished => StatusCode::CONFLICT,
        ErrorKind::QueueFull if error.slug() == "too-many-streams" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::QueueFull => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable | ErrorKind::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        // What only the engine meets, or only whoever opens a store.
        ErrorKind::StaleEpoch
        | ErrorKind::CancelRequested
        | ErrorKind::IllegalTransition
        | ErrorKind::StoreInUse { .. }
        | ErrorKind::SchemaTooNew { .. }
        | ErrorKind::SqliteTooOld { .. }
        | ErrorKind::NotADatabase
        | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What cannot be read, has no such place, or is not let in.
fn malformed(slug: &str) -> StatusCode {
    match slug {
        "unauthenticated" => StatusCode::UNAUTHORIZED,
        "forbidden" | "cross-origin" => StatusCode::FORBIDDEN,
        "method-not-allowed" => StatusCode::METHOD_NOT_ALLOWED,
        "events-expired" => StatusCode::GONE,
        "upgrade-required" => StatusCode::UPGRADE_REQUIRED,
        "request-timeout" => StatusCode::REQUEST_TIMEOUT,
        "body-too-large" => StatusCode::PAYLOAD_TOO_LARGE,
        "uri-too-long" => StatusCode::URI_TOO_LONG,
        "unsupported-media-type" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "misdirected" => StatusCode::MISDIRECTED_REQUEST,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Slug and detail as a client reads them: of a fault that is not its own no more than a constant.
fn told(error: &Error, status: StatusCode) -> (&'static str, String) {
    let constant = match status {
        StatusCode::INTERNAL_SERVER_ERROR => Some((
            "internal-error",
            "Floret failed to answer this; the log of the host has the reason under this instance",
        )),
        StatusCode::INSUFFICIENT_STORAGE => Some((
            "storage-full",
            "there is no room left to store this; reading still works",
        )),
        StatusCode::SERVICE_UNAVAILABLE if error.kind() == ErrorKind::ShuttingDown => Some((
            "shutting-down",
            "Floret is shutting down; it takes nothing any more until it is started again",
        )),
        StatusCode::SERVICE_UNAVAILABLE if error.kind() == ErrorKind::QueueFull => None,
        StatusCode::SERVICE_UNAVAILABLE => {
            Some(("storage-busy", "storage is busy; try again later"))
        }
        _ => None,
    };
    match constant {
        Some((slug, detail)) => (slug, detail.to_owned()),
        None => (error.slug(), error.to_string()),
    }
}

/// A problem's type in words: the same for every problem of the type.
fn title(slug: &str) -> String {
    let words = slug.replace('-', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

/// A pause after which the same request may go through. A queue empties more slowly than a lock.
const fn retry_after(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some("5"),
        StatusCode::SERVICE_UNAVAILABLE => Some("1"),
        _ => None,
    }
}

/// Causes go to `debug` alone: they may hold paths, SQL or secrets of the host.
fn log(error: &Error, status: StatusCode, instance: &str) {
    let slug = error.slug();
    if status.is_server_error() {
        tracing::error!(instance, slug, status = status.as_u16(), "a request failed");
    }
    let causes = causes(error);
    tracing::debug!(instance, slug, status = status.as_u16(), %error, ?causes, "a request was refused");
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;

    async fn read(error: &Error) -> (http::response::Parts, Value) {
        let (parts, body) = answer(error).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_problem_has_every_member_in_its_order() {
        let issues = vec![
            Issue::pointer("/params/a", "must be a string"),
            Issue::parameter("page", "must be a number"),
        ];
        let error = Error::invalid("invalid-field", issues);
        let (parts, body) = read(&error).await;
        assert_eq!(parts.status, 422);
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        assert_eq!(parts.headers["cache-control"], "no-store");
        let instance = body["instance"].as_str().unwrap();
        assert!(instance.starts_with("urn:uuid:"));
        let expected = json!({
            "type": "urn:floret:problem:invalid-field",
            "title": "Invalid field",
            "status": 422,
            "detail": "must be a string",
            "instance": instance,
            "errors": [
                {"pointer": "/params/a", "detail": "must be a string"},
                {"parameter": "page", "detail": "must be a number"},
            ],
            "error": "must be a string",
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn a_fault_of_ours_tells_a_constant_whatever_caused_it() {
        for (error, status, slug) in [
            (Error::internal("disk /secret"), 500, "internal-error"),
            (Error::unavailable("SELECT /secret"), 503, "storage-busy"),
            (
                Error::new(ErrorKind::StorageFull, "storage-full", "/secret"),
                507,
                "storage-full",
            ),
            (
                Error::new(ErrorKind::ShuttingDown, "shutting-down", "/secret"),
                503,
                "shutting-down",
            ),
            (
                Error::new(ErrorKind::StaleEpoch, "stale-epoch", "/secret"),
                500,
                "internal-error",
            ),
        ] {
            let error = error.with_source("driver /secret");
            let (parts, body) = read(&error).await;
            assert_eq!(parts.status, status);
            assert_eq!(body["type"], format!("urn:floret:problem:{slug}"));
            assert!(!body.to_string().contains("secret"), "{body}");
            let has_retry = parts.headers.contains_key("retry-after");
            assert_eq!(has_retry, status == 503);
        }
    }

    #[test]
    fn the_slugs_of_the_contract_have_its_statuses() {
        let new = Error::new;
        let cases = [
            (ErrorKind::Malformed, "invalid-json", 400),
            (ErrorKind::Malformed, "invalid-parameter", 400),
            (ErrorKind::Malformed, "id-mismatch", 400),
            (ErrorKind::Malformed, "unauthenticated", 401),
            (ErrorKind::Malformed, "forbidden", 403),
            (ErrorKind::Malformed, "cross-origin", 403),
            (ErrorKind::NotFound, "run-not-found", 404),
            (ErrorKind::Malformed, "method-not-allowed", 405),
            (ErrorKind::Malformed, "request-timeout", 408),
            (ErrorKind::RunFinished, "run-finished", 409),
            (ErrorKind::Conflict, "already-exists", 409),
            (ErrorKind::Conflict, "precondition-failed", 412),
            (ErrorKind::Malformed, "body-too-large", 413),
            (ErrorKind::Malformed, "uri-too-long", 414),
            (ErrorKind::Malformed, "unsupported-media-type", 415),
            (ErrorKind::Malformed, "misdirected", 421),
            (ErrorKind::Invalid, "graph-cycle", 422),
            (ErrorKind::Malformed, "events-expired", 410),
            (ErrorKind::Malformed, "upgrade-required", 426),
            (ErrorKind::QueueFull, "too-many-requests", 429),
            (ErrorKind::QueueFull, "too-many-streams", 503),
        ];
        for (kind, slug, expected) in cases {
            assert_eq!(status(&new(kind, slug, "")), expected, "{slug}");
        }
    }

    #[tokio::test]
    async fn twenty_problems_are_told_and_no_more() {
        let issues = (0..30).map(|index| Issue::pointer(format!("/{index}"), "no"));
        let error = Error::invalid("invalid-field", issues.collect());
        let (_, body) = read(&error).await;
        assert_eq!(body["errors"].as_array().unwrap().len(), 20);
    }
}
