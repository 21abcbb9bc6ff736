//! Durable data pipelines and their Runs API, embedded in the service you already have.
//!
#![doc = include_str!("../docs/crate.md")]
#![forbid(unsafe_code)]
// docs.rs shows which feature each item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// The build with all features checks these links.
#![cfg_attr(
    not(all(
        feature = "anyhow",
        feature = "console",
        feature = "metrics",
        feature = "sqlite",
        feature = "websocket",
        feature = "secrets",
        feature = "lineage-sql",
        feature = "nodes",
        feature = "testing",
        feature = "webhook"
    )),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "some links lead to items whose feature is off"
    )
)]

#[cfg(test)]
#[macro_use]
mod schema_macros;

mod api;
mod builder;
mod clock;
mod compute;
#[cfg(feature = "console")]
mod console;
mod cron;
mod delivery;
mod engine;
mod error;
mod events;
pub mod executor;
mod floret;
mod graph;
pub mod guide;
mod hex;
#[cfg(feature = "webhook")]
mod hooks;
mod json;
mod limits;
mod lineage;
mod loops;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
mod metrics;
mod model;
#[cfg(feature = "nodes")]
pub mod nodes;
pub mod notifier;
mod outage;
mod scheduler;
mod secret;
mod spreadsheet;
pub mod storage;
mod suggestion;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod views;

pub use api::{Access, Body, Decision, Permission, Permissions, RunsLayer, RunsService};
#[cfg(feature = "websocket")]
pub use api::{Handover, Upgrade};
pub use builder::Builder;
pub use clock::Clock;
#[cfg(feature = "console")]
pub use console::ConsoleService;
pub use error::{Error, ErrorKind, Issue, IssueLocation, Problem, Result};
pub use events::Subscription;
pub use floret::{
    BackfillBuilder, BackfillCancelBuilder, BackfillHandle, BackfillPauseBuilder,
    BackfillRerunBuilder, CancelBuilder, Client, DryRunBuilder, EditBuilder, Floret, RerunBuilder,
    ResumeBuilder, RunBuilder, RunHandle,
};
pub use limits::{DatasetLimits, Limits};
pub use model::{
    AuditAction, AuditEntry, AuditId, AuditOutcome, AuditSubject, Backfill, BackfillCounts,
    BackfillId, BackfillOrder, BackfillPreview, BackfillRun, BackfillStatus, BackfillUnit,
    CallerName, Cancel, ColumnProfile, Concurrency, ConnectionId, Dataset, Delivery, DeliveryId,
    DeliveryState, DependencyMode, DependencyRule, DependencyState, DryRun, DryRunNode, Edge,
    Event, EventKind, EventStatus, Hook, HookKind, HookSecret, Hooks, IdError, LabelChanges,
    Labels, Level, Managed, Node, NodeId, NodeRun, NodeStatus, OnConflict, Overlap, Page,
    PageRequest, ParamDef, ParamKind, Params, Pause, Pipeline, PipelineId, PipelineVersion,
    Preview, Priority, Profile, ResumeAction, ResumeNode, ResumePreview, Retention, Run, RunCancel,
    RunConcurrency, RunId, RunStatus, Scope, SkipReason, Slug, SpanId, TenantId, TraceId,
    TraceParent, TraceParentError, Trigger, WaitReason, Waiting, WebhookToken,
};
#[cfg(feature = "secrets")]
pub use secret::SecretKey;
pub use secret::{Connection, Secret};

/// The queries of a [`Client`], what they answer, and what they save.
///
/// The answers serialize as the API shows them, so that a host can hand them out from endpoints of
/// its own.
pub mod query {
    pub use crate::api::{Caller, Capabilities, Guarantee};
    pub use crate::engine::{BulkOutcome, Finding, SavedPipeline, SkippedRun, ValidationReport};
    pub use crate::floret::{
        Audit, Backfills, BulkCancelBuilder, BulkRerunBuilder, Calendar, Connections,
        DeletePipelineBuilder, Deliveries, GridQuery, Logs, NewConnection, NewVariable,
        NodeHistoryQuery, PauseBuilder, Pipelines, PurgeBuilder, PutPipelineBuilder,
        RollbackBuilder, Runs, Search, System, UnpauseBuilder, Variables, Versions,
    };
    pub use crate::views::{
        AttemptStatus, CalendarDay, Dashboard, Drift, DriftValue, FailingPipeline, Grid, GridRun,
        LineageEdge, LineageGraph, LineageKind, LineageNode, LogLine, LogPage, LogReader,
        NodeAttempt, NodeHistory, NodePreview, NodeProfile, ScheduleStatus, SearchHit, SystemInfo,
        Trend,
    };
}

/// The types that a host names only when it stores or wraps the service or the layer.
///
/// [`RunsService`] returns [`ResponseFuture`](service::ResponseFuture). [`RunsLayer`] builds
/// [`WithRuns`](service::WithRuns), which has a future and a body of its own. [`ConsoleService`]
/// returns [`ConsoleFuture`](service::ConsoleFuture).
pub mod service {
    pub use crate::api::{BodyError, ResponseFuture, WithRuns, WithRunsBody, WithRunsFuture};
    #[cfg(feature = "console")]
    pub use crate::console::ConsoleFuture;
}

/// Runs the code of the README as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
