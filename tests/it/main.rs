//! Integration tests: Floret as its hosts and clients see it. One binary, with one file per
//! subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, also in the functions that tests share"
)]

#[macro_use]
mod harness;

mod agreement;
mod api_access;
mod api_backfills;
mod api_calendar;
mod api_capabilities;
mod api_connections;
mod api_dashboard;
mod api_dry_run;
mod api_health;
mod api_hostile;
mod api_hyper;
mod api_idempotency;
mod api_layer;
mod api_lineage;
mod api_lists;
mod api_logs;
mod api_nodes;
mod api_pipelines;
mod api_preconditions;
mod api_resumes;
mod api_runs;
mod api_schedules;
mod api_search;
mod api_service;
mod api_system;
mod api_variables;
mod api_warnings;
mod api_ws;
mod api_ws_hosts;
mod api_ws_load;
mod api_ws_session;
mod backfills;
mod bad_input;
mod bounds;
mod byte_bounds;
mod canaries;
mod cancels;
mod crash;
mod crash_points;
mod damage;
mod dataflow;
mod descriptors;
mod documents;
mod dry_runs;
mod embedding;
mod events;
mod example_host;
mod examples;
mod examples_hosts;
mod failures;
mod faults;
mod figures;
mod file_nodes;
mod files;
mod host_log;
mod host_panics;
mod left_callers;
mod log_panics;
mod logs;
mod lost_outputs;
mod matrix;
mod node_tenants;
mod notifier_kills;
mod notifiers;
mod outages;
mod outputs;
mod panics;
mod pauses;
mod programs;
mod prose;
mod recovery;
mod resume_choices;
mod resumes;
mod retention;
mod retries;
mod schedules;
mod seeds;
mod services;
mod shutdowns;
mod spans;
mod standalone;
mod stream;
mod tenants;
mod tidy;
mod tidy_circles;
mod triggers;
mod wire;
