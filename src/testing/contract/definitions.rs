//! The macro for the part of the contract that is about what operators save: pipelines,
//! connections and variables.
//!
//! `storage_contract!` in `mod.rs` includes this part. The cases are in the files of their modules.

/// Creates a test for every promise about pipelines, connections and variables. It is a part of
/// [`storage_contract!`](crate::storage_contract).
#[doc(hidden)]
#[macro_export]
macro_rules! definition_contract {
    ($open:expr) => {
        $crate::definition_contract! { @as modules $open }
    };
    (@as $form:ident $open:expr) => {
        $crate::storage_contract! { @$form $open,
            pipelines: [
                a_first_save_creates_version_one,
                a_pipeline_is_found_by_id_and_by_slug,
                a_save_without_changes_keeps_version_and_update_time,
                a_changed_definition_raises_the_version_by_one,
                creating_an_existing_pipeline_conflicts,
                replacing_an_absent_pipeline_is_not_found,
                a_save_that_expects_another_version_is_refused,
                replacing_an_existing_pipeline_succeeds,
                a_pipeline_belongs_to_the_tenant_that_created_it,
                a_pipeline_of_another_tenant_is_hidden,
                an_id_or_slug_of_another_tenant_is_free,
                deleting_a_pipeline_frees_its_slug,
                deleting_an_absent_pipeline_is_not_found,
                a_pipeline_with_active_runs_cannot_be_deleted,
                runs_of_a_deleted_pipeline_stay_readable,
                deleting_a_pipeline_deletes_its_idempotency_keys,
                a_recreated_pipeline_continues_its_versions,
                a_run_keeps_its_pipeline_version,
                a_run_can_be_created_on_a_replaced_version,
                a_find_beside_saves_never_goes_back,
            ],
            code_saves: [
                a_kept_edit_takes_a_change_of_enabled,
                a_disabled_pipeline_is_no_edit,
                a_pipeline_that_is_back_forgets_its_edits,
                a_save_decides_who_manages_a_pipeline,
                an_edit_stays_until_the_code_changes,
            ],
            enabled: [
                a_save_by_code_keeps_what_an_operator_has_set,
                a_change_in_the_code_applies,
                a_kept_value_changes_neither_version_nor_schedule,
                a_deleted_pipeline_forgets_its_value,
            ],
            pauses: [
                a_pause_is_returned_with_its_pipeline,
                a_pause_that_expects_another_version_is_refused,
                only_an_unpause_and_a_deletion_end_a_pause,
                only_a_pipeline_in_scope_can_be_paused,
                the_runs_of_a_paused_pipeline_wait,
                a_tick_of_a_paused_pipeline_creates_no_run,
            ],
            deletions: [
                a_delete_that_expects_another_version_is_refused,
                a_delete_at_the_expected_version_succeeds,
            ],
            slugs: [
                a_given_slug_that_is_taken_conflicts,
                an_id_conflicts_with_the_slug_of_another_pipeline,
                a_derived_slug_takes_the_first_free_number,
                a_derived_slug_avoids_the_id_of_another_pipeline,
                a_pipeline_keeps_its_derived_slug,
                a_changed_slug_raises_the_version_by_one,
            ],
            pipeline_lists: [
                pipelines_are_listed_newest_first,
                a_cursor_works_after_its_pipeline_is_deleted,
                an_unknown_cursor_is_refused,
                numbered_pages_return_the_total,
                all_filters_apply_together,
                a_text_is_found_in_each_text_of_a_pipeline,
                a_text_is_found_as_the_last_change_has_left_it,
                a_list_by_text_has_pages,
                a_list_by_text_beside_saves_has_each_saved_pipeline,
            ],
            names: [
                a_key_stands_for_one_pipeline,
                limits_and_keys_are_those_of_one_pipeline,
                a_tick_is_that_of_one_pipeline,
                history_is_that_of_one_pipeline,
                a_filter_by_id_admits_each_pipeline_in_scope,
                a_deletion_disregards_the_runs_of_another_tenant,
            ],
            scopes: [
                the_pipeline_of_a_tenant_is_absent_without_one,
                a_save_in_every_scope_replaces_one_pipeline,
                a_run_is_in_the_scopes_of_its_pipeline,
                a_backfill_is_in_the_scopes_of_its_pipeline,
                a_scope_counts_its_own_objects,
                the_scope_without_a_tenant_contains_no_object_of_one,
            ],
            same_ids: [
                an_id_takes_no_precedence_over_the_slug_of_another_tenant,
                a_tick_is_taken_by_its_own_pipeline,
                a_tick_depends_on_its_own_pipeline,
                a_date_is_skipped_for_its_own_pipeline,
                a_deletion_keeps_what_others_have,
                figures_by_failing_pipeline_tell_the_owners_apart,
                a_run_id_is_that_of_one_pipeline,
                pages_lose_no_pipeline_with_a_shared_id,
            ],
            connections: [
                a_saved_connection_is_returned_unchanged,
                a_save_without_changes_keeps_version_and_update_time,
                a_change_raises_the_version_by_one,
                a_save_with_an_unmet_expectation_is_refused,
                a_connection_of_another_tenant_is_hidden_and_its_id_is_free,
                an_id_stands_for_one_connection,
                connections_with_one_id_are_listed_by_tenant,
                a_recreated_connection_continues_its_versions,
                connections_are_listed_newest_first,
                a_cursor_works_after_its_connection_is_deleted,
                numbered_pages_return_the_total,
            ],
            variables: [
                a_saved_variable_is_returned_unchanged,
                several_variables_are_found_in_one_call,
                several_keys_stand_for_the_variables_of_their_scope,
                a_save_without_changes_keeps_version_and_update_time,
                a_change_raises_the_version_by_one,
                a_save_with_an_unmet_expectation_is_refused,
                a_variable_of_another_tenant_is_hidden_and_its_key_is_free,
                a_key_stands_for_one_variable,
                variables_with_one_key_are_listed_by_tenant,
                a_recreated_variable_continues_its_versions,
                variables_are_listed_newest_first,
                a_cursor_works_after_its_variable_is_deleted,
                numbered_pages_return_the_total,
            ],
        }
    };
}
