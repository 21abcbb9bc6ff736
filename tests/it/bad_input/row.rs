//! A row of the table: a bad request and the problem that it gets.
//!
//! `fixture` fills in the placeholders of its path.

use std::collections::BTreeSet;

use floret::{Permissions, Scope, TenantId};
use serde_json::Value;

use crate::wire::TestResponse;

pub(super) const RUN: &str = "/api/pipelines/daily/run";
pub(super) const DRY_RUN: &str = "/api/pipelines/daily/dry-run";
pub(super) const BACKFILL: &str = "/api/pipelines/daily/backfill";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A bad request with the status and the slug of its problem.
pub(super) type Row = (TestRequest, u16, &'static str);

/// A request, and what its problem must contain.
#[derive(Debug, Clone)]
pub(super) struct TestRequest {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    /// The permissions of the caller. `None` sends the request without credentials.
    pub(super) caller: Option<Permissions>,
    /// A text that `detail` contains.
    pub(super) detail: &'static str,
    /// The pointer or the parameter of the first error, if the row checks it.
    pub(super) at: Option<String>,
}

pub(super) fn get(path: impl Into<String>) -> TestRequest {
    TestRequest {
        method: "GET",
        path: path.into(),
        headers: Vec::new(),
        body: Vec::new(),
        caller: Some(Permissions::all()),
        detail: "",
        at: None,
    }
}

pub(super) fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> TestRequest {
    let json = get(path).header("content-type", "application/json");
    let body = body.into();
    TestRequest { body, ..json }.method("POST")
}

pub(super) fn put(path: impl Into<String>, body: impl Into<Vec<u8>>) -> TestRequest {
    post(path, body).method("PUT")
}

pub(super) fn patch(path: impl Into<String>, body: impl Into<Vec<u8>>) -> TestRequest {
    post(path, body).method("PATCH")
}

pub(super) fn delete(path: impl Into<String>) -> TestRequest {
    get(path).method("DELETE")
}

/// Returns a row for each request, all with the same problem.
pub(super) fn all(
    status: u16,
    slug: &'static str,
    bad: impl IntoIterator<Item = TestRequest>,
) -> Vec<Row> {
    bad.into_iter().map(|bad| (bad, status, slug)).collect()
}

impl TestRequest {
    pub(super) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Replaces the content type, or removes it.
    pub(super) fn content_type(mut self, content_type: Option<&str>) -> Self {
        self.headers.retain(|(name, _)| *name != "content-type");
        match content_type {
            Some(content_type) => self.header("content-type", content_type),
            None => self,
        }
    }

    /// Sends the request as a caller with these permissions, or without credentials.
    pub(super) fn by_caller(self, caller: Option<Permissions>) -> Self {
        Self { caller, ..self }
    }

    /// Sends the request as a caller with every permission in one tenant.
    pub(super) fn by_tenant(self, tenant: &str) -> Self {
        let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
        self.by_caller(Some(Permissions::all().scope(scope)))
    }

    /// Expects this text in `detail`.
    pub(super) fn with_detail(self, detail: &'static str) -> Self {
        Self { detail, ..self }
    }

    /// Expects the first error at this pointer or parameter.
    pub(super) fn at(self, location: impl Into<String>) -> Self {
        let at = Some(location.into());
        Self { at, ..self }
    }

    /// Returns whether the problem contains what this row expects.
    pub(super) fn matches(&self, problem: &Value) -> bool {
        let detail = problem["detail"].as_str().unwrap_or_default();
        let first = &problem["errors"][0];
        let location = first.get("pointer").or_else(|| first.get("parameter"));
        let is_expected = |at: &str| location.is_some_and(|location| location == at);
        detail.contains(self.detail) && self.at.as_deref().is_none_or(is_expected)
    }
}

/// The problems that the bad inputs have produced so far.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    pub(super) pairs: BTreeSet<(u16, &'static str)>,
}

impl Coverage {
    /// Asserts the problem of a response and records it.
    #[track_caller]
    pub(super) fn assert_problem(
        &mut self,
        response: &TestResponse,
        status: u16,
        slug: &'static str,
    ) {
        response.assert_problem(status, slug);
        let challenge = if status == 401 { "Bearer" } else { "" };
        assert_eq!(response.header("www-authenticate"), challenge);
        self.pairs.insert((status, slug));
    }
}
