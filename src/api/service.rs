//! The tower service that a host mounts. It answers every request, even if a handler panics.
//!
//! This file orders the checks of a request; the checks, the route table and the handlers have
//! files of their own.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{Method, Request, Response};
use tower_service::Service;

use super::access::{Access, Grant};
use super::asked::Asked;
use super::body::Body;
use super::call::Call;
use super::path::Params;
use super::permission::Permission;
use super::request::Payload;
use super::route::{HandlerFuture, Need, Route};
use super::router::{self, Match};
use super::shared::Shared;
#[cfg(feature = "websocket")]
use super::stream::websocket;
use super::{origin, path, problem, request, response, tenant, webhook};
use crate::engine::Engine;
use crate::error::{Error, Problem, Result, log, panic_message, quote};
use crate::model::Scope;
use crate::views::Views;

/// The Runs API as a tower service for any server that uses the `http` crate.
///
/// The service never fails: every error becomes a response, even a panic in a handler. Clones share
/// the same service.
///
/// The service accepts the paths of the API below its prefix, which is `/api` unless
/// [`RunsService::prefix`] sets another. It also accepts them without the prefix, for hosts that
/// strip it. Links always have the prefix.
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
/// let response = service.oneshot(request).await?;
/// assert_eq!(response.status(), 200);
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
            document: OnceLock::new(),
        }))
    }

    /// Sets the path below which the host mounts the service. Links start with it.
    ///
    /// An empty prefix or `/` stands for the root.
    #[must_use]
    pub fn prefix(self, prefix: impl AsRef<str>) -> Self {
        self.with(|shared| {
            shared.prefix = path::prefix(prefix.as_ref());
            shared.document = OnceLock::new();
        })
    }

    /// Allows pages of this origin (`https://app.example.com`) to send requests that change
    /// something.
    ///
    /// Pages of the service's own host are always allowed. A text that is not an origin has no
    /// effect except a warning in the log.
    #[must_use]
    pub fn allow_origin(self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        if !origin::is_origin(&origin) {
            log::warn!(origin, "not an origin: no request can match it");
        }
        self.with(|shared| shared.origins.push(origin))
    }

    /// Restricts the service to requests for this host and other allowed ones.
    ///
    /// `localhost` allows every port, `localhost:8080` only port 8080. Without an allowed host, the
    /// service answers requests for every host.
    #[must_use]
    pub fn allow_host(self, host: impl Into<String>) -> Self {
        self.with(|shared| shared.hosts.push(host.into()))
    }

    /// Returns the path below which requests arrive: the prefix, unless [`RunsService::mounted_at`]
    /// set another.
    pub(super) fn mount(&self) -> &str {
        self.0.mount.as_deref().unwrap_or(&self.0.prefix)
    }

    /// Sets the path below which requests arrive, if it is not the prefix.
    pub(super) fn mounted_at(self, mount: &str) -> Self {
        self.with(|shared| shared.mount = Some(path::prefix(mount)))
    }

    /// Returns the service below `api` of a mount, whether or not a host removes the mount from the
    /// paths.
    #[cfg(feature = "console")]
    pub(crate) fn within(self, mount: &str) -> Self {
        self.prefix(format!("{mount}/api")).mounted_at("/api")
    }

    /// Refuses what the service refuses whatever the path is, for a service beside it.
    ///
    /// # Errors
    /// `Malformed` or `Forbidden`.
    #[cfg(feature = "console")]
    pub(crate) fn check_before_routing(&self, parts: &Parts) -> Result<()> {
        self.0.check_before_routing(parts)
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Arc::unwrap_or_clone(self.0);
        change(&mut shared);
        Self(Arc::new(shared))
    }

    fn begin<B>(
        &self,
        request: Request<B>,
        asked: &mut Asked,
    ) -> Result<HandlerFuture, Box<Response<Body>>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        #[cfg(feature = "websocket")]
        let parts = websocket::authorize_by_subprotocol(parts);
        let refuse = |error: Error| Box::new(problem::to_response(&error));
        self.0.check_before_routing(&parts).map_err(refuse)?;
        let (route, params) = match self.0.route(&parts) {
            Ok(found) => found,
            Err(response) => {
                self.0.refuse_unauthenticated(&parts).map_err(refuse)?;
                return Err(response);
            }
        };
        asked.note_route(route, self.0.engine.events().newest());
        let tenant = tenant::named(parts.uri.query());
        let named = tenant.as_ref().ok().and_then(Option::as_ref);
        let granted = self.0.check_access(&parts, route, named).map_err(refuse)?;
        let tenant = tenant.map_err(refuse)?;
        let Grant { scope, by } = granted;
        let scope = tenant::narrow(scope, tenant.as_ref()).map_err(refuse)?;
        request::refuse_form(&parts.headers).map_err(refuse)?;
        let mut call = Call {
            shared: Arc::clone(&self.0),
            subject: route.subject,
            query: route.query,
            payload: route.payload,
            parts: Box::new(parts),
            params,
            tenant,
            scope,
            by,
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
            Match::MethodNotAllowed(allowed) => {
                let detail = format!(
                    "this path does not support the method {}; it supports {}",
                    quote(parts.method.as_str()),
                    allowed.about()
                );
                let mut response =
                    problem::to_response(&Error::new(Problem::MethodNotAllowed, detail));
                match response::set_header(&mut response, ALLOW, allowed.methods()) {
                    Ok(()) => Err(Box::new(response)),
                    Err(error) => Err(Box::new(problem::to_response(&error))),
                }
            }
            Match::NotFound => {
                let detail = format!("no route matches {}", quote(parts.uri.path()));
                Err(Box::new(problem::to_response(&Error::new(
                    Problem::NotFound,
                    detail,
                ))))
            }
        }
    }

    /// Refuses a caller without credentials, which must not learn which paths exist.
    fn refuse_unauthenticated(&self, parts: &Parts) -> Result<()> {
        match self.access.check(parts, Permission::RunsView) {
            Err(error) if error.problem() == Problem::Unauthenticated => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn check_access(&self, parts: &Parts, route: &Route, named: Option<&Scope>) -> Result<Grant> {
        match route.needs {
            Need::Nothing => Ok(Grant {
                scope: Scope::All,
                by: None,
            }),
            Need::Token => {
                // Without a token, not even the body is read.
                webhook::token(&parts.headers)?;
                self.access.check_webhooks()?;
                Ok(Grant {
                    scope: Scope::All,
                    by: None,
                })
            }
            Need::Caller => {
                let admits = |scope: &Scope| tenant::narrow(scope.clone(), named).is_ok();
                self.access.check_any(parts, admits)
            }
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
        let mut asked = Asked::now(self.0.engine.clock());
        // The host's access closure may panic too.
        let state = match catch_unwind(AssertUnwindSafe(|| self.begin(request, &mut asked))) {
            Ok(Ok(handling)) => State::Handling(handling),
            Ok(Err(response)) => State::Ready(Some(response)),
            Err(panic) => State::Ready(Some(Box::new(after_panic(panic)))),
        };
        ResponseFuture {
            state,
            is_head,
            asked,
        }
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

/// The future of a response.
pub struct ResponseFuture {
    state: State,
    is_head: bool,
    asked: Asked,
}

enum State {
    /// `None` once the response was taken.
    Ready(Option<Box<Response<Body>>>),
    Handling(HandlerFuture),
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut response = match &mut this.state {
            State::Ready(response) => match response.take() {
                Some(response) => *response,
                None => {
                    problem::to_response(&Error::internal("a response was polled after completion"))
                }
            },
            State::Handling(handling) => {
                // Unwind safe: the call is not used after a panic.
                match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(response))) => response,
                    Ok(Poll::Ready(Err(error))) => problem::to_response(&error),
                    Err(panic) => after_panic(panic),
                }
            }
        };
        this.state = State::Ready(None);
        response::restrict(&mut response);
        this.asked.number(&mut response);
        this.asked.record(response.status());
        if this.is_head {
            *response.body_mut() = Body::empty();
        }
        Poll::Ready(Ok(response))
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// Returns the response to a panic. The panic's text may contain anything, so it goes to the log
/// only.
fn after_panic(panic: Box<dyn Any + Send>) -> Response<Body> {
    problem::to_response(&Error::internal("a handler panicked").with_source(panic_message(panic)))
}
