//! Every route, called by every kind of caller on both backends.
//!
//! The expected statuses are in `cases`, the objects and callers in `world`. `rust_calls` compares
//! each route with the Rust call that does the same, and `documented` sends what the OpenAPI
//! document says that each route takes.

mod cases;
mod documented;
mod rust_calls;
mod world;

use floret::testing::{Route, routes};
use http::{Method, StatusCode};

use self::cases::{Case, case};
use self::world::{Caller, World};
use crate::wire::{Backend, TestResponse};

#[tokio::test]
async fn every_route_enforces_its_permission_on_every_caller_in_memory() {
    call_every_route(Backend::Memory).await;
}

#[tokio::test]
async fn every_route_enforces_its_permission_on_every_caller_in_sqlite() {
    call_every_route(Backend::Sqlite).await;
}

async fn call_every_route(backend: Backend) {
    let world = World::open(backend).await;
    for route in routes() {
        let case = case(&route);
        for caller in Caller::ALL {
            let is_refused = expected_status(&route, &case, caller) >= 400;
            if is_refused || route.method == Method::GET {
                check_call(&world, &route, &case, caller).await;
            } else {
                check_call(&World::open(backend).await, &route, &case, caller).await;
            }
        }
    }
}

/// Calls a route as one caller. A refused call changes nothing and reveals nothing.
async fn check_call(world: &World, route: &Route, case: &Case, caller: Caller) {
    let before = world.newest_seq().await;
    let answer = world.call(route, case, caller).await;
    let expected = expected_status(route, case, caller);
    let context = format!("{} {} as {caller:?}: {answer:?}", route.method, route.path);
    assert_eq!(answer.status.as_u16(), expected, "{context}");
    if answer.status.is_client_error() {
        let kind = answer.json()["type"].as_str().map(str::to_owned);
        assert!(
            kind.is_some_and(|kind| kind.starts_with("urn:floret:problem:")),
            "{context}"
        );
    }
    if matches!(expected, 401 | 403 | 404) {
        assert_eq!(world.newest_seq().await, before, "{context}");
        assert_reveals_nothing(world, &answer, &context);
    } else if caller == Caller::OtherTenant && case.token.is_none() {
        assert_reveals_nothing(world, &answer, &context);
    }
}

/// Asserts that the response holds nothing of the tenant. A 404 may repeat what the caller sent.
fn assert_reveals_nothing(world: &World, answer: &TestResponse, context: &str) {
    if answer.status == StatusCode::NOT_FOUND {
        return;
    }
    let text = String::from_utf8_lossy(&answer.body);
    for secret in world.secrets() {
        assert!(!text.contains(&secret), "{secret} is in {context}");
    }
}

fn expected_status(route: &Route, case: &Case, caller: Caller) -> u16 {
    let Some(permission) = route.permission else {
        return match caller {
            Caller::Unknown if case.is_open => case.own,
            Caller::Unknown => 401,
            Caller::OtherTenant | Caller::ReadOnly | Caller::Operator | Caller::Admin => case.own,
        };
    };
    match caller {
        Caller::Unknown => 401,
        Caller::OtherTenant => case.foreign,
        Caller::ReadOnly | Caller::Operator | Caller::Admin => {
            let is_permitted = caller.permissions().is_some_and(|own| own.has(permission));
            if is_permitted { case.own } else { 403 }
        }
    }
}
