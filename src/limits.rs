//! Every bound of the crate, its default and why this number.
//!
//! Whoever holds a queue, a page, a body, a retry or a wait takes its bound from here.

use std::time::Duration;

/// Bounds of an engine and its service. `Limits::default()` suits a service on a small machine; every field may be set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Runs that execute at once in an engine. 5, as users of the system before are used to.
    pub runs_max: u32,
    /// Nodes that execute at once in an engine. 64: nodes wait for others far more than they compute.
    pub nodes_engine_max: u32,
    /// Nodes that execute at once in one run. 16: one wide run leaves room for three others.
    pub nodes_run_max: u32,
    /// Runs of a pipeline that may wait. 100,000: a backfill of 270 years of days.
    pub queued_pipeline_max: u64,
    /// Runs that may wait in all. 1,000,000: about 1 GB of rows.
    pub queued_max: u64,
    /// Dates of a backfill. 3,660: ten years of days.
    pub backfill_dates_max: u32,
    /// Nodes of a pipeline. 1,000: beyond it nobody can read the graph, and 4,096 is what a node key holds.
    pub nodes_max: usize,
    /// Edges of a pipeline. 20,000: 20 a node.
    pub edges_max: usize,
    /// Rows of a preview. 50, as promised on the wire.
    pub preview_rows_max: usize,
    /// Bytes of a cell in a preview. 4 KiB: a preview stays under a MiB for 5 wide columns.
    pub preview_cell_bytes_max: usize,
    /// Bytes of an output that is kept for resumes and recovery. 16 MiB: a second of writing on a slow disk.
    pub output_bytes_max: u64,
    /// Bytes of a last node's output that a succeeded run keeps. 1 MiB: an answer, not a data set.
    pub result_bytes_max: u64,
    /// Bytes of a chunk in which an output is written. 256 KiB: a trigger waits for one chunk at most.
    pub chunk_bytes_max: usize,
    /// Entries that a run's journal holds before senders wait. 1,024: some tens of milliseconds of log.
    pub journal_entries_max: usize,
    /// Bytes that a run's journal holds before senders wait; a larger entry goes alone. 1 MiB.
    pub journal_bytes_max: usize,
    /// Lines of a log that are written at once at the latest. 64.
    pub log_batch_max: usize,
    /// How long a line of a log waits for others. 50 ms: a reader sees it as at once.
    pub log_linger: Duration,
    /// Bytes of one line of a log; the rest is cut. 16 KiB.
    pub log_line_bytes_max: usize,
    /// Bytes of a stored error text; the rest is cut. 16 KiB.
    pub error_bytes_max: usize,
    /// How long an attempt whose token was tripped may take to stop before it is dropped. 1 s.
    pub stop_grace: Duration,
    /// How long a forced cancel waits before it abandons what executes. 30 s.
    pub force_grace: Duration,
    /// The longest pause before a retry. 5 min.
    pub retry_delay_max: Duration,
    /// How long a claim holds without being renewed. 60 s: three renewals may fail.
    pub lease: Duration,
    /// Crashes after which a run is given up as poisoned. 3.
    pub crashes_max: u32,
    /// How long after its start an engine takes on suspected runs. 1 s: the host has come up by then.
    pub suspect_delay: Duration,
    /// Dry runs that execute at once. 4: each holds a caller's connection, and up to `nodes_run_max` nodes of an engine.
    pub dry_runs_max: u32,
    /// Rows that a node of a dry run hands on. 10, as promised on the wire.
    pub dry_run_rows_max: usize,
    /// How long a dry run may take. 60 s: somebody looks at an empty page until then.
    pub dry_run_timeout: Duration,
    /// How late a tick of a schedule may be and yet be on time. 60 s: a restart of the host loses none.
    pub tick_grace: Duration,
    /// How long a schedule sleeps before it looks at the wall clock again. 60 s: a clock that was set is noticed within a minute.
    pub clock_check: Duration,
    /// Bytes of a request's body. 4 MiB.
    pub body_bytes_max: usize,
    /// How long a request's body may take to arrive. 30 s.
    pub body_timeout: Duration,
    /// Bytes of a request's path and query. 8 KiB.
    pub uri_bytes_max: usize,
    /// Lines of a log in one answer. 10,000.
    pub log_page_max: usize,
    /// Events that a notifier is brought at once, each of another run. 16: an ordinary webhook then takes some hundreds a second.
    pub notifier_in_flight_max: usize,
    /// How long a notifier may take for an event. 30 s: beyond it nobody answers any more.
    pub notifier_timeout: Duration,
    /// How often an event's delivery is tried before it is a dead letter. 16: with the pauses about an hour.
    pub notifier_tries_max: u32,
    /// The pause before the second try; doubled before each that follows. 1 s.
    pub notifier_delay: Duration,
    /// The longest pause before a try. 10 min.
    pub notifier_delay_max: Duration,
    /// Events that are parked for a notifier; beyond it later ones wait where they are stored. 10,000: a few MB in memory.
    pub notifier_parked_max: usize,
    /// How long a notifier's progress may wait to be stored with more of it. 1 s: as much comes again after a crash.
    pub notifier_linger: Duration,
    /// How long a notifier's name may be absent before it loses its place. 7 days.
    pub notifier_absent_max: Duration,
    /// Runs that a purge looks at in one step. 100: some milliseconds for the writers that wait.
    pub purge_batch_max: u32,
    /// How often the engine purges what its retention does not keep. 1 h.
    pub retention_pause: Duration,
    /// Pipelines that a dashboard lists, the newest. 1,000: half a MiB.
    pub dashboard_pipelines_max: usize,
    /// Nodes of pipelines that a lineage shows, of the newest pipelines. 20,000: no screen draws more.
    pub lineage_nodes_max: usize,
    /// Finished runs that the memory backend keeps. 10,000.
    pub memory_runs_max: usize,
    /// Events that a subscriber reads from storage at once. 500.
    pub events_page_max: usize,
    /// Events that are kept in memory for streams. 4,096: some seconds of a busy engine.
    pub events_ring_max: usize,
    /// Bytes of the events that are kept in memory for streams. 16 MiB: ten times what as many short ones take.
    pub events_ring_bytes_max: usize,
    /// Streams of events at once, over all services of an engine. 1,000: some 30 MiB.
    pub streams_max: usize,
    /// How often the other end of a stream is asked for a sign of life. 20 s: proxies close what is silent for 30 s or 60 s.
    pub stream_ping: Duration,
    /// How long a stream may find no byte of what it sends taken before it is closed. 10 s: long for a network, short for a hang.
    pub stream_stall: Duration,
    /// How long a stream that ends may take for its last bytes. 400 ms: twice it is less than `stop_grace`, so that a shutdown waits for no stream.
    pub stream_end_grace: Duration,
    /// Bytes that a stream holds before it writes them. 8 KiB: some tens of events a write.
    pub stream_buffer_bytes: usize,
    /// Bytes of a message that a client sends over a stream. 4 KiB: none is needed.
    pub stream_message_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            runs_max: 5,
            nodes_engine_max: 64,
            nodes_run_max: 16,
            queued_pipeline_max: 100_000,
            queued_max: 1_000_000,
            backfill_dates_max: 3_660,
            nodes_max: 1_000,
            edges_max: 20_000,
            preview_rows_max: 50,
            preview_cell_bytes_max: 4 * KIB,
            output_bytes_max: 16 * 1024 * 1024,
            result_bytes_max: 1024 * 1024,
            chunk_bytes_max: 256 * KIB,
            journal_entries_max: 1_024,
            journal_bytes_max: MIB,
            log_batch_max: 64,
            log_linger: Duration::from_millis(50),
            log_line_bytes_max: 16 * KIB,
            error_bytes_max: 16 * KIB,
            stop_grace: Duration::from_secs(1),
            force_grace: Duration::from_secs(30),
            retry_delay_max: Duration::from_secs(300),
            lease: Duration::from_secs(60),
            crashes_max: 3,
            suspect_delay: Duration::from_secs(1),
            dry_runs_max: 4,
            dry_run_rows_max: 10,
            dry_run_timeout: Duration::from_secs(60),
            tick_grace: Duration::from_secs(60),
            clock_check: Duration::from_secs(60),
            body_bytes_max: 4 * MIB,
            body_timeout: Duration::from_secs(30),
            uri_bytes_max: 8 * KIB,
            log_page_max: 10_000,
            notifier_in_flight_max: 16,
            notifier_timeout: Duration::from_secs(30),
            notifier_tries_max: 16,
            notifier_delay: Duration::from_secs(1),
            notifier_delay_max: Duration::from_secs(600),
            notifier_parked_max: 10_000,
            notifier_linger: Duration::from_secs(1),
            notifier_absent_max: Duration::from_secs(7 * 24 * 3_600),
            purge_batch_max: 100,
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
