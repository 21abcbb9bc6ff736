//! What tests of Floret, of backends and of hosts need: a clock turned by hand, an executor that
//! follows a script, a storage that fails on cue, and the contract that every backend takes.
//!
//! Behind the feature `testing`. Nothing here sleeps: a test waits for what it expects.

pub mod contract;
mod cues;
mod fault;
mod faulty_schedules;
mod faulty_settings;
mod faulty_storage;
mod gate;
mod manual_clock;
mod memory_floret;
mod routes;
mod scratch;
mod scripted_executor;
pub mod targets;

pub use fault::{Fault, Method};
pub use faulty_storage::FaultyStorage;
pub use gate::Gate;
pub use manual_clock::ManualClock;
pub use memory_floret::{Ended, memory, run_to_end};
pub use routes::{Route, routes};
pub use scratch::{Scratch, scratch};
pub use scripted_executor::{Call, ScriptedExecutor, Step};
