//! Durable data pipelines and their Runs API, embedded in the service you already have.
//!
//! A host registers async functions as nodes, describes pipelines as graphs of them, and gets two things back: a handle
//! ([`Floret`]) to start, watch, cancel and resume runs from its own code, and a tower service ([`RunsService`]) that serves the
//! Runs API from its own server. A run that was acknowledged survives a crash and goes on from its last finished node. There is no
//! second service to operate: runs are kept in one SQLite file, or in memory.
//!
//! # A mount that runs
//!
//! The service is a value: a host mounts it into its router or calls it, as here, without a socket.
//!
//! ```
//! use floret::executor::{Ctx, ExecutorError};
//! use floret::storage::MemoryStorage;
//! use floret::{Access, Floret, Pipeline};
//! use tower::ServiceExt;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Order { amount: i64 }
//!
//! async fn load(_: Ctx) -> Result<Vec<Order>, ExecutorError> {
//!     Ok(vec![Order { amount: 19 }, Order { amount: 23 }])
//! }
//!
//! async fn sum(_: Ctx, orders: Vec<Order>) -> Result<Vec<Order>, ExecutorError> {
//!     Ok(vec![Order { amount: orders.iter().map(|order| order.amount).sum() }])
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let floret = Floret::builder(MemoryStorage::default())
//!     .node("load", load)
//!     .node("sum", sum)
//!     .pipeline(Pipeline::new("daily").node("load", "load").node("sum", "sum").after("load"))
//!     .start()
//!     .await?;
//! let api = floret.service(Access::allow_all());
//!
//! let request = http::Request::post("/api/pipelines/daily/run").body(String::new())?;
//! let answer = api.oneshot(request).await?;
//! assert_eq!(answer.status(), 202);
//!
//! let run = floret.run("daily").start().await?;
//! run.finished().await?;
//! let sums: Vec<Order> = run.output("sum").await?;
//! assert_eq!(sums[0].amount, 42);
//! floret.shutdown(std::time::Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! With axum it is `Router::new().nest_service("/api", floret.service(access))`; `examples/quickstart` mounts it into bare hyper.
//!
//! # The nouns
//!
//! | | |
//! |---|---|
//! | [`Pipeline`] | a graph of nodes, in code or from JSON ([`Pipeline::from_json`]) |
//! | [`Node`] | a step of it; its type names the executor, its config is the executor's, templates included |
//! | [`executor`] | what executes nodes: async functions, or an [`executor::Executor`] |
//! | [`Dataset`] | the rows that nodes hand on |
//! | [`Run`] | one execution of a pipeline: pending, running, then `success`, `failed` or `cancelled` |
//! | [`Event`] | what happened to a run, stored, with a number that orders them all ([`Floret::events`]) |
//! | [`storage`] | what remembers: SQLite, memory, or your own behind the same contract |
//! | [`Access`] | who may do what over HTTP, and whose objects a caller sees |
//! | [`Limits`] | every bound, with its default |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `sqlite` | yes | `storage::SqliteStorage` and `Floret::open`, with SQLite bundled |
//! | `nodes` | no | node types `source_file`, `sink_file`, `command` in `floret::nodes` |
//! | `testing` | no | `floret::testing`: a clock turned by hand, a scripted executor, a storage that fails on cue, the contract for backends |
//!
//! Memory and HTTP are always there; no web framework ever is.
//!
//! # Limits
//!
//! Every queue, page, body, retry and wait is bounded by [`Limits`]; its fields say the defaults and why. A pipeline has at most 1,000
//! nodes and 20,000 edges; five runs execute at once; an output of up to 16 MiB is kept for a resume.
//!
//! A node in flight during a crash is executed again, so an executor sees its [`attempt_key`](executor::Ctx::attempt_key) at least once.
//! Two processes on one SQLite file, and network file systems, are refused or not promised.
//!
//! # Where next
//!
//! [`Floret::builder`] to compose, [`executor::NodeFunction`] for what a node may be, [`RunHandle`] for what a run gives back,
//! [`RunsService`] for mounting, [`Error`] for what can go wrong.

mod api;
mod builder;
mod clock;
mod engine;
mod error;
mod events;
pub mod executor;
mod floret;
mod graph;
mod json;
mod limits;
mod model;
#[cfg(feature = "nodes")]
pub mod nodes;
pub mod storage;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod views;

pub use api::{
    Access, Body, BodyError, Decision, Permission, Permissions, ResponseFuture, RunsService,
};
pub use builder::Builder;
pub use clock::Clock;
pub use error::{Error, ErrorKind, Issue, IssueAt, Result};
pub use events::Subscription;
pub use floret::{Floret, RunBuilder, RunHandle};
pub use limits::Limits;
pub use model::{
    Cancel, ColumnProfile, Dataset, Edge, Event, EventKind, EventStatus, IdError, Inherited, Level,
    Node, NodeId, NodeRun, NodeStatus, OwnerId, Page, PageRequest, Pipeline, PipelineId, Place,
    Preview, Profile, Run, RunId, RunStatus, Scope, Slug, StoredPipeline, TenantId, Trigger,
};
pub use views::Views;

/// Its code compiles and runs as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
