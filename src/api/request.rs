//! The body of a request, read completely within limits of size and time.
//!
//! `call` and `input` interpret the bytes.

use std::future::poll_fn;
use std::pin::{Pin, pin};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Body;

use crate::clock::Clock;
use crate::error::{Error, Problem, Result, quote};
use crate::limits::Limits;

/// What a route does with the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// The body is not read.
    Ignored,
    /// The body is JSON; an empty body means `{}`.
    Optional,
    /// The body is JSON.
    Required,
}

/// Reads a JSON body. An empty body needs no content type.
///
/// # Errors
/// `Malformed`: `unsupported-media-type`, `body-too-large`, `request-timeout`, or `invalid-json`
/// when the body broke off.
pub(super) async fn read<B: Body<Data = Bytes>>(
    headers: &HeaderMap,
    body: B,
    limits: &Limits,
    clock: &Clock,
) -> Result<Bytes> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let is_typed = headers.contains_key(CONTENT_TYPE);
    if is_typed {
        check_type(headers)?;
    }
    if body.size_hint().lower() > limits.body_bytes_max as u64 {
        return Err(too_large(limits));
    }
    let whole = clock
        .timeout(limits.body_timeout, collect(body, limits))
        .await;
    let bytes = whole.unwrap_or_else(|| {
        let seconds = limits.body_timeout.as_secs();
        Err(malformed(
            Problem::RequestTimeout,
            format!("the body did not arrive within {seconds} s"),
        ))
    })?;
    if !is_typed && !bytes.is_empty() {
        check_type(headers)?;
    }
    Ok(bytes)
}

/// Refuses a form, which any site can send without a preflight request.
///
/// # Errors
/// `Malformed` (`unsupported-media-type`).
pub(super) fn refuse_form(headers: &HeaderMap) -> Result<()> {
    let essence = essence(headers);
    let is_form = ["application/x-www-form-urlencoded", "multipart/form-data"]
        .into_iter()
        .any(|form| essence.eq_ignore_ascii_case(form));
    if is_form {
        Err(unsupported(headers))
    } else {
        Ok(())
    }
}

async fn collect<B: Body<Data = Bytes>>(body: B, limits: &Limits) -> Result<Bytes> {
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(data) = next_data(body.as_mut()).await? {
        if gathered
            .len()
            .saturating_add(first.len())
            .saturating_add(data.len())
            > limits.body_bytes_max
        {
            return Err(too_large(limits));
        }
        if first.is_empty() && gathered.is_empty() {
            first = data;
        } else {
            gathered.extend_from_slice(&std::mem::take(&mut first));
            gathered.extend_from_slice(&data);
        }
    }
    // Most bodies arrive in one piece; such a body is not copied.
    Ok(if gathered.is_empty() {
        first
    } else {
        gathered.freeze()
    })
}

/// Returns the next piece of data and skips trailers.
async fn next_data<B: Body<Data = Bytes>>(mut body: Pin<&mut B>) -> Result<Option<Bytes>> {
    loop {
        let frame = poll_fn(|context| body.as_mut().poll_frame(context)).await;
        let Some(frame) = frame else {
            return Ok(None);
        };
        let frame = frame.map_err(|_| {
            malformed(
                Problem::InvalidJson,
                "the body broke off before its end".to_owned(),
            )
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Returns the content type without its parameters.
fn essence(headers: &HeaderMap) -> &str {
    let text = headers
        .get(CONTENT_TYPE)
        .and_then(|text| text.to_str().ok());
    let essence = text.and_then(|text| text.split(';').next());
    essence.unwrap_or_default().trim()
}

fn check_type(headers: &HeaderMap) -> Result<()> {
    let is_one = headers.get_all(CONTENT_TYPE).iter().count() == 1;
    let is_json = essence(headers).eq_ignore_ascii_case("application/json");
    if is_one && is_json && is_utf8(headers) {
        return Ok(());
    }
    Err(unsupported(headers))
}

/// Returns whether the charset parameter, if present, is UTF-8, as JSON requires (RFC 8259, section
/// 8.1).
fn is_utf8(headers: &HeaderMap) -> bool {
    let text = headers
        .get(CONTENT_TYPE)
        .and_then(|text| text.to_str().ok());
    let parameters = text.unwrap_or_default().split(';').skip(1);
    let mut sets = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    sets.all(|set| set.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

fn unsupported(headers: &HeaderMap) -> Error {
    let received = match headers.get(CONTENT_TYPE) {
        Some(given) => quote(&String::from_utf8_lossy(given.as_bytes())),
        None => "none".to_owned(),
    };
    malformed(
        Problem::UnsupportedMediaType,
        format!("a body must have the content type application/json, received {received}"),
    )
}

fn too_large(limits: &Limits) -> Error {
    let max = limits.body_bytes_max;
    malformed(
        Problem::BodyTooLarge,
        format!("the body has more than {max} bytes"),
    )
}

fn malformed(problem: Problem, detail: String) -> Error {
    Error::new(problem, detail)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::{Context, Poll};

    use http::HeaderValue;
    use http_body::{Frame, SizeHint};
    use http_body_util::Full;

    use super::*;

    /// A body in pieces without a size hint, which ends as configured.
    struct Pieces(Vec<&'static str>, Tail);

    #[derive(PartialEq)]
    enum Tail {
        Whole,
        Broken,
        Stalled,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = ();

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
            match self.0.pop() {
                Some(piece) => {
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
                }
                None => match self.1 {
                    Tail::Whole => Poll::Ready(None),
                    Tail::Broken => Poll::Ready(Some(Err(()))),
                    Tail::Stalled => Poll::Pending,
                },
            }
        }
    }

    /// A body that claims to be huge and panics when it is read.
    struct Huge;

    impl Body for Huge {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("a body that claims to be too large must not be read")
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(u64::MAX)
        }
    }

    async fn read_as<B: Body<Data = Bytes>>(kind: Option<&str>, body: B) -> Result<Bytes> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        }
        let limits = Limits {
            body_bytes_max: 8,
            body_timeout: std::time::Duration::ZERO,
            ..Limits::default()
        };
        read(&headers, body, &limits, &Clock::system()).await
    }

    async fn slug<B: Body<Data = Bytes>>(kind: Option<&str>, body: B) -> &'static str {
        match read_as(kind, body).await {
            Ok(_) => "read",
            Err(error) => error.slug(),
        }
    }

    const JSON: Option<&str> = Some("application/json");

    #[tokio::test]
    async fn the_pieces_of_a_body_are_joined() {
        let body = Pieces(vec!["gh", "ef", "abcd"], Tail::Whole);
        assert_eq!(read_as(JSON, body).await.unwrap(), "abcdefgh");
        assert_eq!(
            slug(JSON, Pieces(vec!["i", "abcdefgh"], Tail::Whole)).await,
            "body-too-large"
        );
        assert_eq!(slug(JSON, Huge).await, "body-too-large");
    }

    #[tokio::test]
    async fn an_incomplete_body_is_refused() {
        assert_eq!(
            slug(JSON, Pieces(vec!["a"], Tail::Broken)).await,
            "invalid-json"
        );
        assert_eq!(
            slug(JSON, Pieces(vec!["a"], Tail::Stalled)).await,
            "request-timeout"
        );
    }

    #[tokio::test]
    async fn a_body_must_be_declared_as_json() {
        let full = || Full::new(Bytes::from_static(b"{}"));
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; x=y",
        ] {
            assert_eq!(slug(Some(good), full()).await, "read", "{good}");
        }
        for bad in [
            "text/plain",
            "application/jsonx",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert_eq!(
                slug(Some(bad), full()).await,
                "unsupported-media-type",
                "{bad}"
            );
        }
        assert_eq!(slug(None, full()).await, "unsupported-media-type");
    }

    #[tokio::test]
    async fn an_empty_body_needs_no_content_type() {
        assert_eq!(slug(None, Full::new(Bytes::new())).await, "read");
        assert_eq!(slug(None, Pieces(vec![], Tail::Whole)).await, "read");
    }

    #[test]
    fn a_form_is_recognized_by_its_content_type() {
        let mut headers = HeaderMap::new();
        assert!(refuse_form(&headers).is_ok());
        for form in [
            "application/x-www-form-urlencoded; charset=utf-8",
            "Multipart/Form-Data; boundary=x",
        ] {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(form));
            assert_eq!(
                refuse_form(&headers).unwrap_err().slug(),
                "unsupported-media-type"
            );
        }
    }
}
