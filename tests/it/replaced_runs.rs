//! Runs that a newer run of their concurrency key replaces.
//!
//! The rules of storage are in the contract.

use floret::testing::{Fault, Gate, Method, Step};
use floret::{Cancel, Concurrency, EventKind, OnConflict, Pipeline, Problem, RunHandle, RunStatus};

use crate::harness::{Host, Store, World, chain};

on_every_backend! {
    a_run_replaces_the_one_that_executes,
    a_creation_of_unknown_outcome_stops_what_it_has_replaced,
}

/// Returns a pipeline whose runs replace those of the same customer.
fn replacing() -> Pipeline {
    let by_customer = Concurrency::new("${param.customer}").on_conflict(OnConflict::CancelRunning);
    let pipeline = chain("p", &["a"]).param("customer", "acme");
    pipeline.concurrency(by_customer)
}

/// Starts a run whose node executes until it is cancelled by force.
async fn start(world: &World, host: &Host) -> RunHandle {
    let run = host.trigger("p").await;
    world.script.started("a").await;
    run
}

async fn a_run_replaces_the_one_that_executes(store: Store) {
    let world = World::quiet(store).pipeline(replacing());
    let steps = [Step::nothing().at(&Gate::new()), Step::nothing()];
    world.script.script("a", steps);
    let host = world.start().await;
    let first = start(&world, &host).await;
    let other = host.floret.run("p").param("customer", "umbrella");
    let delayed = other.run_after("2024-01-15T07:00:00Z".parse().unwrap());
    let delayed = delayed.await.unwrap();
    let newest = host.run("p").await.run;
    assert_eq!(newest.status, RunStatus::Success);
    let first = first.finished().await.unwrap().run;
    assert_eq!(first.status, RunStatus::Cancelled);
    let cancel = first.cancel.unwrap();
    assert_eq!(cancel.kind, Cancel::Forced);
    let reason = cancel.reason.unwrap();
    assert_eq!(reason, "a newer run of its concurrency key replaced it");
    assert!(first.finished_at <= newest.started_at);
    assert_eq!(delayed.get().await.unwrap().run.cancel, None, "another key");
}

async fn a_creation_of_unknown_outcome_stops_what_it_has_replaced(store: Store) {
    let world = World::quiet(store).pipeline(replacing());
    let steps = [Step::nothing().at(&Gate::new()), Step::nothing()];
    world.script.script("a", steps);
    let host = world.start().await;
    let first = start(&world, &host).await;
    let lost = Fault::after(Method::CreateRuns, Problem::StorageBusy);
    host.storage.fail(lost);
    let refused = host.floret.run("p").await.unwrap_err();
    assert_eq!(refused.problem(), Problem::StorageBusy);
    let first = first.finished().await.unwrap().run;
    assert_eq!(first.status, RunStatus::Cancelled);
    host.wait_for_events(EventKind::RunCompleted, 1).await;
}
