//! Backfills as they are made, repeated, found, listed and purged.
//!
//! Which dates they leave out is promised in `backfill_dates`, which of their runs execute in
//! `backfill_claims`, how they end in `backfill_ends`.

use super::fixtures::{
    Driver, all_events, at, backfill_id, backfills, claim, end_of, events_of, found, new_backfill,
    new_run, pipeline_id, purge_all, refused_as, run_id, save, save_for, scope, snapshot,
};
use crate::error::Problem;
use crate::model::{
    BackfillCounts, BackfillOrder, BackfillStatus, EventKind, PageRequest, RunId, RunStatus, Scope,
};
use crate::storage::{
    BackfillFilter, CreateRuns, DeletePipeline, IdempotencyKey, IdempotentOperation, NewRun, Purge,
    Storage,
};

pub(super) fn with_key(mut create: CreateRuns, key: &str, body: u8) -> CreateRuns {
    let operation = IdempotentOperation::Backfill(pipeline_id("daily"));
    create.idempotency = Some(IdempotencyKey::new(operation, key, [body; 32]));
    create
}

pub(super) fn ids(create: &CreateRuns) -> Vec<RunId> {
    create.runs.iter().map(|new| new.run.id).collect()
}

/// Claims whatever there is and ends it so, until nothing is left.
pub(super) async fn end(storage: &dyn Storage, status: RunStatus) {
    loop {
        let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
        for claimed in &claimed {
            let mut driver = Driver::of(claimed);
            driver.append(storage, [end_of(1, status)]).await;
        }
        if claimed.is_empty() {
            return;
        }
    }
}

/// A backfill is made with all its runs, each with one event and no node.
pub async fn a_backfill_is_made_with_its_runs(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let mut new = new_backfill(1, "daily", 1, 3);
    let given = &mut new.backfill.as_mut().unwrap().backfill;
    (given.order, given.max_parallel) = (BackfillOrder::Descending, 2);
    given.max_failures = Some(7);
    let mut expected = given.clone();
    let created = storage.create_runs(new.clone()).await.unwrap();
    assert_eq!((created.run_ids, created.seq), (ids(&new), 3));
    assert_eq!(created.backfill, Some(backfill_id(1)));
    let made = backfills(storage).await.pop().unwrap();
    expected.tenant = scope("ann").tenant().cloned();
    expected.counts.pending = 3;
    assert_eq!(made.backfill, expected);
    let dates: Vec<_> = made.runs.iter().map(|run| run.date.to_string()).collect();
    assert_eq!(dates, ["2024-01-01", "2024-01-02", "2024-01-03"]);
    assert!(made.runs.iter().map(|run| run.id).eq(ids(&new)));
    for run in ids(&new) {
        let detail = found(storage, run).await;
        assert_eq!(detail.run.backfill_id, Some(backfill_id(1)));
        assert_eq!(detail.nodes, []);
        let events = events_of(storage, run).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind, EventKind::RunCreated);
    }
}

/// A backfill that finds no room in the queue, or a run of which cannot be made, makes nothing.
pub async fn a_refused_backfill_makes_nothing(storage: &dyn Storage) {
    save(storage, "daily").await;
    let before = snapshot(storage).await;
    let mut crowded = with_key(new_backfill(1, "daily", 1, 3), "once", 1);
    crowded.queued_pipeline_max = 2;
    refused_as(storage.create_runs(crowded).await, Problem::QueueFull);
    let mut broken = with_key(new_backfill(1, "daily", 1, 3), "once", 1);
    broken.runs[2].run.pipeline_version = 9;
    assert!(storage.create_runs(broken).await.is_err());
    assert_eq!(snapshot(storage).await, before);
    let made = storage.create_runs(with_key(new_backfill(1, "daily", 1, 3), "once", 1));
    assert!(!made.await.unwrap().is_replayed);
}

/// A repeated key answers the first backfill with its runs; the same key of a trigger is another
/// key.
pub async fn a_key_answers_the_backfill_and_its_runs(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage
        .create_runs(super::fixtures::with_key(9, "once", 1))
        .await
        .unwrap();
    let first = with_key(new_backfill(1, "daily", 1, 2), "once", 1);
    let made = storage.create_runs(first.clone()).await.unwrap();
    assert!(!made.is_replayed);
    let before = snapshot(storage).await;
    let again = with_key(new_backfill(2, "daily", 11, 2), "once", 1);
    for repeat in [
        storage.create_runs(again.clone()).await.unwrap(),
        storage
            .find_idempotent(again.idempotency.as_ref().unwrap())
            .await
            .unwrap()
            .unwrap(),
    ] {
        assert!(repeat.is_replayed);
        assert_eq!(repeat.run_ids, made.run_ids);
        assert_eq!(repeat.backfill, Some(backfill_id(1)));
    }
    let other = with_key(new_backfill(2, "daily", 11, 2), "once", 2);
    refused_as(
        storage.create_runs(other).await,
        Problem::IdempotencyKeyReused,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// Its counts equal a recount while its runs wait, execute, end and are purged, and it is gone with
/// the last of them.
pub async fn a_backfill_is_gone_with_its_last_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    let create = with_key(new_backfill(1, "daily", 1, 3), "once", 1);
    storage.create_runs(create.clone()).await.unwrap();
    for (n, status) in [
        (1, RunStatus::Failed),
        (2, RunStatus::Success),
        (3, RunStatus::Success),
    ] {
        recounted(storage).await;
        let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
        recounted(storage).await;
        let mut driver = Driver::of(&claimed[0]);
        driver.append(storage, [end_of(n, status)]).await;
    }
    for _ in 0..2 {
        recounted(storage).await;
        let made = backfills(storage).await.pop().unwrap().backfill;
        assert_eq!(made.status, BackfillStatus::Failed, "purge changes no end");
        let one = Purge::new(at(1_000_000), 1);
        assert_eq!(storage.purge(one).await.unwrap().deleted, 1);
    }
    recounted(storage).await;
    let key = create.idempotency.unwrap();
    assert!(storage.find_idempotent(&key).await.unwrap().is_some());
    purge_all(storage).await;
    assert_eq!(backfills(storage).await, []);
    assert_eq!(storage.find_idempotent(&key).await.unwrap(), None);
}

async fn recounted(storage: &dyn Storage) {
    for detail in backfills(storage).await {
        let mut counts = BackfillCounts::default();
        for run in &detail.runs {
            assert_eq!(found(storage, run.id).await.run.status, run.status);
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

/// The greatest id comes first; a cursor works though its backfill was purged.
pub async fn backfills_are_listed_page_by_page(storage: &dyn Storage) {
    save(storage, "daily").await;
    for n in 1..=4 {
        let create = new_backfill(n, "daily", n * 10, 1);
        storage.create_runs(create).await.unwrap();
        if n == 3 {
            end(storage, RunStatus::Success).await;
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
    refused_as(bad, Problem::InvalidParameter);
}

/// A list has the backfills of the pipeline and of the tenant that are asked for.
pub async fn a_list_keeps_to_its_pipeline_and_its_tenant(storage: &dyn Storage) {
    save(storage, "daily").await;
    save_for(storage, "hourly", "ann").await;
    for (n, pipeline) in [(1, "daily"), (2, "hourly")] {
        let create = new_backfill(n, pipeline, n * 10, 1);
        storage.create_runs(create).await.unwrap();
    }
    for (backfill, pipeline, whose, expected) in [
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
            scope: whose.clone(),
            backfill: backfill.map(backfill_id),
            pipeline: pipeline.map(pipeline_id),
        };
        let page = PageRequest::Newest { limit: 10 };
        let page = storage.list_backfills(filter, page).await.unwrap();
        let ids: Vec<_> = page.items.iter().map(|item| item.id).collect();
        let expected: Vec<_> = expected.into_iter().map(backfill_id).collect();
        assert_eq!(ids, expected, "{backfill:?} {pipeline:?} {whose:?}");
    }
    for (whose, is_found) in [("ann", true), ("ben", false)] {
        let found = storage.find_backfill(backfill_id(2), &scope(whose)).await;
        assert_eq!(found.unwrap().is_some(), is_found);
    }
}

/// A pipeline with an unfinished backfill stays; one that is deleted ends the keys of its
/// backfills, whose runs stay readable.
pub async fn a_deleted_pipeline_ends_the_keys_of_its_backfills(storage: &dyn Storage) {
    save(storage, "daily").await;
    let create = with_key(new_backfill(1, "daily", 1, 2), "once", 1);
    storage.create_runs(create.clone()).await.unwrap();
    let daily = pipeline_id("daily");
    let delete = async || {
        storage
            .delete_pipeline(DeletePipeline::new(daily.clone(), at(60)))
            .await
    };
    refused_as(delete().await, Problem::PipelineActive);
    end(storage, RunStatus::Success).await;
    delete().await.unwrap();
    let key = create.idempotency.unwrap();
    assert_eq!(storage.find_idempotent(&key).await.unwrap(), None);
    assert_eq!(backfills(storage).await[0].runs.len(), 2);
}

/// A run that is made without a backfill belongs to none, whatever it says.
pub async fn a_run_belongs_to_the_backfill_it_is_made_with(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut run = new_run(1, "daily");
    run.backfill_id = Some(backfill_id(1));
    let create = CreateRuns::new(vec![NewRun::new(run)]);
    let created = storage.create_runs(create).await.unwrap();
    assert_eq!(created.backfill, None);
    assert_eq!(found(storage, run_id(1)).await.run.backfill_id, None);
    assert_eq!(backfills(storage).await, []);
    assert_eq!(all_events(storage).await.len(), 1);
}
