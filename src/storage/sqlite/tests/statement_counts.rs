//! Tests that SQLite prepares each statement of a connection once, and does no needless work.
//!
//! `agreement` has a mixed load.

use super::*;
use crate::model::{Cancel, Page, PageRequest};
use crate::storage::sqlite::statement_counts::{StatementCounts, counted};
use crate::storage::{CancelRequest, DeletePipeline, RunFilter};
use crate::testing::contract::fixtures;

impl SqliteStorage {
    /// Returns what the writer and a reader have executed.
    pub(crate) async fn statement_counts(&self) -> [StatementCounts; 2] {
        let writer = self.step(|_| Ok(counted())).await.unwrap();
        let reader = self.read(|_| Ok(counted())).await.unwrap();
        [writer, reader]
    }
}

#[tokio::test]
async fn each_connection_keeps_the_plans_of_its_statements() {
    use rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
    let (_dir, storage) = store().await;
    let is_kept = |conn: &rusqlite::Connection| Ok(conn.db_config(SQLITE_DBCONFIG_ENABLE_QPSG)?);
    assert!(storage.step(move |tx| is_kept(&tx.conn)).await.unwrap());
    assert!(
        storage
            .read(move |reader| is_kept(&reader.conn))
            .await
            .unwrap()
    );
    // The writer opens its connection again.
    storage.fail_next_commit(CommitFault::BeforeEffect);
    storage.create_runs(create(1)).await.unwrap_err();
    assert!(storage.step(move |tx| is_kept(&tx.conn)).await.unwrap());
}

/// Returns a store with 500 pending runs, which one connection reads.
async fn store_of_500() -> (Scratch, SqliteStorage) {
    let (dir, storage) = store_with(SqliteOptions::default().readers_max(1)).await;
    for n in 1..=500 {
        storage.create_runs(create(n)).await.unwrap();
    }
    (dir, storage)
}

/// Returns a page of runs, and the instructions that it takes.
async fn counted_page(
    storage: &SqliteStorage,
    filter: RunFilter,
    request: PageRequest,
) -> (Page<Run>, u64) {
    let [_, before] = storage.statement_counts().await;
    let page = storage.list_runs(filter, request).await.unwrap();
    let [_, after] = storage.statement_counts().await;
    (page, after.steps - before.steps)
}

#[tokio::test]
async fn a_page_joins_only_its_own_runs() {
    let (_dir, storage) = store_of_500().await;
    // The list finds a key with about 2 instructions, and sorts one with about 14.
    for (statuses, max) in [(&[][..], 2_500), (&[RunStatus::Pending], 8_500)] {
        for page in [1, 50] {
            let filter = RunFilter {
                statuses: statuses.to_vec(),
                ..RunFilter::default()
            };
            let request = PageRequest::Numbered { page, per_page: 10 };
            let (listed, steps) = counted_page(&storage, filter, request).await;
            assert_eq!(listed.items.len(), 10);
            assert!(
                steps < max,
                "page {page} of {statuses:?}: {steps} instructions"
            );
        }
    }
}

#[tokio::test]
async fn a_filter_without_runs_is_seen_without_walking_all_others() {
    let (_dir, storage) = store_of_500().await;
    let period = RunFilter {
        to: Some(at(0)),
        ..RunFilter::default()
    };
    let trigger = RunFilter {
        triggers: vec![Trigger::Schedule],
        ..RunFilter::default()
    };
    let numbered = PageRequest::Numbered {
        page: 1,
        per_page: 10,
    };
    for filter in [period, trigger] {
        for request in [PageRequest::Newest { limit: 10 }, numbered.clone()] {
            let (listed, steps) = counted_page(&storage, filter.clone(), request).await;
            assert_eq!(listed.items, [], "{filter:?}");
            assert!(steps < 200, "{filter:?}: {steps} instructions");
        }
    }
}

#[tokio::test]
async fn the_runs_of_a_period_are_counted_without_walking_them() {
    let (_dir, storage) = store_of_500().await;
    let only_count = PageRequest::Numbered {
        page: 1,
        per_page: 0,
    };
    for statuses in [Vec::new(), vec![RunStatus::Pending]] {
        let filter = RunFilter {
            statuses,
            from: Some(at(-86_400)),
            to: Some(at(90)),
            ..RunFilter::default()
        };
        let (counted, steps) = counted_page(&storage, filter, only_count.clone()).await;
        assert_eq!(counted.total, Some(500));
        assert!(steps < 500, "{steps} instructions");
    }
}

#[tokio::test]
async fn a_page_without_room_is_only_counted() {
    let (_dir, storage) = store_of_500().await;
    let request = PageRequest::Numbered {
        page: 1,
        per_page: 0,
    };
    let (counted, steps) = counted_page(&storage, RunFilter::default(), request).await;
    assert_eq!(counted, Page::new(Vec::new(), Some(500), None));
    assert!(steps < 200, "{steps} instructions");
}

#[tokio::test]
async fn few_unfinished_runs_are_found_without_walking_the_finished_ones() {
    let (_dir, storage) = store_with(SqliteOptions::default().readers_max(1)).await;
    for n in 1..=300 {
        storage.create_runs(create(n)).await.unwrap();
        if n > 1 {
            let cancel = CancelRequest::new(run_id(n), Cancel::Plain, at(1));
            storage.request_cancel(cancel).await.unwrap();
        }
    }
    let filter = RunFilter {
        statuses: vec![RunStatus::Pending, RunStatus::Running],
        ..RunFilter::default()
    };
    let newest = PageRequest::Newest { limit: 5 };
    let (listed, steps) = counted_page(&storage, filter, newest).await;
    assert_eq!(listed.items.len(), 1);
    assert!(steps < 300, "{steps} instructions");
}

/// Saves and deletes a pipeline `gone` of two tenants.
async fn delete_for_two_tenants(storage: &SqliteStorage) {
    for tenant in ["ann", "ben"] {
        let mut put = fixtures::put("gone");
        put.scope = fixtures::scope(tenant);
        let mut delete = DeletePipeline::new(put.id.clone(), at(1));
        delete.scope = put.scope.clone();
        storage.put_pipeline(put).await.unwrap();
        storage.delete_pipeline(delete).await.unwrap();
    }
}

#[tokio::test]
async fn few_runs_of_several_pipelines_are_found_without_walking_all_others() {
    let (_dir, storage) = store_of_500().await;
    delete_for_two_tenants(&storage).await;
    let filter = RunFilter {
        pipeline: Some(fixtures::pipeline_id("gone")),
        ..RunFilter::default()
    };
    let newest = PageRequest::Newest { limit: 1 };
    let (listed, steps) = counted_page(&storage, filter, newest).await;
    assert_eq!(listed.items, []);
    assert!(steps < 200, "{steps} instructions");
}

#[tokio::test]
async fn few_runs_without_a_tenant_are_found_without_walking_all_others() {
    let (_dir, storage) = store_with(SqliteOptions::default().readers_max(1)).await;
    storage.create_runs(create(1)).await.unwrap();
    fixtures::save_for(&storage, "daily", "ann").await;
    for n in 2..=500 {
        let mut create = create(n);
        create.scope = fixtures::scope("ann");
        storage.create_runs(create).await.unwrap();
    }
    let filter = RunFilter {
        scope: Scope::NoTenant,
        ..RunFilter::default()
    };
    let newest = PageRequest::Newest { limit: 5 };
    let (listed, steps) = counted_page(&storage, filter, newest).await;
    assert_eq!(listed.items.len(), 1);
    assert!(steps < 300, "{steps} instructions");
}
