//! Backfills: their creation, repeated keys, finds, lists and purge.
//!
//! `backfill_dates` covers skipped dates, `backfill_claims` covers claims of their runs, and
//! `backfill_settlement` covers how they finish.

use super::fixtures::{
    Driver, all_backfills, all_events, assert_problem, at, backfill_id, claim, events_of,
    new_backfill, new_run, pipeline_id, purge_all, read_run, run_finished, run_id, save, save_for,
    scope, snapshot, without_tenant,
};
use super::idempotency::first_creation;
use crate::error::Problem;
use crate::model::{
    BackfillCounts, BackfillOrder, BackfillStatus, BackfillUnit, EventKind, PageRequest, RunId,
    RunStatus, Scope,
};
use crate::storage::{
    BackfillFilter, CreateRuns, DeletePipeline, IdempotencyKey, IdempotentOperation, NewRun, Purge,
    Storage,
};

pub(super) fn with_key(mut create: CreateRuns, key: &str, body: u8) -> CreateRuns {
    let operation = IdempotentOperation::Backfill(without_tenant("daily"));
    create.idempotency = Some(IdempotencyKey::new(operation, key, [body; 32]));
    create
}

pub(super) fn run_ids(create: &CreateRuns) -> Vec<RunId> {
    create.runs.iter().map(|new| new.run.id).collect()
}

/// Claims and finishes every run with this status, until none is left.
pub(super) async fn finish_all(storage: &dyn Storage, status: RunStatus) {
    loop {
        let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
        for claimed in &claimed {
            let mut driver = Driver::new(claimed);
            driver.append(storage, [run_finished(1, status)]).await;
        }
        if claimed.is_empty() {
            return;
        }
    }
}

/// A backfill MUST be created with all its runs, each with one event and no node.
pub async fn a_backfill_is_created_with_its_runs(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let mut new = new_backfill(1, "daily", 1, 3);
    let given = &mut new.backfill.as_mut().unwrap().backfill;
    (given.order, given.max_parallel) = (BackfillOrder::Descending, 2);
    (given.max_failures, given.rerun_of) = (Some(7), Some(backfill_id(9)));
    given.unit = BackfillUnit::Tick;
    new.runs[1].run.scheduled_at = Some(at(-5));
    new.runs[2].run.scheduled_at = None;
    let given = &new.backfill.as_ref().unwrap().backfill;
    let mut expected = given.clone();
    let created = storage.create_runs(new.clone()).await.unwrap();
    assert_eq!((created.run_ids, created.seq), (run_ids(&new), 3));
    assert_eq!(created.backfill, Some(backfill_id(1)));
    let stored = all_backfills(storage).await.pop().unwrap();
    expected.tenant = scope("ann").tenant().cloned();
    expected.counts.pending = 3;
    assert_eq!(stored.backfill, expected);
    let dates: Vec<_> = stored.runs.iter().map(|run| run.date.to_string()).collect();
    assert_eq!(dates, ["2024-01-01", "2024-01-02", "2024-01-03"]);
    let given = new.runs.iter().map(|new| new.run.scheduled_at);
    assert!(stored.runs.iter().map(|run| run.scheduled_at).eq(given));
    assert!(stored.runs.iter().map(|run| run.id).eq(run_ids(&new)));
    for run in run_ids(&new) {
        let detail = read_run(storage, run).await;
        assert_eq!(detail.run.backfill_id, Some(backfill_id(1)));
        assert_eq!(detail.nodes, []);
        let events = events_of(storage, run).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind, EventKind::RunCreated);
    }
}

/// Each run of a backfill MUST be read with the parameters it was created with, whether or not
/// other runs of the backfill have them too, and also after the other runs were purged.
pub async fn each_run_of_a_backfill_keeps_its_params(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut create = new_backfill(1, "daily", 1, 5);
    for (index, new) in create.runs.iter_mut().enumerate() {
        let date = new.run.date.to_string();
        let params: &[(&str, &str)] = match index {
            0 | 1 => &[("date", &date), ("region", "eu")],
            2 => &[("date", &date), ("region", "us")],
            3 => &[("date", "2023-12-31"), ("region", "eu")],
            _ => &[],
        };
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        new.run.params = params.iter().map(owned).collect();
    }
    storage.create_runs(create.clone()).await.unwrap();
    for new in &create.runs {
        let stored = read_run(storage, new.run.id).await.run;
        assert_eq!(stored.params, new.run.params);
    }
    for new in &create.runs {
        let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
        assert_eq!(claimed[0].run.params, new.run.params);
        let mut driver = Driver::new(&claimed[0]);
        let finished = run_finished(1, RunStatus::Success);
        driver.append(storage, [finished]).await;
    }
    let purge = Purge::new(at(1_000_000), 1);
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 1);
    for new in &create.runs[1..] {
        let stored = read_run(storage, new.run.id).await.run;
        assert_eq!(stored.params, new.run.params);
    }
}

/// A backfill that exceeds the queue, or has a run that cannot be created, MUST create nothing.
pub async fn a_refused_backfill_creates_nothing(storage: &dyn Storage) {
    save(storage, "daily").await;
    let before = snapshot(storage).await;
    let mut crowded = with_key(new_backfill(1, "daily", 1, 3), "once", 1);
    crowded.queued_pipeline_max = 2;
    assert_problem(storage.create_runs(crowded).await, Problem::QueueFull);
    let mut broken = with_key(new_backfill(1, "daily", 1, 3), "once", 1);
    broken.runs[2].run.pipeline_version = 9;
    assert!(storage.create_runs(broken).await.is_err());
    assert_eq!(snapshot(storage).await, before);
    let created = storage.create_runs(with_key(new_backfill(1, "daily", 1, 3), "once", 1));
    assert!(!created.await.unwrap().is_replayed);
}

/// A repeated key MUST return the first backfill with its runs. The same key of a run is another
/// key.
pub async fn a_repeated_key_returns_the_backfill_and_its_runs(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage
        .create_runs(super::fixtures::with_key(9, "once", 1))
        .await
        .unwrap();
    let first = with_key(new_backfill(1, "daily", 1, 2), "once", 1);
    let created = storage.create_runs(first.clone()).await.unwrap();
    assert!(!created.is_replayed);
    let before = snapshot(storage).await;
    let again = with_key(new_backfill(2, "daily", 11, 2), "once", 1);
    let key = again.idempotency.clone().unwrap();
    for repeat in [
        storage.create_runs(again.clone()).await.unwrap(),
        first_creation(storage, &key).await.unwrap(),
    ] {
        assert!(repeat.is_replayed);
        assert_eq!(repeat.run_ids, created.run_ids);
        assert_eq!(repeat.backfill, Some(backfill_id(1)));
    }
    let other = with_key(new_backfill(2, "daily", 11, 2), "once", 2);
    assert_problem(
        storage.create_runs(other).await,
        Problem::IdempotencyKeyReused,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// The counts of a backfill MUST equal a recount while its runs wait, execute, finish and are
/// purged. The backfill MUST be deleted with the last of them.
pub async fn a_backfill_is_purged_with_its_last_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    let create = with_key(new_backfill(1, "daily", 1, 3), "once", 1);
    storage.create_runs(create.clone()).await.unwrap();
    for (n, status) in [
        (1, RunStatus::Failed),
        (2, RunStatus::Success),
        (3, RunStatus::Success),
    ] {
        assert_recount(storage).await;
        let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
        assert_recount(storage).await;
        let mut driver = Driver::new(&claimed[0]);
        driver.append(storage, [run_finished(n, status)]).await;
    }
    for _ in 0..2 {
        assert_recount(storage).await;
        let stored = all_backfills(storage).await.pop().unwrap().backfill;
        assert_eq!(
            stored.status,
            BackfillStatus::Failed,
            "a purge changes no status"
        );
        let one = Purge::new(at(1_000_000), 1);
        assert_eq!(storage.purge(one).await.unwrap().deleted, 1);
    }
    assert_recount(storage).await;
    let key = create.idempotency.unwrap();
    assert!(first_creation(storage, &key).await.is_some());
    purge_all(storage).await;
    assert_eq!(all_backfills(storage).await, []);
    assert_eq!(first_creation(storage, &key).await, None);
}

async fn assert_recount(storage: &dyn Storage) {
    for detail in all_backfills(storage).await {
        let mut counts = BackfillCounts::default();
        for run in &detail.runs {
            assert_eq!(read_run(storage, run.id).await.run.status, run.status);
            *match run.status {
                RunStatus::Pending => &mut counts.pending,
                RunStatus::Running => &mut counts.running,
                RunStatus::Success => &mut counts.success,
                RunStatus::Failed => &mut counts.failed,
                RunStatus::Cancelled => &mut counts.cancelled,
            } += 1;
        }
        assert_eq!(detail.backfill.counts, counts);
    }
}

/// Backfills MUST be listed by descending id. A cursor MUST work even if its backfill was purged
/// since.
pub async fn backfills_are_listed_in_pages(storage: &dyn Storage) {
    save(storage, "daily").await;
    for n in 1..=4 {
        let create = new_backfill(n, "daily", n * 10, 1);
        storage.create_runs(create).await.unwrap();
        if n == 3 {
            finish_all(storage, RunStatus::Success).await;
        }
    }
    let list = async |page| {
        let page = storage.list_backfills(BackfillFilter::default(), page);
        page.await.map(|page| {
            let ids: Vec<_> = page.items.iter().map(|item| item.id).collect();
            (ids, page.total, page.next)
        })
    };
    let after = |cursor: Option<String>| PageRequest::After { cursor, limit: 2 };
    let (first, _, cursor) = list(after(None)).await.unwrap();
    assert_eq!(first, [4, 3].map(backfill_id));
    purge_all(storage).await;
    let (rest, _, next) = list(after(cursor)).await.unwrap();
    assert_eq!((rest, next), (Vec::new(), None), "the others were purged");
    for n in 5..=7 {
        let create = new_backfill(n, "daily", n * 10, 1);
        storage.create_runs(create).await.unwrap();
    }
    let cursor = Some(backfill_id(6).to_string());
    assert_eq!(
        list(after(cursor)).await.unwrap().0,
        [5, 4].map(backfill_id)
    );
    let (page, per_page) = (2, 3);
    let numbered = list(PageRequest::Numbered { page, per_page });
    let (last, total, _) = numbered.await.unwrap();
    assert_eq!((last, total), (vec![backfill_id(4)], Some(4)));
    let bad = list(after(Some("x".to_owned()))).await;
    assert_problem(bad, Problem::InvalidParameter);
}

/// A list MUST contain only the backfills of the requested pipeline and tenant.
pub async fn a_list_is_limited_to_its_pipeline_and_tenant(storage: &dyn Storage) {
    save(storage, "daily").await;
    save_for(storage, "hourly", "ann").await;
    for (n, pipeline) in [(1, "daily"), (2, "hourly")] {
        let create = new_backfill(n, pipeline, n * 10, 1);
        storage.create_runs(create).await.unwrap();
    }
    for (backfill, pipeline, scope_of_list, expected) in [
        (None, None, Scope::All, vec![2, 1]),
        (None, Some("daily"), Scope::All, vec![1]),
        (None, Some("absent"), Scope::All, vec![]),
        (None, None, scope("ann"), vec![2]),
        (None, Some("daily"), scope("ann"), vec![]),
        (None, None, scope("ben"), vec![]),
        (Some(1), None, Scope::All, vec![1]),
        (Some(1), Some("hourly"), Scope::All, vec![]),
        (Some(2), None, scope("ann"), vec![2]),
        (Some(1), None, scope("ann"), vec![]),
        (Some(3), None, Scope::All, vec![]),
    ] {
        let filter = BackfillFilter {
            scope: scope_of_list.clone(),
            backfill: backfill.map(backfill_id),
            pipeline: pipeline.map(pipeline_id),
        };
        let page = PageRequest::Newest { limit: 10 };
        let page = storage.list_backfills(filter, page).await.unwrap();
        let ids: Vec<_> = page.items.iter().map(|item| item.id).collect();
        let expected: Vec<_> = expected.into_iter().map(backfill_id).collect();
        assert_eq!(ids, expected, "{backfill:?} {pipeline:?} {scope_of_list:?}");
    }
    for (scope_of_list, is_found) in [("ann", true), ("ben", false)] {
        let found = storage
            .find_backfill(backfill_id(2), &scope(scope_of_list))
            .await;
        assert_eq!(found.unwrap().is_some(), is_found);
    }
}

/// Deleting a pipeline MUST be refused while it has an open backfill. It MUST delete the keys of
/// its backfills, whose runs stay readable.
pub async fn deleting_a_pipeline_deletes_the_keys_of_its_backfills(storage: &dyn Storage) {
    save(storage, "daily").await;
    let create = with_key(new_backfill(1, "daily", 1, 2), "once", 1);
    storage.create_runs(create.clone()).await.unwrap();
    let daily = pipeline_id("daily");
    let delete = async || {
        storage
            .delete_pipeline(DeletePipeline::new(daily.clone(), at(60)))
            .await
    };
    assert_problem(delete().await, Problem::PipelineActive);
    finish_all(storage, RunStatus::Success).await;
    delete().await.unwrap();
    let key = create.idempotency.unwrap();
    assert_eq!(first_creation(storage, &key).await, None);
    assert_eq!(all_backfills(storage).await[0].runs.len(), 2);
}

/// A run that is created without a backfill MUST belong to none, even if the request names one.
pub async fn a_run_belongs_to_the_backfill_it_is_created_with(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut run = new_run(1, "daily");
    run.backfill_id = Some(backfill_id(1));
    let create = CreateRuns::new(vec![NewRun::new(run)]);
    let created = storage.create_runs(create).await.unwrap();
    assert_eq!(created.backfill, None);
    assert_eq!(read_run(storage, run_id(1)).await.run.backfill_id, None);
    assert_eq!(all_backfills(storage).await, []);
    assert_eq!(all_events(storage).await.len(), 1);
}
