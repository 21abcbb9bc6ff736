//! Pauses of backfills: what waits, what goes on, what callers see, and what a restart keeps.
//!
//! `pauses` covers those of pipelines.

use floret::testing::{Gate, Step};
use floret::{Access, BackfillId, BackfillStatus, RunId, RunStatus};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    the_pending_runs_of_a_paused_backfill_wait,
    a_pause_outlasts_a_restart,
    a_paused_backfill_is_cancelled,
    a_backfill_that_has_ended_is_not_paused,
}

async fn ask(host: &Host, method: Method, path: &str, body: Option<&Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(method, &format!("/api{path}"), body)).await
}

async fn post(host: &Host, path: &str, body: &Value) -> Value {
    let answer = ask(host, Method::POST, path, Some(body)).await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    answer.json()
}

async fn get(host: &Host, path: &str) -> Value {
    ask(host, Method::GET, path, None).await.json()
}

/// Starts a backfill of `p` of three dates, and returns its id and its runs.
async fn backfill(host: &Host) -> (BackfillId, Vec<RunId>) {
    let (from, to) = ("2024-01-01".parse().unwrap(), "2024-01-03".parse().unwrap());
    let started = host.floret.backfill("p", from..=to).await.unwrap();
    (started.id().unwrap(), started.run_ids().to_vec())
}

async fn the_pending_runs_of_a_paused_backfill_wait(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let (id, runs) = backfill(&host).await;
    world.script.started("a").await;
    let path = format!("/backfills/{id}");
    let paused = post(
        &host,
        &format!("{path}/pause"),
        &json!({"reason": "slow source"}),
    )
    .await;
    assert_eq!(
        (&paused["status"], &paused["paused"]["reason"]),
        (&json!("paused"), &json!("slow source"))
    );
    assert_eq!(get(&host, &path).await, paused);
    let again = post(&host, &format!("{path}/pause"), &json!({"reason": "again"})).await;
    assert_eq!(again, paused);
    let waiting = get(&host, &format!("/runs/{}", runs[1])).await;
    assert_eq!(waiting["waiting"]["reason"], "paused");
    gate.open();
    let first = host.floret.run_by_id(runs[0]).finished().await.unwrap();
    assert_eq!(first.run.status, RunStatus::Success);
    // Another run of the pipeline comes after the backfill, and does not wait for it.
    host.run("p").await;
    let found = host.floret.backfills().get(id).await.unwrap().backfill;
    assert_eq!(found.status, BackfillStatus::Paused);
    assert_eq!((found.counts.success, found.counts.pending), (1, 2));
    let open = post(&host, &format!("{path}/unpause"), &json!({})).await;
    assert_eq!(
        (&open["status"], open.get("paused")),
        (&json!("running"), None)
    );
    for run in &runs[1..] {
        host.floret.run_by_id(*run).finished().await.unwrap();
    }
    assert_eq!(get(&host, &path).await["status"], "success");
}

async fn a_pause_outlasts_a_restart(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    host.floret.pipelines().pause("p").await.unwrap();
    let (id, runs) = backfill(&host).await;
    let pause = host.floret.backfills().pause(id).reason("slow source");
    let paused = pause.await.unwrap().backfill;
    host.floret.pipelines().unpause("p").await.unwrap();
    host.stop().await;
    let host = world.start().await;
    host.run("p").await;
    let backfills = host.floret.backfills();
    assert_eq!(backfills.get(id).await.unwrap().backfill, paused);
    assert_eq!(
        paused.paused.unwrap().reason.as_deref(),
        Some("slow source")
    );
    backfills.unpause(id).reason("fast again").await.unwrap();
    for run in runs {
        host.floret.run_by_id(run).finished().await.unwrap();
    }
    let done = backfills.get(id).await.unwrap().backfill;
    assert_eq!(done.status, BackfillStatus::Success);
}

async fn a_paused_backfill_is_cancelled(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    host.floret.pipelines().pause("p").await.unwrap();
    let (id, runs) = backfill(&host).await;
    host.floret.backfills().pause(id).await.unwrap();
    let cancelled = post(&host, &format!("/backfills/{id}/cancel"), &json!({})).await;
    assert_eq!(
        (&cancelled["status"], cancelled.get("paused")),
        (&json!("cancelled"), None)
    );
    for run in runs {
        let run = host.floret.run_by_id(run).finished().await.unwrap().run;
        assert_eq!(run.status, RunStatus::Cancelled);
    }
}

async fn a_backfill_that_has_ended_is_not_paused(store: Store) {
    let world = World::quiet(store).pipeline(chain("p", &["a"]));
    let host = world.start().await;
    let (id, runs) = backfill(&host).await;
    for run in runs {
        host.floret.run_by_id(run).finished().await.unwrap();
    }
    let before = get(&host, &format!("/backfills/{id}")).await;
    for action in ["pause", "unpause"] {
        let path = format!("/backfills/{id}/{action}");
        let refused = ask(&host, Method::POST, &path, None).await;
        refused.assert_problem(409, "run-finished");
        assert!(
            refused.text().contains("the backfill has finished"),
            "{refused:?}"
        );
    }
    assert_eq!(get(&host, &format!("/backfills/{id}")).await, before);
}
