//! The webhook of a pipeline: starts a run for a caller that has its token.
//!
//! The engine compares the token, and `runs` reads the body, as of any trigger.

use http::header::{AUTHORIZATION, GetAll};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::body::Body;
use super::call::Call;
use super::runs;
use crate::error::{Error, Problem, Result};
use crate::model::WebhookToken;

/// The header with a token. It takes precedence over `Authorization`, which a proxy may need.
const HEADER: HeaderName = HeaderName::from_static("x-floret-token");

/// `POST /pipelines/{id}/webhook`
pub(super) async fn trigger(mut call: Call) -> Result<Response<Body>> {
    let token = token(&call.parts.headers)?;
    let read = call.query().and_then(|_| runs::read_request(&mut call));
    let mut request = match read {
        Ok(request) => request,
        Err(refusal) => {
            let (engine, key) = (call.engine(), call.pipeline_key());
            engine.check_webhook(key, &token, &call.scope).await?;
            return Err(refusal);
        }
    };
    request.webhook = Some(token);
    let started = call.engine().trigger(request).await?;
    runs::started_response(&call, &started, None, None).await
}

/// Returns the token of a request.
///
/// # Errors
/// `Unauthenticated`.
pub(super) fn token(headers: &HeaderMap) -> Result<WebhookToken> {
    let given = if headers.contains_key(HEADER) {
        single(&headers.get_all(HEADER))
    } else {
        single(&headers.get_all(AUTHORIZATION)).and_then(bearer)
    };
    given.map(WebhookToken::from).ok_or_else(|| {
        Error::new(
            Problem::Unauthenticated,
            "a webhook needs its token, once, in the header X-Floret-Token or as a bearer token in \
             Authorization",
        )
    })
}

fn single<'a>(values: &GetAll<'a, HeaderValue>) -> Option<&'a str> {
    let mut values = values.iter();
    let only = values.next().filter(|_| values.next().is_none());
    only?.to_str().ok()
}

/// Returns the token of a bearer credential (RFC 6750). The case of the scheme does not matter.
fn bearer(credential: &str) -> Option<&str> {
    let (scheme, token) = credential.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let token = token(&headers).ok()?;
        Some(token.as_str().to_owned())
    }

    #[test]
    fn a_token_is_in_one_of_two_headers() {
        let (own, authorization) = ("x-floret-token", "authorization");
        for (pairs, expected) in [
            (&[(own, "t")] as &[_], Some("t")),
            (&[(authorization, "Bearer t")], Some("t")),
            (&[(authorization, "bearer   t")], Some("t")),
            (&[(authorization, "Basic dDp0"), (own, "t")], Some("t")),
            (&[(authorization, "Bearer other"), (own, "t")], Some("t")),
            (&[(own, "t"), (own, "t")], None),
            (
                &[(authorization, "Bearer t"), (authorization, "Bearer t")],
                None,
            ),
            (&[(authorization, "Basic dDp0")], None),
            (&[(authorization, "t")], None),
            (&[(own, "t\u{e9}"), (authorization, "Bearer t")], None),
            (&[], None),
        ] {
            assert_eq!(given(pairs).as_deref(), expected, "{pairs:?}");
        }
    }
}
