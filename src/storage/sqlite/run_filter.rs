//! The conditions of a filter of runs, and the index by which a list finds its runs.
//!
//! `run_list` chooses the index and reads the pages.

use rusqlite::types::Value;

use super::pages::{Conditions, cursor};
use super::pipeline_keys::PipelineKeys;
use super::store_error::StoreError;
use super::values::{self, id, millis};
use crate::model::{PageRequest, RunId, RunStatus};
use crate::storage::{RunFilter, rules};

/// The index by which a list finds its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    /// By age: a few runs, which SQLite sorts by id.
    Age,
    /// By pipeline: a few runs of several pipelines, which SQLite sorts by id.
    Pipelines,
    /// By what created the runs.
    Trigger,
    /// The small index of pending and running runs.
    Active,
    /// By the first label of the filter.
    Label,
    /// By backfill: its runs are in the order of their ids.
    Backfill,
    /// SQLite chooses a good index itself.
    Chosen,
    /// Any: the runs are only counted, so that their order does not matter.
    Any,
}

/// The runs of pipelines without a tenant.
pub(super) const WITHOUT_TENANT: &str =
    "r.pipeline IN (SELECT key FROM pipelines WHERE tenant IS NULL)";

impl Index {
    /// Returns the tables of a list. The label comes first, so that it decides the order.
    pub(super) const fn tables(self) -> &'static str {
        match self {
            Self::Label => "labels l CROSS JOIN runs r ON r.id = l.run",
            Self::Age
            | Self::Pipelines
            | Self::Trigger
            | Self::Active
            | Self::Backfill
            | Self::Chosen
            | Self::Any => "runs r",
        }
    }

    /// Returns the column of the id, by which a list is sorted.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Label => "l.run",
            Self::Age
            | Self::Pipelines
            | Self::Trigger
            | Self::Active
            | Self::Backfill
            | Self::Chosen
            | Self::Any => "r.id",
        }
    }

    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Age => "INDEXED BY runs_by_age",
            Self::Pipelines => "INDEXED BY runs_of_pipeline",
            Self::Trigger => "INDEXED BY runs_of_trigger",
            Self::Active => "INDEXED BY runs_active",
            Self::Backfill => "INDEXED BY runs_of_backfill",
            Self::Label | Self::Chosen | Self::Any => "",
        }
    }

    /// Returns the column of the time of creation. A `+` keeps SQLite from the index by age, whose
    /// rows it would have to sort by id.
    pub(super) const fn age(self) -> &'static str {
        match self {
            Self::Age | Self::Any => "r.created_at",
            Self::Pipelines
            | Self::Trigger
            | Self::Active
            | Self::Label
            | Self::Backfill
            | Self::Chosen => "+r.created_at",
        }
    }

    /// Returns the column of what created a run. A `+` keeps SQLite from the index by trigger,
    /// which fits few of the queries that can use it.
    pub(super) const fn trigger(self) -> &'static str {
        match self {
            Self::Trigger | Self::Any => "r.trigger",
            Self::Age
            | Self::Pipelines
            | Self::Active
            | Self::Label
            | Self::Backfill
            | Self::Chosen => "+r.trigger",
        }
    }

    /// Returns the column of one of several pipelines. A `+` keeps SQLite from the index by
    /// pipeline, likewise.
    pub(super) const fn pipeline(self) -> &'static str {
        match self {
            Self::Pipelines | Self::Any => "r.pipeline",
            Self::Age
            | Self::Trigger
            | Self::Active
            | Self::Label
            | Self::Backfill
            | Self::Chosen => "+r.pipeline",
        }
    }
}

/// Returns whether a filter admits pending and running runs only.
pub(super) fn are_unfinished(statuses: &[RunStatus]) -> bool {
    !statuses.is_empty() && !statuses.iter().any(|status| status.is_terminal())
}

pub(super) fn conditions(
    filter: &RunFilter,
    pipelines: Option<&PipelineKeys>,
    index: Index,
) -> Conditions {
    let RunFilter {
        scope,
        run,
        pipeline: _,
        backfill,
        statuses,
        triggers,
        from: _,
        to: _,
        labels,
    } = filter;
    let mut conditions = Conditions::default();
    add_labels(&mut conditions, labels, index);
    if let Some(run) = run {
        conditions.add("r.id = ?", [Value::Blob(id(run).to_vec())]);
    }
    if let Some(backfill) = backfill {
        let id = Value::Blob(backfill.as_uuid().as_bytes().to_vec());
        conditions.add(
            "r.backfill = (SELECT key FROM backfills WHERE id = ?)",
            [id],
        );
    }
    match pipelines {
        // These are pipelines in the scope, and a run has the tenant of its pipeline.
        Some(pipelines) => conditions.add_pipelines(pipelines, "r.pipeline", index.pipeline()),
        None => conditions.add_scope("r.tenant", scope),
    }
    if index == Index::Pipelines && pipelines.is_none() {
        conditions.add(WITHOUT_TENANT, []);
    }
    if are_unfinished(statuses) {
        conditions.add("r.finished_at IS NULL", []);
    }
    let statuses: Vec<_> = statuses.iter().copied().map(values::run_status).collect();
    match *statuses {
        // A literal instead of a parameter, because only a literal can use a partial index.
        [status] => conditions.add(&format!("r.status = {status}"), []),
        _ => conditions.add_any("r.status", &statuses),
    }
    let triggers: Vec<_> = triggers.iter().copied().map(values::trigger).collect();
    conditions.add_any(index.trigger(), &triggers);
    add_ages(&mut conditions, filter, index.age());
    conditions
}

/// Adds the conditions on the labels. That of an index is the first one.
fn add_labels(conditions: &mut Conditions, labels: &[(String, String)], index: Index) {
    for (number, (name, value)) in labels.iter().enumerate() {
        let label = [name, value].map(|text| Value::Text(text.clone()));
        let condition = match (index, number) {
            (Index::Label, 0) => "l.name = ? AND l.value = ?",
            _ => {
                "EXISTS (SELECT 1 FROM labels o WHERE o.name = ? AND o.value = ? AND o.run = r.id)"
            }
        };
        conditions.add(condition, label);
    }
}

/// Adds the condition that a run comes after the cursor of a page.
pub(super) fn add_cursor(
    conditions: &mut Conditions,
    page: &PageRequest,
    index: Index,
) -> Result<(), StoreError> {
    if let Some(text) = cursor(page) {
        let after: RunId = text.parse().map_err(|_| rules::bad_cursor(text))?;
        let condition = format!("{} < ?", index.id());
        conditions.add(&condition, [Value::Blob(id(&after).to_vec())]);
    }
    Ok(())
}

/// Adds the conditions on the time of creation.
pub(super) fn add_ages(conditions: &mut Conditions, filter: &RunFilter, age: &str) {
    if let Some(from) = filter.from {
        conditions.add(&format!("{age} >= ?"), [Value::Integer(millis(from))]);
    }
    if let Some(to) = filter.to {
        conditions.add(&format!("{age} < ?"), [Value::Integer(millis(to))]);
    }
}
