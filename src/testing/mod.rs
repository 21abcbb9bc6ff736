//! Tools for tests of hosts, of storage backends and of Floret itself (feature `testing`).
//!
//! - [`memory`] builds a Floret without a file, and [`run_to_end`] runs one pipeline on it.
//! - [`Builder::replace`](crate::Builder::replace) replaces a node type of a host.
//! - [`CapturedLog`] keeps the log of an executor that a test calls itself.
//! - [`ManualClock`] stands still until a test advances it.
//! - [`ScriptedExecutor`] does in each attempt what a test has scripted.
//! - [`FaultyStorage`] wraps any storage and fails on cue.
//! - [`contract`] is the test suite that every backend takes.
//! - [`targets`] holds the functions that fuzzers feed.
//!
//! Nothing here sleeps in real time. A test waits for the event that it expects: a [`Gate`], the
//! start of a node ([`ScriptedExecutor::started`]) or a sleeping task
//! ([`ManualClock::advance_within`]).

mod captured_log;
pub mod contract;
mod cues;
mod fault;
mod faulty_audit;
mod faulty_deliveries;
mod faulty_node_runs;
mod faulty_schedules;
mod faulty_settings;
mod faulty_storage;
mod faulty_versions;
mod gate;
mod manual_clock;
mod memory_floret;
mod replacement;
mod routes;
mod scratch;
mod scripted_executor;
pub mod targets;

pub use captured_log::CapturedLog;
pub use fault::{Fault, Method};
pub use faulty_storage::FaultyStorage;
pub use gate::Gate;
pub use manual_clock::ManualClock;
pub use memory_floret::{FinishedRun, RunToEnd, memory, run_to_end};
pub use routes::{Route, routes};
pub use scratch::{Scratch, scratch};
pub use scripted_executor::{ExecutedCall, ScriptedExecutor, Step};
