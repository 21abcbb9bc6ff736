//! The body of a response: either complete bytes, or a stream that is produced as it is read.
//!
//! `response` and the handlers decide what a body contains.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::error::{Error, Result};

/// The error that ended a streamed response early.
#[derive(Debug, thiserror::Error)]
#[error("the response ended early because of an error")]
pub struct BodyError(#[source] Error);

/// The body of a response. Any server that uses `http_body` can send it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let floret = floret::testing::memory().start().await?;
/// use floret::Access;
/// use http_body_util::BodyExt as _;
/// use tower::ServiceExt as _;
///
/// let request = http::Request::get("/api/pipelines").body(String::new())?;
/// let answer = floret.service(Access::allow_all()).oneshot(request).await?;
/// let bytes = answer.into_body().collect().await?.to_bytes();
/// assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
/// # Ok(())
/// # }
/// ```
pub struct Body(Content);

enum Content {
    Complete(Bytes),
    Stream(Pin<Box<dyn Chunks>>),
}

/// A source of chunks. `None` marks the end.
trait Chunks: Send {
    fn poll_chunk(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>>;
}

impl Body {
    /// Returns an empty body.
    pub(super) const fn empty() -> Self {
        Self(Content::Complete(Bytes::new()))
    }

    pub(crate) fn complete(bytes: impl Into<Bytes>) -> Self {
        Self(Content::Complete(bytes.into()))
    }

    /// Returns a body that produces its chunks on demand and never buffers more than one.
    ///
    /// `next` consumes the source and returns it with the next chunk, or `None` at the end.
    pub(super) fn stream<S, F, N>(source: S, next: N) -> Self
    where
        S: Send + 'static,
        F: Future<Output = Result<Option<(Bytes, S)>>> + Send + 'static,
        N: Fn(S) -> F + Send + Unpin + 'static,
    {
        let pending = next(source);
        Self(Content::Stream(Box::pin(Unfold {
            next,
            pending: Box::pin(Some(pending)),
        })))
    }
}

impl Default for Body {
    /// Returns an empty body. The middleware of a host may need it for its own responses.
    fn default() -> Self {
        Self::empty()
    }
}

struct Unfold<F, N> {
    next: N,
    // `None` after the last chunk or an error.
    pending: Pin<Box<Option<F>>>,
}

impl<S, F, N> Chunks for Unfold<F, N>
where
    S: Send,
    F: Future<Output = Result<Option<(Bytes, S)>>> + Send,
    N: Fn(S) -> F + Send + Unpin,
{
    fn poll_chunk(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        let Some(pending) = this.pending.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = ready!(pending.poll(context));
        let (chunk, following) = match polled {
            Ok(Some((chunk, source))) => (Some(Ok(chunk)), Some((this.next)(source))),
            Ok(None) => (None, None),
            Err(error) => (Some(Err(error)), None),
        };
        this.pending.set(following);
        Poll::Ready(chunk)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Content::Complete(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Complete(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(chunks) => {
                let chunk = ready!(chunks.as_mut().poll_chunk(context));
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data).map_err(BodyError)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Complete(bytes) => bytes.is_empty(),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Complete(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Complete(bytes) => f.debug_tuple("Body").field(&bytes.len()).finish(),
            Content::Stream(_) => f.debug_tuple("Body").field(&"stream").finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_stream_yields_its_chunks_in_order() {
        let body = Body::stream(0_u8, async |index| match index {
            0..=2 => Ok(Some((Bytes::copy_from_slice(&[b'a' + index]), index + 1))),
            _ => Ok(None),
        });
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn a_stream_ends_after_an_error() {
        let mut body = Body::stream(true, async |is_first| match is_first {
            true => Ok(Some((Bytes::from_static(b"a"), false))),
            false => Err(Error::unavailable("busy")),
        });
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_complete_body_reports_its_size() {
        let body = Body::complete("abc");
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert!(Body::empty().is_end_stream());
    }
}
