//! The tower service that a host mounts: from a request of any body to an answer, whatever happens in between.
//!
//! The order of the checks is here; each of them, the table and the handlers are files of their own.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{Method, Request, Response};
use tower_service::Service;

use super::access::Access;
use super::body::Body;
use super::call::Call;
use super::path::Params;
use super::permission::Permission;
use super::request::Payload;
use super::route::{Handling, Need, Route};
use super::router::{self, Match};
use super::shared::Shared;
#[cfg(feature = "websocket")]
use super::stream;
use super::{origin, path, problem, request, response};
use crate::engine::Engine;
use crate::error::{Error, Problem, Result, panic_text, shown};
use crate::model::Scope;
use crate::views::Views;

/// The Runs API as a tower service, to be mounted into any server that speaks `http`.
///
/// It never fails: every error, a panic in a handler too, is an answer. Clones are the same service.
///
/// It serves the paths of the contract below its prefix (`/api` unless [`RunsService::prefix`] says otherwise) and also without it,
/// for hosts that take the prefix off before they call it. Links always have the prefix.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::{Access, Floret, storage::MemoryStorage};
/// use tower::ServiceExt;
///
/// let floret = Floret::builder(MemoryStorage::default()).start().await?;
/// let service = floret.service(Access::allow_all()).prefix("/v1");
/// let request = http::Request::get("/v1/health").body(String::new())?;
/// let answer = service.oneshot(request).await?;
/// assert_eq!(answer.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RunsService(Arc<Shared>);

impl RunsService {
    pub(crate) fn new(engine: Engine, views: Views, access: Access) -> Self {
        Self(Arc::new(Shared {
            engine,
            views,
            access,
            prefix: path::prefix("/api"),
            mount: None,
            origins: Vec::new(),
            hosts: Vec::new(),
        }))
    }

    /// Sets the path below which the host mounts the service, and with which links begin. An empty one or `/`: the root.
    #[must_use]
    pub fn prefix(self, prefix: impl AsRef<str>) -> Self {
        self.with(|shared| shared.prefix = path::prefix(prefix.as_ref()))
    }

    /// Lets pages of this origin (`https://app.example.com`) send requests that change something. A page of the request's own host always may.
    ///
    /// A text that is no origin lets nobody in, and is told in the log.
    #[must_use]
    pub fn allow_origin(self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        if !origin::is_origin(&origin) {
            tracing::warn!(origin, "this is no origin: no request will have it");
        }
        self.with(|shared| shared.origins.push(origin))
    }

    /// Answers only requests for this host (`localhost`, any port; `localhost:8080`, this one) and others so allowed; without any: for every host.
    #[must_use]
    pub fn allow_host(self, host: impl Into<String>) -> Self {
        self.with(|shared| shared.hosts.push(host.into()))
    }

    /// The path under which requests arrive: the prefix, unless [`RunsService::mounted_at`] said otherwise.
    pub(super) fn mount(&self) -> &str {
        self.0.mount.as_deref().unwrap_or(&self.0.prefix)
    }

    /// Sets the path under which requests arrive where it is not the prefix.
    pub(super) fn mounted_at(self, mount: &str) -> Self {
        self.with(|shared| shared.mount = Some(path::prefix(mount)))
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Arc::unwrap_or_clone(self.0);
        change(&mut shared);
        Self(Arc::new(shared))
    }

    fn begin<B>(&self, request: Request<B>) -> Result<Handling, Box<Response<Body>>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        #[cfg(feature = "websocket")]
        let parts = stream::show_key(parts);
        let refuse = |error: Error| Box::new(problem::answer(&error));
        self.0.check_before_routing(&parts).map_err(refuse)?;
        let (route, params) = match self.0.route(&parts) {
            Ok(found) => found,
            Err(answer) => {
                self.0.refuse_stranger(&parts).map_err(refuse)?;
                return Err(answer);
            }
        };
        let scope = self.0.check_access(&parts, route).map_err(refuse)?;
        request::refuse_form(&parts.headers).map_err(refuse)?;
        let mut call = Call {
            shared: Arc::clone(&self.0),
            route,
            parts,
            params,
            scope,
            body: Ok(Bytes::new()),
        };
        Ok(match route.payload {
            Payload::Ignored => (route.handler)(call),
            Payload::Optional | Payload::Required => Box::pin(async move {
                let (limits, clock) = (call.engine().limits(), call.engine().clock());
                call.body = request::read(&call.parts.headers, body, limits, clock).await;
                (route.handler)(call).await
            }),
        })
    }
}

impl Shared {
    fn check_before_routing(&self, parts: &Parts) -> Result<()> {
        let max = self.engine.limits().uri_bytes_max;
        let length = parts.uri.path().len() + parts.uri.query().map_or(0, |query| query.len() + 1);
        if length > max {
            return Err(Error::new(
                Problem::UriTooLong,
                format!("path and query have {length} bytes; {max} are allowed"),
            ));
        }
        origin::check_host(parts, &self.hosts)?;
        origin::check(parts, &self.origins)
    }

    fn route(&self, parts: &Parts) -> Result<(&'static Route, Params), Box<Response<Body>>> {
        let path = self.below(parts.uri.path());
        match router::find(&parts.method, path) {
            Match::Route(route, params) => Ok((route, params)),
            Match::OtherMethod(allowed) => {
                let detail = format!(
                    "the method {} is not for this path; allowed are: {}",
                    shown(parts.method.as_str()),
                    allowed.about()
                );
                let mut answer = problem::answer(&Error::new(Problem::MethodNotAllowed, detail));
                match response::insert(&mut answer, ALLOW, allowed.methods()) {
                    Ok(()) => Err(Box::new(answer)),
                    Err(error) => Err(Box::new(problem::answer(&error))),
                }
            }
            Match::Nothing => {
                let detail = format!("there is nothing at {}", shown(parts.uri.path()));
                Err(Box::new(problem::answer(&Error::new(
                    Problem::NotFound,
                    detail,
                ))))
            }
        }
    }

    /// A caller without credentials is not told which paths there are.
    fn refuse_stranger(&self, parts: &Parts) -> Result<()> {
        match self.access.check(parts, Permission::RunsView) {
            Err(error) if error.problem() == Problem::Unauthenticated => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn check_access(&self, parts: &Parts, route: &Route) -> Result<Scope> {
        match route.needs {
            Need::Nothing => Ok(Scope::All),
            Need::Caller => self.access.check_any(parts),
            Need::Permission(permission) => self.access.check(parts, permission),
        }
    }
}

impl<B> Service<Request<B>> for RunsService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let is_head = request.method() == Method::HEAD;
        // The closure of the host that decides access may panic too.
        let state = match catch_unwind(AssertUnwindSafe(|| self.begin(request))) {
            Ok(Ok(handling)) => State::Handling(handling),
            Ok(Err(answer)) => State::Ready(Some(answer)),
            Err(panic) => State::Ready(Some(Box::new(after_panic(panic)))),
        };
        ResponseFuture { state, is_head }
    }
}

impl fmt::Debug for RunsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunsService")
            .field("prefix", &self.0.prefix)
            .field("access", &self.0.access)
            .field("origins", &self.0.origins)
            .field("hosts", &self.0.hosts)
            .finish_non_exhaustive()
    }
}

/// An answer on its way.
pub struct ResponseFuture {
    state: State,
    is_head: bool,
}

enum State {
    /// None once it was taken.
    Ready(Option<Box<Response<Body>>>),
    Handling(Handling),
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut answer = match &mut this.state {
            State::Ready(answer) => match answer.take() {
                Some(answer) => *answer,
                None => problem::answer(&Error::internal("an answer was asked for twice")),
            },
            State::Handling(handling) => {
                // Nothing of a call is looked at again after a panic.
                match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(answer))) => answer,
                    Ok(Poll::Ready(Err(error))) => problem::answer(&error),
                    Err(panic) => after_panic(panic),
                }
            }
        };
        this.state = State::Ready(None);
        if this.is_head {
            *answer.body_mut() = Body::empty();
        }
        Poll::Ready(Ok(answer))
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// What a panic becomes. Its text may hold anything, so it is no client's to read.
fn after_panic(panic: Box<dyn Any + Send>) -> Response<Body> {
    problem::answer(&Error::internal("a handler panicked").with_source(panic_text(panic)))
}
