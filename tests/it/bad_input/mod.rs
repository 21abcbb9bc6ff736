//! Every bad input of the contract and what it gets, asked through the service on each backend.
//!
//! A file has the rows of its kind: `rows` is data that one loop asks, `set_ups` are refusals that
//! need a host of their own. Whether several problems of one body are all told is left to the
//! nouns.

mod absences;
mod access;
mod bodies;
mod conflicts;
mod definitions;
mod idempotency;
mod limits;
mod parameters;
mod ranges;
mod row;
mod schedules;
mod world;

use std::collections::BTreeSet;

use floret::Problem;

use self::row::Told;
use self::world::World;
use crate::wire::Backend;

/// Left to backends that cannot wait: on both of ours a request waits for the one before it with
/// its key.
const NEVER: Problem = Problem::IdempotencyInProgress;

/// Every refusal that the contract has.
fn promised() -> BTreeSet<(u16, &'static str)> {
    let on_wire = Problem::ALL.iter().map(|problem| problem.on_wire());
    on_wire.map(pair).collect()
}

fn pair(problem: Problem) -> (u16, &'static str) {
    (problem.status(), problem.slug())
}

#[tokio::test]
async fn every_bad_input_gets_what_the_contract_says_in_memory() {
    judge(Backend::Memory).await;
}

#[tokio::test]
async fn every_bad_input_gets_what_the_contract_says_in_sqlite() {
    judge(Backend::Sqlite).await;
}

/// Asks everything. What was gotten is what the contract has, so no row of it is without a test and
/// none is missing there.
async fn judge(backend: Backend) {
    let mut told = Told::default();
    ask_rows(backend, &mut told).await;
    access::set_ups(backend, &mut told).await;
    bodies::set_ups(backend, &mut told).await;
    conflicts::set_ups(backend, &mut told).await;
    definitions::set_ups(backend).await;
    idempotency::set_ups(backend, &mut told).await;
    limits::set_ups(backend, &mut told).await;
    let promised = promised();
    let untested: Vec<_> = promised.difference(&told.pairs).collect();
    assert_eq!(untested, [&pair(NEVER)], "no bad input gets these");
    let unknown: Vec<_> = told.pairs.difference(&promised).collect();
    assert!(unknown.is_empty(), "the contract has no {unknown:?}");
}

/// Asks the rows that are data, which change nothing.
async fn ask_rows(backend: Backend, told: &mut Told) {
    let world = World::open(backend).await;
    let before = world.state().await;
    let rows = [
        absences::rows(),
        access::rows(),
        bodies::rows(),
        conflicts::rows(),
        definitions::rows(),
        idempotency::rows(),
        parameters::rows(),
        ranges::rows(),
        schedules::rows(),
    ];
    let mut wrong = Vec::new();
    for row in rows.into_iter().flatten() {
        wrong.extend(world.ask(&row, told).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.state().await, before);
}
