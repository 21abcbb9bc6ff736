//! What a server promises, each with the tests that hold it.
//!
//! `capabilities` lists them. `tests/it/trust.rs` asserts that the tests exist.

use serde::Serialize;

/// A promise of the server, and the tests of Floret that hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Guarantee {
    /// What the server promises.
    pub promise: &'static str,
    /// The backends that hold the promise, as `SystemInfo` names them. A promise about crashes
    /// leaves memory out, which ends with the process.
    pub storage: &'static [&'static str],
    /// The names of the tests. `cargo test NAME` runs one.
    pub tests: &'static [&'static str],
}

const EVERY: &[&str] = &["memory", "sqlite"];
const DURABLE: &[&str] = &["sqlite"];

const fn guarantee(
    promise: &'static str,
    storage: &'static [&'static str],
    tests: &'static [&'static str],
) -> Guarantee {
    Guarantee {
        promise,
        storage,
        tests,
    }
}

/// All guarantees.
pub(super) const GUARANTEES: &[Guarantee] = &[
    guarantee(
        "What the server has acknowledged survives the end of its process at any moment.",
        DURABLE,
        &["nothing_acknowledged_is_lost_to_kill_9"],
    ),
    guarantee(
        "A node whose result is stored is not executed again after a crash.",
        DURABLE,
        &["a_crash_after_any_call_repeats_no_committed_node_on_sqlite"],
    ),
    guarantee(
        "A branch that a node has taken stands, also if the node executes again after a crash.",
        DURABLE,
        &[
            "a_crash_changes_no_branch",
            "a_second_execution_changes_no_branch",
        ],
    ),
    guarantee(
        "No pending run of a paused pipeline starts, also after a restart.",
        DURABLE,
        &[
            "pending_runs_wait_and_executing_ones_go_on",
            "a_pause_outlasts_a_restart_and_every_edit",
        ],
    ),
    guarantee(
        "A run that ends the process three times fails alone.",
        DURABLE,
        &["a_run_that_kills_the_process_is_poisoned_at_its_third_crash_and_other_runs_succeed"],
    ),
    guarantee(
        "An outage of storage executes nothing twice.",
        EVERY,
        &[
            "calls_that_fail_for_three_leases_execute_nothing_twice",
            "answers_that_are_lost_for_three_leases_execute_nothing_twice",
        ],
    ),
    guarantee(
        "One idempotency key creates one run, however often a client sends it.",
        EVERY,
        &[
            "a_thousand_simultaneous_requests_with_twenty_keys_create_twenty_runs",
            "a_repeat_gets_the_first_response_byte_for_byte_after_the_run_finished",
        ],
    ),
    guarantee(
        "Rows come out as they went in.",
        EVERY,
        &["rows_come_back_equal"],
    ),
    guarantee(
        "A resume never runs on missing data: a node whose output is lost is executed again, and \
         a sink is not.",
        EVERY,
        &[
            "a_chain_of_damaged_outputs_is_executed_again",
            "a_node_that_needs_the_lost_output_of_a_sink_fails_with_the_reason",
        ],
    ),
    guarantee(
        "A dry run executes no sink and stores nothing.",
        EVERY,
        &[
            "a_sink_is_skipped_with_its_descendants",
            "nothing_is_stored_or_logged",
        ],
    ),
    guarantee(
        "A run ends once, also when a cancel meets its last node.",
        EVERY,
        &["a_cancel_that_races_with_the_last_node_finishes_the_run_once"],
    ),
    guarantee(
        "A tick of a schedule creates one run, also with two schedulers and a storage that fails.",
        EVERY,
        &[
            "two_schedulers_create_one_run_for_each_tick",
            "a_tick_creates_one_run_even_if_storage_fails",
        ],
    ),
    guarantee(
        "A crash neither repeats a tick of a schedule nor loses it.",
        DURABLE,
        &[
            "a_crash_after_a_tick_does_not_repeat_it",
            "a_tick_during_a_restart_is_not_lost",
        ],
    ),
    guarantee(
        "A client continues its stream without a gap after the server was killed.",
        DURABLE,
        &["nothing_acknowledged_is_lost_to_kill_9"],
    ),
    guarantee(
        "While the server runs, a stream of events has no gap, also for a client that connects \
         again. A client that reads too slowly learns how many events it missed.",
        EVERY,
        &[
            "streams_opened_under_load_get_every_event_once",
            "a_client_that_connects_again_misses_no_event",
            "a_slow_reader_learns_exactly_what_it_missed",
        ],
    ),
    guarantee(
        "A notifier receives each event of a run at least once and in order.",
        DURABLE,
        &[
            "kill_9_loses_no_event_of_an_acknowledged_run",
            "every_event_is_delivered_in_order_or_dead_in_any_history",
        ],
    ),
    guarantee(
        "A tenant neither reads nor notices what belongs to another.",
        EVERY,
        &["no_response_to_one_tenant_contains_data_of_the_other"],
    ),
    guarantee(
        "No response, event or log line shows a secret.",
        EVERY,
        &[
            "secrets_stay_hidden_in_memory",
            "secrets_stay_hidden_in_sqlite",
        ],
    ),
];
