//! A row of the route table: method, path, subject, access, input and handler.
//!
//! `routes` is the table; `router` finds a row in it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::{Method, Response};

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::query::Parameter;
use super::request::Payload;
use super::subject::Subject;
use crate::error::Result;

/// The future of a handler.
pub(super) type HandlerFuture = Pin<Box<dyn Future<Output = Result<Response<Body>>> + Send>>;

/// The function that handles the calls of a route.
pub(super) type Handler = fn(Call) -> HandlerFuture;

/// A route of the API.
pub(super) struct Route {
    pub(super) method: Verb,
    pub(super) path: &'static str,
    pub(super) subject: Subject,
    pub(super) needs: Need,
    pub(super) query: &'static [Parameter],
    pub(super) payload: Payload,
    pub(super) handler: Handler,
    /// What the route does, for responses with status 405.
    pub(super) about: &'static str,
    /// The method of the crate that does the same, as `Type::method`.
    #[cfg(feature = "testing")]
    pub(super) rust: &'static str,
}

/// The HTTP methods that the table uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// The access that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// None: the route is public.
    Nothing,
    /// At least one permission, no matter which.
    Caller,
    /// The token of the pipeline's webhook. The handler compares it.
    Token,
    /// This permission.
    Permission(Permission),
}

impl Route {
    /// Sets the query parameters that the route accepts; all others are refused.
    pub(super) const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// Returns whether the route shows runs as of a moment, so that a client can go on with the
    /// events after it.
    pub(super) fn shows_runs(&self) -> bool {
        self.method == Verb::Get && self.needs == Need::Permission(Permission::RunsView)
    }

    /// Sets how the route treats the body.
    pub(super) const fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }
}

impl Verb {
    pub(super) const COUNT: usize = 5;

    /// Returns the verb of a method. HEAD is handled like GET.
    pub(super) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            Method::PATCH => Some(Self::Patch),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    /// Returns the HTTP method.
    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }

    /// Returns the name of the method. That of a HEAD is GET.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    pub(super) const fn names(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} ({})", self.method, self.path, self.about)
    }
}
