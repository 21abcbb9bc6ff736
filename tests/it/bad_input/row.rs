//! A row of the table: a request as it stands, and what it gets.
//!
//! What the names in its path stand for is `world`'s.

use std::collections::BTreeSet;

use floret::{Permissions, Scope, TenantId};
use serde_json::Value;

use crate::wire::Answer;

pub(super) const RUN: &str = "/api/pipelines/daily/run";
pub(super) const DRY_RUN: &str = "/api/pipelines/daily/dry-run";
pub(super) const BACKFILL: &str = "/api/pipelines/daily/backfill";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A request with the status and the slug that it gets.
pub(super) type Row = (Bad, u16, &'static str);

/// A request, and what its refusal tells.
#[derive(Debug, Clone)]
pub(super) struct Bad {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    /// Who asks; nobody that the host knows where there is none.
    pub(super) caller: Option<Permissions>,
    /// What stands in `detail`.
    pub(super) detail: &'static str,
    /// The pointer or the parameter of the first problem, where it is named.
    pub(super) at: Option<String>,
}

pub(super) fn get(path: impl Into<String>) -> Bad {
    Bad {
        method: "GET",
        path: path.into(),
        headers: Vec::new(),
        body: Vec::new(),
        caller: Some(Permissions::all()),
        detail: "",
        at: None,
    }
}

pub(super) fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Bad {
    let json = get(path).header("content-type", "application/json");
    let body = body.into();
    Bad { body, ..json }.method("POST")
}

pub(super) fn put(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Bad {
    post(path, body).method("PUT")
}

pub(super) fn delete(path: impl Into<String>) -> Bad {
    get(path).method("DELETE")
}

/// Rows that all get the same.
pub(super) fn all(status: u16, slug: &'static str, bad: impl IntoIterator<Item = Bad>) -> Vec<Row> {
    bad.into_iter().map(|bad| (bad, status, slug)).collect()
}

impl Bad {
    pub(super) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// With one more header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With this content type or none, instead of its own.
    pub(super) fn typed(mut self, content_type: Option<&str>) -> Self {
        self.headers.retain(|(name, _)| *name != "content-type");
        match content_type {
            Some(content_type) => self.header("content-type", content_type),
            None => self,
        }
    }

    /// From a caller with these permissions, or from nobody that the host knows.
    pub(super) fn from(self, caller: Option<Permissions>) -> Self {
        Self { caller, ..self }
    }

    /// From a caller who may do everything to the objects of a tenant.
    pub(super) fn of(self, tenant: &str) -> Self {
        let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
        self.from(Some(Permissions::all().scope(scope)))
    }

    /// Refused with words that have these among them.
    pub(super) fn told(self, detail: &'static str) -> Self {
        Self { detail, ..self }
    }

    /// Refused for what stands at this pointer or in this parameter.
    pub(super) fn at(self, place: impl Into<String>) -> Self {
        let at = Some(place.into());
        Self { at, ..self }
    }

    /// Whether the refusal tells what it must.
    pub(super) fn is_told_by(&self, problem: &Value) -> bool {
        let detail = problem["detail"].as_str().unwrap_or_default();
        let first = &problem["errors"][0];
        let place = first.get("pointer").or_else(|| first.get("parameter"));
        let is_there = |at: &str| place.is_some_and(|place| place == at);
        detail.contains(self.detail) && self.at.as_deref().is_none_or(is_there)
    }
}

/// What was refused.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) pairs: BTreeSet<(u16, &'static str)>,
}

impl Told {
    /// Asserts a refusal and notes it.
    #[track_caller]
    pub(super) fn refused(&mut self, answer: &Answer, status: u16, slug: &'static str) {
        answer.refused(status, slug);
        let challenge = if status == 401 { "Bearer" } else { "" };
        assert_eq!(answer.header("www-authenticate"), challenge);
        self.pairs.insert((status, slug));
    }
}
