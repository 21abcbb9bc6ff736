//! Runs: found and listed, with their chains, previews and profiles.
//!
//! They are created in `creation`, and `finish` finishes and cancels them.

use async_trait::async_trait;
use floret::storage::{
    CancelOutcome, CancelRequest, CreateRuns, CreatedRuns, EditRun, FirstCreation, FoundProfile,
    IdempotentOperation, RunDetail, RunFilter, Runs,
};
use floret::{Error, NodeId, NodeStatus, PageRequest, Preview, Profile, Result, Run, RunId, Scope};

use crate::audited::AuditedStorage;
use crate::creation::{create_runs, find_key};
use crate::finish::request_cancel;
use crate::pages::{Page, page};
use crate::rows::{NodeRow, Rows};

#[async_trait]
impl Runs for AuditedStorage {
    async fn create_runs(&self, create: CreateRuns) -> Result<CreatedRuns> {
        if create.is_preview {
            // The preview changes only a copy of the rows.
            return self.read(|rows| create_runs(&mut rows.clone(), create))?;
        }
        self.write("create_runs", |rows| create_runs(rows, create))
    }

    async fn find_idempotent(
        &self,
        operation: &IdempotentOperation,
        key: &str,
    ) -> Result<Option<FirstCreation>> {
        self.read(|rows| find_key(rows, operation, key))
    }

    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>> {
        self.read(|rows| rows.run(run, scope).map(|row| rows.detail(row)).transpose())?
    }

    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<RunDetail>> {
        self.read(|rows| {
            let chain = rows.runs.values().filter(|row| {
                row.run.first_run == first_run && scope.admits(row.run.tenant.as_ref())
            });
            chain.map(|row| rows.detail(row)).collect()
        })?
    }

    async fn list_runs(&self, filter: RunFilter, request: PageRequest) -> Result<Page<Run>> {
        self.read(|rows| {
            let runs = rows.runs.values().map(|row| &row.run);
            let wanted = runs.filter(|run| is_wanted(run, &filter));
            let items = wanted.map(|run| (run.id, run.clone())).collect();
            page(
                items,
                &request,
                |cursor| cursor.parse().ok(),
                RunId::to_string,
            )
        })?
    }

    async fn request_cancel(&self, request: CancelRequest) -> Result<CancelOutcome> {
        self.write("request_cancel", |rows| request_cancel(rows, &request))
    }

    async fn edit_run(&self, edit: EditRun) -> Result<()> {
        self.write("edit_run", |rows| {
            let found = rows.run(edit.run, &edit.scope);
            let found = found.ok_or_else(|| Error::run_not_found(edit.run))?;
            let labels = found.run.labels.edited(&edit.labels)?;
            let run = &mut rows.run_mut(edit.run)?.run;
            run.labels = labels;
            if let Some(note) = edit.note {
                run.note = Some(note).filter(|note| !note.is_empty());
            }
            let tenant = run.tenant.clone();
            rows.audit(edit.audit.as_ref(), tenant.as_ref());
            Ok(())
        })
    }

    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>> {
        self.read(|rows| {
            let row = executed(rows, run, node, scope)?;
            Ok(row.and_then(|(_, row)| row.preview.clone()))
        })?
    }

    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>> {
        self.read(|rows| {
            let Some((run, row)) = executed(rows, run, node, scope)? else {
                return Ok(None);
            };
            let found = row.profile.clone();
            Ok(found.map(|profile| FoundProfile::new(profile, previous(rows, run, node))))
        })?
    }

    async fn newest_run(&self) -> Result<Option<RunId>> {
        self.read(|rows| rows.newest_run)
    }
}

fn is_wanted(run: &Run, filter: &RunFilter) -> bool {
    filter.scope.admits(run.tenant.as_ref())
        && filter.run.is_none_or(|id| id == run.id)
        && filter
            .pipeline
            .as_ref()
            .is_none_or(|pipeline| *pipeline == run.pipeline_id)
        && (filter.backfill.is_none() || filter.backfill == run.backfill_id)
        && (filter.statuses.is_empty() || filter.statuses.contains(&run.status))
        && (filter.triggers.is_empty() || filter.triggers.contains(&run.trigger))
        && filter.from.is_none_or(|from| run.created_at >= from)
        && filter.to.is_none_or(|to| run.created_at < to)
        && filter
            .labels
            .iter()
            .all(|(name, value)| run.labels.get(name) == Some(value))
}

/// Returns the run that executed a node of this run, and its row of the node.
fn executed<'a>(
    rows: &'a Rows,
    run: RunId,
    node: &NodeId,
    scope: &Scope,
) -> Result<Option<(&'a Run, &'a NodeRow)>> {
    let Some(row) = rows.run(run, scope) else {
        return Ok(None);
    };
    let Some(node_index) = rows.node_indexes(&row.run)?.find(node.as_str()) else {
        return Ok(None);
    };
    let own = row.nodes.get(&node_index);
    let reused = own.and_then(|own| own.node.reused_from);
    let Some(from) = reused else {
        return Ok(own.map(|own| (&row.run, own)));
    };
    let origin = rows.runs.get(&from).and_then(|row| {
        let mut nodes = row.nodes.values();
        let row_of_node = nodes.find(|row| row.node.node_id == *node)?;
        Some((&row.run, row_of_node))
    });
    Ok(origin)
}

/// Returns the profile of the node in the newest earlier run of the pipeline in which it succeeded.
fn previous(rows: &Rows, run: &Run, node: &NodeId) -> Option<Profile> {
    let before = rows.runs.range(..run.id).rev().map(|(_, row)| row);
    let own = run.qualified_pipeline();
    let of_pipeline = before.filter(|row| row.run.qualified_pipeline() == own);
    let mut nodes = of_pipeline.flat_map(|row| row.nodes.values());
    nodes.find_map(|row| {
        let has_succeeded = row.node.node_id == *node && row.node.status == NodeStatus::Success;
        row.profile.clone().filter(|_| has_succeeded)
    })
}
