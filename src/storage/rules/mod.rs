//! What every backend decides in the same way: refusals, the checks of an append, what an entry makes of a node's row
//! and of the event, slugs, what a save of a connection or a variable makes of what is kept.
//!
//! Pure. Where the rows are kept and how they are found is left to the backends.

/// Earlier runs that are looked at for the previous profile of a node.
pub(super) const PROFILES_BACK_MAX: u32 = 1_000;

mod append;
mod backfill;
mod events;
mod node;
mod refusals;
mod schedules;
mod settings;
mod slugs;

pub(super) use append::{check_entries, may_name_chunk};
pub(super) use backfill::Ends;
pub(super) use events::{entry_event, run_event};
pub(super) use node::{advance_node, put_back_node, settle_node};
pub(super) use refusals::{
    already_exists, backfill_finished, bad_cursor, cancel_requested, gap, illegal_transition,
    key_reused, pipeline_active, poisoned, precondition_failed, queue_full, run_finished,
    shutting_down, stale_epoch, tick_taken,
};
pub(crate) use refusals::{not_resumable, stands_in_the_way};
pub(super) use schedules::{Saved, is_of_schedule, runs_one_at_a_time, saved_schedule};
#[cfg(feature = "sqlite")]
pub(super) use settings::Standing;
pub(super) use settings::{KeptSetting, PutSetting, Setting, check_deletion, decide};
pub(super) use slugs::{is_derived_from, numbered};
