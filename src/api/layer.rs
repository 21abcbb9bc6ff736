//! Floret inside a tower stack: requests below its prefix go to Floret, others to the inner
//! service.
//!
//! This layer looks at the path alone; `service` handles the requests.

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

/// Puts the Runs API in front of any tower service.
///
/// Requests below the prefix go to Floret; all others go to the inner service unchanged. The inner
/// service keeps its own error type, and its bodies are streamed.
///
/// The layer is ready only when the inner service is ready, for requests to Floret too, so that an
/// outer limit counts both. A request to Floret releases what the inner service reserved for it.
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
/// let own = service_fn(async |_: Request<String>| {
///     Ok::<_, Infallible>(Response::new("the host's own".to_owned()))
/// });
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
    /// Returns a layer that sends requests below the service's prefix to the service.
    ///
    /// If the prefix is the root, these are all requests.
    #[must_use]
    pub const fn new(service: RunsService) -> Self {
        Self(service)
    }

    /// Sets the path below which requests arrive, if an outer router strips a part of the prefix.
    ///
    /// Inside a router nested at `/ops`, for example, the service has `.prefix("/ops/api")` and the
    /// layer `.mounted_at("/api")`. Links always have the whole prefix.
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

/// A service with the Runs API in front of it, created by [`RunsLayer`].
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
        let source = if self.is_floret(request.uri().path()) {
            // Otherwise a permit or buffer slot that the inner service reserved in `poll_ready`
            // would stay reserved until the next call of this clone.
            self.inner = self.inner.clone();
            Source::Floret {
                future: self.floret.call(request),
            }
        } else {
            Source::Inner {
                future: self.inner.call(request),
            }
        };
        WithRunsFuture { source }
    }
}

pin_project! {
    /// The future of a response, from Floret or from the inner service.
    pub struct WithRunsFuture<F> {
        #[pin]
        source: Source<F>,
    }
}

pin_project! {
    #[project = SourceProjection]
    enum Source<F> {
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
        Poll::Ready(match self.project().source.project() {
            SourceProjection::Floret { future } => {
                let Ok(response) = ready!(future.poll(context));
                Ok(response.map(|body| WithRunsBody {
                    content: Content::Floret { body },
                }))
            }
            SourceProjection::Inner { future } => {
                let response = ready!(future.poll(context));
                response.map(|response| {
                    response.map(|body| WithRunsBody {
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
    /// The body of a response, from Floret or from the inner service.
    ///
    /// Its boxed error is a [`BodyError`](crate::service::BodyError) or the error of the inner
    /// body.
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
    /// Returns the default body of the inner service, which a host's middleware may need.
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
