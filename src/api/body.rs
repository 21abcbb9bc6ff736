//! The body of an answer: bytes at once, or a stream of them that is made while it is read.
//!
//! What stands in it is left to `response` and the handlers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::error::{Error, Result};

/// Why the stream of an answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the answer could not be read to its end")]
pub struct BodyError(#[source] Error);

/// The body of an answer. Any server that speaks `http_body` can send it.
pub struct Body(Content);

enum Content {
    Whole(Bytes),
    Stream(Pin<Box<dyn Chunks>>),
}

/// A source of chunks that is polled; `None` is the end.
trait Chunks: Send {
    fn poll_chunk(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>>;
}

impl Body {
    /// A body without a byte.
    pub(super) const fn empty() -> Self {
        Self(Content::Whole(Bytes::new()))
    }

    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Content::Whole(bytes.into()))
    }

    /// A body whose next chunk is asked for once the one before was taken: no more than one is held.
    /// `next` takes the source and gives it back with the chunk, or `None` at the end.
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
    /// An empty body, as middleware of the host answers with.
    fn default() -> Self {
        Self::empty()
    }
}

struct Unfold<F, N> {
    next: N,
    // None once the end was told.
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
        let told = ready!(pending.poll(context));
        let (chunk, following) = match told {
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
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(chunks) => {
                let chunk = ready!(chunks.as_mut().poll_chunk(context));
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data).map_err(BodyError)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Whole(bytes) => f.debug_tuple("Body").field(&bytes.len()).finish(),
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
    async fn a_stream_is_made_chunk_by_chunk() {
        let body = Body::stream(0_u8, async |index| match index {
            0..=2 => Ok(Some((Bytes::copy_from_slice(&[b'a' + index]), index + 1))),
            _ => Ok(None),
        });
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn a_stream_that_fails_breaks_off_and_ends() {
        let mut body = Body::stream(true, async |is_first| match is_first {
            true => Ok(Some((Bytes::from_static(b"a"), false))),
            false => Err(Error::unavailable("busy")),
        });
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_whole_body_tells_its_size() {
        let body = Body::whole("abc");
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert!(Body::empty().is_end_stream());
    }
}
