//! What a row of the table is: method, path, what a caller needs, what it takes, what it does.
//!
//! The rows stand in `routes`; finding one is left to `router`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::{Method, Response};

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::query::Parameter;
use super::request::Payload;
use crate::error::Result;

/// A handler at work.
pub(super) type Handling = Pin<Box<dyn Future<Output = Result<Response<Body>>> + Send>>;

/// What a row does with a call.
pub(super) type Handler = fn(Call) -> Handling;

/// One row.
pub(super) struct Route {
    pub(super) method: Verb,
    pub(super) path: &'static str,
    pub(super) subject: Subject,
    pub(super) needs: Need,
    pub(super) query: &'static [Parameter],
    pub(super) payload: Payload,
    pub(super) handler: Handler,
    /// What it does, for whoever asks in the wrong way and for the documentation.
    pub(super) about: &'static str,
}

/// The methods that the table uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// What the parameters of a path name.
///
/// A request is refused for its query or its body only where its subject exists; otherwise the
/// answer is 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The path has no parameters.
    Nothing,
    Pipeline,
    Run,
    /// A node of a run.
    Node,
    Backfill,
    Connection,
    Variable,
}

/// What a caller needs for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: everybody may ask.
    Nothing,
    /// Any permission: whoever is let in at all may ask.
    Caller,
    /// A permission.
    Permission(Permission),
}

impl Route {
    /// The parameters that it takes after the `?`; every other one is refused.
    pub(super) const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// The body that it takes.
    pub(super) const fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }
}

impl Verb {
    pub(super) const COUNT: usize = 4;

    /// The verb under which a method stands in the table; HEAD is answered like GET.
    pub(super) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    /// The method itself.
    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }

    pub(super) const fn names(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} ({})", self.method, self.path, self.about)
    }
}
