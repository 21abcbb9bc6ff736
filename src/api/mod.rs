//! The Runs API over HTTP. Only `console`, which serves a page around it, knows HTTP too.
//!
//! `service` receives a request, `routes` is the table of every route, and each noun has a file
//! with its handlers. `problem` alone maps an error to a status. Commands go to `engine` and
//! queries to `views`; nothing here knows how data is stored.

mod access;
mod asked;
mod attempts;
mod audit;
mod backfill_pauses;
mod backfills;
mod body;
mod bulk;
mod calendar;
mod call;
mod capabilities;
mod connections;
mod dashboard;
mod deliveries;
mod document;
mod dry_run;
mod grid;
mod guarantees;
mod health;
mod idempotency;
mod input;
mod layer;
mod lineage;
mod logs;
mod node_history;
mod openapi;
mod origin;
mod paging;
mod path;
mod pauses;
mod permission;
mod pipelines;
mod precondition;
mod preview;
mod problem;
mod profile;
mod query;
mod request;
mod rerun;
mod response;
mod route;
mod router;
mod routes;
mod runs;
mod schedules;
mod search;
mod service;
mod shared;
mod stream;
mod subject;
mod system;
mod tenant;
mod trace;
mod variables;
mod versions;
mod wait;
mod webhook;

#[cfg(feature = "testing")]
pub(crate) use routes::routes;

pub use access::{Access, Decision};
pub use body::{Body, BodyError};
pub use capabilities::{Caller, Capabilities};
pub(crate) use document::document_below;
pub use guarantees::Guarantee;
pub use layer::{RunsLayer, WithRuns, WithRunsBody, WithRunsFuture};
pub use permission::{Permission, Permissions};
#[cfg(feature = "console")]
pub(crate) use precondition::{EntityTag, is_known, not_modified};
#[cfg(feature = "console")]
pub(crate) use problem::refuse;
pub use service::{ResponseFuture, RunsService};
#[cfg(feature = "websocket")]
pub use stream::websocket::{Handover, Upgrade};
