//! Callers without credentials or permission, pages of other sites, other hosts, and streams
//! without an upgrade.
//!
//! `matrix` covers the permission of each route and the isolation of tenants.

use floret::testing::routes;
use floret::{Access, Permissions, Scope, TenantId};
use http::Method;
use serde_json::json;

use super::row::{Coverage, FORM, RUN, Row, TestRequest, all, get, post};
use crate::stream::{connect, upgrade};
use crate::wire::{Backend, Host, request, send};

/// Returns a request for each route that needs a permission. Its objects may exist or not, because
/// a refused caller must not learn which.
fn guarded() -> Vec<TestRequest> {
    let guarded = routes()
        .into_iter()
        .filter(|route| route.permission.is_some());
    let requests = guarded.map(|route| {
        let path = route.path.replace("{id}", "daily").replace(['{', '}'], "");
        let mut bad = get(format!("/api{path}"));
        // A page of another site may read, so a `GET` is not refused.
        if route.method == http::Method::GET {
            return bad;
        }
        bad = post(bad.path, "{nonsense");
        match route.method.as_str() {
            "PUT" => bad.method("PUT"),
            "PATCH" => bad.method("PATCH"),
            "DELETE" => bad.method("DELETE"),
            _ => bad,
        }
    });
    requests.collect()
}

pub(super) fn rows() -> Vec<Row> {
    let anonymous = guarded().into_iter().map(|bad| bad.by_caller(None));
    let other_paths =
        ["/api/nothing", "/elsewhere", "/api/capabilities"].map(|path| get(path).by_caller(None));
    let form = post(RUN, "a=b").content_type(Some(FORM)).by_caller(None);
    let without_permission = guarded()
        .into_iter()
        .map(|bad| bad.by_caller(Some(Permissions::of([]))));
    let other_host = guarded()
        .into_iter()
        .chain([get("/api/health"), get("/api/nothing")]);
    let other_host = other_host.map(|bad| bad.header("host", "evil.example.com"));
    let no_host = get("/api/health").header("host", "");
    let rows = [
        all(
            401,
            "unauthenticated",
            anonymous.chain(other_paths).chain([form]),
        ),
        all(403, "forbidden", without_permission),
        all(403, "cross-origin", cross_origin()),
        all(421, "misdirected", other_host.chain([no_host])),
        all(426, "upgrade-required", [get("/api/ws")]),
    ];
    rows.concat()
}

/// Requests from a page of another site.
fn cross_origin() -> Vec<TestRequest> {
    let changing = || guarded().into_iter().filter(|bad| bad.method != "GET");
    let by_page = |bad: TestRequest| bad.header("origin", "https://evil.example.com");
    let other_ports = ["null", "https://floret.example.com:8443", "evil"];
    let others = other_ports.map(|origin| post(RUN, "{}").header("origin", origin));
    let by_site = |bad: TestRequest| bad.header("sec-fetch-site", "cross-site");
    let pages = changing().map(by_page);
    pages.chain(changing().map(by_site)).chain(others).collect()
}

pub(super) async fn set_ups(backend: Backend, coverage: &mut Coverage) {
    a_stream_for_another_origin(backend, coverage).await;
    a_node_type_that_is_closed_to_the_tenant(backend, coverage).await;
}

async fn a_node_type_that_is_closed_to_the_tenant(backend: Backend, coverage: &mut Coverage) {
    let host = Host::build(backend, |builder| builder.for_tenants("any", [])).await;
    let service = host.floret.service(Access::from_extensions());
    let body = json!({"name": "x", "nodes": [{"id": "a", "type": "any"}]});
    let mut save = request(Method::POST, "/api/pipelines", Some(&body));
    let tenant = Scope::Tenant(TenantId::new("acme").unwrap());
    let caller = Permissions::all().scope(tenant);
    save.extensions_mut().insert(caller);
    coverage.assert_problem(&send(&service, save).await, 422, "node-type-closed");
}

async fn a_stream_for_another_origin(backend: Backend, coverage: &mut Coverage) {
    let host = Host::start(backend).await;
    for origin in ["https://evil.example.com", "null"] {
        let request = upgrade("/api/ws", &[("origin", origin)]);
        let refused = connect(&host.service, request).await.unwrap_err();
        coverage.assert_problem(&refused, 403, "cross-origin");
    }
}
