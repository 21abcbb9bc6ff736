//! The default of every limit.
//!
//! `Limits` gives the reason for each.

use std::num::NonZero;
use std::sync::LazyLock;
use std::time::Duration;

use super::{DatasetLimits, KIB, Limits, MIB};

/// The cores that the process may use.
///
/// It is determined once: that reads several files on Linux, and each attempt at a node asks.
static CORES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));

impl Default for Limits {
    #[expect(clippy::too_many_lines, reason = "it has one line for each limit")]
    fn default() -> Self {
        Self {
            runs_max: 5,
            nodes_engine_max: 64,
            nodes_run_max: 16,
            queued_pipeline_max: 100_000,
            queued_max: 1_000_000,
            backfill_dates_max: 3_660,
            nodes_max: 1_000,
            edges_max: 20_000,
            definition_bytes_max: MIB,
            tags_max: 100,
            tag_bytes_max: 128,
            dependencies_max: 100,
            params_max: 256,
            params_bytes_max: 64 * KIB,
            variables_max: 1_000,
            dataset: DatasetLimits::default(),
            datasets_bytes_max: 1024 * 1024 * 1024,
            preview_rows_max: 50,
            preview_cell_bytes_max: 4 * KIB,
            preview_bytes_max: MIB,
            profile_bytes_max: MIB,
            output_bytes_max: 16 * 1024 * 1024,
            result_bytes_max: 1024 * 1024,
            chunk_bytes_max: 256 * KIB,
            inline_output_bytes_max: 64 * KIB,
            journal_entries_max: 1_024,
            journal_bytes_max: MIB,
            log_batch_max: 64,
            log_linger: Duration::from_millis(50),
            log_line_bytes_max: 16 * KIB,
            attempt_log_lines_max: 100_000,
            attempt_log_bytes_max: 10 * MIB,
            error_bytes_max: 16 * KIB,
            stop_grace: Duration::from_secs(1),
            force_grace: Duration::from_secs(30),
            retry_delay_max: Duration::from_secs(300),
            lease: Duration::from_secs(60),
            crashes_max: 3,
            suspect_delay: Duration::from_secs(1),
            compute_max: *CORES,
            commands_max: 1_024,
            dry_runs_max: 4,
            dry_run_rows_max: 10,
            dry_run_bytes_max: 4 * MIB,
            dry_run_timeout: Duration::from_secs(60),
            tick_grace: Duration::from_secs(60),
            ticks_parallel_max: 256,
            clock_check: Duration::from_secs(60),
            body_bytes_max: 4 * MIB,
            body_timeout: Duration::from_secs(30),
            uri_bytes_max: 8 * KIB,
            page_bytes_max: 8 * MIB,
            finished_runs_bytes_max: 8 * MIB,
            log_page_max: 10_000,
            log_searched_max: 20_000,
            notifier_in_flight_max: 16,
            notifier_timeout: Duration::from_secs(30),
            notifier_tries_max: 16,
            notifier_delay: Duration::from_secs(1),
            notifier_delay_max: Duration::from_secs(600),
            notifier_parked_max: 10_000,
            notifier_linger: Duration::from_secs(1),
            notifier_absent_max: Duration::from_secs(7 * 24 * 3_600),
            purge_batch_max: 20,
            retention_pause: Duration::from_secs(3_600),
            dashboard_pipelines_max: 1_000,
            lineage_nodes_max: 20_000,
            memory_runs_max: 10_000,
            events_page_max: 500,
            events_ring_max: 4_096,
            events_ring_bytes_max: 16 * MIB,
            streams_max: 1_000,
            stream_ping: Duration::from_secs(20),
            stream_stall: Duration::from_secs(10),
            stream_end_grace: Duration::from_millis(400),
            stream_buffer_bytes: 8 * KIB,
            stream_message_bytes_max: 4 * KIB,
        }
    }
}
