//! Every kind of bad input and the problem that the service reports for it, on each backend.
//!
//! In each file, `rows` returns the requests that one loop sends, and `set_ups` runs the cases that
//! need a host of their own. The `api_*` files test that a problem lists every error of a body.

mod absences;
mod access;
mod bodies;
mod concurrency;
mod conflicts;
mod definitions;
mod dependencies;
mod fixture;
mod hooks;
mod idempotency;
mod limits;
mod param_defs;
mod parameters;
mod ranges;
mod row;
mod schedules;

use std::collections::BTreeSet;

use floret::Problem;

use self::fixture::Fixture;
use self::row::Coverage;
use crate::wire::Backend;

/// Only a backend that cannot wait reports this problem. In the built-in backends, a request
/// waits for an earlier request with the same key.
const UNREACHABLE: Problem = Problem::IdempotencyInProgress;

/// Returns the status and the slug of every problem on the wire.
fn documented() -> BTreeSet<(u16, &'static str)> {
    let on_wire = Problem::ALL.iter().map(|problem| problem.on_wire());
    on_wire.map(pair).collect()
}

fn pair(problem: Problem) -> (u16, &'static str) {
    (problem.status(), problem.slug())
}

#[tokio::test]
async fn every_bad_input_gets_its_documented_problem_in_memory() {
    check_every_bad_input(Backend::Memory).await;
}

#[tokio::test]
async fn every_bad_input_gets_its_documented_problem_in_sqlite() {
    check_every_bad_input(Backend::Sqlite).await;
}

/// Sends every bad input and asserts that together they cover exactly the documented problems.
async fn check_every_bad_input(backend: Backend) {
    let mut coverage = Coverage::default();
    check_rows(backend, &mut coverage).await;
    access::set_ups(backend, &mut coverage).await;
    bodies::set_ups(backend, &mut coverage).await;
    conflicts::set_ups(backend, &mut coverage).await;
    definitions::set_ups(backend).await;
    idempotency::set_ups(backend, &mut coverage).await;
    limits::set_ups(backend, &mut coverage).await;
    let documented = documented();
    let untested: Vec<_> = documented.difference(&coverage.pairs).collect();
    assert_eq!(
        untested,
        [&pair(UNREACHABLE)],
        "no bad input gets these problems"
    );
    let unknown: Vec<_> = coverage.pairs.difference(&documented).collect();
    assert!(unknown.is_empty(), "undocumented problems: {unknown:?}");
}

/// Sends the requests of all rows and asserts that they change nothing.
async fn check_rows(backend: Backend, coverage: &mut Coverage) {
    let fixture = Fixture::open(backend).await;
    let before = fixture.state().await;
    let rows = [
        absences::rows(),
        access::rows(),
        bodies::rows(),
        concurrency::rows(),
        conflicts::rows(),
        definitions::rows(),
        hooks::rows(),
        dependencies::rows(),
        idempotency::rows(),
        param_defs::rows(),
        parameters::rows(),
        ranges::rows(),
        schedules::rows(),
    ];
    let mut wrong = Vec::new();
    for row in rows.into_iter().flatten() {
        wrong.extend(fixture.check(&row, coverage).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(fixture.state().await, before);
}
