//! Callers who are not known or may not, pages of other sites, other hosts, and streams without an
//! upgrade.
//!
//! Who may do what, and what a tenant sees of another, is left to `matrix`.

use floret::Permissions;
use floret::testing::routes;

use super::row::{Bad, FORM, RUN, Row, Told, all, get, post};
use crate::stream::{ask, upgrade};
use crate::wire::{Backend, Host};

/// A request of every route that needs a permission, whose objects may be there or not: that is
/// told to no stranger.
fn guarded() -> Vec<Bad> {
    let guarded = routes()
        .into_iter()
        .filter(|route| route.permission.is_some());
    let asked = guarded.map(|route| {
        let path = route.path.replace("{id}", "daily").replace(['{', '}'], "");
        let mut bad = get(format!("/api{path}"));
        // Only what may change something is refused to a page of another site.
        if route.method == http::Method::GET {
            return bad;
        }
        bad = post(bad.path, "{nonsense");
        match route.method.as_str() {
            "PUT" => bad.method("PUT"),
            "DELETE" => bad.method("DELETE"),
            _ => bad,
        }
    });
    asked.collect()
}

pub(super) fn rows() -> Vec<Row> {
    let strangers = guarded().into_iter().map(|bad| bad.from(None));
    let strange =
        ["/api/nothing", "/elsewhere", "/api/capabilities"].map(|path| get(path).from(None));
    let form = post(RUN, "a=b").typed(Some(FORM)).from(None);
    let idle = guarded()
        .into_iter()
        .map(|bad| bad.from(Some(Permissions::of([]))));
    let elsewhere = guarded()
        .into_iter()
        .chain([get("/api/health"), get("/api/nothing")]);
    let elsewhere = elsewhere.map(|bad| bad.header("host", "evil.example.com"));
    let nameless = get("/api/health").header("host", "");
    let rows = [
        all(
            401,
            "unauthenticated",
            strangers.chain(strange).chain([form]),
        ),
        all(403, "forbidden", idle),
        all(403, "cross-origin", foreign()),
        all(421, "misdirected", elsewhere.chain([nameless])),
        all(426, "upgrade-required", [get("/api/ws")]),
    ];
    rows.concat()
}

/// What a page of another site sends.
fn foreign() -> Vec<Bad> {
    let changing = || guarded().into_iter().filter(|bad| bad.method != "GET");
    let by_page = |bad: Bad| bad.header("origin", "https://evil.example.com");
    let other_ports = ["null", "https://floret.example.com:8443", "evil"];
    let others = other_ports.map(|origin| post(RUN, "{}").header("origin", origin));
    let by_site = |bad: Bad| bad.header("sec-fetch-site", "cross-site");
    let pages = changing().map(by_page);
    pages.chain(changing().map(by_site)).chain(others).collect()
}

pub(super) async fn set_ups(backend: Backend, told: &mut Told) {
    a_stream_for_a_foreign_page(backend, told).await;
}

async fn a_stream_for_a_foreign_page(backend: Backend, told: &mut Told) {
    let host = Host::start(backend).await;
    for origin in ["https://evil.example.com", "null"] {
        let asked = upgrade("/api/ws", &[("origin", origin)]);
        let refused = ask(&host.service, asked).await.unwrap_err();
        told.refused(&refused, 403, "cross-origin");
    }
}
