//! Backfills that a host starts: their order, their limits, their priority and their recovery.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use floret::executor::Ctx;
use floret::storage::BackfillDetail;
use floret::testing::{Fault, Gate, Method, Step};
use floret::{
    BackfillHandle, BackfillId, BackfillOrder, BackfillStatus, Builder, ErrorKind, Params,
    Pipeline, Problem, RunStatus,
};
use parking_lot::Mutex;

use crate::harness::{Host, Store, World, chain, step, with_timeout};

on_every_backend! {
    each_date_gets_its_own_run,
    dates_execute_in_the_requested_order,
    no_more_runs_execute_at_once_than_max_parallel,
    a_failed_storage_call_creates_nothing,
    a_repeated_key_creates_nothing,
    a_repeated_key_returns_its_backfill_after_the_limits_shrink,
    dates_with_a_successful_run_are_skipped,
    too_many_failures_cancel_the_remaining_runs,
    a_resumed_failure_counts_as_a_success_after_a_restart_too,
    cancelling_a_backfill_cancels_its_executing_runs,
    a_forced_cancel_stops_executing_runs,
    a_cancel_request_whose_response_was_lost_takes_effect,
    a_caller_that_waits_for_a_cancelled_run_is_woken,
    a_manual_run_takes_the_next_slot_ahead_of_a_thousand_dates,
    a_backfill_keeps_its_limits_after_a_crash,
    an_invalid_backfill_is_refused,
    the_runs_of_a_list_share_the_params_of_their_backfill,
}

fn dates(last: u32) -> RangeInclusive<NaiveDate> {
    let day = |day| NaiveDate::from_ymd_opt(2023, 12, day).unwrap();
    day(1)..=day(last)
}

/// Returns a pipeline of `load`, whose config holds the dates of its run, and `save`.
fn dated() -> Pipeline {
    let load = step("load").config("dates", "${run.date} ${param.date} ${param.region}");
    Pipeline::new("daily")
        .param("region", "eu")
        .with(load)
        .with(step("save"))
        .after("load")
}

/// Returns the dates that `load` was executed for, in execution order.
fn loaded(world: &World) -> Vec<String> {
    let calls = world.script.calls_of("load");
    let dates = calls.iter().map(|call| {
        let text = call.node.config["dates"].as_str().unwrap();
        let mut words = text.split(' ');
        let (date, param) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(date, param);
        date.to_owned()
    });
    dates.collect()
}

async fn find(host: &Host, id: Option<BackfillId>) -> BackfillDetail {
    host.floret.backfills().get(id.unwrap()).await.unwrap()
}

fn statuses(detail: &BackfillDetail) -> Vec<RunStatus> {
    detail.runs.iter().map(|run| run.status).collect()
}

async fn each_date_gets_its_own_run(store: Store) {
    let world = World::new(store).pipeline(dated());
    let host = world.start().await;
    let backfill = host
        .floret
        .backfill("daily", dates(3))
        .param("region", "us");
    let backfill = backfill.start().await.unwrap();
    let finished = backfill.finished().await.unwrap().unwrap();
    assert_eq!(finished.backfill.status, BackfillStatus::Success);
    assert_eq!(finished.backfill.counts.success, 3);
    assert!(finished.backfill.finished_at.is_some());
    assert!(
        finished
            .runs
            .iter()
            .map(|run| &run.id)
            .eq(backfill.run_ids())
    );
    assert_eq!(loaded(&world), ["2023-12-01", "2023-12-02", "2023-12-03"]);
    let call = &world.script.calls_of("load")[2];
    assert_eq!(call.node.config["dates"], "2023-12-03 2023-12-03 us");
    let run = host.find(backfill.run_ids()[0]).await.run;
    assert_eq!(run.backfill_id, backfill.id());
}

/// Starts a backfill of 1,000 dates with a parameter of 1 MB.
async fn start_large(
    world: &mut World,
    build: impl FnOnce(Builder) -> Builder,
) -> (Host, BackfillHandle) {
    const LARGE: usize = 1024 * 1024;
    world.limits.params_bytes_max = 2 * LARGE;
    let host = world.start_with(build).await;
    let first = NaiveDate::from_ymd_opt(2021, 1, 1).unwrap();
    let backfill = host
        .floret
        .backfill("daily", first..=first + TimeDelta::days(999));
    let backfill = backfill.param("text", "x".repeat(LARGE)).max_parallel(50);
    let backfill = backfill.start().await.unwrap();
    assert_eq!(backfill.run_ids().len(), 1_000);
    (host, backfill)
}

/// Asserts that all have their own date and the same text in memory.
fn assert_shared<'a>(params: impl IntoIterator<Item = &'a Params>) {
    let all: Vec<_> = params.into_iter().collect();
    let dates: BTreeSet<_> = all.iter().map(|params| &params["date"]).collect();
    assert_eq!((all.len(), dates.len()), (1_000, 1_000));
    assert!(all.iter().all(|params| params.shares_memory_with(all[0])));
}

async fn the_runs_of_a_list_share_the_params_of_their_backfill(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("daily", &["load"]));
    world.limits.runs_max = 0;
    let (host, _backfill) = start_large(&mut world, |builder| builder).await;
    assert_shared(host.runs().await.iter().map(|run| &run.params));
}

#[tokio::test]
async fn the_runs_of_a_backfill_in_memory_share_its_params_with_their_nodes() {
    let test = async {
        let pipeline = Pipeline::new("daily").node("load", "record");
        let mut world = World::quiet(Store::memory()).pipeline(pipeline);
        let seen = Arc::<Mutex<Vec<Params>>>::default();
        let record = {
            let seen = Arc::clone(&seen);
            move |ctx: Ctx| {
                seen.lock().push(ctx.params);
                async { Ok::<_, Infallible>(()) }
            }
        };
        let build = |builder: Builder| builder.node("record", record);
        let (host, backfill) = start_large(&mut world, build).await;
        let finished = backfill.finished().await.unwrap().unwrap();
        assert_eq!(finished.backfill.counts.success, 1_000);
        // What the nodes saw and what storage holds is one text.
        let stored = host.runs().await;
        let seen = std::mem::take(&mut *seen.lock());
        assert_shared(&seen);
        assert_shared(stored.iter().map(|run| &run.params));
        assert!(seen[0].shares_memory_with(&stored[0].params));
    };
    with_timeout("a backfill of 1,000 dates", Box::pin(test)).await;
}

async fn dates_execute_in_the_requested_order(store: Store) {
    let world = World::new(store).pipeline(dated());
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(5));
    let newest_first = backfill.order(BackfillOrder::Descending).start().await;
    let newest_first = newest_first.unwrap();
    let first = host.find(newest_first.run_ids()[0]).await.run;
    assert_eq!(first.date, *dates(5).start(), "run ids are in date order");
    newest_first.finished().await.unwrap();
    let executed = loaded(&world);
    assert_eq!(executed.first().unwrap(), "2023-12-05");
    assert!(
        executed.is_sorted_by(|one, next| one > next),
        "{executed:?}"
    );
}

async fn no_more_runs_execute_at_once_than_max_parallel(store: Store) {
    let world = World::new(store).pipeline(chain("daily", &["load"]));
    let gate = Gate::new();
    world.script.script("load", [Step::pass_on().at(&gate)]);
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(20)).max_parallel(3);
    let backfill = backfill.start().await.unwrap();
    world.script.started_times("load", 3).await;
    let counts = find(&host, backfill.id()).await.backfill.counts;
    assert_eq!((counts.running, counts.pending), (3, 17));
    gate.open();
    let finished = backfill.finished().await.unwrap().unwrap();
    assert_eq!(finished.backfill.counts.success, 20);
    assert_eq!(world.script.executing_max(), 3);
}

async fn a_failed_storage_call_creates_nothing(store: Store) {
    let world = World::new(store).pipeline(dated());
    let host = world.start().await;
    let fault = Fault::before(Method::CreateRuns, Problem::StorageBusy);
    host.storage.fail(fault);
    let start = || host.floret.backfill("daily", dates(31)).key("once").start();
    let refused = start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert_eq!(host.runs().await, []);
    assert_eq!(host.events().await, []);
    // The response of this call is lost; the repeat finds the runs that it created.
    let fault = Fault::after(Method::CreateRuns, Problem::StorageBusy);
    host.storage.fail(fault);
    assert!(start().await.is_err());
    let created = start().await.unwrap();
    let finished = created.finished().await.unwrap().unwrap();
    assert_eq!(finished.runs.len(), 31);
    assert_eq!(host.runs().await.len(), 31);
}

async fn a_repeated_key_creates_nothing(store: Store) {
    let world = World::new(store).pipeline(dated());
    let host = world.start().await;
    let first = host.floret.backfill("daily", dates(4)).key("once");
    let first = first.start().await.unwrap();
    first.finished().await.unwrap();
    let again = host.floret.backfill("daily", dates(4)).key("once");
    let again = again.start().await.unwrap();
    assert_eq!((again.id(), again.run_ids()), (first.id(), first.run_ids()));
    assert_eq!(host.runs().await.len(), 4);
    let other = host.floret.backfill("daily", dates(5)).key("once").start();
    assert_eq!(other.await.unwrap_err().slug(), "idempotency-key-reused");
    // The same key on a trigger is a separate operation.
    let run = host.floret.run("daily").key("once").start().await.unwrap();
    assert!(!first.run_ids().contains(&run.id()));
}

async fn a_repeated_key_returns_its_backfill_after_the_limits_shrink(store: Store) {
    let world = World::new(store).pipeline(dated());
    let host = world.start().await;
    let start = |host: &Host| host.floret.backfill("daily", dates(2)).key("once").start();
    let first = start(&host).await.unwrap();
    first.finished().await.unwrap();
    let mut limits = world.limits.clone();
    limits.backfill_dates_max = 1;
    host.stop().await;
    let host = world.start_with(|builder| builder.limits(limits)).await;
    let again = start(&host).await.unwrap();
    assert_eq!((again.id(), again.run_ids()), (first.id(), first.run_ids()));
    let refused = host.floret.backfill("daily", dates(2)).start().await;
    assert_eq!(refused.unwrap_err().slug(), "backfill-too-large");
}

async fn dates_with_a_successful_run_are_skipped(store: Store) {
    let world = World::new(store).pipeline(dated());
    let host = world.start().await;
    world.script.script(
        "load",
        [Step::pass_on(), Step::permanent("no"), Step::pass_on()],
    );
    let first = host.floret.backfill("daily", dates(3)).start().await;
    let first = first.unwrap().finished().await.unwrap().unwrap();
    assert_eq!(first.backfill.status, BackfillStatus::Failed);
    let again = || host.floret.backfill("daily", dates(4)).skip_existing();
    let preview = again().preview().await.unwrap();
    let all: Vec<_> = dates(4).start().iter_days().take(4).collect();
    assert_eq!(preview.dates, [all[1], all[3]]);
    assert_eq!(preview.skipped, [all[0], all[2]]);
    assert_eq!(host.runs().await.len(), 3, "a preview creates nothing");
    let second = again().start().await.unwrap();
    let second = second.finished().await.unwrap().unwrap();
    let created: Vec<_> = second.runs.iter().map(|run| run.date).collect();
    assert_eq!(created, preview.dates);
    let third = again().start().await.unwrap();
    assert_eq!((third.id(), third.run_ids()), (None, &[][..]));
    assert_eq!(third.finished().await.unwrap(), None);
    assert_eq!(host.runs().await.len(), 5);
}

async fn too_many_failures_cancel_the_remaining_runs(store: Store) {
    let world = World::new(store).pipeline(dated());
    let (failing_gate, passing_gate) = (Gate::new(), Gate::new());
    let failing = Step::permanent("no").at(&failing_gate);
    let steps = [failing, Step::pass_on().at(&passing_gate)];
    world.script.script("load", steps);
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(31));
    let backfill = backfill.max_parallel(3).max_failures(1).start().await;
    let backfill = backfill.unwrap();
    world.script.started_times("load", 3).await;
    let last = host.floret.run_by_id(*backfill.run_ids().last().unwrap());
    let (waited, ()) = tokio::join!(last.finished(), async { failing_gate.open() });
    assert_eq!(waited.unwrap().run.status, RunStatus::Cancelled);
    let executing = find(&host, backfill.id()).await.backfill;
    assert_eq!(executing.status, BackfillStatus::Running);
    assert_eq!(executing.counts.running, 2);
    passing_gate.open();
    let finished = backfill.finished().await.unwrap().unwrap();
    assert_eq!(finished.backfill.status, BackfillStatus::Failed);
    let counts = finished.backfill.counts;
    assert_eq!((counts.failed, counts.cancelled), (1, 30));
    assert_eq!(world.script.calls_of("load").len(), 3);
}

async fn a_resumed_failure_counts_as_a_success_after_a_restart_too(store: Store) {
    let world = World::quiet(store).pipeline(dated());
    let gate = Gate::new();
    let held = Step::pass_on().at(&gate);
    let steps = [Step::permanent("no"), held, Step::pass_on()];
    world.script.script("load", steps);
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(2)).start().await;
    let backfill = backfill.unwrap();
    let (id, runs) = (backfill.id(), backfill.run_ids().to_vec());
    // A handle would keep the file open.
    drop(backfill);
    world.script.started_times("load", 2).await;
    let resumed = host
        .floret
        .run_by_id(runs[0])
        .resume()
        .await
        .unwrap()
        .finished()
        .await;
    assert_eq!(resumed.unwrap().run.status, RunStatus::Success);
    let counts = find(&host, id).await.backfill.counts;
    assert_eq!((counts.success, counts.failed, counts.running), (1, 0, 1));
    host.crash().await;
    world.expire_leases();
    gate.open();
    let host = world.start().await;
    let last = host.floret.run_by_id(runs[1]);
    assert_eq!(
        last.finished().await.unwrap().run.status,
        RunStatus::Success
    );
    let finished = find(&host, id).await.backfill;
    assert_eq!(finished.status, BackfillStatus::Success);
    assert_eq!((finished.counts.success, finished.counts.failed), (2, 0));
}

async fn cancelling_a_backfill_cancels_its_executing_runs(store: Store) {
    let world = World::new(store).pipeline(dated());
    let gate = Gate::new();
    let steps = [Step::pass_on(), Step::pass_on().at(&gate)];
    world.script.script("load", steps);
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(5)).start().await;
    let backfill = backfill.unwrap();
    world.script.started_times("load", 2).await;
    let id = backfill.id().unwrap();
    let detail = host.floret.backfills().cancel(id).await.unwrap();
    use RunStatus::{Cancelled, Running, Success};
    let expected = [Success, Running, Cancelled, Cancelled, Cancelled];
    assert_eq!(statuses(&detail), expected);
    gate.open();
    let finished = backfill.finished().await.unwrap().unwrap();
    assert_eq!(finished.backfill.status, BackfillStatus::Cancelled);
    assert_eq!(finished.backfill.counts.cancelled, 4);
    assert_eq!(
        world.script.calls_of("save").len(),
        1,
        "only the first run reaches save"
    );
    let again = host.floret.backfills().cancel(id).await.unwrap();
    assert_eq!(again, finished);
    host.run("daily").await;
}

async fn a_forced_cancel_stops_executing_runs(store: Store) {
    let world = World::new(store).pipeline(dated());
    let never = Gate::new();
    world.script.script("load", [Step::pass_on().at(&never)]);
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(9)).max_parallel(4);
    let backfill = backfill.start().await.unwrap();
    world.script.started_times("load", 4).await;
    let id = backfill.id().unwrap();
    host.floret.backfills().cancel(id).await.unwrap();
    assert_eq!(world.script.executing(), 4);
    host.floret.backfills().cancel(id).force().await.unwrap();
    let finished = backfill.finished().await.unwrap().unwrap();
    assert_eq!(finished.backfill.status, BackfillStatus::Cancelled);
    assert_eq!(finished.backfill.counts.cancelled, 9);
}

/// Starts a backfill of three dates, the first of which waits at the gate.
async fn start_and_block(store: Store, gate: &Gate) -> (World, Host, BackfillHandle) {
    let world = World::new(store).pipeline(dated());
    world.script.script("load", [Step::pass_on().at(gate)]);
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(3)).start().await;
    world.script.started("load").await;
    (world, host, backfill.unwrap())
}

async fn a_cancel_request_whose_response_was_lost_takes_effect(store: Store) {
    let gate = Gate::new();
    let (world, host, backfill) = start_and_block(store, &gate).await;
    let fault = Fault::after(Method::CancelBackfill, Problem::StorageBusy);
    host.storage.fail(fault);
    let failed = host.floret.backfills().cancel(backfill.id().unwrap()).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
    gate.open();
    let finished = backfill.finished().await.unwrap().unwrap();
    assert_eq!(finished.backfill.counts.cancelled, 3);
    assert_eq!(world.script.calls_of("save").len(), 0);
}

async fn a_caller_that_waits_for_a_cancelled_run_is_woken(store: Store) {
    let gate = Gate::new();
    let (_world, host, backfill) = start_and_block(store, &gate).await;
    let waiting = host.floret.run_by_id(backfill.run_ids()[2]);
    let id = backfill.id().unwrap();
    let (finished, cancelled) =
        tokio::join!(waiting.finished(), host.floret.backfills().cancel(id));
    assert_eq!(finished.unwrap().run.status, RunStatus::Cancelled);
    assert!(cancelled.is_ok());
    gate.open();
}

async fn a_manual_run_takes_the_next_slot_ahead_of_a_thousand_dates(store: Store) {
    let mut world = World::new(store)
        .pipeline(chain("daily", &["load"]))
        .pipeline(chain("other", &["go"]));
    world.limits.runs_max = 2;
    let gates: Vec<_> = (0..4).map(|_| Gate::new()).collect();
    let steps = gates.iter().map(|gate| Step::pass_on().at(gate));
    world.script.script("load", steps);
    let host = world.start().await;
    let last = *dates(31).end();
    let backfill = host
        .floret
        .backfill("daily", last - chrono::Days::new(999)..=last);
    let backfill = backfill.max_parallel(2).start().await.unwrap();
    assert_eq!(backfill.run_ids().len(), 1_000);
    world.script.started_times("load", 2).await;
    let run = host.trigger("other").await;
    gates[0].open();
    let finished = run.finished().await.unwrap().run;
    assert_eq!(finished.status, RunStatus::Success);
    // The backfill then uses the slot again.
    world.script.started_times("load", 3).await;
    let order: Vec<_> = world
        .script
        .calls()
        .into_iter()
        .map(|call| call.node.id)
        .collect();
    assert_eq!(order, ["load", "load", "go", "load"]);
    let cancelled = host
        .floret
        .backfills()
        .cancel(backfill.id().unwrap())
        .force()
        .await;
    assert!(cancelled.is_ok());
    backfill.finished().await.unwrap();
}

async fn a_backfill_keeps_its_limits_after_a_crash(store: Store) {
    let world = World::quiet(store).pipeline(dated());
    let (never, gate) = (Gate::new(), Gate::new());
    let steps = [
        Step::permanent("no"),
        Step::pass_on().at(&never),
        Step::pass_on().at(&never),
        Step::pass_on().at(&gate),
        Step::pass_on().at(&gate),
        Step::permanent("no"),
        Step::pass_on(),
    ];
    world.script.script("load", steps);
    let host = world.start().await;
    let backfill = host.floret.backfill("daily", dates(10));
    let backfill = backfill.max_parallel(2).max_failures(2).start().await;
    let id = backfill.unwrap().id();
    world.script.started_times("load", 3).await;
    host.crash().await;
    world.expire_leases();
    let host = world.start().await;
    world.script.started_times("load", 5).await;
    let counts = find(&host, id).await.backfill.counts;
    assert_eq!((counts.failed, counts.running, counts.pending), (1, 2, 7));
    assert_eq!(world.script.executing_max(), 2);
    gate.open();
    let runs = find(&host, id).await.runs;
    for run in &runs {
        host.floret.run_by_id(run.id).finished().await.unwrap();
    }
    let finished = find(&host, id).await.backfill;
    assert_eq!(finished.status, BackfillStatus::Failed);
    assert_eq!(
        finished.counts.failed, 2,
        "a failure before the crash counts"
    );
    assert_eq!(finished.counts.success + finished.counts.cancelled, 8);
    assert!(world.script.executing_max() <= 2);
}

async fn an_invalid_backfill_is_refused(store: Store) {
    let world = World::new(store).pipeline(dated());
    let host = world.start().await;
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let range = |from, to| host.floret.backfill("daily", day(from)..=day(to));
    let all = NaiveDate::MIN..=NaiveDate::MAX;
    for (refused, slug, count) in [
        (range("2024-01-02", "2024-01-01"), "range-invalid", 1),
        (range("2024-01-01", "2024-01-16"), "range-invalid", 1),
        (range("2014-01-01", "2024-01-10"), "backfill-too-large", 1),
        (host.floret.backfill("daily", all), "range-invalid", 2),
        (
            range("2024-01-01", "2024-01-02").max_parallel(0),
            "invalid-field",
            1,
        ),
        (
            range("2024-01-01", "2024-01-02").max_failures(0),
            "invalid-field",
            1,
        ),
        (
            range("2024-01-02", "2024-01-01")
                .param("date", "x")
                .max_parallel(0),
            "range-invalid",
            3,
        ),
    ] {
        let error = refused.clone().start().await.unwrap_err();
        assert_eq!((error.kind(), error.slug()), (ErrorKind::Invalid, slug));
        assert_eq!(error.issues().len(), count, "{error:?}");
        assert_eq!(refused.preview().await.unwrap_err().slug(), slug);
    }
    let absent = host.floret.backfill("absent", dates(1)).start().await;
    assert_eq!(absent.unwrap_err().slug(), "pipeline-not-found");
    assert_eq!(host.runs().await, []);
    let longest = range("2014-01-06", "2024-01-13").preview().await.unwrap();
    assert_eq!(longest.dates.len(), 3_660);
}
