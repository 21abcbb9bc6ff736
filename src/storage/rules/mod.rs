//! The rules that every backend follows in the same way.
//!
//! - The queue: the choice among orphans, poison, the limits on pending runs, backfill settlement,
//!   the overlap rule,
//!   the order among the runs of a concurrency key.
//! - Writes: refusals, repeated creations, the checks of an append, the row and the event that an
//!   entry produces, names, slugs, what a save by code leaves of others' changes, saved settings.
//!
//! All of them are pure. Storing and finding rows is left to the backends.

/// The maximum number of earlier runs that are searched for the previous profile of a node.
pub(super) const PROFILES_BACK_MAX: u32 = 1_000;

/// How many stored events or rows of events a read examines before it ends its page. Unpacking
/// them takes some tens of milliseconds.
pub(super) const EVENTS_EXAMINED_MAX: usize = 4_096;

mod append;
mod backfill;
mod creation;
mod enabled;
mod events;
mod existing;
mod holdings;
mod keys;
mod limits;
mod managed;
mod naming;
mod node;
mod orphans;
mod refusals;
mod repeated;
mod schedules;
mod settings;
mod slugs;
mod waiting;
mod webhook_token;

pub(super) use append::{accepts_chunk, check_entries};
pub(super) use backfill::{BackfillOutcomes, OpenBackfill, Settlement, changes_pause};
pub(super) use creation::{repeated_creation, run_exists};
pub(super) use enabled::{Enabled, definition_with};
pub(super) use events::{entry_event, run_event};
pub(super) use existing::Existing;
pub(super) use holdings::settle_holdings;
pub(super) use keys::{FirstHeld, KeyStep, key_max, merge_replaced, replacing, skipping_key};
pub(super) use limits::{LaneLimits, Usage, may_start, usage_max};
pub(super) use managed::{code_version_after, keeps_edit, managed_after};
pub(super) use naming::saved_tenant;
pub(super) use node::{apply_entry, finish_node, reset_node};
pub(super) use orphans::{OrphanChoice, RunningRun, choose_orphans, poisoned_outcome};
use refusals::poisoned_message;
pub(super) use refusals::{
    already_exists, backfill_finished, bad_cursor, cancel_requested, check_version,
    illegal_transition, key_reused, key_taken, pipeline_active, position_gap, precondition_failed,
    queue_full, run_finished, shutting_down, stale_epoch, tick_taken, upstream_run_taken,
};
pub(crate) use refusals::{blocks_resume, not_resumable};
pub(super) use repeated::succeeded_since;
pub(super) use schedules::{
    ScheduleChange, is_scheduled, overlap_reason, runs_one_at_a_time, schedule_change,
};
#[cfg(feature = "sqlite")]
pub(super) use settings::SettingMetadata;
pub(super) use settings::{PutSetting, Setting, StoredSetting, decide_save};
pub(super) use slugs::{is_derived_from, numbered};
pub(super) use waiting::{Competitors, Obstacles};
pub(super) use webhook_token::WebhookTokens;
