//! The contract of a storage: one case for each promise, and the macros that turn cases into tests.
//!
//! One line in the tests of a backend runs all cases. `durable` holds the additional suite of a
//! durable backend, and `fixtures` what the cases are built from.
//!
//! ```
//! # mod tests {
//! use floret::storage::MemoryStorage;
//! floret::storage_contract!(async |_| MemoryStorage::default());
//! # }
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a case is a test: it panics if the promise is broken"
)]

pub mod audit;
pub(crate) mod audited_commands;
pub mod backfill_claims;
pub mod backfill_dates;
pub(crate) mod backfill_fixtures;
pub mod backfill_pauses;
pub mod backfill_resumes;
pub mod backfill_settlement;
pub mod backfills;
pub mod cancels;
pub mod closed;
pub mod code_saves;
pub mod concurrency;
pub mod connections;
mod definitions;
pub mod delays;
pub mod deletions;
pub mod deliveries;
pub mod durable;
pub mod durable_audit;
mod durable_backend;
pub mod earlier_events;
pub mod enabled;
pub mod end_rules;
mod event_fixtures;
pub mod events;
mod execution;
pub mod fences;
pub(crate) mod fixtures;
pub mod gates;
pub mod handles;
pub mod holdings;
pub mod idempotency;
pub mod inheritance;
pub mod journal;
pub mod key_conflicts;
pub mod labels;
pub mod names;
pub mod node_runs;
pub mod outputs;
pub mod parked;
pub mod pauses;
pub mod pipeline_lists;
pub mod pipelines;
pub mod poison;
pub mod profiles;
pub mod purges;
pub mod queue;
pub mod repeats;
pub mod replaced_runs;
pub mod replaced_ticks;
pub mod resumes;
pub mod run_lists;
pub mod runs;
pub mod same_ids;
pub mod schedule_claims;
pub mod schedules;
pub mod scopes;
pub mod secret_params;
pub(crate) mod settings;
pub mod slugs;
pub(crate) mod snapshot;
pub mod system;
mod threads;
pub mod traces;
pub mod upstream_ends;
pub mod variables;
pub mod versions;
pub mod waiting;
pub mod webhook_tokens;

/// Creates a test for every promise of [`Storage`](crate::storage::Storage), each on a fresh store.
///
/// The argument is an async closure that receives a fresh directory and returns a storage.
///
/// ```
/// # mod tests {
/// use floret::storage::MemoryStorage;
///
/// floret::storage_contract!(async |_| MemoryStorage::default());
/// # }
/// ```
#[macro_export]
macro_rules! storage_contract {
    ($open:expr) => {
        $crate::storage_contract! { @as modules $open }
    };
    // A form is `modules`, a test for each promise, or `in_turn`, statements of one async test.
    (@as $form:ident $open:expr) => {
        $crate::definition_contract! { @as $form $open }
        $crate::execution_contract! { @as $form $open }
        $crate::storage_contract! { @$form $open,
            runs: [
                a_created_run_is_returned_unchanged,
                a_run_has_its_instant,
                a_missing_run_is_not_found,
                a_created_run_writes_one_event,
                runs_created_together_are_returned_in_order,
                a_run_belongs_to_the_tenant_of_its_pipeline,
                a_run_of_an_absent_pipeline_is_refused,
                a_pipeline_has_at_most_one_run_per_tick,
                a_refused_creation_creates_no_run,
                the_queue_of_a_pipeline_is_bounded,
                the_queue_is_bounded,
                a_node_is_listed_once_it_has_an_entry,
                a_preview_and_a_profile_are_found,
                a_reused_node_has_the_preview_of_its_origin,
                the_greatest_run_id_is_returned,
                a_run_of_another_tenant_is_hidden,
            ],
            idempotency: [
                a_repeated_key_returns_the_first_result,
                a_key_outlives_the_execution_of_its_run,
                a_key_with_another_body_is_refused,
                a_key_can_be_looked_up,
                one_key_for_two_operations_is_two_keys,
                a_refused_creation_does_not_use_up_its_key,
                a_repeated_key_succeeds_on_a_full_queue,
                a_repeated_key_of_a_resume_succeeds,
                a_key_of_a_rerun_is_not_one_of_a_resume,
                a_key_reveals_nothing_to_another_tenant,
                concurrent_requests_with_one_key_create_one_run,
                requests_without_a_key_are_never_repeats,
            ],
            resumes: [
                a_failed_run_can_be_resumed,
                a_run_that_did_not_fail_cannot_be_resumed,
                a_chain_with_an_unfinished_run_cannot_be_resumed,
                a_chain_that_succeeded_cannot_be_resumed,
                a_chain_whose_resumes_failed_can_be_resumed,
                a_missing_run_cannot_be_resumed,
                a_chain_is_returned_oldest_first,
                a_resume_uses_the_version_of_the_old_run,
                a_run_of_a_deleted_pipeline_cannot_be_resumed,
            ],
            cancels: [
                a_pending_run_is_cancelled_at_once,
                a_running_run_gets_a_cancel_request,
                a_repeated_cancel_request_changes_nothing,
                a_forced_cancel_request_escalates_a_plain_one,
                cancelling_a_cancelled_run_changes_nothing,
                cancelling_a_finished_run_conflicts,
                cancelling_a_missing_run_is_not_found,
                a_run_records_who_cancelled_it_and_why,
            ],
            labels: [
                a_list_contains_the_runs_with_all_labels,
                pages_by_label_follow_one_another,
                an_edit_changes_labels_and_note_only,
                a_read_after_an_edit_finds_the_run_as_edited,
                more_labels_than_a_run_may_have_are_refused,
                an_edit_of_a_missing_run_is_not_found,
                a_purged_run_leaves_no_label,
            ],
            backfills: [
                a_backfill_is_created_with_its_runs,
                each_run_of_a_backfill_keeps_its_params,
                a_refused_backfill_creates_nothing,
                a_repeated_key_returns_the_backfill_and_its_runs,
                a_backfill_is_purged_with_its_last_run,
                backfills_are_listed_in_pages,
                a_list_is_limited_to_its_pipeline_and_tenant,
                deleting_a_pipeline_deletes_the_keys_of_its_backfills,
                a_run_belongs_to_the_backfill_it_is_created_with,
            ],
            backfill_dates: [
                dates_with_a_successful_run_are_skipped,
                instants_with_a_successful_run_are_skipped_where_a_date_has_several,
                a_repeated_date_is_skipped_once_its_own_run_has_succeeded,
                a_date_whose_resume_succeeded_is_skipped,
                a_successful_run_of_another_tenant_skips_no_date,
                a_backfill_without_remaining_dates_creates_nothing,
                a_preview_creates_nothing,
            ],
            backfill_settlement: [
                a_backfill_finishes_with_its_last_run,
                too_many_failures_cancel_the_remaining_runs,
                a_poisoned_run_counts_as_a_failure_of_its_backfill,
                cancelling_a_backfill_cancels_every_unfinished_run,
                a_backfill_without_running_runs_is_cancelled_at_once,
                a_repeated_cancel_request_changes_nothing,
                cancelling_a_finished_backfill_conflicts,
                cancelling_a_missing_backfill_is_not_found,
            ],
            run_lists: [
                the_greatest_id_comes_first,
                a_cursor_continues_after_the_previous_page,
                a_cursor_works_after_its_run_is_purged,
                a_cursor_that_is_no_run_id_is_refused,
                numbered_pages_return_the_total,
                a_filter_admits_any_of_its_statuses_and_triggers,
                a_filter_finds_the_runs_of_a_backfill,
                a_time_range_includes_its_start_and_excludes_its_end,
                a_list_of_one_run_contains_only_that_run,
                all_filters_apply_together,
            ],
            events: [
                sequence_numbers_start_at_one_without_gaps,
                every_write_returns_the_newest_sequence_number,
                a_reader_gets_the_events_after_its_sequence_number,
                all_filters_apply_together,
                an_event_carries_the_tenant_of_its_run,
                a_sequence_number_is_never_reused,
                a_purge_deletes_the_events_of_its_runs,
                a_page_returns_the_number_that_it_covers,
                a_filtered_reader_gets_every_matching_event,
                no_smaller_sequence_number_appears_later,
            ],
            earlier_events: [
                a_reader_gets_the_newest_events_before_its_number,
                a_page_returns_the_number_that_it_begins_with,
                all_filters_apply_together,
                a_filtered_reader_gets_every_earlier_event,
            ],
            deliveries: [
                a_new_notifier_starts_at_the_newest_event,
                a_returning_notifier_gets_its_cursor_and_parked_events,
                a_cursor_never_moves_back,
                a_repeated_step_changes_nothing,
                a_step_creates_a_missing_cursor,
                an_event_of_a_missing_run_is_not_parked,
                a_dormant_notifier_gets_no_cursor,
                a_dormant_notifier_that_has_begun_is_claimed,
                a_notifier_absent_for_too_long_loses_its_cursor,
                a_notifier_that_stays_never_loses_its_cursor,
                dead_letters_are_counted_within_the_scope,
                a_purge_keeps_runs_with_undelivered_events,
                a_purge_keeps_runs_with_parked_events,
                a_lost_cursor_protects_no_run_from_a_purge,
            ],
            parked: [
                deliveries_are_listed_newest_first,
                a_page_of_deliveries_continues_after_its_cursor,
                deliveries_are_listed_by_state_and_scope,
                a_dead_letter_is_retried_or_dropped_once,
                a_dead_letter_out_of_scope_is_absent,
                a_retried_dead_letter_keeps_its_run_from_a_purge,
            ],
            replaced_ticks: [
                an_overlapping_tick_can_replace_the_earlier_runs,
                a_tick_without_a_run_replaces_none,
            ],
            schedules: [
                a_schedule_starts_at_its_save,
                a_tick_creates_its_run_and_moves_the_cursor,
                a_tick_decided_twice_creates_one_run,
                a_tick_that_has_a_run_creates_no_other,
                missed_ticks_are_passed_without_a_run,
                an_overlapping_tick_is_skipped_and_recorded,
                an_overlapping_tick_can_queue_its_run,
                a_tick_on_a_full_queue_is_recorded_as_blocked,
                a_changed_schedule_restarts_at_its_save,
                other_changes_keep_the_cursor,
                a_tick_of_a_replaced_version_is_stale,
                a_schedule_is_deleted_with_its_pipeline,
                schedules_are_limited_to_the_scope,
            ],
            system: [
                stats_count_pipelines_and_runs_in_scope,
                stats_return_the_greatest_purged_sequence_number,
                figures_equal_a_recount_at_any_time,
                figures_cover_the_requested_days,
                figures_by_failing_pipeline_list_the_most_failures_first,
                a_purge_deletes_the_oldest_finished_runs_first,
                a_purge_is_limited_to_its_scope,
                a_purge_deletes_everything_that_belongs_to_its_runs,
            ],
            purges: [
                a_purge_keeps_the_last_runs_of_each_pipeline,
                a_purge_continues_after_the_previous_step,
                a_scoped_purge_counts_the_runs_of_other_tenants,
                a_purge_preview_changes_nothing,
                runs_finished_at_the_same_time_are_purged_one_by_one,
                a_purge_ends_what_earlier_reads_know,
                a_close_ends_what_earlier_reads_know,
            ],
        }
    };
    (@modules $open:expr, $($module:ident: $cases:tt,)*) => {
        $($crate::storage_contract! { @cases $open, $module, $cases })*
    };
    (@in_turn $open:expr, $($module:ident: [$($case:ident),* $(,)?],)*) => {
        $($({
            let dir = $crate::testing::scratch();
            let storage = $open(dir.path()).await;
            // The future of a case is large, and a test has hundreds of them.
            Box::pin($crate::testing::contract::$module::$case(&storage)).await;
        })*)*
    };
    (@cases $open:expr, $module:ident, [$($case:ident),* $(,)?]) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let dir = $crate::testing::scratch();
                    let open = $open;
                    let storage = open(dir.path()).await;
                    $crate::testing::contract::$module::$case(&storage).await;
                }
            )*
        }
    };
}
