//! Durable data pipelines and their Runs API, embedded in the service you already have.

mod api;
mod clock;
mod engine;
mod error;
mod events;
pub mod executor;
mod graph;
mod json;
mod limits;
mod model;
pub mod storage;
mod views;

pub use api::{
    Access, Body, BodyError, Decision, Permission, Permissions, ResponseFuture, RunsService,
};
pub use clock::Clock;
pub use error::{Error, ErrorKind, Issue, IssueAt, Result};
pub use limits::Limits;
pub use model::{
    Cancel, ColumnProfile, Dataset, Edge, Event, EventKind, EventStatus, IdError, Inherited, Level,
    Node, NodeId, NodeRun, NodeStatus, OwnerId, Page, PageRequest, Pipeline, PipelineId, Place,
    Preview, Profile, Run, RunId, RunStatus, Scope, Slug, StoredPipeline, TenantId, Trigger,
};
