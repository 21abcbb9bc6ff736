//! Questions about runs, and the wish to cancel one.
//!
//! Making runs is left to `create`, what a running one does to `journal`.

use async_trait::async_trait;
use rusqlite::types::Value;

use super::SqliteStorage;
use super::create::find_key;
use super::fault::Fault;
use super::inbox::Lane;
use super::pages::{Conditions, Window, cursor, wants_total};
use super::reader::Reader;
use super::rows::{NODE, NODE_FROM, RUN, RUN_FROM, RunRow, read_node, read_run, tenant};
use super::state::newest_run;
use super::values::{self, id, millis, node_keys, uint};
use crate::error::Result;
use crate::model::{NodeId, Page, PageRequest, Preview, Profile, Run, RunId, Scope};
use crate::storage::{
    Cancelled, ChainRun, CreateRuns, Created, IdempotencyKey, RequestCancel, RunDetail, RunFilter,
    Runs, rules,
};

#[async_trait]
impl Runs for SqliteStorage {
    async fn create_runs(&self, create: CreateRuns) -> Result<Created> {
        self.step(Lane::Normal, move |tx| tx.create_runs(&create))
            .await
    }

    async fn find_idempotent(&self, key: &IdempotencyKey) -> Result<Option<Created>> {
        let key = key.clone();
        let newest = self.newest();
        self.read(move |reader| {
            let ids = find_key(&reader.conn, &key)?;
            Ok(ids.map(|ids| Created::new(ids, true, newest)))
        })
        .await
    }

    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>> {
        let scope = scope.clone();
        self.read(move |reader| {
            reader.snapshot(|reader| {
                let found = reader.run_row(run, &scope)?;
                found.map(|row| reader.detail(row)).transpose()
            })
        })
        .await
    }

    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<ChainRun>> {
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

    async fn request_cancel(&self, request: RequestCancel) -> Result<Cancelled> {
        self.step(Lane::Normal, move |tx| tx.request_cancel(&request))
            .await
    }

    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>> {
        let (node, scope) = (node.clone(), scope.clone());
        self.read(move |reader| {
            reader.snapshot(|reader| reader.payload("previews", run, &node, &scope))
        })
        .await
    }

    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Profile>> {
        let (node, scope) = (node.clone(), scope.clone());
        self.read(move |reader| {
            reader.snapshot(|reader| reader.payload("profiles", run, &node, &scope))
        })
        .await
    }

    async fn newest_run(&self) -> Result<Option<RunId>> {
        self.read(|reader| reader.snapshot(|reader| newest_run(&reader.conn)))
            .await
    }
}

impl Reader {
    fn detail(&self, row: RunRow) -> Result<RunDetail, Fault> {
        let RunRow {
            key,
            definition,
            run,
        } = row;
        let definition = self.definitions.find(&self.conn, definition)?;
        let (first, last) = node_keys(key);
        let sql =
            format!("SELECT {NODE} FROM {NODE_FROM} WHERE n.key BETWEEN ? AND ? ORDER BY n.key");
        let nodes = self.rows(&sql, [first, last], |row| read_node(row, &run, &definition))?;
        let definition = std::sync::Arc::clone(&definition.pipeline);
        Ok(RunDetail::new(run, definition, nodes))
    }

    /// The key of a run that the scope sees.
    pub(super) fn run_key(&self, run: RunId, scope: &Scope) -> Result<Option<i64>, Fault> {
        let found = self.row(
            "SELECT key, tenant FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok((row.get(0)?, tenant(row.get(1)?)?)),
        )?;
        Ok(found
            .filter(|(_, tenant)| scope.admits(tenant.as_ref()))
            .map(|(key, _)| key))
    }

    fn runs(&self, filter: &RunFilter, page: &PageRequest) -> Result<Page<Run>, Fault> {
        let Some(mut conditions) = self.conditions(filter)? else {
            let total = wants_total(page).then_some(0);
            return Ok(Page::new(Vec::new(), total, None));
        };
        let total = wants_total(page)
            .then(|| self.count_runs(&conditions))
            .transpose()?;
        if let Some(text) = cursor(page) {
            let after: RunId = text.parse().map_err(|_| rules::bad_cursor(text))?;
            conditions.add("r.id < ?", [Value::Blob(id(&after).to_vec())]);
        }
        let window = Window::new(page);
        let sql = format!(
            "SELECT {RUN} FROM {RUN_FROM}{} ORDER BY r.id DESC LIMIT {} OFFSET {}",
            conditions.sql(),
            window.read_count(),
            window.skip,
        );
        let rows = self.rows(
            &sql,
            rusqlite::params_from_iter(conditions.values()),
            |row| Ok(read_run(row)),
        )?;
        let items = rows.into_iter().filter_map(readable).collect();
        Ok(window.cut(items, total, |run: &Run| run.id.to_string()))
    }

    /// None where the pipeline does not exist, so that no run can be in the list.
    fn conditions(&self, filter: &RunFilter) -> Result<Option<Conditions>, Fault> {
        let RunFilter {
            scope,
            pipeline,
            statuses,
            triggers,
            from,
            to,
        } = filter;
        let mut conditions = Conditions::default();
        if let Some(pipeline) = pipeline {
            let key = self.row(
                "SELECT key FROM pipelines WHERE id = ?",
                [pipeline.as_str()],
                |row| Ok(row.get(0)?),
            )?;
            let Some(key) = key else { return Ok(None) };
            conditions.add("r.pipeline = ?", [Value::Integer(key)]);
        }
        if let Some(tenant) = scope.tenant() {
            conditions.add("r.tenant = ?", [Value::Text(tenant.to_string())]);
        }
        let statuses: Vec<_> = statuses.iter().copied().map(values::run_status).collect();
        conditions.add_any("r.status", &statuses);
        let triggers: Vec<_> = triggers.iter().copied().map(values::trigger).collect();
        conditions.add_any("r.trigger", &triggers);
        if let Some(from) = from {
            conditions.add("r.created_at >= ?", [Value::Integer(millis(*from))]);
        }
        if let Some(to) = to {
            conditions.add("r.created_at < ?", [Value::Integer(millis(*to))]);
        }
        Ok(Some(conditions))
    }

    fn count_runs(&self, conditions: &Conditions) -> Result<u64, Fault> {
        let sql = format!("SELECT count(*) FROM runs r{}", conditions.sql());
        let values = rusqlite::params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, uint))
    }

    /// A run that the scope sees.
    pub(super) fn run_row(&self, run: RunId, scope: &Scope) -> Result<Option<RunRow>, Fault> {
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.id = ?");
        let found = self.row(&sql, [id(&run)], read_run)?;
        Ok(found.filter(|row| scope.admits(row.run.tenant.as_ref())))
    }
}

/// A row that cannot be read costs that run alone, not the list.
fn readable(row: Result<RunRow, Fault>) -> Option<Run> {
    row.map(|row| row.run)
        .inspect_err(|fault| {
            tracing::error!(?fault, "a run cannot be read and is left out of a list")
        })
        .ok()
}
