//! Outputs: which node outputs a finished run retains, and how a host reads them.

use std::time::Duration;

use floret::storage::Runs;
use floret::testing::{Method, Step};
use floret::{ErrorKind, NodeId, Pipeline, RunStatus, Scope};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{STEP, Store, World, chain, step};

on_every_backend! {
    a_host_reads_the_last_output_as_its_own_row_type,
    reading_a_dropped_output_is_refused,
    a_failed_run_retains_the_outputs_of_its_succeeded_nodes,
    an_output_above_the_size_limit_is_dropped,
    a_node_that_keeps_its_output_keeps_it_after_a_success_until_the_purge,
    a_node_that_keeps_its_output_keeps_it_after_a_resume,
    reading_the_output_of_a_node_that_returned_nothing_is_refused,
    reading_rows_as_the_wrong_type_is_refused,
    previews_and_profiles_are_stored_before_the_run_finishes,
    a_small_output_takes_no_commit_of_its_own,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Total {
    name: String,
    amount: i64,
}

fn world(store: Store) -> World {
    let world = World::new(store).pipeline(chain("p", &["load", "sum"]));
    let rows = [
        json!({"name": "a", "amount": 1}),
        json!({"name": "b", "amount": -2}),
    ];
    world.script.script("load", [Step::rows(rows)]);
    world
}

async fn a_host_reads_the_last_output_as_its_own_row_type(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let run = host.trigger("p").await;
    run.finished().await.unwrap();
    let totals: Vec<Total> = run.output("sum").await.unwrap();
    let total = |name: &str, amount| Total {
        name: name.to_owned(),
        amount,
    };
    assert_eq!(totals, [total("a", 1), total("b", -2)]);
    let refused = run.output::<Total>("other").await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.slug()),
        (ErrorKind::NotFound, "node-not-found")
    );
}

async fn reading_a_dropped_output_is_refused(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let run = host.trigger("p").await;
    run.finished().await.unwrap();
    let refused = run.output::<Total>("load").await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.slug()),
        (ErrorKind::OutputDropped, "output-dropped")
    );
    assert!(refused.to_string().contains("load"), "{refused}");
}

async fn a_failed_run_retains_the_outputs_of_its_succeeded_nodes(store: Store) {
    let world = world(store);
    world.script.script("sum", [Step::permanent("broken")]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Failed);
    assert_eq!(run.output::<Total>("load").await.unwrap().len(), 2);
    let refused = run.output::<Total>("sum").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::OutputDropped);
}

async fn an_output_above_the_size_limit_is_dropped(store: Store) {
    let mut world = world(store);
    world.limits.result_bytes_max = 16;
    let host = world.start().await;
    let run = host.trigger("p").await;
    run.finished().await.unwrap();
    let refused = run.output::<Total>("sum").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::OutputDropped);
}

/// A pipeline load → clean → sum in which `load` and `sum` keep their outputs.
fn keeping() -> Pipeline {
    let daily = Pipeline::new("daily")
        .with(step("load").keep_output())
        .node("clean", STEP);
    let daily = daily.after("load").with(step("sum").keep_output());
    daily.after("clean")
}

async fn a_node_that_keeps_its_output_keeps_it_after_a_success_until_the_purge(store: Store) {
    let mut world = world(store).pipeline(keeping());
    world.limits.result_bytes_max = 16;
    let host = world.start().await;
    let run = host.trigger("daily").await;
    run.finished().await.unwrap();
    for (node, is_kept) in [("load", true), ("clean", false), ("sum", true)] {
        let rows = run.output::<Total>(node).await;
        assert_eq!(rows.map(|rows| rows.len()).ok(), is_kept.then_some(2));
    }
    world.clock.advance(Duration::from_secs(2 * 86_400));
    assert_eq!(host.floret.system().purge().days(1).await.unwrap(), 1);
    let gone = run.output::<Total>("load").await.unwrap_err();
    assert_eq!(gone.slug(), "run-not-found");
}

async fn a_node_that_keeps_its_output_keeps_it_after_a_resume(store: Store) {
    let world = world(store).pipeline(keeping());
    let steps = [Step::permanent("broken"), Step::pass_on()];
    world.script.script("clean", steps);
    let host = world.start().await;
    let failed = host.trigger("daily").await;
    failed.finished().await.unwrap();
    let resumed = failed.resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_eq!(resumed.output::<Total>("load").await.unwrap().len(), 2);
    assert_eq!(world.calls()["load"], 1);
}

async fn reading_the_output_of_a_node_that_returned_nothing_is_refused(store: Store) {
    let world = world(store);
    world.script.script("sum", [Step::nothing()]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    run.finished().await.unwrap();
    let refused = run.output::<Total>("sum").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::OutputDropped);
}

async fn reading_rows_as_the_wrong_type_is_refused(store: Store) {
    let world = world(store);
    world
        .script
        .script("sum", [Step::rows([json!({"name": 7, "amount": 1})])]);
    let host = world.start().await;
    let run = host.trigger("p").await;
    run.finished().await.unwrap();
    let refused = run.output::<Total>("sum").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(run.output::<Value>("sum").await.unwrap().len(), 1);
}

async fn previews_and_profiles_are_stored_before_the_run_finishes(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let id = host.run("p").await.run.id;
    for node in ["load", "sum"] {
        let node = NodeId::new(node).unwrap();
        let preview = host.storage.find_preview(id, &node, &Scope::All).await;
        let preview = preview.unwrap().unwrap();
        assert_eq!(
            (preview.row_count, preview.rows.len(), preview.truncated),
            (2, 2, false)
        );
        let profile = host.storage.find_profile(id, &node, &Scope::All).await;
        let profile = profile.unwrap().unwrap().profile;
        assert_eq!((profile.row_count, profile.column_count), (2, 2));
    }
}

async fn a_small_output_takes_no_commit_of_its_own(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["load"]));
    world.script.script("load", [Step::rows([json!({"x": 1})])]);
    let host = world.start().await;
    let calls = || {
        let methods = [Method::PutOutputChunk, Method::Append];
        methods.map(|method| host.storage.calls(method))
    };
    let before = calls();
    let run = host.run("p").await.run.id;
    let [chunks, appends] = calls();
    assert_eq!(chunks, before[0]);
    // The start of the node may have been stored before.
    assert!(appends - before[1] <= 2, "{} appends", appends - before[1]);
    let output: Vec<Value> = host.floret.run_by_id(run).output("load").await.unwrap();
    assert_eq!(output, [json!({"x": 1})]);
    let node = NodeId::new("load").unwrap();
    let profile = host.storage.find_profile(run, &node, &Scope::All).await;
    assert_eq!(profile.unwrap().unwrap().profile.column_count, 1);
}
