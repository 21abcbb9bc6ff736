//! The tower service of the console: the API below `api/`, and the page everywhere else.
//!
//! The page holds no data, so it is served to every caller that the host lets through. What it
//! shows comes from the API, which asks the access policy of the host.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use tower_service::Service;

use super::assets::{self, Asset};
use super::encoding;
use super::headers::{self, Policies};
use super::page::Page;
use super::place::Place;
use super::settings::{Link, Settings};
use super::stub;
use crate::api::{Body, EntityTag, ResponseFuture, RunsService, is_known, not_modified, refuse};
use crate::error::{Error, Problem, log, quote};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The console as a tower service: a page for people, and the Runs API below its `api/`.
///
/// It follows the rules of [`RunsService`]: it takes any body, never fails, and checks `Host` and
/// `Origin`. A host mounts it anywhere, and the page needs no address of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let floret = floret::testing::memory().start().await?;
/// use floret::Access;
/// use tower::ServiceExt;
///
/// let console = floret.console(Access::read_only()).title("Flows of the shop");
/// let page = http::Request::get("/overview").body(String::new())?;
/// let page = console.clone().oneshot(page).await?;
/// assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
/// let health = http::Request::get("/api/health").body(String::new())?;
/// assert_eq!(console.oneshot(health).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ConsoleService {
    api: RunsService,
    shared: Arc<Shared>,
}

/// What the clones of a console share.
#[derive(Clone, Debug)]
struct Shared {
    prefix: String,
    settings: Settings,
    page: Page,
}

impl ConsoleService {
    pub(crate) fn new(api: RunsService) -> Self {
        let settings = Settings::default();
        Self {
            api: api.within(""),
            shared: Arc::new(Shared {
                prefix: String::new(),
                page: Page::new(&settings),
                settings,
            }),
        }
    }

    /// Sets the path below which the host mounts the console, as clients see it. Links in answers
    /// of the API start with it.
    ///
    /// The page does not need it. A host that leaves its prefix on the path of a request must set
    /// it: without it, the console is at the root.
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        let prefix = match prefix.as_ref().trim_matches('/') {
            "" => String::new(),
            inner => format!("/{inner}"),
        };
        self.api = self.api.within(&prefix);
        self.with(|shared| shared.prefix = prefix)
    }

    /// Sets the title of the page.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        self.with(|shared| shared.settings.title = title.into())
    }

    /// Shows links of the host in the head of the page: their names and their addresses.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # let floret = floret::testing::memory().start().await?;
    /// use floret::Access;
    ///
    /// let console = floret
    ///     .console(Access::read_only())
    ///     .links([("Shop", "https://shop.example.com"), ("Log out", "/logout")]);
    /// # drop(console);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn links<N: Into<String>, U: Into<String>>(
        self,
        links: impl IntoIterator<Item = (N, U)>,
    ) -> Self {
        let links = links.into_iter().map(|(name, url)| Link {
            name: name.into(),
            url: url.into(),
        });
        self.with(|shared| shared.settings.links = links.collect())
    }

    /// Sets where a caller logs in that the API does not know. Without it, the page asks for a key.
    #[must_use]
    pub fn login_url(self, url: impl Into<String>) -> Self {
        self.with(|shared| shared.settings.login_url = Some(url.into()))
    }

    /// Sets which pages may show the console in a frame, as `frame-ancestors` of a content security
    /// policy does. Without it, these are pages of the same origin (`'self'`).
    ///
    /// A text that is no list of sources has no effect except a warning in the log.
    #[must_use]
    pub fn frame_ancestors(self, sources: impl AsRef<str>) -> Self {
        let sources = sources.as_ref();
        match Policies::new(sources) {
            Some(policies) => self.with(|shared| shared.settings.policies = policies),
            None => {
                log::warn!(
                    sources,
                    "not a list of sources: no page gets another permission"
                );
                self
            }
        }
    }

    /// Restricts the console to requests for this host, as [`RunsService::allow_host`] does.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.api = self.api.allow_host(host);
        self
    }

    /// Allows pages of this origin to send requests, as [`RunsService::allow_origin`] does.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.api = self.api.allow_origin(origin);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        change(shared);
        shared.page = Page::new(&shared.settings);
        self
    }

    /// Answers a request for something else than the API.
    fn serve(&self, parts: &Parts, place: &Place<'_>) -> Response<Body> {
        let answer = self.api.check_before_routing(parts).and_then(|()| {
            check_method(&parts.method)?;
            self.find(parts, place)
        });
        let policies = &self.shared.settings.policies;
        let policy = match place {
            Place::Root => &policies.stub,
            Place::Api | Place::Asset(_) | Place::Page { .. } | Place::Nothing => &policies.page,
        };
        let mut response = answer.unwrap_or_else(|error| refusal(&error));
        headers::restrict(response.headers_mut(), policy);
        if parts.method == Method::HEAD {
            *response.body_mut() = Body::default();
        }
        response
    }

    fn find(&self, parts: &Parts, place: &Place<'_>) -> Result<Response<Body>, Error> {
        let page = &self.shared.page;
        match *place {
            Place::Root => Ok(whole(
                HTML,
                NO_CACHE,
                Bytes::from_static(stub::HTML.as_bytes()),
            )),
            Place::Page { depth } => page_at(parts, page, depth),
            Place::Asset(name) => match assets::find(name) {
                Some(asset) => Ok(file(parts, asset)),
                None => Err(nothing(parts)),
            },
            Place::Api | Place::Nothing => Err(nothing(parts)),
        }
    }
}

fn check_method(method: &Method) -> Result<(), Error> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let detail = format!(
        "the console answers GET and HEAD, received {}",
        quote(method.as_str())
    );
    Err(Error::new(Problem::MethodNotAllowed, detail))
}

fn nothing(parts: &Parts) -> Error {
    let detail = format!("the console has nothing at {}", quote(parts.uri.path()));
    Error::new(Problem::NotFound, detail)
}

fn refusal(error: &Error) -> Response<Body> {
    let mut response = refuse(error);
    if error.problem() == Problem::MethodNotAllowed {
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Returns the page so many folders below the mount, unless the client has it.
fn page_at(parts: &Parts, page: &Page, depth: usize) -> Result<Response<Body>, Error> {
    let tag = EntityTag::of_text(&page.tag(depth))?;
    if is_known(&parts.headers, &tag)? {
        let mut response = not_modified(tag);
        response.headers_mut().insert(CACHE_CONTROL, NO_CACHE);
        return Ok(response);
    }
    let mut response = whole(HTML, NO_CACHE, page.at(depth).into());
    tag.set(&mut response);
    Ok(response)
}

fn file(parts: &Parts, asset: &Asset) -> Response<Body> {
    let kind = HeaderValue::from_static(asset.content_type);
    if !encoding::accepts_gzip(&parts.headers) {
        return whole(kind, IMMUTABLE, Bytes::from_static(asset.plain));
    }
    let mut response = whole(kind, IMMUTABLE, Bytes::from_static(asset.gzip));
    let gzip = HeaderValue::from_static("gzip");
    response.headers_mut().insert(CONTENT_ENCODING, gzip);
    response
}

fn whole(kind: HeaderValue, caching: HeaderValue, bytes: Bytes) -> Response<Body> {
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(Body::complete(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, caching);
    headers.insert(CONTENT_LENGTH, length);
    response
}

impl<B> Service<Request<B>> for ConsoleService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ConsoleFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ConsoleFuture {
        let place = Place::of(&self.shared.prefix, request.uri().path());
        if place == Place::Api {
            return ConsoleFuture(Source::Api(self.api.call(request)));
        }
        let (parts, _) = request.into_parts();
        let place = Place::of(&self.shared.prefix, parts.uri.path());
        ConsoleFuture(Source::Own(Some(Box::new(self.serve(&parts, &place)))))
    }
}

impl fmt::Debug for ConsoleService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleService")
            .field("api", &self.api)
            .field("prefix", &self.shared.prefix)
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

/// The future of a response of a [`ConsoleService`].
pub struct ConsoleFuture(Source);

enum Source {
    Api(ResponseFuture),
    /// `None` once the response was taken.
    Own(Option<Box<Response<Body>>>),
}

impl Future for ConsoleFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Source::Api(answer) => Pin::new(answer).poll(context),
            Source::Own(response) => Poll::Ready(Ok(match response.take() {
                Some(response) => *response,
                None => refuse(&Error::internal("a response was polled after completion")),
            })),
        }
    }
}

impl fmt::Debug for ConsoleFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleFuture").finish_non_exhaustive()
    }
}
