//! The storage methods of runs, and the reads of single runs.
//!
//! `create` creates runs, `cancel` handles cancel requests, `labels` edits runs, and `run_list`
//! lists them.

use async_trait::async_trait;

use super::SqliteStorage;
use super::idempotency::find_key;
use super::meta::newest_run;
use super::reader::Reader;
use super::rows::{NODE, NODE_FROM, RUN, RUN_FROM, RunRow, read_node, read_run};
use super::store_error::StoreError;
use super::values::{id, node_keys, tenant};
use crate::error::Result;
use crate::model::{NodeId, Page, PageRequest, Preview, Run, RunId, Scope};
use crate::storage::{
    CancelOutcome, CancelRequest, CreateRuns, CreatedRuns, EditRun, FirstCreation, FoundProfile,
    IdempotentOperation, RunDetail, RunFilter, Runs,
};

#[async_trait]
impl Runs for SqliteStorage {
    async fn create_runs(&self, create: CreateRuns) -> Result<CreatedRuns> {
        self.step(move |tx| tx.create_runs(&create)).await
    }

    async fn find_idempotent(
        &self,
        operation: &IdempotentOperation,
        key: &str,
    ) -> Result<Option<FirstCreation>> {
        let (operation, key) = (operation.clone(), key.to_owned());
        let newest = self.0.published.newest_seq();
        self.read(move |reader| find_key(&reader.conn, &operation, &key, newest))
            .await
    }

    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>> {
        let (scope, changes) = (scope.clone(), self.0.published.finished_changes.clone());
        self.read(move |reader| {
            // Before the snapshot, so that it has every change that has ended by now.
            let unchanged = changes.unchanged();
            let found = reader.snapshot(|reader| {
                let found = reader.run_row(run, &scope)?;
                found.map(|row| reader.detail(row)).transpose()
            })?;
            Ok(found.map(|detail| detail.known_unchanged(unchanged)))
        })
        .await
    }

    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<RunDetail>> {
        let scope = scope.clone();
        self.read(move |reader| {
            reader.snapshot(|reader| {
                let sql = format!(
                    "SELECT {RUN} FROM {RUN_FROM} WHERE r.id = ?1 OR r.first_run = ?1 ORDER BY r.id"
                );
                let rows = reader.rows(&sql, [id(&first_run)], read_run)?;
                rows.into_iter()
                    .filter(|row| {
                        row.run.first_run == first_run && scope.admits(row.run.tenant.as_ref())
                    })
                    .map(|row| reader.detail(row))
                    .collect()
            })
        })
        .await
    }

    async fn list_runs(&self, filter: RunFilter, page: PageRequest) -> Result<Page<Run>> {
        self.read(move |reader| reader.snapshot(|reader| reader.runs(&filter, &page)))
            .await
    }

    async fn request_cancel(&self, request: CancelRequest) -> Result<CancelOutcome> {
        self.step(move |tx| tx.request_cancel(&request)).await
    }

    async fn edit_run(&self, edit: EditRun) -> Result<()> {
        self.step(move |tx| tx.edit_run(&edit)).await
    }

    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>> {
        let (node, scope) = (node.clone(), scope.clone());
        self.read(move |reader| reader.snapshot(|reader| reader.preview(run, &node, &scope)))
            .await
    }

    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>> {
        let (node, scope) = (node.clone(), scope.clone());
        self.read(move |reader| reader.snapshot(|reader| reader.profile(run, &node, &scope)))
            .await
    }

    async fn newest_run(&self) -> Result<Option<RunId>> {
        self.read(|reader| reader.snapshot(|reader| newest_run(&reader.conn)))
            .await
    }
}

impl Reader {
    fn detail(&self, row: RunRow) -> Result<RunDetail, StoreError> {
        let RunRow {
            key,
            definition,
            run,
        } = row;
        let definition = self.definitions.find(&self.conn, definition)?;
        let (first, last) = node_keys(key);
        let sql =
            format!("SELECT {NODE} FROM {NODE_FROM} WHERE n.key BETWEEN ? AND ? ORDER BY n.key");
        let nodes = self.rows(&sql, [first, last], |row| {
            read_node(row, run.id, &definition, &self.unreadable)
        })?;
        let definition = std::sync::Arc::clone(&definition.pipeline);
        Ok(RunDetail::new(run, definition, nodes))
    }

    /// Returns the key of a run that is visible in the scope.
    pub(super) fn run_key(&self, run: RunId, scope: &Scope) -> Result<Option<i64>, StoreError> {
        let found = self.row(
            "SELECT key, tenant FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok((row.get(0)?, tenant(row.get(1)?)?)),
        )?;
        Ok(found
            .filter(|(_, tenant)| scope.admits(tenant.as_ref()))
            .map(|(key, _)| key))
    }

    /// Returns a run that is visible in the scope.
    pub(super) fn run_row(&self, run: RunId, scope: &Scope) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.id = ?");
        let found = self.row(&sql, [id(&run)], read_run)?;
        Ok(found.filter(|row| scope.admits(row.run.tenant.as_ref())))
    }
}
