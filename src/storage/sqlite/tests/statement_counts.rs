//! Tests that SQLite prepares each statement of a connection once, and does no needless work.
//!
//! `agreement` has a mixed load.

use super::*;
use crate::model::{Page, PageRequest, TenantId};
use crate::storage::sqlite::statement_counts::{StatementCounts, counted};
use crate::storage::{DeletePipeline, RunFilter};

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

/// Returns the instructions that a page of 10 runs takes.
async fn steps_of_page(storage: &SqliteStorage, statuses: &[RunStatus], page: u32) -> u64 {
    let [_, before] = storage.statement_counts().await;
    let filter = RunFilter {
        statuses: statuses.to_vec(),
        ..RunFilter::default()
    };
    let request = PageRequest::Numbered { page, per_page: 10 };
    let listed = storage.list_runs(filter, request).await.unwrap();
    assert_eq!(listed.items.len(), 10);
    let [_, after] = storage.statement_counts().await;
    after.steps - before.steps
}

#[tokio::test]
async fn a_page_joins_only_its_own_runs() {
    let (_dir, storage) = store_with(SqliteOptions::default().readers_max(1)).await;
    for n in 1..=500 {
        storage.create_runs(create(n)).await.unwrap();
    }
    // The list finds a key with about 2 instructions, and sorts one with about 14.
    for (statuses, max) in [(&[][..], 2_500), (&[RunStatus::Pending], 8_500)] {
        for page in [1, 50] {
            let steps = steps_of_page(&storage, statuses, page).await;
            assert!(
                steps < max,
                "page {page} of {statuses:?}: {steps} instructions"
            );
        }
    }
}

#[tokio::test]
async fn a_period_without_runs_is_seen_without_walking_all_others() {
    let (_dir, storage) = store_with(SqliteOptions::default().readers_max(1)).await;
    for n in 1..=500 {
        storage.create_runs(create(n)).await.unwrap();
    }
    let [_, before] = storage.statement_counts().await;
    let filter = RunFilter {
        to: Some(at(0)),
        ..RunFilter::default()
    };
    for request in [
        PageRequest::Newest { limit: 10 },
        PageRequest::Numbered {
            page: 1,
            per_page: 10,
        },
    ] {
        let listed = storage.list_runs(filter.clone(), request).await.unwrap();
        assert_eq!(listed.items, []);
    }
    let [_, after] = storage.statement_counts().await;
    let steps = after.steps - before.steps;
    assert!(steps < 200, "{steps} instructions");
}

#[tokio::test]
async fn a_page_without_room_is_only_counted() {
    let (_dir, storage) = store_with(SqliteOptions::default().readers_max(1)).await;
    for n in 1..=500 {
        storage.create_runs(create(n)).await.unwrap();
    }
    let request = || PageRequest::Numbered {
        page: 1,
        per_page: 0,
    };
    let [_, before] = storage.statement_counts().await;
    let counted = storage.list_runs(RunFilter::default(), request());
    assert_eq!(
        counted.await.unwrap(),
        Page::new(Vec::new(), Some(500), None)
    );
    let [_, after] = storage.statement_counts().await;
    let steps = after.steps - before.steps;
    assert!(steps < 200, "{steps} instructions");
}

#[tokio::test]
async fn few_runs_of_several_pipelines_are_found_without_walking_all_others() {
    let (_dir, storage) = store_with(SqliteOptions::default().readers_max(1)).await;
    for tenant in ["ann", "ben"] {
        let mut put = PutPipeline::new(
            PipelineId::new("gone").unwrap(),
            SlugChoice::Given(Slug::new("gone").unwrap()),
            Arc::new(Pipeline::new("gone").node("load", "load")),
            at(0),
        );
        put.scope = Scope::Tenant(TenantId::new(tenant).unwrap());
        let own = storage.put_pipeline(put).await.unwrap();
        let mut delete = DeletePipeline::new(own.id, at(1));
        delete.scope = Scope::of(own.tenant.as_ref());
        storage.delete_pipeline(delete).await.unwrap();
    }
    for n in 1..=500 {
        storage.create_runs(create(n)).await.unwrap();
    }
    let [_, before] = storage.statement_counts().await;
    let filter = RunFilter {
        pipeline: Some(PipelineId::new("gone").unwrap()),
        ..RunFilter::default()
    };
    let listed = storage.list_runs(filter, PageRequest::Newest { limit: 1 });
    assert_eq!(listed.await.unwrap().items, []);
    let [_, after] = storage.statement_counts().await;
    let steps = after.steps - before.steps;
    assert!(steps < 200, "{steps} instructions");
}
