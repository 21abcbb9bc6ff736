//! Branches: which nodes a run executes when a node decides, also after a crash and in a resume.
//!
//! `graph/frontier` has the rules and their random histories.

use floret::storage::RunDetail;
use floret::testing::{Gate, Step};
use floret::{Edge, EventKind, NodeStatus, Pipeline, RunStatus};
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World, assert_statuses, node, step};

on_every_backend! {
    a_join_runs_on_the_branch_that_is_taken,
    an_edge_that_is_not_taken_delivers_no_rows,
    a_node_that_takes_no_branch_fails_if_an_edge_has_a_condition,
    a_crash_changes_no_branch,
    a_second_execution_changes_no_branch,
    a_resume_follows_the_branch_of_the_failed_run,
    a_node_that_never_executes_needs_no_lost_output,
    a_failed_node_needs_no_lost_output_after_a_crash,
    a_branch_that_a_new_definition_asks_for_is_decided_in_the_resume,
    a_dry_run_follows_the_branch,
    a_second_execution_needs_no_branch,
    a_branch_outlasts_a_second_execution_that_fails,
    a_resume_on_other_conditions_counts_no_success_behind_a_dead_edge,
    a_sink_counts_only_if_the_repeated_node_leads_to_it_again,
    a_resume_from_a_node_that_no_edge_leads_to_is_refused,
}

use NodeStatus::{Failed, Skipped, Success};

/// Returns the pipeline check → (true: good, false: bad → worse) → join.
fn pipeline() -> Pipeline {
    Pipeline::new("p")
        .node("check", STEP)
        .node("good", STEP)
        .after_if("check", true)
        .node("bad", STEP)
        .after_if("check", false)
        .node("worse", STEP)
        .after("bad")
        .node("join", STEP)
        .after("good")
        .after("worse")
}

/// Asserts the status of a run of [`pipeline`], and those of its nodes in their order.
#[track_caller]
fn assert_nodes(detail: &RunDetail, run: RunStatus, nodes: [NodeStatus; 5]) {
    let names = ["check", "good", "bad", "worse", "join"];
    let expected: Vec<_> = names.into_iter().zip(nodes).collect();
    assert_statuses(detail, run, &expected);
}

fn rows() -> Step {
    Step::rows([json!({"id": 1}), json!({"id": 2})])
}

/// A world in which `check` takes these branches, one in each execution.
fn world(store: Store, branches: &[bool]) -> World {
    let world = World::new(store).pipeline(pipeline());
    let steps = branches.iter().map(|taken| rows().branch(*taken));
    world.script.script("check", steps);
    world
}

/// Returns how often each of these nodes was called.
fn calls<const N: usize>(world: &World, nodes: [&str; N]) -> [usize; N] {
    let calls = world.calls();
    nodes.map(|node| calls.get(node).copied().unwrap_or_default())
}

/// Starts a run, crashes its host once these events are stored, and finishes the run on the next
/// host.
async fn crash_and_finish(world: &World, stored: [(EventKind, usize); 2]) -> RunDetail {
    let host = world.start().await;
    let run = host.trigger("p").await.id();
    for (kind, count) in stored {
        host.wait_for_events(kind, count).await;
    }
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    host.floret.run_by_id(run).finished().await.unwrap()
}

async fn a_join_runs_on_the_branch_that_is_taken(store: Store) {
    let world = world(store, &[true, false]);
    let host = world.start().await;
    let taken = host.run("p").await;
    assert_nodes(
        &taken,
        RunStatus::Success,
        [Success, Success, Skipped, Skipped, Success],
    );
    assert_eq!(node(&taken, "check").branch, Some(true));
    assert_eq!(node(&taken, "good").branch, None);
    let two = json!([{"id": 1}, {"id": 2}]);
    let inputs = |index: usize| json!(world.script.calls_of("join")[index].inputs);
    assert_eq!(inputs(0), json!([two, null]));

    let other = host.run("p").await;
    assert_nodes(
        &other,
        RunStatus::Success,
        [Success, Skipped, Success, Success, Success],
    );
    assert_eq!(inputs(1), json!([null, two]));
}

/// `join` has a live edge, so that it runs, and a dead one from a node that has rows.
async fn an_edge_that_is_not_taken_delivers_no_rows(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("load", STEP)
        .node("check", STEP)
        .after("load")
        .node("join", STEP)
        .after("load")
        .after_if("check", true);
    let world = World::new(store).pipeline(pipeline);
    world.script.script("load", [Step::rows([json!({"x": 1})])]);
    world.script.script("check", [rows().branch(false)]);
    let host = world.start().await;
    let run = host.run("p").await;
    assert_eq!(node(&run, "join").status, Success);
    let inputs = json!(world.script.calls_of("join")[0].inputs);
    assert_eq!(inputs, json!([[{"x": 1}], null]));
    let dry = host.floret.dry_run("p").await.unwrap();
    assert_eq!(dry.node("join").unwrap().rows.len(), 1);
}

async fn a_node_that_takes_no_branch_fails_if_an_edge_has_a_condition(store: Store) {
    let world = World::new(store).pipeline(pipeline());
    world.script.script("check", [rows(), rows()]);
    let host = world.start().await;
    let run = host.run("p").await;
    assert_nodes(
        &run,
        RunStatus::Failed,
        [Failed, Skipped, Skipped, Skipped, Skipped],
    );
    let error = node(&run, "check").error.clone().unwrap();
    assert!(error.contains("took no branch"), "{error}");
    let dry = host.floret.dry_run("p").await.unwrap();
    let error = dry.node("check").unwrap().error.clone().unwrap();
    assert!(error.contains("took no branch"), "{error}");
}

async fn a_crash_changes_no_branch(store: Store) {
    let world = world(store, &[false]);
    let gate = Gate::new();
    world
        .script
        .script("worse", [Step::pass_on().at(&gate), Step::pass_on()]);
    let stored = [(EventKind::NodeSkipped, 1), (EventKind::NodeStarted, 3)];
    let finished = crash_and_finish(&world, stored).await;
    assert_nodes(
        &finished,
        RunStatus::Success,
        [Success, Skipped, Success, Success, Success],
    );
    let nodes = ["check", "good", "bad", "worse", "join"];
    assert_eq!(calls(&world, nodes), [1, 0, 1, 2, 1]);
}

/// The output of `check` is too large to store, so that the recovery executes `check` again. It
/// takes the other branch then, but its first decision has begun.
async fn a_second_execution_changes_no_branch(store: Store) {
    let mut world = world(store, &[true, false]);
    world.limits.output_bytes_max = 16;
    let gate = Gate::new();
    world
        .script
        .script("good", [Step::pass_on().at(&gate), Step::nothing()]);
    let stored = [(EventKind::NodeSkipped, 2), (EventKind::NodeStarted, 2)];
    let finished = crash_and_finish(&world, stored).await;
    assert_nodes(
        &finished,
        RunStatus::Success,
        [Success, Success, Skipped, Skipped, Success],
    );
    assert_eq!(node(&finished, "check").branch, Some(true));
    assert_eq!(calls(&world, ["check", "good", "bad"]), [2, 2, 0]);
}

/// What the first execution decided stands, whatever the second one returns.
async fn a_second_execution_needs_no_branch(store: Store) {
    let mut world = World::new(store).pipeline(pipeline());
    world.limits.output_bytes_max = 16;
    let fails = Step::permanent("broken");
    world.script.script("check", [rows().branch(true), rows()]);
    world.script.script("good", [fails, Step::nothing()]);
    let host = world.start().await;
    let run = failed(&host).await;
    let resumed = run.resume().await.unwrap().finished().await.unwrap();
    assert_eq!(resumed.run.status, RunStatus::Success);
    assert_eq!(node(&resumed, "check").branch, Some(true));
    assert_eq!(calls(&world, ["check", "good", "bad"]), [2, 2, 0]);
}

/// The second execution of `check`, for its lost output, fails. The third one takes the other
/// branch.
async fn a_branch_outlasts_a_second_execution_that_fails(store: Store) {
    let mut world = World::new(store).pipeline(pipeline().node("tail", STEP).after("check"));
    world.limits.output_bytes_max = 16;
    let fails = || Step::permanent("broken");
    let checks = [rows().branch(true), fails(), rows().branch(false)];
    world.script.script("check", checks);
    world.script.script("good", [Step::nothing()]);
    world.script.script("tail", [fails(), Step::nothing()]);
    let host = world.start().await;
    let run = failed(&host).await;
    let second = run.resume().await.unwrap();
    let finished = second.finished().await.unwrap();
    assert_eq!(node(&finished, "check").status, Failed);
    let third = second.resume().await.unwrap().finished().await.unwrap();
    assert_eq!(third.run.status, RunStatus::Success);
    assert_eq!(node(&third, "check").branch, Some(true));
    let nodes = ["check", "good", "bad", "tail"];
    assert_eq!(calls(&world, nodes), [3, 1, 0, 2]);
}

/// Returns a host whose pipeline has another definition, and a failed run on it.
async fn redefined(world: &mut World, pipeline: Pipeline) -> (Host, floret::RunHandle) {
    let host = world.start().await;
    let run = failed(&host).await.id();
    host.stop().await;
    world.pipelines = vec![pipeline];
    let host = world.start().await;
    let run = host.floret.run_by_id(run);
    (host, run)
}

async fn a_resume_on_other_conditions_counts_no_success_behind_a_dead_edge(store: Store) {
    let mut world = world(store, &[true]);
    let fails = Step::permanent("broken");
    world.script.script("join", [fails, Step::pass_on()]);
    let mut swapped = pipeline();
    swapped.edges[0].condition = Some(false);
    swapped.edges[1].condition = Some(true);
    let (_host, run) = redefined(&mut world, swapped).await;
    let resumed = run.resume().current().await.unwrap();
    let resumed = resumed.finished().await.unwrap();
    assert_eq!(resumed.run.status, RunStatus::Success);
    let nodes = ["check", "good", "bad", "worse", "join"];
    assert_eq!(calls(&world, nodes), [1, 1, 1, 1, 2]);
    let two = json!([{"id": 1}, {"id": 2}]);
    let inputs = json!(world.script.calls_of("join")[1].inputs);
    assert_eq!(inputs, json!([null, two]), "good is not on the branch");
}

/// check → (true: save → notify, false: alert). The definition of `check` changes, so that it
/// decides again. `save` is a sink, which no resume repeats without being asked.
async fn a_sink_counts_only_if_the_repeated_node_leads_to_it_again(store: Store) {
    let pipeline = |version: &str| {
        Pipeline::new("p")
            .with(step("check").config("version", version))
            .node("save", STEP)
            .after_if("check", true)
            .node("notify", STEP)
            .after("save")
            .node("alert", STEP)
            .after_if("check", false)
    };
    let mut world = World::new(store).pipeline(pipeline("1"));
    world.script.effect("save", floret::executor::Effect::Sink);
    let fails = Step::permanent("broken");
    let checks = [rows().branch(true), rows().branch(false)];
    world.script.script("check", checks);
    world.script.script("save", [Step::nothing()]);
    world.script.script("notify", [fails, Step::nothing()]);
    let (_host, run) = redefined(&mut world, pipeline("2")).await;
    let resumed = run.resume().current().await.unwrap();
    let resumed = resumed.finished().await.unwrap();
    assert_eq!(resumed.run.status, RunStatus::Success);
    assert_eq!(node(&resumed, "notify").status, Skipped);
    let nodes = ["check", "save", "notify", "alert"];
    assert_eq!(calls(&world, nodes), [2, 1, 1, 1]);
}

async fn a_resume_from_a_node_that_no_edge_leads_to_is_refused(store: Store) {
    let world = world(store, &[true, false]);
    let fails = Step::permanent("broken");
    world.script.script("good", [fails, Step::pass_on()]);
    let host = world.start().await;
    let run = failed(&host).await;
    for untaken in ["bad", "worse"] {
        let refused = run.resume().from_node(untaken).await.unwrap_err();
        assert_eq!(refused.slug(), "invalid-field");
        assert!(refused.to_string().contains("is taken"), "{refused}");
    }
    let resumed = run.resume().from_node("check").await.unwrap();
    let resumed = resumed.finished().await.unwrap();
    assert_eq!(node(&resumed, "bad").status, Success);
    assert_eq!(node(&resumed, "good").status, Skipped);
}

async fn failed(host: &Host) -> floret::RunHandle {
    let run = host.trigger("p").await;
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Failed);
    run
}

async fn a_resume_follows_the_branch_of_the_failed_run(store: Store) {
    for is_lost in [false, true] {
        let store = match &store {
            Store::Memory(_) => Store::memory(),
            Store::Sqlite(_) => Store::sqlite(),
        };
        let world = world(store, &[true, false]);
        let fails = Step::permanent("broken");
        world.script.script("good", [fails, Step::pass_on()]);
        let host = world.start().await;
        let run = failed(&host).await;
        if is_lost {
            host.storage.damage_outputs();
        }
        let resumed = run.resume().await.unwrap().finished().await.unwrap();
        let check = if is_lost { Success } else { Skipped };
        assert_nodes(
            &resumed,
            RunStatus::Success,
            [check, Success, Skipped, Skipped, Success],
        );
        assert_eq!(node(&resumed, "check").branch, Some(true));
        let expected = [1 + usize::from(is_lost), 2, 0];
        assert_eq!(calls(&world, ["check", "good", "bad"]), expected);
    }
}

/// The output of `check` is lost, but only nodes that its branch does not lead to would need it.
async fn a_node_that_never_executes_needs_no_lost_output(store: Store) {
    let mut world = World::new(store).pipeline(pipeline().node("other", STEP));
    world.limits.output_bytes_max = 16;
    world.script.script("check", [rows().branch(true)]);
    world.script.script("good", [Step::nothing()]);
    let fails = Step::permanent("broken");
    world.script.script("other", [fails, Step::nothing()]);
    let host = world.start().await;
    let run = failed(&host).await;
    let resumed = run.resume().await.unwrap().finished().await.unwrap();
    assert_eq!(resumed.run.status, RunStatus::Success);
    let nodes = ["check", "good", "bad", "other"];
    assert_eq!(calls(&world, nodes), [1, 1, 0, 2]);
}

async fn a_failed_node_needs_no_lost_output_after_a_crash(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("load", STEP)
        .node("sum", STEP)
        .after("load")
        .node("other", STEP);
    let mut world = World::new(store).pipeline(pipeline);
    world.limits.output_bytes_max = 16;
    let gate = Gate::new();
    world.script.script("load", [rows()]);
    world.script.script("sum", [Step::permanent("broken")]);
    world
        .script
        .script("other", [Step::nothing().at(&gate), Step::nothing()]);
    let stored = [(EventKind::NodeStarted, 3), (EventKind::NodeFailed, 1)];
    let finished = crash_and_finish(&world, stored).await;
    let expected = [("load", Success), ("sum", Failed), ("other", Success)];
    assert_statuses(&finished, RunStatus::Failed, &expected);
    assert_eq!(calls(&world, ["load", "sum", "other"]), [1, 1, 2]);
}

async fn a_branch_that_a_new_definition_asks_for_is_decided_in_the_resume(store: Store) {
    let unconditional = Pipeline::new("p")
        .node("check", STEP)
        .node("good", STEP)
        .after("check");
    let mut world = World::new(store).pipeline(unconditional);
    world.script.script("check", [rows(), rows().branch(false)]);
    world.script.script("good", [Step::permanent("broken")]);
    let host = world.start().await;
    let run = failed(&host).await.id();
    host.stop().await;
    let conditional = Pipeline::new("p").with(step("check")).with(step("good"));
    world.pipelines = vec![conditional.with_edge(Edge::new("check", "good").condition(true))];
    let host = world.start().await;
    let run = host.floret.run_by_id(run);
    let resumed = run.resume().current().await.unwrap();
    let resumed = resumed.finished().await.unwrap();
    let expected = [("check", Success), ("good", Skipped)];
    assert_statuses(&resumed, RunStatus::Success, &expected);
    assert_eq!(calls(&world, ["check", "good"]), [2, 1]);
}

async fn a_dry_run_follows_the_branch(store: Store) {
    let world = world(store, &[true]);
    let host = world.start().await;
    let dry = host.floret.dry_run("p").await.unwrap();
    let found: Vec<_> = dry
        .nodes
        .iter()
        .map(|node| (node.status, node.branch))
        .collect();
    let expected = [
        (Success, Some(true)),
        (Success, None),
        (Skipped, None),
        (Skipped, None),
        (Success, None),
    ];
    assert_eq!(found, expected);
    let json: Value = serde_json::to_value(&dry).unwrap();
    assert_eq!(json["check"]["branch"], true);
    assert_eq!(json["good"].get("branch"), None);
}
