//! Floret inside a tower stack: what is below its prefix is its own, the rest goes to the service within.
//!
//! Nothing is looked at here but the path; answering is left to `service`.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::Body;
use super::service::{ResponseFuture, RunsService};

/// Puts the Runs API before any tower service: requests below its prefix go to Floret, all others to the service within, as they are.
///
/// The service within keeps its own error type, and its bodies are streamed. Its readiness is waited for before any request is taken,
/// one for Floret too, so that a limit further out counts both; what was reserved for a request that is Floret's is given back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::convert::Infallible;
/// use floret::{Access, Floret, RunsLayer, storage::MemoryStorage};
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// let floret = Floret::builder(MemoryStorage::default()).start().await?;
/// let own = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new("the host's own".to_owned())));
/// let app = ServiceBuilder::new()
///     .layer(RunsLayer::new(floret.service(Access::allow_all())))
///     .service(own);
///
/// let health = Request::get("/api/health").body(String::new())?;
/// assert_eq!(app.clone().oneshot(health).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RunsLayer(RunsService);

impl RunsLayer {
    /// A layer that sends what is below the service's prefix to it. With the root as prefix that is everything.
    #[must_use]
    pub const fn new(service: RunsService) -> Self {
        Self(service)
    }

    /// Sets the path below which requests arrive here, where a host further out has taken a part of the prefix off:
    /// `.prefix("/ops/api")` for the service and `/api` here inside a router nested at `/ops`. Links always have the whole prefix.
    #[must_use]
    pub fn mounted_at(self, path: impl AsRef<str>) -> Self {
        Self(self.0.mounted_at(path.as_ref()))
    }
}

impl<S> Layer<S> for RunsLayer {
    type Service = WithRuns<S>;

    fn layer(&self, inner: S) -> WithRuns<S> {
        WithRuns {
            floret: self.0.clone(),
            inner,
        }
    }
}

/// A service with the Runs API before it; made by [`RunsLayer`].
#[derive(Debug, Clone)]
pub struct WithRuns<S> {
    floret: RunsService,
    inner: S,
}

impl<S> WithRuns<S> {
    fn is_floret(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.floret.mount());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for WithRuns<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ReqBody: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<WithRunsBody<ResBody>>;
    type Error = S::Error;
    type Future = WithRunsFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let answer = if self.is_floret(request.uri().path()) {
            // What the readiness within holds (a permit, a place in a buffer) would else be held until this clone is called again.
            self.inner = self.inner.clone();
            Answer::Floret {
                future: self.floret.call(request),
            }
        } else {
            Answer::Inner {
                future: self.inner.call(request),
            }
        };
        WithRunsFuture { answer }
    }
}

pin_project! {
    /// An answer on its way, of Floret or of the service within.
    pub struct WithRunsFuture<F> {
        #[pin]
        answer: Answer<F>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<F> {
        Floret { #[pin] future: ResponseFuture },
        Inner { #[pin] future: F },
    }
}

impl<F, B, E> Future for WithRunsFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<WithRunsBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().answer.project() {
            AnswerProjection::Floret { future } => {
                let Ok(answer) = ready!(future.poll(context));
                Ok(answer.map(|body| WithRunsBody {
                    content: Content::Floret { body },
                }))
            }
            AnswerProjection::Inner { future } => {
                let answer = ready!(future.poll(context));
                answer.map(|answer| {
                    answer.map(|body| WithRunsBody {
                        content: Content::Inner { body },
                    })
                })
            }
        })
    }
}

impl<F> fmt::Debug for WithRunsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithRunsFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of an answer, of Floret or of the service within.
    ///
    /// Its error is that of either, boxed: a [`BodyError`](crate::BodyError) or the error of the body within.
    pub struct WithRunsBody<B> {
        #[pin]
        content: Content<B>,
    }
}

pin_project! {
    #[project = ContentProjection]
    enum Content<B> {
        Floret { #[pin] body: Body },
        Inner { #[pin] body: B },
    }
}

impl<B> http_body::Body for WithRunsBody<B>
where
    B: http_body::Body,
    B::Data: From<Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        Poll::Ready(match self.project().content.project() {
            ContentProjection::Floret { body } => {
                let frame = ready!(body.poll_frame(context));
                let frame = frame.map(|frame| frame.map(|frame| frame.map_data(B::Data::from)));
                frame.map(|frame| frame.map_err(Into::into))
            }
            ContentProjection::Inner { body } => {
                let frame = ready!(body.poll_frame(context));
                frame.map(|frame| frame.map_err(Into::into))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Floret { body } => body.is_end_stream(),
            Content::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Floret { body } => body.size_hint(),
            Content::Inner { body } => body.size_hint(),
        }
    }
}

impl<B: Default> Default for WithRunsBody<B> {
    /// A default body of the service within, as middleware of the host answers with.
    fn default() -> Self {
        Self {
            content: Content::Inner { body: B::default() },
        }
    }
}

impl<B> fmt::Debug for WithRunsBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithRunsBody").finish_non_exhaustive()
    }
}
