//! The figures of runs that another process has begun.

use chrono::TimeDelta;
use floret::storage::{
    Claim, CreateRuns, HeldRun, MemoryStorage, NewRun, OwnerId, Queue as _, Storage,
};
use floret::{Clock, Floret, Pipeline, PipelineId, Run, RunId, RunStatus, Trigger};

use super::good;
use super::recorder::Remembering;
use crate::harness::with_timeout;

/// Creates a run that nobody executes yet.
async fn create(storage: &dyn Storage, n: u64, pipeline: &str) -> RunId {
    let id = format!("018d0c5e-7a00-7000-8000-{n:012x}").parse().unwrap();
    let (pipeline, now) = (PipelineId::new(pipeline).unwrap(), Clock::system().now());
    let run = Run::new(id, pipeline, 1, Trigger::Manual, now.date_naive(), now);
    let create = CreateRuns::new(vec![NewRun::new(run)]);
    storage.create_runs(create).await.unwrap();
    id
}

/// Claims a run that was just created, as a process that died an hour ago. It loses the run that it
/// held before, as in a crash.
async fn claim(storage: &dyn Storage, run: RunId, before: Option<HeldRun>) -> HeldRun {
    let an_hour_ago = Clock::system().now() - TimeDelta::hours(1);
    let mut claim = Claim::new(owner_of(run), 1, an_hour_ago);
    claim.broken_off.extend(before);
    let claimed = storage.claim(claim).await.unwrap().claimed;
    assert_eq!(claimed[0].run.id, run);
    HeldRun::new(run, claimed[0].epoch)
}

const fn owner_of(run: RunId) -> OwnerId {
    OwnerId::from_uuid(*run.as_uuid())
}

async fn start(storage: MemoryStorage) -> Floret {
    let floret = Floret::builder(storage)
        .node("good", good)
        .pipeline(Pipeline::new("fine").node("a", "good"))
        .start()
        .await
        .unwrap();
    let odd = Pipeline::new("odd").node("a", "of-a-caller");
    floret.pipelines().create(odd).await.unwrap();
    floret
}

#[tokio::test]
async fn recoveries_and_poisoned_runs_are_counted_and_no_type_of_a_caller_is_a_label() {
    let recorder = Remembering::default();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let storage = MemoryStorage::default();
    let floret = start(storage.clone()).await;
    let poisoned = create(&storage, 1, "fine").await;
    let mut held = None;
    for _ in 0..3 {
        held = Some(claim(&storage, poisoned, held).await);
    }
    let crashed = create(&storage, 2, "fine").await;
    claim(&storage, crashed, None).await;
    let released = create(&storage, 3, "fine").await;
    let held = claim(&storage, released, None).await;
    storage
        .release(owner_of(released), vec![held])
        .await
        .unwrap();
    let odd = create(&storage, 4, "odd").await;
    // The next run wakes the queue.
    let last = floret.run("fine").await.unwrap().id();
    for (run, status) in [
        (poisoned, RunStatus::Failed),
        (crashed, RunStatus::Success),
        (released, RunStatus::Success),
        (odd, RunStatus::Failed),
        (last, RunStatus::Success),
    ] {
        let run = floret.run_by_id(run);
        let finished = with_timeout("a run", run.finished()).await.unwrap();
        assert_eq!(finished.run.status, status, "{:?}", finished.run.error);
    }
    for (name, expected) in [
        ("floret_runs_recovered_total{after=crash}", 1.0),
        ("floret_runs_recovered_total{after=shutdown}", 1.0),
        ("floret_runs_poisoned_total{}", 1.0),
        ("floret_run_queue_seconds{trigger=manual}", 2.0),
        (
            "floret_nodes_finished_total{type=unknown,status=failed}",
            1.0,
        ),
        ("floret_nodes_finished_total{type=good,status=success}", 3.0),
    ] {
        let figures = recorder.figures.lock();
        assert_eq!(figures.get(name), Some(&expected), "{name} in {figures:#?}");
    }
    recorder.assert_catalogued();
}
