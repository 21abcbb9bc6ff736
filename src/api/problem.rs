//! Turns an error into a response (RFC 9457).
//!
//! The table of `error::Problem` has the slug, the status and the title. This file replaces the
//! message of an error that is not the client's fault.

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::body::Body;
use super::response;
use crate::error::{Error, ErrorKind, Issue, IssueLocation, Problem, causes, log};

/// The maximum number of issues in one response.
const ISSUES_MAX: usize = 20;

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Problem", description = "An error (RFC 9457).")
)]
pub(super) struct ProblemBody<'a> {
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [IssueBody<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<u64>,
    // Clients of the previous system read this member.
    error: &'a str,
}

/// One issue of an input, in its form on the wire.
#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "Issue",
        description = "One issue of an input: where it is and what is wrong."
    )
)]
pub(super) struct IssueBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    detail: &'a str,
}

impl<'a> From<&'a Issue> for IssueBody<'a> {
    fn from(issue: &'a Issue) -> Self {
        let (pointer, parameter) = match &issue.location {
            IssueLocation::Pointer(pointer) => (Some(pointer.as_str()), None),
            IssueLocation::Parameter(name) => (None, Some(name.as_str())),
        };
        Self {
            pointer,
            parameter,
            detail: &issue.detail,
        }
    }
}

/// Turns an error into a response, and logs its causes under the same `instance`.
pub(super) fn to_response(error: &Error) -> Response<Body> {
    to_response_with(error, None)
}

/// Turns an error into the whole response of a service beside the API.
#[cfg(feature = "console")]
pub(crate) fn refuse(error: &Error) -> Response<Body> {
    let mut response = to_response(error);
    response::restrict(&mut response);
    response
}

/// Turns an error into a response, as [`to_response`] does.
///
/// The response also has `first_seq`, the smallest sequence number that a stream may start after.
pub(super) fn to_response_with(error: &Error, first_seq: Option<u64>) -> Response<Body> {
    let problem = error.problem().on_wire();
    let status = status(problem);
    let instance = Uuid::new_v4().urn().to_string();
    log_refusal(error, status, &instance);
    let detail = constant_detail(problem).map_or_else(|| error.to_string(), str::to_owned);
    let issues = error.issues().iter().take(ISSUES_MAX);
    let errors: Vec<_> = issues.map(IssueBody::from).collect();
    let body = ProblemBody {
        uri: format!("urn:floret:problem:{}", problem.slug()),
        title: problem.title(),
        status: status.as_u16(),
        detail: &detail,
        instance: &instance,
        errors: &errors,
        first_seq,
        error: &detail,
    };
    let mut response = response::json_as(status, response::PROBLEM_JSON, &body);
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after(status) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    response
}

/// Returns the status of a problem. A test checks that each is valid.
fn status(problem: Problem) -> StatusCode {
    StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the detail that replaces the error's own message if the fault is not the client's.
const fn constant_detail(problem: Problem) -> Option<&'static str> {
    match problem.kind() {
        ErrorKind::Internal => Some(
            "Floret failed to answer this; the log of the host has the reason under this instance",
        ),
        ErrorKind::StorageFull => Some("there is no room left to store this; reading still works"),
        ErrorKind::ShuttingDown => {
            Some("Floret is shutting down; it takes nothing any more until it is started again")
        }
        ErrorKind::Unavailable => Some("storage is busy; try again later"),
        ErrorKind::NotFound
        | ErrorKind::Malformed
        | ErrorKind::Invalid
        | ErrorKind::Unauthenticated
        | ErrorKind::Forbidden
        | ErrorKind::MethodNotAllowed
        | ErrorKind::Gone
        | ErrorKind::Conflict
        | ErrorKind::RunFinished
        | ErrorKind::StaleEpoch
        | ErrorKind::CancelRequested
        | ErrorKind::IllegalTransition
        | ErrorKind::QueueFull
        | ErrorKind::TooManyRequests
        | ErrorKind::OutputDropped
        | ErrorKind::StoreInUse { .. }
        | ErrorKind::SchemaTooNew { .. }
        | ErrorKind::SqliteTooOld { .. }
        | ErrorKind::NotADatabase => None,
    }
}

/// Returns when to repeat the request, in seconds. A queue empties more slowly than a lock.
const fn retry_after(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some("5"),
        StatusCode::SERVICE_UNAVAILABLE => Some("1"),
        _ => None,
    }
}

/// Logs an error. Its causes appear at `debug` only: they may hold paths, SQL or secrets of the
/// host.
fn log_refusal(error: &Error, status: StatusCode, instance: &str) {
    let (slug, status) = (error.slug(), status.as_u16());
    match loudness(error.problem().on_wire()) {
        Loudness::Error => log::error!(instance, slug, status, "a request failed"),
        Loudness::Warning => log::warn!(instance, slug, status, "a request was refused"),
        Loudness::Quiet => {}
    }
    let causes = causes(error);
    log::debug!(instance, slug, status, %error, ?causes, "a request was refused");
}

/// How loudly the host's log speaks of a refused request.
enum Loudness {
    /// Somebody must act.
    Error,
    /// It passes without action, unless it lasts.
    Warning,
    /// It is the client's fault, or the intention of the host.
    Quiet,
}

const fn loudness(problem: Problem) -> Loudness {
    match problem.kind() {
        ErrorKind::ShuttingDown => Loudness::Quiet,
        ErrorKind::Unavailable => Loudness::Warning,
        _ if problem.status() < 500 => Loudness::Quiet,
        ErrorKind::TooManyRequests => Loudness::Warning,
        _ => Loudness::Error,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;

    async fn read(error: &Error) -> (http::response::Parts, Value) {
        let (parts, body) = to_response(error).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_problem_has_every_member_in_its_order() {
        let issues = vec![
            Issue::pointer("/params/a", "must be a string"),
            Issue::parameter("page", "must be a number"),
        ];
        let error = Error::invalid(Problem::InvalidField, issues);
        let (parts, body) = read(&error).await;
        assert_eq!(parts.status, 422);
        assert_eq!(parts.headers["content-type"], "application/problem+json");
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
    async fn a_server_error_has_a_constant_detail_whatever_caused_it() {
        for (error, status, slug) in [
            (Error::internal("disk /secret"), 500, "internal-error"),
            (Error::unavailable("SELECT /secret"), 503, "storage-busy"),
            (
                Error::new(Problem::StorageFull, "/secret"),
                507,
                "storage-full",
            ),
            (
                Error::new(Problem::ShuttingDown, "/secret"),
                503,
                "shutting-down",
            ),
            (
                Error::new(Problem::StaleEpoch, "/secret"),
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
    fn every_status_of_the_table_is_valid() {
        for problem in Problem::ALL {
            assert_eq!(status(*problem).as_u16(), problem.status(), "{problem:?}");
        }
    }

    #[tokio::test]
    async fn a_problem_for_hosts_has_the_form_of_its_public_counterpart() {
        for problem in Problem::ALL {
            let (parts, body) = read(&Error::new(*problem, "")).await;
            assert_eq!(parts.status, problem.on_wire().status(), "{problem:?}");
            let expected = format!("urn:floret:problem:{}", problem.on_wire().slug());
            assert_eq!(body["type"], expected);
            assert_eq!(body["title"], problem.on_wire().title());
        }
    }

    #[tokio::test]
    async fn at_most_twenty_issues_are_reported() {
        let issues = (0..30).map(|index| Issue::pointer(format!("/{index}"), "no"));
        let error = Error::invalid(Problem::InvalidField, issues.collect());
        let (_, body) = read(&error).await;
        assert_eq!(body["errors"].as_array().unwrap().len(), 20);
    }
}
