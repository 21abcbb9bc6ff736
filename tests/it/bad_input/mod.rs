//! Every bad input of the contract and what it gets, asked through the service on each backend.
//!
//! A file has the rows of its kind: `rows` is data that one loop asks, `set_ups` are refusals that need a host of their own.
//! Whether several problems of one body are all told is left to the nouns.

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

use self::row::Told;
use self::world::World;
use crate::wire::Backend;

/// Every refusal in the contract's table of bad input, in its order.
const CONTRACT: &[(u16, &str)] = &[
    (400, "invalid-json"),
    (400, "json-too-deep"),
    (400, "duplicate-key"),
    (415, "unsupported-media-type"),
    (413, "body-too-large"),
    (408, "request-timeout"),
    (414, "uri-too-long"),
    (422, "unknown-field"),
    (422, "invalid-field"),
    (400, "invalid-parameter"),
    (404, "not-found"),
    (405, "method-not-allowed"),
    (404, "pipeline-not-found"),
    (404, "run-not-found"),
    (404, "node-not-found"),
    (404, "preview-not-found"),
    (404, "profile-not-found"),
    (404, "backfill-not-found"),
    (404, "connection-not-found"),
    (404, "variable-not-found"),
    (400, "invalid-idempotency-key"),
    (422, "idempotency-key-reused"),
    NEVER,
    (422, "graph-cycle"),
    (422, "graph-invalid"),
    (422, "graph-empty"),
    (422, "graph-too-large"),
    (422, "cron-invalid"),
    (422, "cron-too-long"),
    (422, "cron-never-fires"),
    (422, "timezone-unknown"),
    (422, "backfill-too-large"),
    (422, "range-invalid"),
    (409, "run-finished"),
    (409, "run-not-resumable"),
    (409, "pipeline-active"),
    (409, "already-exists"),
    (409, "encryption-key-missing"),
    (401, "unauthenticated"),
    (403, "forbidden"),
    (403, "cross-origin"),
    (421, "misdirected"),
    (410, "events-expired"),
    (503, "too-many-streams"),
    (426, "upgrade-required"),
    (429, "too-many-requests"),
    (503, "storage-busy"),
    (503, "shutting-down"),
    (507, "storage-full"),
    (412, "precondition-failed"),
    (400, "id-mismatch"),
    (500, "internal-error"),
    // Of the route that starts a run, and of those that do likewise.
    (422, "node-type-unknown"),
];

/// Left to backends that cannot wait: on both of ours a request waits for the one before it with its key.
const NEVER: (u16, &str) = (409, "idempotency-in-progress");

#[tokio::test]
async fn every_bad_input_gets_what_the_contract_says_in_memory() {
    judge(Backend::Memory).await;
}

#[tokio::test]
async fn every_bad_input_gets_what_the_contract_says_in_sqlite() {
    judge(Backend::Sqlite).await;
}

/// Asks everything. What was gotten is what the contract has, so no row of it is without a test and none is missing there.
async fn judge(backend: Backend) {
    let mut told = Told::default();
    ask_rows(backend, &mut told).await;
    access::set_ups(backend, &mut told).await;
    bodies::set_ups(backend, &mut told).await;
    conflicts::set_ups(backend, &mut told).await;
    definitions::set_ups(backend).await;
    idempotency::set_ups(backend, &mut told).await;
    limits::set_ups(backend, &mut told).await;
    let promised: BTreeSet<_> = CONTRACT.iter().copied().collect();
    assert_eq!(promised.len(), CONTRACT.len(), "a pair stands twice");
    let untested: Vec<_> = promised.difference(&told.pairs).collect();
    assert_eq!(untested, [&NEVER], "no bad input gets these");
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
