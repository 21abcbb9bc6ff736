//! The ends of upstream runs: which of them wait for a dependent pipeline, and their answers.
//!
//! `gates` has the runs that wait for another pipeline.

use super::backfill_fixtures::new_backfill;
use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, create, definition, list_run_ids, new_run,
    pending_run, pipeline_id, put, read_run, run_finished, run_id, save, scope, started_run,
};
use super::gates::{end_pending, end_run, put_rules};
use crate::error::ErrorKind;
use crate::model::{
    Cancel, DependencyRule, DependencyState, RunId, RunStatus, Scope, StoredPipeline, Trigger,
};
use crate::storage::{
    AnswerEnds, CancelRequest, CreateRuns, DeletePipeline, EndAnswer, NewRun, RunFilter, Storage,
    UpstreamEnd, WaitingEnds,
};

/// Returns the ends that wait, by dependent pipeline.
pub(super) async fn waiting(storage: &dyn Storage) -> Vec<(String, Vec<UpstreamEnd>)> {
    let mut all = storage.waiting_ends().await.unwrap();
    all.sort_by_key(|waiting| waiting.pipeline.qualified_id());
    all.into_iter()
        .map(|waiting| (waiting.pipeline.qualified_id().to_string(), waiting.ends))
        .collect()
}

/// Returns the upstream runs whose ends wait for `report`.
pub(super) async fn waiting_runs(storage: &dyn Storage) -> Vec<RunId> {
    let all = waiting(storage).await;
    let own = all.into_iter().find(|(pipeline, _)| pipeline == "report");
    let ends = own.map(|(_, ends)| ends).unwrap_or_default();
    ends.into_iter().map(|end| end.run).collect()
}

/// Returns the end of run `n`, at second 1,000 + `n`.
fn end_of(n: u64, upstream: &str) -> UpstreamEnd {
    let run = new_run(n, upstream);
    let ended_at = at(1_000 + i64::try_from(n).unwrap());
    UpstreamEnd {
        scheduled_at: Some(run.created_at),
        ..UpstreamEnd::new(pipeline_id(upstream), run_id(n), run.date, ended_at)
    }
}

/// Returns an answer to the ends of these runs, with run `n` that the last of them starts.
pub(super) fn answer(report: &StoredPipeline, n: u64, ends: &[u64]) -> AnswerEnds {
    let ends: Vec<_> = ends.iter().copied().map(run_id).collect();
    let mut run = new_run(n, report.id.as_str());
    run.trigger = Trigger::Dependency;
    run.pipeline_version = report.version;
    run.upstream_run_id = ends.last().copied();
    let mut answer = AnswerEnds::new(report, ends);
    answer.run = Some(NewRun::new(run));
    answer
}

pub(super) async fn answered(storage: &dyn Storage, answer: AnswerEnds) -> EndAnswer {
    storage.answer_ends(answer).await.unwrap().answer
}

/// An end that a rule accepts MUST wait for each pipeline that it starts, and MUST be noted with
/// the end of the run. Others MUST NOT.
pub async fn an_end_waits_for_each_pipeline_that_it_starts(storage: &dyn Storage) {
    save(storage, "load").await;
    let failed = DependencyRule::any("load").state(DependencyState::Failed);
    put_rules(storage, "cleanup", vec![failed]).await;
    put_rules(storage, "gated", vec![DependencyRule::gate("load")]).await;
    put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    let both = vec![DependencyRule::gate("load"), DependencyRule::any("load")];
    put_rules(storage, "totals", both).await;
    assert_eq!(waiting(storage).await, []);
    for (n, status) in [
        (1, RunStatus::Success),
        (2, RunStatus::Failed),
        (3, RunStatus::Success),
        (4, RunStatus::Cancelled),
    ] {
        end_run(storage, n, "load", status).await;
    }
    let expected = [
        ("cleanup".to_owned(), vec![end_of(2, "load")]),
        (
            "report".to_owned(),
            vec![end_of(1, "load"), end_of(3, "load")],
        ),
        (
            "totals".to_owned(),
            vec![end_of(1, "load"), end_of(3, "load")],
        ),
    ];
    assert_eq!(waiting(storage).await, expected);
    let stored = storage.waiting_ends().await.unwrap();
    let report = stored.iter().find(|it| it.pipeline.id.as_str() == "report");
    let found = storage.find_pipeline("report", &Scope::All).await.unwrap();
    assert_eq!(report.map(|it| &it.pipeline), found.as_ref());
}

/// An end MUST wait with the instant of its run.
pub async fn an_end_waits_with_the_instant_of_its_run(storage: &dyn Storage) {
    save(storage, "load").await;
    put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    let mut tick = NewRun::new(new_run(1, "load"));
    tick.fire_at = Some(at(3_600));
    let mut dated = NewRun::new(new_run(2, "load"));
    dated.run.scheduled_at = Some(at(-60));
    for (n, new) in [(1, tick), (2, dated), (3, NewRun::new(new_run(3, "load")))] {
        let create = CreateRuns::new(vec![new]);
        storage.create_runs(create).await.unwrap();
        end_pending(storage, n, RunStatus::Success).await;
    }
    let (_, ends) = waiting(storage).await.remove(0);
    let instants: Vec<_> = ends.iter().map(|end| end.scheduled_at).collect();
    assert_eq!(instants, [3_600, -60, 3].map(|seconds| Some(at(seconds))));
}

/// The run of a backfill, and one that ends before it has started, MUST NOT wait.
pub async fn only_a_run_that_counts_waits(storage: &dyn Storage) {
    save(storage, "load").await;
    let completed = DependencyRule::any("load").state(DependencyState::Completed);
    put_rules(storage, "report", vec![completed]).await;
    create(storage, new_run(1, "load")).await.unwrap();
    let cancel = CancelRequest::new(run_id(1), Cancel::Plain, at(5));
    storage.request_cancel(cancel).await.unwrap();
    let backfill = new_backfill(1, "load", 2, 1);
    storage.create_runs(backfill).await.unwrap();
    end_pending(storage, 2, RunStatus::Success).await;
    assert_eq!(waiting(storage).await, []);
}

/// The end of mode `all` MUST replace an earlier one of the same upstream, and of no other.
pub async fn an_end_of_mode_all_replaces_an_earlier_one(storage: &dyn Storage) {
    save(storage, "load").await;
    save(storage, "clean").await;
    let rules = vec![DependencyRule::all("load"), DependencyRule::all("clean")];
    put_rules(storage, "report", rules).await;
    for (n, upstream) in [(1, "load"), (2, "clean"), (3, "load"), (4, "load")] {
        end_run(storage, n, upstream, RunStatus::Success).await;
    }
    assert_eq!(waiting_runs(storage).await, [run_id(2), run_id(4)]);
}

/// An answer MUST create its run and end the wait, once. An answer without a run MUST end the wait
/// alone.
pub async fn an_end_is_answered_once(storage: &dyn Storage) {
    save(storage, "load").await;
    let report = put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    for n in 1..=3 {
        end_run(storage, n, "load", RunStatus::Success).await;
    }
    let first = answer(&report, 11, &[1]);
    let outcome = storage.answer_ends(first.clone()).await.unwrap();
    assert_eq!(outcome.answer, EndAnswer::Created);
    assert_eq!(outcome.seq, storage.newest_seq().await.unwrap());
    let run = read_run(storage, run_id(11)).await.run;
    let upstream = (run.trigger, run.upstream_run_id);
    assert_eq!(upstream, (Trigger::Dependency, Some(run_id(1))));
    assert_eq!(waiting_runs(storage).await, [run_id(2), run_id(3)]);

    assert_eq!(answered(storage, first).await, EndAnswer::Stale);
    let both = answer(&report, 12, &[1, 2]);
    assert_eq!(answered(storage, both).await, EndAnswer::Stale);
    let none = AnswerEnds::new(&report, Vec::new());
    assert_eq!(answered(storage, none).await, EndAnswer::Stale);
    assert_eq!(waiting_runs(storage).await, [run_id(2), run_id(3)]);

    let dropped = AnswerEnds::new(&report, vec![run_id(2)]);
    assert_eq!(answered(storage, dropped).await, EndAnswer::Dropped);
    let last = answer(&report, 13, &[3]);
    assert_eq!(answered(storage, last).await, EndAnswer::Created);
    assert_eq!(waiting(storage).await, []);
    let of_report = RunFilter {
        pipeline: Some(pipeline_id("report")),
        ..RunFilter::default()
    };
    let ids = list_run_ids(storage, of_report).await;
    assert_eq!(ids, [run_id(13), run_id(11)]);
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(11)]);
}

/// A pipeline MUST have at most one run of an upstream run. Two pipelines may have one each.
pub async fn an_upstream_run_starts_one_run_of_a_pipeline(storage: &dyn Storage) {
    save(storage, "load").await;
    let rules = || vec![DependencyRule::any("load")];
    let report = put_rules(storage, "report", rules()).await;
    let totals = put_rules(storage, "totals", rules()).await;
    for n in 1..=2 {
        end_run(storage, n, "load", RunStatus::Success).await;
    }
    let first = answer(&report, 11, &[1]);
    assert_eq!(answered(storage, first).await, EndAnswer::Created);
    // It names the run of the first answer again.
    let mut again = answer(&report, 12, &[2]);
    if let Some(new) = &mut again.run {
        new.run.upstream_run_id = Some(run_id(1));
    }
    assert_eq!(answered(storage, again).await, EndAnswer::Dropped);
    let other = answer(&totals, 13, &[1]);
    assert_eq!(answered(storage, other).await, EndAnswer::Created);
    assert_eq!(waiting_runs(storage).await, []);
}

/// An answer that is based on another version MUST change nothing.
pub async fn an_answer_to_another_version_changes_nothing(storage: &dyn Storage) {
    save(storage, "load").await;
    let old = put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    end_run(storage, 1, "load", RunStatus::Success).await;
    let new = put_rules(storage, "report", vec![DependencyRule::all("load")]).await;
    let stale = answered(storage, answer(&old, 11, &[1])).await;
    assert_eq!(stale, EndAnswer::Stale);
    assert_eq!(waiting_runs(storage).await, [run_id(1)]);
    let created = answered(storage, answer(&new, 12, &[1])).await;
    assert_eq!(created, EndAnswer::Created);
}

/// A run that another run has started MUST NOT be created again by any call.
pub async fn a_second_run_of_an_upstream_run_is_refused(storage: &dyn Storage) {
    save(storage, "daily").await;
    let started = |n| {
        let mut run = new_run(n, "daily");
        run.upstream_run_id = Some(run_id(1));
        run
    };
    create(storage, started(2)).await.unwrap();
    create(storage, started(3)).await.unwrap_err();
    create(storage, new_run(4, "daily")).await.unwrap();
    let ids = list_run_ids(storage, RunFilter::default()).await;
    assert_eq!(ids, [run_id(4), run_id(2)]);
}

/// An answer that exceeds a limit of the queue MUST be refused, and its ends MUST wait on.
pub async fn a_full_queue_leaves_an_end_waiting(storage: &dyn Storage) {
    save(storage, "load").await;
    let report = put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    end_run(storage, 1, "load", RunStatus::Success).await;
    create(storage, new_run(5, "report")).await.unwrap();
    let mut full = answer(&report, 11, &[1]);
    full.queued_pipeline_max = 1;
    let refused = storage.answer_ends(full.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    (full.queued_pipeline_max, full.queued_max) = (9, 1);
    let refused = storage.answer_ends(full.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    assert_eq!(waiting_runs(storage).await, [run_id(1)]);
    full.queued_max = 2;
    assert_eq!(answered(storage, full).await, EndAnswer::Created);
}

/// The ends MUST be those of the tenant's own upstreams. The deletion of the dependent pipeline
/// MUST end their wait.
pub async fn ends_belong_to_one_pipeline(storage: &dyn Storage) {
    for tenant in ["ann", "bob"] {
        for id in ["load", "report"] {
            let mut own = put(id);
            own.scope = scope(tenant);
            if id == "report" {
                let definition = definition(id);
                own.definition = definition.dependency(DependencyRule::any("load")).into();
            }
            storage.put_pipeline(own).await.unwrap();
        }
    }
    for (n, tenant) in [(1, "ann"), (2, "bob")] {
        let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, "load"))]);
        create.scope = scope(tenant);
        storage.create_runs(create).await.unwrap();
        end_pending(storage, n, RunStatus::Success).await;
    }
    let ann = ("ann/report".to_owned(), vec![end_of(1, "load")]);
    let bob = ("bob/report".to_owned(), vec![end_of(2, "load")]);
    assert_eq!(waiting(storage).await, [ann, bob.clone()]);
    let mut delete = DeletePipeline::new(pipeline_id("report"), at(9));
    delete.scope = scope("ann");
    storage.delete_pipeline(delete).await.unwrap();
    assert_eq!(waiting(storage).await, [bob]);
    let mut again = put("report");
    again.scope = scope("ann");
    storage.put_pipeline(again).await.unwrap();
    assert_eq!(waiting(storage).await.len(), 1);
}

/// The outcome of the append that ends a run MUST say that ends may wait, also when it is repeated.
/// So MUST that of a claim that finishes a poisoned run.
pub async fn the_outcome_says_that_ends_may_wait(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let entries = [run_finished(1, RunStatus::Success)];
    let alone = driver.append(storage, entries).await;
    assert!(!alone.may_start_others);
    put_rules(storage, "report", vec![DependencyRule::any("daily")]).await;
    let mut driver = started_run(storage, 2).await;
    let last = driver.next_append([run_finished(2, RunStatus::Success)]);
    let unfinished = driver.append(storage, []).await;
    assert!(!unfinished.may_start_others);
    for _ in 0..2 {
        let outcome = storage.append(last.clone()).await.unwrap();
        assert!(outcome.may_start_others);
    }
    let run = pending_run(storage, 3).await;
    let mut poisons = claim(8, 10);
    poisons.crashes_max = 1;
    let claimed = claim_one(storage, poisons.clone(), run).await;
    assert_eq!(Driver::new(&claimed).run, run);
    poisons = claim(9, 500);
    poisons.crashes_max = 1;
    let claims = storage.claim(poisons).await.unwrap();
    assert_eq!(
        (claims.poisoned, claims.may_start_others),
        (vec![run], true)
    );
    assert!(!storage.claim(claim(9, 500)).await.unwrap().may_start_others);
}

/// A read MUST return the oldest ends of a pipeline, at most [`WaitingEnds::MAX`].
pub async fn the_oldest_ends_are_returned_first(storage: &dyn Storage) {
    save(storage, "load").await;
    let report = put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    let max = WaitingEnds::MAX as u64;
    for n in 1..=max + 2 {
        end_run(storage, n, "load", RunStatus::Success).await;
    }
    let expected: Vec<_> = (1..=max).map(run_id).collect();
    assert_eq!(waiting_runs(storage).await, expected);
    let dropped = AnswerEnds::new(&report, expected);
    assert_eq!(answered(storage, dropped).await, EndAnswer::Dropped);
    let rest = [run_id(max + 1), run_id(max + 2)];
    assert_eq!(waiting_runs(storage).await, rest);
}
