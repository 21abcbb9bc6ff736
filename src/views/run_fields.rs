//! A run without its nodes, as the API shows it.
//!
//! `runs` adds the nodes.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use crate::model::{
    BackfillId, CallerName, Cancel, Labels, Params, PipelineId, Priority, Run, RunCancel, RunId,
    RunStatus, TenantId, TraceParent, Trigger, rfc3339,
};

/// The fields of a run without its nodes, in the order of the wire contract.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Run", description = "A run in a list, without its nodes.")
)]
struct RunFields<'a> {
    id: RunId,
    pipeline_id: &'a PipelineId,
    pipeline_version: u32,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelling: Option<OnlyTrue>,
    trigger: Trigger,
    params: &'a Params,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    scheduled_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339::serialize")]
    created_at: DateTime<Utc>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    started_at: Option<DateTime<Utc>>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    finished_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed_from: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun_of: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill_id: Option<BackfillId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'a CallerName>,
    #[serde(skip_serializing_if = "labels_are_absent")]
    labels: &'a Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "is_normal")]
    priority: Priority,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    run_after: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<TraceParent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<CancelFields<'a>>,
}

fn labels_are_absent(labels: &&Labels) -> bool {
    labels.is_empty()
}

fn is_normal(priority: &Priority) -> bool {
    *priority == Priority::Normal
}

/// The fields of a cancel request, in the order of the wire contract.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "RunCancel",
        description = "Who asked to cancel a run, why and when."
    )
)]
struct CancelFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a CallerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    at: Option<DateTime<Utc>>,
    force: bool,
}

impl<'a> From<&'a RunCancel> for CancelFields<'a> {
    fn from(cancel: &'a RunCancel) -> Self {
        let RunCancel {
            kind,
            by,
            reason,
            at,
        } = cancel;
        Self {
            by: by.as_ref(),
            reason: reason.as_deref(),
            at: *at,
            force: *kind == Cancel::Forced,
        }
    }
}

/// A field that is either `true` or absent.
#[derive(Debug)]
struct OnlyTrue;

impl Serialize for OnlyTrue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

#[cfg(test)]
inline_schema! { OnlyTrue => schemars::json_schema!({"type": "boolean", "enum": [true]}) }

impl Serialize for Run {
    /// Writes the run as lists of the API show it, without its nodes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            id,
            pipeline_id,
            pipeline_version,
            tenant,
            status,
            cancel,
            trigger,
            params,
            date: _,
            scheduled_at,
            created_at,
            started_at,
            finished_at,
            error,
            created_by,
            labels,
            note,
            priority,
            run_after,
            concurrency,
            traceparent,
            backfill_id,
            resumed_from,
            rerun_of,
            upstream_run_id,
            first_run: _,
            inherited: _,
            generations: _,
        } = self;
        let fields = RunFields {
            id: *id,
            pipeline_id,
            pipeline_version: *pipeline_version,
            status: *status,
            cancelling: is_cancelling(*status, cancel.as_ref()).then_some(OnlyTrue),
            trigger: *trigger,
            params,
            scheduled_at: *scheduled_at,
            created_at: *created_at,
            started_at: *started_at,
            finished_at: *finished_at,
            error: error.as_deref(),
            resumed_from: *resumed_from,
            rerun_of: *rerun_of,
            upstream_run_id: *upstream_run_id,
            backfill_id: *backfill_id,
            tenant: tenant.as_ref(),
            created_by: created_by.as_ref(),
            labels,
            note: note.as_deref(),
            priority: *priority,
            run_after: *run_after,
            concurrency_key: concurrency.as_ref().map(|own| own.key.as_str()),
            traceparent: *traceparent,
            cancel: cancel.as_ref().map(CancelFields::from),
        };
        fields.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { Run => RunFields<'static> }

const fn is_cancelling(status: RunStatus, cancel: Option<&RunCancel>) -> bool {
    !status.is_terminal() && cancel.is_some()
}
