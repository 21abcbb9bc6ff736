//! The public data types: pipelines, runs, nodes, events, datasets, connections and variables.
//!
//! Nothing here does I/O, reads the time or waits. `graph` has the rules for graphs, `cron` the
//! rules for schedules, `clock` the time.

mod audit;
mod backfill;
mod backfill_unit;
mod caller_name;
mod concurrency;
pub(crate) mod condition;
mod connection;
mod dataset;
mod defaults;
mod definition_node;
mod delivery;
mod dependency;
mod dry_run;
mod edge;
pub(crate) mod engine_keys;
mod event;
mod hook;
mod id;
mod interruption;
mod labels;
mod lane_class;
mod node;
mod page;
mod param_def;
mod params;
mod pause;
mod percent;
mod pipeline;
mod preview;
mod priority;
mod profile;
mod qualified;
mod resume_preview;
mod retention;
pub(crate) mod rfc3339;
mod run;
mod schedule;
mod scheduled_pipelines;
mod scope;
mod sealed;
mod search_text;
pub(crate) mod seconds;
mod stored_pipeline;
mod trace_parent;
mod variable;
mod version;
mod waiting;
mod webhook_token;

pub use audit::{AuditAction, AuditEntry, AuditId, AuditOutcome, AuditSubject};
pub use backfill::{
    Backfill, BackfillCounts, BackfillOrder, BackfillPreview, BackfillRun, BackfillStatus,
};
pub use backfill_unit::BackfillUnit;
pub use caller_name::CallerName;
pub use concurrency::{Concurrency, OnConflict, RunConcurrency};
pub use connection::{ConnectionFields, StoredConnection};
pub use dataset::Dataset;
pub(crate) use dataset::{Cell, Shape};
#[cfg(feature = "nodes")]
pub(crate) use dataset::{
    ColumnType, DatasetBuilder, Misfit, OtherColumns, RowError, is_number_text, write_cell,
};
pub use definition_node::Node;
pub use delivery::{Delivery, DeliveryId, DeliveryState};
pub use dependency::{DependencyMode, DependencyRule, DependencyState};
pub use dry_run::{DryRun, DryRunNode};
pub use edge::Edge;
pub use event::{Event, EventKind, EventStatus, Level};
pub(crate) use hook::HookMoment;
pub use hook::{Hook, HookKind, HookSecret, Hooks};
pub(crate) use id::ID_MAX;
pub use id::{
    BackfillId, ConnectionId, IdError, NodeId, OwnerId, PipelineId, RunId, Slug, TenantId,
    VariableKey,
};
pub(crate) use interruption::Interruption;
pub(crate) use labels::{LABEL_SEPARATOR, LABELS_MAX};
pub use labels::{LabelChanges, Labels};
pub use lane_class::LaneClass;
pub use node::{NodeIndex, NodeRun, NodeStatus, UnstoredOutput};
pub use page::{Page, PageRequest};
pub(crate) use param_def::scalar_text;
pub use param_def::{ParamDef, ParamKind};
pub(crate) use params::DATE_PARAM;
pub use params::Params;
pub use pause::Pause;
pub(crate) use percent::percent;
pub use pipeline::Pipeline;
pub use preview::Preview;
pub(crate) use preview::{PreviewBounds, PreviewBuilder};
pub use priority::{Priority, Rank};
pub use profile::{ColumnProfile, Profile};
pub use qualified::Qualified;
pub use resume_preview::{ResumeAction, ResumeNode, ResumePreview};
pub use retention::Retention;
pub use run::{Cancel, InheritedOutput, Run, RunCancel, RunStatus, Trigger};
pub(crate) use schedule::CATCH_UP_MAX;
pub use schedule::{Overlap, SkipReason};
pub(crate) use scheduled_pipelines::ScheduledPipelines;
pub use scope::Scope;
pub(crate) use sealed::MASKED;
pub use sealed::Sealed;
pub(crate) use search_text::FoldedTexts;
pub use search_text::SearchText;
pub use stored_pipeline::{Managed, StoredPipeline};
pub use trace_parent::{SpanId, TraceId, TraceParent, TraceParentError};
pub use variable::{StoredVariable, VariableFields, VariableValue};
pub use version::PipelineVersion;
pub use waiting::{WaitReason, Waiting};
pub use webhook_token::{TokenHash, WebhookToken};
