//! Questions about runs, and the wish to cancel one.
//!
//! Making runs is left to `create`, what a running one does to `journal`.

use async_trait::async_trait;
use rusqlite::params;
use rusqlite::types::Value;

use super::SqliteStorage;
use super::body::Body;
use super::create::find_key;
use super::fault::Fault;
use super::inbox::Lane;
use super::pages::{Conditions, Window, cursor, wants_total};
use super::reader::Reader;
use super::rows::{NODE, NODE_FROM, RUN, RUN_FROM, RunRow, read_node, read_run, tenant};
use super::state::newest_run;
use super::tx::Tx;
use super::values::{self, id, millis, node_key, node_keys, to_cancel, to_run_status, uint};
use crate::error::{Error, Result};
use crate::model::{
    EventKind, NodeId, Page, PageRequest, Place, Preview, Profile, Run, RunId, RunStatus, Scope,
};
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

    /// A preview or a profile, of the run that executed the node where this one reuses it.
    fn payload<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<T>, Fault> {
        let Some(row) = self.run_row(run, scope)? else {
            return Ok(None);
        };
        let Some(place) = self.place(&row, node)? else {
            return Ok(None);
        };
        let reused_from = self.row(
            "SELECT reused_from FROM node_runs WHERE key = ?",
            [node_key(row.key, place)],
            |row| Ok(row.get::<_, Option<Vec<u8>>>(0)?),
        )?;
        let executed = match reused_from.flatten() {
            None => Some(node_key(row.key, place)),
            Some(from) => self.executed(&row, place, node, values::run_id(&from)?, scope)?,
        };
        let Some(executed) = executed else {
            return Ok(None);
        };
        let sql = format!("SELECT body FROM {table} WHERE key = ?");
        let body = self.row(&sql, [executed], |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
        body.map(|body| {
            serde_json::from_slice(&body).map_err(|error| Fault::unreadable(table, error))
        })
        .transpose()
    }

    /// The key of a reused node in the run that executed it.
    fn executed(
        &self,
        row: &RunRow,
        place: Place,
        node: &NodeId,
        from: RunId,
        scope: &Scope,
    ) -> Result<Option<i64>, Fault> {
        let Some(executed) = self.run_row(from, scope)? else {
            return Ok(None);
        };
        let mut inherited = row.run.inherited.iter();
        let named = inherited.find(|own| own.place == place && own.from_run == from);
        let place = match named {
            Some(own) => Some(own.from_place),
            None => self.place(&executed, node)?,
        };
        Ok(place.map(|place| node_key(executed.key, place)))
    }

    fn place(&self, row: &RunRow, node: &NodeId) -> Result<Option<Place>, Fault> {
        let definition = self.definitions.find(&self.conn, row.definition)?;
        Ok(definition.graph.place(node.as_str()))
    }

    /// A run that the scope sees.
    fn run_row(&self, run: RunId, scope: &Scope) -> Result<Option<RunRow>, Fault> {
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

impl Tx {
    fn request_cancel(&mut self, request: &RequestCancel) -> Result<Cancelled, Fault> {
        let RequestCancel {
            run,
            scope,
            cancel,
            now,
        } = request;
        let found = self.row(
            "SELECT key, status, cancel, tenant FROM runs WHERE id = ?",
            [id(run)],
            |row| {
                let before = row.get::<_, Option<i64>>(2)?.map(to_cancel).transpose()?;
                let status = to_run_status(row.get(1)?)?;
                Ok((row.get::<_, i64>(0)?, status, before, tenant(row.get(3)?)?))
            },
        )?;
        let (key, status, before, _) = found
            .filter(|(_, _, _, tenant)| scope.admits(tenant.as_ref()))
            .ok_or_else(|| Error::run_not_found(run))?;
        match status {
            RunStatus::Success | RunStatus::Failed => return Err(rules::run_finished(*run).into()),
            RunStatus::Cancelled => {}
            RunStatus::Pending => {
                self.write(
                    "UPDATE runs SET cancel = ? WHERE key = ?",
                    [values::cancel(*cancel), key],
                )?;
                self.cancel_pending(key, *run, *now)?;
                return Ok(Cancelled::new(RunStatus::Cancelled, self.newest_seq()));
            }
            RunStatus::Running if before < Some(*cancel) => {
                self.write(
                    "UPDATE runs SET cancel = ? WHERE key = ?",
                    [values::cancel(*cancel), key],
                )?;
                if before.is_none() {
                    let body = Body::of_run(EventKind::RunCancelling, status, None, *now)?;
                    self.write_events(key, &body, None)?;
                }
                if let Some(active) = self.state.running.get_mut(run) {
                    active.cancel = Some(*cancel);
                    if let Some(driven) = active.driven.as_mut() {
                        driven.run.cancel = Some(*cancel);
                    }
                }
            }
            RunStatus::Running => {}
        }
        Ok(Cancelled::new(status, self.newest_seq()))
    }

    fn cancel_pending(
        &mut self,
        key: i64,
        run: RunId,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Fault> {
        let sql = "SELECT pipeline, tenant, created_at, priority FROM runs WHERE key = ?";
        let (pipeline, tenant, created_at, priority) = self
            .row(sql, params![key], |row| {
                Ok((
                    row.get(0)?,
                    tenant(row.get(1)?)?,
                    row.get(2)?,
                    row.get::<_, u8>(3)?,
                ))
            })?
            .ok_or_else(|| Error::run_not_found(run))?;
        let ended = super::ends::Ended {
            key,
            pipeline,
            tenant: tenant.as_ref(),
            created_at,
            before: RunStatus::Pending,
            status: RunStatus::Cancelled,
            error: None,
            at: now,
        };
        self.end_run(&ended)?;
        self.write_end_event(&ended)?;
        self.state.lanes.remove(priority, pipeline, run);
        Ok(())
    }
}
