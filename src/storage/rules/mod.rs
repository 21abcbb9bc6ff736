//! The rules that every backend follows in the same way.
//!
//! - The queue: the choice among orphans, poison, the limits on pending runs, backfill settlement,
//!   the overlap rule.
//! - Writes: refusals, the checks of an append, the row and the event that an entry makes, slugs,
//!   saved settings.
//!
//! Pure. Where rows are kept and how they are found is left to the backends.

/// Earlier runs that are looked at for the previous profile of a node.
pub(super) const PROFILES_BACK_MAX: u32 = 1_000;

mod append;
mod backfill;
mod events;
mod limits;
mod node;
mod orphans;
mod refusals;
mod schedules;
mod settings;
mod slugs;

pub(super) use append::{check_entries, may_name_chunk};
pub(super) use backfill::{BackfillOutcomes, OpenBackfill, Settlement};
pub(super) use events::{entry_event, run_event};
pub(super) use limits::{LaneLimits, Usage, may_start};
pub(super) use node::{advance_node, put_back_node, settle_node};
pub(super) use orphans::{OrphanChoice, RunningRun, choose_orphans, poisoned_outcome};
use refusals::poisoned;
pub(super) use refusals::{
    already_exists, backfill_finished, bad_cursor, cancel_requested, gap, illegal_transition,
    key_reused, pipeline_active, precondition_failed, queue_full, run_finished, shutting_down,
    stale_epoch, tick_taken,
};
pub(crate) use refusals::{not_resumable, stands_in_the_way};
pub(super) use schedules::{Saved, is_of_schedule, runs_one_at_a_time, saved_schedule};
#[cfg(feature = "sqlite")]
pub(super) use settings::Standing;
pub(super) use settings::{KeptSetting, PutSetting, Setting, check_deletion, decide};
pub(super) use slugs::{is_derived_from, numbered};
