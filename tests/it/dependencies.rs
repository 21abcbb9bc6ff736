//! Dependencies between pipelines: runs that wait for another pipeline, and runs that its runs
//! start.
//!
//! The rules of storage are in the contract, bad input in `bad_input`, and kills in `crash`.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::NaiveDate;
use floret::testing::{Fault, Gate, ManualClock, Method, Step};
use floret::{
    Access, Builder, DependencyRule, DependencyState, EventKind, Overlap, ParamDef, Pipeline,
    Problem, Run, RunStatus, Trigger, WaitReason,
};
use http::Method as Verb;
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World, chain, with_timeout};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    a_run_waits_until_its_upstream_has_succeeded,
    a_resume_of_the_upstream_opens_a_gate,
    a_saved_rule_opens_or_closes_a_gate,
    each_success_starts_a_run_with_the_date_of_its_own,
    a_chain_ends_in_one_run_for_all_upstreams,
    a_failed_run_starts_the_run_that_cleans_up,
    an_end_survives_a_crash_and_starts_one_run,
    an_answer_of_unknown_outcome_starts_one_run,
    a_full_queue_delays_a_dependent_run,
    a_disabled_pipeline_starts_no_dependent_run,
    the_ends_of_a_host_without_schedules_wait_for_the_next_start,
    the_run_that_starts_a_paused_pipeline_waits,
    a_scheduled_run_behind_a_gate_blocks_the_next_tick,
    a_circle_is_refused_when_it_is_saved,
    the_code_may_turn_a_dependency_around,
    a_poisoned_run_ends_for_its_dependents,
    a_run_that_breaks_off_at_its_end_ends_for_its_dependents,
    a_required_parameter_needs_a_value,
    a_time_that_is_too_short_is_refused,
    many_ends_are_answered,
}

fn report(rule: DependencyRule) -> Pipeline {
    chain("report", &["sum"]).dependency(rule)
}

fn world(store: Store, pipelines: impl IntoIterator<Item = Pipeline>) -> World {
    let world = World::quiet(store).pipeline(chain("load", &["a"]));
    pipelines.into_iter().fold(world, World::pipeline)
}

async fn call(host: &Host, method: Verb, path: &str, body: Option<Value>) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(method, path, body.as_ref())).await
}

/// Waits until this many runs of the pipeline have finished. Returns its runs, the oldest first.
async fn finished_runs(host: &Host, pipeline: &str, count: usize) -> Vec<Run> {
    loop {
        let runs = host.runs().await.into_iter().rev();
        let own: Vec<_> = runs
            .filter(|run| run.pipeline_id.as_str() == pipeline)
            .collect();
        let finished = own.iter().filter(|run| run.status.is_terminal());
        if finished.count() >= count {
            return own;
        }
        tokio::task::yield_now().await;
    }
}

async fn a_run_waits_until_its_upstream_has_succeeded(store: Store) {
    let gated = report(DependencyRule::gate("load"));
    let world = world(store, [gated]);
    world
        .script
        .script("a", [Step::permanent("no file"), Step::nothing()]);
    let host = world.start().await;
    let waiting = host.trigger("report").await;
    assert_eq!(host.run("load").await.run.status, RunStatus::Failed);
    assert_eq!(host.stored(&waiting).await.run.status, RunStatus::Pending);
    assert_eq!(host.run("load").await.run.status, RunStatus::Success);
    let finished = waiting.finished().await.unwrap().run;
    assert_eq!(
        (finished.status, finished.upstream_run_id),
        (RunStatus::Success, None)
    );
    // The gate stays open.
    assert_eq!(host.run("report").await.run.status, RunStatus::Success);
}

async fn a_resume_of_the_upstream_opens_a_gate(store: Store) {
    let world = world(store, [chain("report", &["sum"]).depends_on("load")]);
    world
        .script
        .script("a", [Step::permanent("no file"), Step::nothing()]);
    let host = world.start().await;
    let failed = host.run("load").await.run.id;
    let waiting = host.trigger("report").await.id();
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    assert_eq!(host.find(waiting).await.run.status, RunStatus::Pending);
    let resumed = host.floret.run_by_id(failed).resume().await.unwrap();
    resumed.finished().await.unwrap();
    let waiting = host.floret.run_by_id(waiting);
    let finished = waiting.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
}

async fn a_saved_rule_opens_or_closes_a_gate(store: Store) {
    let world = world(store, []);
    let host = world.start().await;
    let pipelines = host.floret.pipelines();
    let gated = chain("daily", &["sum"]).depends_on("load");
    pipelines.create(gated).await.unwrap();
    let waiting = host.floret.run("daily").await.unwrap();
    assert_eq!(host.run("load").await.run.status, RunStatus::Success);
    waiting.finished().await.unwrap();
    let other = chain("daily", &["sum"]).depends_on("absent");
    pipelines.put(other).await.unwrap();
    let waiting = host.floret.run("daily").await.unwrap();
    assert_eq!(host.run("load").await.run.status, RunStatus::Success);
    assert_eq!(host.stored(&waiting).await.run.status, RunStatus::Pending);
    pipelines.put(chain("daily", &["sum"])).await.unwrap();
    waiting.finished().await.unwrap();
}

async fn each_success_starts_a_run_with_the_date_of_its_own(store: Store) {
    let rule = DependencyRule::any("load");
    let world = world(store, [report(rule).param("region", "eu")]);
    world.script.script(
        "a",
        [Step::nothing(), Step::permanent("no file"), Step::nothing()],
    );
    let host = world.start().await;
    let first = host.run("load").await.run;
    host.run("load").await;
    world.clock.advance(Duration::from_secs(86_400));
    let last = host.run("load").await.run;
    let started = finished_runs(&host, "report", 2).await;
    for (run, upstream) in started.iter().zip([&first, &last]) {
        assert_eq!(run.trigger, Trigger::Dependency);
        assert_eq!(run.upstream_run_id, Some(upstream.id));
        assert_eq!(run.date, upstream.date);
        assert_eq!(run.instant(), upstream.instant());
        assert_eq!(run.params["region"], "eu");
        assert_eq!(run.status, RunStatus::Success);
    }
    assert_eq!(started.len(), 2);
    assert_eq!(
        started[1].date,
        NaiveDate::from_ymd_opt(2024, 1, 16).unwrap()
    );
    let path = format!("/api/runs/{}", started[1].id);
    let shown = call(&host, Verb::GET, &path, None).await.json();
    assert_eq!(shown["trigger"], "dependency");
    assert_eq!(shown["upstream_run_id"], json!(last.id));
    let listed = call(&host, Verb::GET, "/api/runs?trigger=dependency", None).await;
    assert_eq!(listed.json().as_array().unwrap().len(), 2);
    // A rerun has no upstream run of its own.
    let again = host.floret.run_by_id(started[1].id).rerun().await.unwrap();
    let again = again.finished().await.unwrap().run;
    assert_eq!((again.upstream_run_id, again.date), (None, started[1].date));
}

async fn a_chain_ends_in_one_run_for_all_upstreams(store: Store) {
    let after_load = |id| chain(id, &["b"]).dependency(DependencyRule::any("load"));
    let joined = chain("report", &["sum"])
        .dependency(DependencyRule::all("left"))
        .dependency(DependencyRule::all("right"));
    let world = world(store, [joined, after_load("left"), after_load("right")]);
    let host = world.start().await;
    for count in 1..=3 {
        host.run("load").await;
        let left = finished_runs(&host, "left", count).await;
        let right = finished_runs(&host, "right", count).await;
        let reports = finished_runs(&host, "report", count).await;
        assert_eq!(
            (left.len(), right.len(), reports.len()),
            (count, count, count)
        );
        let last = [&left[count - 1], &right[count - 1]];
        let upstream = reports[count - 1].upstream_run_id;
        assert!(last.iter().any(|run| Some(run.id) == upstream));
    }
}

async fn a_failed_run_starts_the_run_that_cleans_up(store: Store) {
    let failed = DependencyRule::any("load").state(DependencyState::Failed);
    let world = world(store, [report(failed)]);
    world
        .script
        .script("a", [Step::nothing(), Step::permanent("no file")]);
    let host = world.start().await;
    host.run("load").await;
    let failed = host.run("load").await.run;
    let started = finished_runs(&host, "report", 1).await;
    let upstreams: Vec<_> = started.iter().map(|run| run.upstream_run_id).collect();
    assert_eq!(upstreams, [Some(failed.id)]);
}

async fn an_end_survives_a_crash_and_starts_one_run(store: Store) {
    let world = world(store, [report(DependencyRule::any("load"))]);
    let host = world.start().await;
    let gate = Gate::new();
    host.storage.hold(Method::AnswerEnds, &gate);
    let load = host.run("load").await.run.id;
    while host.storage.calls(Method::AnswerEnds) == 0 {
        tokio::task::yield_now().await;
    }
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let started = finished_runs(&host, "report", 1).await;
    assert_eq!(started[0].upstream_run_id, Some(load));
    host.stop().await;
    let host = world.start().await;
    host.run("load").await;
    assert_eq!(finished_runs(&host, "report", 2).await.len(), 2);
}

async fn an_answer_of_unknown_outcome_starts_one_run(store: Store) {
    let world = world(store, [report(DependencyRule::any("load"))]);
    let host = world.start().await;
    for (count, fault) in (1..).zip([
        Fault::after(Method::AnswerEnds, Problem::StorageBusy),
        Fault::before(Method::AnswerEnds, Problem::StorageBusy),
        Fault::before(Method::WaitingEnds, Problem::StorageFull),
    ]) {
        host.storage.fail(fault);
        host.run("load").await;
        let waiting = finished_runs(&host, "report", count);
        let started = world.advance_until(Duration::from_millis(200), waiting);
        assert_eq!(started.await.len(), count);
    }
    // No later round starts a run for an end that was answered.
    host.run("load").await;
    assert_eq!(finished_runs(&host, "report", 4).await.len(), 4);
}

async fn a_full_queue_delays_a_dependent_run(store: Store) {
    let mut world = world(store, [report(DependencyRule::any("load"))]);
    world.limits.queued_pipeline_max = 1;
    let host = world.start().await;
    host.floret.pipelines().pause("report").await.unwrap();
    let waiting = host.trigger("report").await;
    let load = host.run("load").await.run.id;
    while host.storage.calls(Method::AnswerEnds) == 0 {
        tokio::task::yield_now().await;
    }
    host.floret.pipelines().unpause("report").await.unwrap();
    waiting.finished().await.unwrap();
    let second = finished_runs(&host, "report", 2);
    let runs = world.advance_until(Duration::from_secs(1), second).await;
    assert_eq!(runs[1].upstream_run_id, Some(load));
}

async fn a_disabled_pipeline_starts_no_dependent_run(store: Store) {
    let off = report(DependencyRule::any("load")).disabled();
    let on = chain("totals", &["sum"]).dependency(DependencyRule::any("load"));
    let world = world(store, [off, on]);
    let host = world.start().await;
    host.run("load").await;
    finished_runs(&host, "totals", 1).await;
    // What ended while it was disabled is not caught up.
    let enabled = report(DependencyRule::any("load"));
    host.floret.add_pipeline(enabled).await.unwrap();
    let load = host.run("load").await.run.id;
    let runs = finished_runs(&host, "report", 1).await;
    let upstreams: Vec<_> = runs.iter().map(|run| run.upstream_run_id).collect();
    assert_eq!(upstreams, [Some(load)]);
}

async fn the_ends_of_a_host_without_schedules_wait_for_the_next_start(store: Store) {
    let mut world = world(store, [report(DependencyRule::any("load"))]);
    world.start().await.stop().await;
    let report = world.pipelines.pop().unwrap();
    let without: [fn(Builder) -> Builder; 2] =
        [Builder::no_schedules, Builder::only_these_pipelines];
    for (count, without) in without.into_iter().enumerate() {
        let host = world.start_with(without).await;
        let load = host.run("load").await.run.id;
        assert_eq!(host.runs().await.len(), 2 * count + 1);
        host.stop().await;
        world.pipelines.push(report.clone());
        let host = world.start().await;
        let started = finished_runs(&host, "report", count + 1).await;
        assert_eq!(started[count].upstream_run_id, Some(load));
        host.stop().await;
        world.pipelines.pop();
    }
}

async fn the_run_that_starts_a_paused_pipeline_waits(store: Store) {
    let world = world(store, [report(DependencyRule::any("load"))]);
    let host = world.start().await;
    host.floret.pipelines().pause("report").await.unwrap();
    let load = host.run("load").await.run.id;
    host.wait_for_events(EventKind::RunCreated, 2).await;
    let waiting = host.floret.runs().of("report").await.unwrap().items;
    assert_eq!(waiting[0].upstream_run_id, Some(load));
    let shown = host.floret.run_by_id(waiting[0].id).get().await.unwrap();
    assert_eq!(shown.waiting.unwrap().reason, WaitReason::Paused);
    host.floret.pipelines().unpause("report").await.unwrap();
    assert_eq!(finished_runs(&host, "report", 1).await.len(), 1);
}

async fn a_scheduled_run_behind_a_gate_blocks_the_next_tick(store: Store) {
    let hourly = report(DependencyRule::gate("load"))
        .schedule("0 * * * *")
        .overlap(Overlap::Skip);
    let mut world = world(store, [hourly]);
    world.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
    let host = world.start().await;
    let minute = Duration::from_secs(60);
    for minutes in [30, 60] {
        world.clock.sleeper_within(minute).await;
        world.clock.advance(minutes * minute);
    }
    world.clock.sleeper_within(minute).await;
    let status = call(&host, Verb::GET, "/api/scheduler/status", None).await;
    assert_eq!(status.json()[0]["skipped_reason"], "blocked");
    assert_eq!(finished_runs(&host, "report", 0).await.len(), 1);
    host.run("load").await;
    host.wait_for_events(EventKind::RunCompleted, 2).await;
}

async fn a_circle_is_refused_when_it_is_saved(store: Store) {
    let world = world(store, []);
    let host = world.start().await;
    let definition = |id: &str, upstream: &str| {
        json!({
            "id": id, "name": id, "nodes": [{"id": "a", "type": STEP}],
            "dependency_rules": [{"pipeline_id": upstream, "mode": "trigger"}],
        })
    };
    let save = async |body| call(&host, Verb::POST, "/api/pipelines", Some(body)).await;
    assert_eq!(save(definition("b", "a")).await.status, 201);
    assert_eq!(save(definition("c", "b")).await.status, 201);
    let refused = save(definition("a", "c")).await;
    assert_eq!(refused.status, 422);
    let problem = refused.json();
    assert_eq!(problem["type"], "urn:floret:problem:dependency-cycle");
    assert_eq!(
        problem["detail"],
        "pipelines must not depend on one another in a circle: a → c → b → a"
    );
    let itself = save(definition("x", "x")).await;
    assert_eq!(itself.status, 422);
    let problem = itself.json();
    assert_eq!(problem["type"], "urn:floret:problem:dependency-cycle");
    assert_eq!(
        problem["errors"][0]["pointer"],
        "/dependency_rules/0/pipeline_id"
    );
    let shown = call(&host, Verb::GET, "/api/pipelines/b", None)
        .await
        .json();
    assert_eq!(
        shown["dependency_rules"],
        json!([{"pipeline_id": "a", "mode": "any"}])
    );
    let report = call(&host, Verb::GET, "/api/pipelines/b/validate", None).await;
    let warning = &report.json()["warnings"][0];
    assert!(
        warning.to_string().contains("no pipeline has the id"),
        "{report:?}"
    );
}

async fn the_code_may_turn_a_dependency_around(store: Store) {
    let mut world = world(store, []);
    let plain = |id| chain(id, &["b"]);
    world.pipelines = vec![plain("x"), plain("y").depends_on("x")];
    let host = world.start().await;
    host.stop().await;
    world.pipelines = vec![plain("x").depends_on("y"), plain("y")];
    let host = world.start().await;
    let waiting = host.trigger("x").await;
    assert_eq!(host.run("y").await.run.status, RunStatus::Success);
    waiting.finished().await.unwrap();
    host.stop().await;
    world.pipelines = vec![plain("x").depends_on("y"), plain("y").depends_on("x")];
    let storage = world.store.open().await;
    let refused = world.try_start_on(storage, |builder| builder).await;
    let problem = refused.map(|_| ()).map_err(|error| error.problem());
    assert_eq!(problem, Err(Problem::DependencyCycle));
}

async fn a_poisoned_run_ends_for_its_dependents(store: Store) {
    let failed = DependencyRule::any("load").state(DependencyState::Failed);
    let mut world = world(store, [report(failed)]);
    world.limits.crashes_max = 1;
    let gate = Gate::new();
    world.script.script("a", [Step::nothing().at(&gate)]);
    let host = world.start().await;
    let poisoned = host.trigger("load").await.id();
    world.script.started("a").await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    let started = finished_runs(&host, "report", 1);
    let started = world.advance_until(Duration::from_secs(1), started).await;
    assert_eq!(started[0].upstream_run_id, Some(poisoned));
}

/// The answer to the last append is lost, and the claim of the run before the append is repeated.
async fn a_run_that_breaks_off_at_its_end_ends_for_its_dependents(store: Store) {
    let world = world(store, [report(DependencyRule::any("load"))]);
    let gate = Gate::new();
    world.script.script("a", [Step::nothing().at(&gate)]);
    let host = world.start().await;
    let load = host.trigger("load").await;
    world.script.started("a").await;
    // The first answer to each append is lost.
    let lost = || Fault::after(Method::Append, Problem::StorageBusy);
    host.storage.fail(lost());
    gate.open();
    let ended = async {
        while !host.find(load.id()).await.run.status.is_terminal() {
            tokio::task::yield_now().await;
        }
    };
    tokio::pin!(ended);
    loop {
        tokio::select! {
            biased;
            () = &mut ended => break,
            _ = world.advance_within(Duration::from_secs(2)) => host.storage.fail(lost()),
        }
    }
    // A claim, which the trigger of another run causes, learns that the run has ended.
    host.floret.pipelines().pause("load").await.unwrap();
    host.trigger("load").await;
    let started = async {
        loop {
            let runs = host.runs().await;
            let started = runs.iter().find(|run| run.upstream_run_id.is_some());
            match started {
                Some(run) => break run.clone(),
                None => tokio::task::yield_now().await,
            }
        }
    };
    let started = world.advance_until(Duration::from_secs(2), started).await;
    assert_eq!(started.upstream_run_id, Some(load.id()));
}

async fn a_required_parameter_needs_a_value(store: Store) {
    let world = world(store, []);
    let host = world.start().await;
    let needs_region = |rule| report(rule).param_def(ParamDef::string("region").required());
    let pipelines = host.floret.pipelines();
    for rule in [DependencyRule::any("load"), DependencyRule::all("load")] {
        let refused = pipelines.create(needs_region(rule)).await.unwrap_err();
        assert_eq!(refused.problem(), Problem::ParamInvalid);
        let message = refused.to_string();
        assert!(
            message.contains("a run that another pipeline starts"),
            "{message}"
        );
    }
    let gated = needs_region(DependencyRule::gate("load"));
    pipelines.create(gated).await.unwrap();
    let valued = needs_region(DependencyRule::any("load")).param("region", "eu");
    pipelines.put(valued).await.unwrap();
}

/// It would be rounded to 0, which is no limit.
async fn a_time_that_is_too_short_is_refused(store: Store) {
    let world = world(store, []);
    let host = world.start().await;
    for (within, status) in [
        (json!(0.0004), 422),
        (json!(1e-308), 422),
        (json!(31_536_000.1), 422),
        (json!(0.001), 201),
        (json!(0), 201),
        (json!(-0.0), 201),
    ] {
        let body = json!({
            "name": "short", "nodes": [{"id": "a", "type": STEP}],
            "dependency_rules": [{"pipeline_id": "load", "within_seconds": within}],
        });
        let saved = call(&host, Verb::POST, "/api/pipelines", Some(body)).await;
        assert_eq!(saved.status, status, "{within}: {saved:?}");
    }
}

/// More ends wait than one read returns.
async fn many_ends_are_answered(store: Store) {
    let runs = runs_of_many_ends(store).await;
    let upstreams = runs.iter().filter_map(|run| run.upstream_run_id);
    let upstreams: BTreeSet<_> = upstreams.collect();
    assert_eq!((runs.len(), upstreams.len()), (251, 250));
}

/// The answers are given at once, on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dependent_runs_are_in_the_order_of_their_upstream_runs() {
    for store in [Store::memory(), Store::sqlite()] {
        let test = Box::pin(runs_of_many_ends(store));
        let runs = with_timeout("many ends on several threads", test).await;
        let upstreams = runs.iter().filter_map(|run| run.upstream_run_id);
        let upstreams: Vec<_> = upstreams.collect();
        assert_eq!(upstreams.len(), 250);
        assert!(upstreams.is_sorted(), "{upstreams:?}");
    }
}

/// Has 250 runs of `load` end while no run of `report` can be created. Returns the runs of `report`
/// once all have finished, in the order of their ids.
async fn runs_of_many_ends(store: Store) -> Vec<Run> {
    let mut world = world(store, [report(DependencyRule::any("load"))]);
    world.limits.queued_pipeline_max = 1;
    let host = world.start().await;
    host.floret.pipelines().pause("report").await.unwrap();
    host.trigger("report").await;
    for _ in 0..250 {
        host.run("load").await;
    }
    host.stop().await;
    world.limits.queued_pipeline_max = 1_000;
    let host = world.start().await;
    host.floret.pipelines().unpause("report").await.unwrap();
    finished_runs(&host, "report", 251).await
}
