//! All limits of the crate, with their defaults and the reasons for them.
//!
//! Code that has a queue, page, body, retry or wait takes its limit from here.

mod dataset;
mod defaults;
mod pattern;
mod size;

use std::time::Duration;

pub use dataset::DatasetLimits;
pub(crate) use pattern::{
    PATTERN_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX, PATTERN_NESTING_MAX, PATTERN_VALUE_BYTES_MAX,
    PATTERNS_MAX,
};
pub(crate) use size::{BRACKETS, Room, json_size};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Limits of an engine and its service.
///
/// `Limits::default()` suits a service on a small machine. Every field may be changed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::Limits;
///
/// let mut limits = Limits::default();
/// limits.runs_max = 2;
/// limits.queued_max = 1_000;
/// let floret = floret::testing::memory().limits(limits).start().await?;
/// # drop(floret);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The number of runs that execute at once in an engine. 5: the number that existing clients
    /// expect. With 0, no run starts until the limit is raised.
    pub runs_max: u32,
    /// The number of nodes that execute at once in an engine. 64: most nodes wait for other systems
    /// rather than compute.
    pub nodes_engine_max: u32,
    /// The number of nodes that execute at once in one run. 16: one wide run leaves room for three
    /// others.
    pub nodes_run_max: u32,
    /// The number of waiting runs of a pipeline. 100,000: a daily backfill of 270 years.
    pub queued_pipeline_max: u64,
    /// The number of waiting runs in total. 1,000,000: about 1 GB of rows.
    pub queued_max: u64,
    /// The number of dates of a backfill. 3,660: ten years of days.
    pub backfill_dates_max: u32,
    /// The number of nodes of a pipeline. 1,000: larger graphs are unreadable, and a node key holds
    /// 4,096.
    pub nodes_max: usize,
    /// The number of edges of a pipeline. 20,000: 20 per node.
    pub edges_max: usize,
    /// The number of bytes of a pipeline's definition as JSON. 1 MiB: a thousand nodes with a
    /// kilobyte of config each.
    pub definition_bytes_max: usize,
    /// The number of tags of a pipeline. 100: more are a table, not a label.
    pub tags_max: usize,
    /// The number of bytes of a tag. 128, as of an id.
    pub tag_bytes_max: usize,
    /// The number of other pipelines that a pipeline depends on. 100, and no more than 100: each
    /// claim checks those of the pipelines that have pending runs.
    pub dependencies_max: usize,
    /// The number of parameters of a run. 256: a form of some pages.
    pub params_max: usize,
    /// The number of bytes of a run's parameters, names and values in total. 64 KiB: every run and
    /// every list of runs carries them.
    pub params_bytes_max: usize,
    /// The number of different variables that a node's config names. 1,000: one query reads them.
    pub variables_max: usize,
    /// The limits of one dataset.
    pub dataset: DatasetLimits,
    /// The number of bytes of all datasets that an engine holds. 1 GiB: four of the maximum size.
    /// A node waits to start while others exceed it, and a node that alone exceeds it fails.
    pub datasets_bytes_max: u64,
    /// The number of rows of a preview. 50, as documented in the API.
    pub preview_rows_max: usize,
    /// The size of a cell in a preview. 4 KiB: a preview of five wide columns stays below 1 MiB.
    pub preview_cell_bytes_max: usize,
    /// The size of a preview as JSON. 1 MiB: what a browser shows at once. It has fewer rows or
    /// shorter cells instead.
    pub preview_bytes_max: usize,
    /// The size of a profile as JSON. 1 MiB, as of a preview. It has shorter values instead.
    pub profile_bytes_max: usize,
    /// The size of an output that is stored for resumes and recovery. 16 MiB: one second of writing
    /// to a slow disk.
    pub output_bytes_max: u64,
    /// The size of the last node's output that a successful run keeps. 1 MiB: a result, not a data
    /// set.
    pub result_bytes_max: u64,
    /// The size of the chunks in which an output is written. 256 KiB: a trigger waits for at most
    /// one chunk.
    pub chunk_bytes_max: usize,
    /// The size of an output that is stored in the commit of its node's result, without chunks.
    /// 64 KiB: the journal of a run buffers a few of them.
    pub inline_output_bytes_max: usize,
    /// The number of entries that a run's journal buffers before senders wait. 1,024: some tens of
    /// milliseconds of log.
    pub journal_entries_max: usize,
    /// The number of bytes that a run's journal buffers before senders wait. 1 MiB; a larger entry
    /// is sent alone.
    pub journal_bytes_max: usize,
    /// The number of log lines after which a batch is written. 64.
    pub log_batch_max: usize,
    /// How long a log line waits for others. 50 ms: readers do not notice it.
    pub log_linger: Duration,
    /// The size of one log line; the rest is cut. 16 KiB.
    pub log_line_bytes_max: usize,
    /// The number of lines that an attempt logs; the rest is dropped. 100,000: ten pages of a log.
    pub attempt_log_lines_max: usize,
    /// The size of the lines that an attempt logs; the rest is dropped. 10 MiB: 100 bytes for each
    /// of the lines.
    pub attempt_log_bytes_max: usize,
    /// The size of a stored error text; the rest is cut. 16 KiB.
    pub error_bytes_max: usize,
    /// How long a cancelled attempt may take to stop before it is dropped. 1 s.
    pub stop_grace: Duration,
    /// How long a forced cancel waits before it abandons executing nodes. 30 s.
    pub force_grace: Duration,
    /// The longest delay before a retry. 5 min.
    pub retry_delay_max: Duration,
    /// How long a claim lasts without renewal. 60 s: three renewals may fail.
    pub lease: Duration,
    /// The number of crashes after which a run fails as poisoned. 3.
    pub crashes_max: u32,
    /// How long after its start an engine claims suspected runs. 1 s: the host is up by then.
    pub suspect_delay: Duration,
    /// The number of long computations on datasets at once: conversions, profiles, encodings. The
    /// number of processor cores: more would only slow each other down.
    pub compute_max: usize,
    /// The number of commands in progress at once, also of callers that have left. 1,024: four full
    /// commits of SQLite; further callers wait.
    pub commands_max: usize,
    /// The number of dry runs that execute at once. 4: each holds a client connection and up to
    /// `nodes_run_max` nodes.
    pub dry_runs_max: u32,
    /// The number of rows that a node of a dry run outputs. 10, as documented in the API.
    pub dry_run_rows_max: usize,
    /// The size of the answer to a dry run. 4 MiB: four previews. Its nodes share it.
    pub dry_run_bytes_max: usize,
    /// How long a dry run may take. 60 s: a user waits for it.
    pub dry_run_timeout: Duration,
    /// How late a tick of a schedule may fire and still be on time. 60 s: a restart of the host
    /// misses none.
    pub tick_grace: Duration,
    /// The number of schedules whose ticks are decided at once. 256: one commit of SQLite holds as
    /// many.
    pub ticks_parallel_max: usize,
    /// How often a schedule checks the wall clock while it sleeps. 60 s: a clock change is noticed
    /// within a minute.
    pub clock_check: Duration,
    /// The size of a request body. 4 MiB.
    pub body_bytes_max: usize,
    /// How long a request body may take to arrive. 30 s.
    pub body_timeout: Duration,
    /// The size of a request's path and query. 8 KiB.
    pub uri_bytes_max: usize,
    /// The size of an answer. 8 MiB: some seconds on a slow line. A list or a log ends early, and
    /// names where it goes on; any other answer has fewer items or shorter errors.
    pub page_bytes_max: usize,
    /// The size of the finished runs that are kept in memory as JSON, because callers have read
    /// them. 8 MiB: thousands of runs with a few nodes. With 0, each is read from storage.
    pub finished_runs_bytes_max: usize,
    /// The number of log lines in one response. 10,000.
    pub log_page_max: usize,
    /// The number of log lines that one search of a log examines, whether they match or not.
    /// 20,000: some tenths of a second. It ends earlier after `page_bytes_max` of messages.
    pub log_searched_max: usize,
    /// The number of events in flight to a notifier, each of a different run. 16: some hundreds per
    /// second to a webhook.
    pub notifier_in_flight_max: usize,
    /// How long a notifier may take for an event. 30 s: after that no answer is likely.
    pub notifier_timeout: Duration,
    /// The number of tries before an event becomes a dead letter. 16: about an hour with the
    /// delays.
    pub notifier_tries_max: u32,
    /// The delay before the second try. It doubles before each further try. 1 s.
    pub notifier_delay: Duration,
    /// The longest delay before a try. 10 min.
    pub notifier_delay_max: Duration,
    /// The number of events parked for a notifier before it reads no more. 10,000: a few MB in
    /// memory.
    pub notifier_parked_max: usize,
    /// How long a notifier's progress waits to be stored with more. 1 s: that much arrives again
    /// after a crash.
    pub notifier_linger: Duration,
    /// How long a notifier's name may be absent before its cursor expires. 7 days.
    pub notifier_absent_max: Duration,
    /// The number of runs that a purge examines in one step. 20: writers wait some milliseconds.
    pub purge_batch_max: u32,
    /// How often the engine purges runs past their retention. 1 h.
    pub retention_pause: Duration,
    /// The number of pipelines on a dashboard, newest first. 1,000: half a MiB.
    pub dashboard_pipelines_max: usize,
    /// The number of pipeline nodes in a lineage, from the newest pipelines. 20,000: no screen
    /// shows more.
    pub lineage_nodes_max: usize,
    /// The number of finished runs that the memory backend keeps. 10,000.
    pub memory_runs_max: usize,
    /// The number of events that a subscriber reads from storage at once. 500.
    pub events_page_max: usize,
    /// The number of events kept in memory for streams. 4,096: some seconds of a busy engine.
    pub events_ring_max: usize,
    /// The size of the events kept in memory for streams. 16 MiB: ten times the size of
    /// `events_ring_max` short events.
    pub events_ring_bytes_max: usize,
    /// The number of event streams over all services of an engine. 1,000: about 30 MiB.
    pub streams_max: usize,
    /// How often a stream pings its client, or sends a block without an event. 20 s: proxies close
    /// silent connections after 30 s or 60 s.
    pub stream_ping: Duration,
    /// How long a client may accept no byte before its stream is closed. 10 s: long for a network,
    /// short for a hang.
    pub stream_stall: Duration,
    /// How long a closing stream may take for its last bytes. 400 ms: twice that is less than
    /// `stop_grace`, so no shutdown waits for a stream.
    pub stream_end_grace: Duration,
    /// How many bytes a stream collects before it writes them. 8 KiB: some tens of events a write.
    pub stream_buffer_bytes: usize,
    /// The size of a client's message on a stream. 4 KiB: clients need to send none.
    pub stream_message_bytes_max: usize,
}
