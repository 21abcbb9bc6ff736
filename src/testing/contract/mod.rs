//! The contract of a storage: one case a promise, and macros that make a test of each.
//!
//! A backend takes all of them in one line of its tests. What only a durable one can keep is a
//! suite of its own.
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
    reason = "a case is a test: it panics where the promise is broken"
)]

pub mod backfill_claims;
pub mod backfill_dates;
pub mod backfill_ends;
pub mod backfills;
pub mod cancels;
pub mod connections;
pub mod deletions;
pub mod deliveries;
pub mod durable;
pub mod events;
mod execution;
pub mod fences;
pub(crate) mod fixtures;
pub mod inheritance;
pub mod journal;
pub mod keys;
mod made_backfills;
pub mod outputs;
pub mod pipeline_lists;
pub mod pipelines;
pub mod poison;
pub mod profiles;
pub mod purges;
pub mod queue;
pub mod resumes;
pub mod run_lists;
pub mod runs;
pub mod schedules;
pub(crate) mod settings;
pub mod slugs;
mod snapshot;
pub mod system;
pub mod variables;

/// Makes a test of every promise of [`Storage`](crate::storage::Storage), each on a fresh store.
///
/// The argument is an async closure from a directory of its own to a storage.
#[macro_export]
macro_rules! storage_contract {
    ($open:expr) => {
        $crate::execution_contract! { $open }
        $crate::storage_contract! { @nouns $open,
            pipelines: [
                a_first_save_is_version_one,
                a_pipeline_is_found_by_its_id_and_by_its_slug,
                a_save_that_changes_nothing_keeps_version_and_time,
                a_changed_definition_raises_the_version_by_one,
                a_pipeline_expected_absent_conflicts,
                a_pipeline_expected_present_is_not_found,
                a_save_at_another_version_fails_its_precondition,
                a_pipeline_expected_present_is_replaced,
                a_pipeline_belongs_to_the_tenant_that_made_it,
                a_foreign_pipeline_reads_as_absent,
                a_foreign_id_and_slug_are_taken,
                a_deleted_pipeline_is_gone_and_its_slug_is_free,
                deleting_an_absent_pipeline_is_not_found,
                a_pipeline_with_active_runs_is_not_deleted,
                runs_of_a_deleted_pipeline_stay_readable,
                a_deleted_pipeline_ends_its_keys,
                a_revived_pipeline_goes_on_with_its_versions,
                a_run_stays_on_its_version,
                a_replaced_version_still_takes_runs,
            ],
            deletions: [
                a_pipeline_at_another_version_is_not_deleted,
                a_pipeline_at_the_expected_version_is_deleted,
            ],
            slugs: [
                a_given_slug_that_is_taken_conflicts,
                an_id_and_a_slug_of_two_pipelines_differ,
                a_derived_slug_takes_the_first_free_number,
                a_derived_slug_passes_by_another_id,
                a_pipeline_keeps_its_derived_slug,
                a_changed_slug_raises_the_version_by_one,
            ],
            pipeline_lists: [
                the_newest_come_first_and_equal_ones_by_id,
                a_cursor_goes_on_though_its_pipeline_was_deleted,
                a_cursor_that_is_none_is_malformed,
                numbered_pages_tell_the_total,
                filters_hold_together,
            ],
            connections: [
                a_saved_connection_is_found_as_it_was_given,
                a_save_that_changes_nothing_keeps_version_and_time,
                a_change_raises_the_version_by_one,
                a_save_that_expects_something_else_is_refused,
                a_foreign_connection_reads_as_absent_and_its_id_as_taken,
                a_deleted_connection_is_gone_and_its_versions_go_on,
                the_newest_come_first_and_equal_ones_by_id,
                a_cursor_goes_on_though_its_connection_was_deleted,
                numbered_pages_tell_the_total,
            ],
            variables: [
                a_saved_variable_is_found_as_it_was_given,
                a_save_that_changes_nothing_keeps_version_and_time,
                a_change_raises_the_version_by_one,
                a_save_that_expects_something_else_is_refused,
                a_foreign_variable_reads_as_absent_and_its_key_as_taken,
                a_deleted_variable_is_gone_and_its_versions_go_on,
                the_newest_come_first_and_equal_ones_by_key,
                a_cursor_goes_on_though_its_variable_was_deleted,
                numbered_pages_tell_the_total,
            ],
            runs: [
                a_created_run_is_found_as_it_was_given,
                a_missing_run_is_none,
                a_created_run_writes_one_event,
                runs_made_together_are_answered_in_their_order,
                a_run_belongs_to_its_pipelines_tenant,
                a_run_of_an_absent_pipeline_is_not_found,
                an_instant_is_taken_once_a_pipeline,
                a_refused_creation_makes_none_of_its_runs,
                the_queue_of_a_pipeline_has_an_end,
                the_queue_has_an_end,
                nodes_are_listed_once_they_have_an_entry,
                a_preview_and_a_profile_are_found,
                a_reused_node_has_the_preview_of_its_execution,
                the_greatest_run_id_is_known,
                a_foreign_run_reads_as_absent,
            ],
            profiles: [
                the_newest_success_before_is_the_previous_one,
                the_previous_profile_is_found_at_another_place,
                a_reused_node_has_the_previous_profile_of_its_execution,
            ],
            keys: [
                a_repeated_key_answers_what_the_first_act_made,
                a_key_outlives_the_end_of_its_run,
                a_key_with_another_body_is_refused,
                a_key_is_found_by_itself,
                one_key_on_two_paths_is_two_keys,
                a_refused_creation_does_not_use_up_its_key,
                a_known_key_is_answered_though_the_queue_is_full,
                a_known_key_is_answered_though_its_chain_moved_on,
                a_known_key_is_no_answer_to_another_tenant,
                simultaneous_acts_with_one_key_make_one_run,
                runs_without_a_key_are_never_repeats,
            ],
            resumes: [
                a_failed_run_is_resumed,
                a_run_that_did_not_fail_is_not_resumed,
                a_chain_with_an_unfinished_run_is_not_resumed,
                a_chain_that_succeeded_is_not_resumed,
                a_chain_whose_resumes_failed_is_resumed,
                a_missing_run_is_not_resumed,
                a_chain_is_read_oldest_first,
                a_resume_runs_the_version_of_the_old_run,
                a_run_of_a_deleted_pipeline_is_not_resumed,
            ],
            cancels: [
                a_pending_run_is_cancelled_at_once,
                a_running_run_is_asked_to_cancel,
                a_repeated_cancel_changes_nothing,
                a_forced_cancel_escalates_a_plain_one,
                a_cancelled_run_answers_as_it_stands,
                cancelling_a_finished_run_conflicts,
                cancelling_a_missing_run_is_not_found,
            ],
            backfills: [
                a_backfill_is_made_with_its_runs,
                a_refused_backfill_makes_nothing,
                a_key_answers_the_backfill_and_its_runs,
                a_backfill_is_gone_with_its_last_run,
                backfills_are_listed_page_by_page,
                a_list_keeps_to_its_pipeline_and_its_tenant,
                a_deleted_pipeline_ends_the_keys_of_its_backfills,
                a_run_belongs_to_the_backfill_it_is_made_with,
            ],
            backfill_dates: [
                dates_that_were_run_are_left_out,
                a_date_that_was_resumed_is_left_out,
                a_date_of_another_tenant_is_not_left_out,
                a_backfill_of_dates_that_were_run_is_nothing,
                a_preview_makes_nothing,
            ],
            backfill_claims: [
                a_backfill_is_executed_in_its_order,
                a_claim_of_several_runs_keeps_the_order,
                no_more_runs_execute_than_a_backfill_may,
                a_pipelines_limit_bounds_its_backfills,
                a_backfill_goes_behind_everything_else,
                a_trigger_takes_the_next_slot_of_a_long_backfill,
            ],
            backfill_ends: [
                a_backfill_ends_with_its_last_run,
                too_many_failures_cancel_the_rest,
                a_poisoned_run_may_cancel_its_backfill,
                a_cancelled_backfill_strands_nothing,
                a_waiting_backfill_is_cancelled_at_once,
                a_repeated_wish_changes_nothing,
                cancelling_a_finished_backfill_conflicts,
                cancelling_a_missing_backfill_is_not_found,
            ],
            run_lists: [
                the_greatest_id_comes_first,
                a_cursor_goes_on_where_the_page_before_ended,
                a_cursor_works_though_its_run_was_purged,
                a_cursor_that_is_no_run_is_malformed,
                numbered_pages_tell_the_total,
                statuses_and_triggers_are_alternatives,
                times_are_from_the_first_and_before_the_last,
                a_list_of_one_run_has_that_run_alone,
                conditions_hold_together,
            ],
            events: [
                numbers_begin_at_one_and_have_no_gap,
                every_write_tells_the_newest_number,
                a_reader_gets_what_follows_its_number,
                filters_hold_together,
                an_event_carries_the_tenant_of_its_run,
                a_number_is_never_used_twice,
                a_purge_takes_the_events_of_its_runs,
            ],
            deliveries: [
                a_name_without_a_place_begins_at_the_newest_event,
                a_name_keeps_its_place_and_what_is_parked_for_it,
                a_place_never_goes_back,
                the_same_step_again_changes_nothing,
                a_name_without_a_place_gets_it_with_its_first_step,
                an_event_of_a_missing_run_is_not_parked,
                a_name_that_was_absent_too_long_loses_its_place,
                a_name_that_stays_is_never_lost,
                dead_letters_are_counted_within_the_scope,
                a_purge_spares_what_a_notifier_has_not_got,
                a_purge_spares_what_is_parked_until_it_is_dead,
                a_lost_place_spares_nothing,
            ],
            schedules: [
                a_schedule_begins_at_its_save,
                a_tick_makes_its_run_and_moves_the_cursor,
                a_tick_that_is_decided_twice_makes_one_run,
                a_tick_whose_instant_has_a_run_makes_none,
                missed_ticks_are_passed_over,
                a_tick_that_overlaps_is_skipped_and_noted,
                a_tick_that_may_wait_is_made,
                a_tick_into_a_full_queue_is_noted_as_blocked,
                a_changed_schedule_begins_anew,
                another_change_keeps_the_cursor,
                a_tick_decided_by_another_version_is_stale,
                a_schedule_ends_with_its_pipeline,
                schedules_are_those_of_the_scope,
                runs_of_a_schedule_execute_one_at_a_time,
                the_turn_of_a_schedule_outlives_a_crash,
            ],
            system: [
                stats_count_what_is_there,
                stats_tell_what_purge_has_taken,
                figures_equal_a_recount_at_any_time,
                figures_are_of_the_days_asked_for,
                figures_by_pipeline_put_the_most_failed_first,
                a_purge_takes_the_longest_finished_first,
                a_purge_keeps_to_its_scope,
                a_purged_run_takes_all_its_own,
                a_closed_store_refuses_writes,
            ],
            purges: [
                a_purge_keeps_the_last_runs_of_each_pipeline,
                a_purge_goes_on_where_the_step_before_ended,
                a_tenants_purge_counts_the_runs_of_others,
                a_previewed_purge_changes_nothing,
                runs_that_ended_together_are_purged_one_by_one,
            ],
        }
    };
    (@nouns $open:expr, $($noun:ident: $cases:tt,)*) => {
        $($crate::storage_contract! { @cases $open, $noun, $cases })*
    };
    (@cases $open:expr, $noun:ident, [$($case:ident),* $(,)?]) => {
        mod $noun {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let dir = $crate::testing::scratch();
                    let open = $open;
                    let storage = open(dir.path()).await;
                    $crate::testing::contract::$noun::$case(&storage).await;
                }
            )*
        }
    };
}
