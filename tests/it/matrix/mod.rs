//! Every route of the table, asked by every kind of caller, on both backends.
//!
//! What a route answers in this world stands in `cases`, the world in `world`.

mod cases;
mod world;

use floret::testing::{Route, routes};
use http::{Method, StatusCode};

use self::cases::{Case, case};
use self::world::{Caller, World};
use crate::wire::{Backend, TestResponse};

#[tokio::test]
async fn every_route_answers_every_caller_as_the_table_of_permissions_says_in_memory() {
    ask_all(Backend::Memory).await;
}

#[tokio::test]
async fn every_route_answers_every_caller_as_the_table_of_permissions_says_in_sqlite() {
    ask_all(Backend::Sqlite).await;
}

async fn ask_all(backend: Backend) {
    let world = World::open(backend).await;
    for route in routes() {
        let case = case(&route);
        for caller in Caller::ALL {
            let is_refused = expected(&route, &case, caller) >= 400;
            if is_refused || route.method == Method::GET {
                ask(&world, &route, &case, caller).await;
            } else {
                ask(&World::open(backend).await, &route, &case, caller).await;
            }
        }
    }
}

/// Asks as one caller. Whoever is refused changes nothing and is told nothing.
async fn ask(world: &World, route: &Route, case: &Case, caller: Caller) {
    let before = world.newest_seq().await;
    let answer = world.ask(route, case, caller).await;
    let expected = expected(route, case, caller);
    let told = format!("{} {} as {caller:?}: {answer:?}", route.method, route.path);
    assert_eq!(answer.status.as_u16(), expected, "{told}");
    if answer.status.is_client_error() {
        let kind = answer.json()["type"].as_str().map(str::to_owned);
        assert!(
            kind.is_some_and(|kind| kind.starts_with("urn:floret:problem:")),
            "{told}"
        );
    }
    if matches!(expected, 401 | 403 | 404) {
        assert_eq!(world.newest_seq().await, before, "{told}");
        told_nothing(world, &answer, &told);
    } else if caller == Caller::OtherTenant {
        told_nothing(world, &answer, &told);
    }
}

/// Nothing of the tenant's is in the answer, but what the caller itself has sent.
fn told_nothing(world: &World, answer: &TestResponse, told: &str) {
    if answer.status == StatusCode::NOT_FOUND {
        return;
    }
    let text = String::from_utf8_lossy(&answer.body);
    for secret in world.secrets() {
        assert!(!text.contains(&secret), "{secret} is in {told}");
    }
}

fn expected(route: &Route, case: &Case, caller: Caller) -> u16 {
    let Some(permission) = route.permission else {
        return match caller {
            Caller::Nobody if case.is_open => case.own,
            Caller::Nobody => 401,
            Caller::OtherTenant | Caller::ReadOnly | Caller::Operator | Caller::Admin => case.own,
        };
    };
    match caller {
        Caller::Nobody => 401,
        Caller::OtherTenant => case.foreign,
        Caller::ReadOnly | Caller::Operator | Caller::Admin => {
            let is_held = caller.permissions().is_some_and(|own| own.has(permission));
            if is_held { case.own } else { 403 }
        }
    }
}
