//! Appends journal entries to running runs, and stores the outputs of their nodes.
//!
//! `finish` applies the outcome of a run.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use floret::storage::{
    Append, AppendOutcome, Entry, FinishedNode, Journal, NodeIndex, OutputChunk, Outputs,
    StoredOutput,
};
use floret::{
    Error, Event, EventKind, NodeRun, NodeStatus, Problem, Result, Run, RunId, RunStatus, Scope,
};

use crate::audited::AuditedStorage;
use crate::dependencies::may_start_others;
use crate::finish::{Outcome, finish};
use crate::rows::{NodeRow, OutputRow, Rows, RunRow};

#[async_trait]
impl Journal for AuditedStorage {
    async fn append(&self, append: Append) -> Result<AppendOutcome> {
        self.write("append", |rows| {
            let row = fenced(rows, append.run, append.epoch)?;
            if append.position >= row.position {
                check_and_advance(row, &append)?;
                for entry in append.entries.iter().cloned() {
                    apply(rows, append.run, entry, append.result_bytes_max)?;
                }
            }
            let row = rows.run_mut(append.run)?;
            let cancelled = row.run.backfill_id.filter(|_| row.has_cancelled_backfill);
            let mut outcome = AppendOutcome::new(rows.seq);
            outcome.cancelled_backfill = cancelled;
            outcome.may_start_others = may_start_others(rows, append.run);
            Ok(outcome)
        })
    }
}

#[async_trait]
impl Outputs for AuditedStorage {
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()> {
        self.write("put_output_chunk", |rows| {
            let row = fenced(rows, chunk.run, chunk.epoch)?;
            if row.run.status.is_terminal() {
                return Err(already_finished(&row.run));
            }
            let node = row.nodes.get(&chunk.node_index);
            if node.is_some_and(|row| row.node.status.is_terminal()) {
                return Ok(());
            }
            let output = rows
                .outputs
                .entry((chunk.run, chunk.node_index))
                .or_default();
            if chunk.index == 0 {
                *output = OutputRow::default();
            }
            output.chunks.insert(chunk.index, chunk.bytes);
            Ok(())
        })
    }

    async fn find_output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>> {
        self.read(|rows| {
            let row = rows.run(run, scope)?;
            let output = rows.outputs.get(&rows.source(row, node_index))?;
            let reference = output.reference?;
            let chunks = (0..reference.chunk_count).map(|index| output.chunks.get(&index));
            let chunks = chunks.collect::<Option<Vec<_>>>()?;
            let bytes = chunks.into_iter().flatten().copied().collect();
            Some(StoredOutput::new(reference.hash, bytes))
        })
    }
}

/// Returns the row of a run. Refuses every epoch except that of the newest claim.
fn fenced(rows: &mut Rows, run: RunId, epoch: u64) -> Result<&mut RunRow> {
    let row = rows.run_mut(run)?;
    if row.epoch == epoch {
        return Ok(row);
    }
    let message = format!(
        "run {run} is at epoch {}, but the caller is at epoch {epoch}",
        row.epoch
    );
    Err(Error::new(Problem::StaleEpoch, message))
}

fn already_finished(run: &Run) -> Error {
    let message = format!("run {} has already finished as {:?}", run.id, run.status);
    Error::new(Problem::RunFinished, message)
}

fn unknown(entry: &Entry) -> Error {
    Error::internal(format!("this backend does not know the entry {entry:?}"))
}

fn illegal(message: String) -> Error {
    Error::new(Problem::IllegalTransition, message)
}

/// Checks an append whose epoch is valid, and advances the position of its run.
fn check_and_advance(row: &mut RunRow, append: &Append) -> Result<()> {
    if append.position > row.position {
        let message = format!(
            "run {} is at position {}, but the append is at position {}",
            append.run, row.position, append.position
        );
        return Err(Error::internal(message));
    }
    if row.run.status.is_terminal() {
        return Err(already_finished(&row.run));
    }
    let is_refused_outcome = |entry: &Entry| match entry {
        Entry::RunFinished { status, .. } => *status != RunStatus::Cancelled,
        _ => false,
    };
    if row.run.cancel.is_some() && append.entries.iter().any(is_refused_outcome) {
        let message = format!("run {} has a cancel request", append.run);
        return Err(Error::new(Problem::CancelRequested, message));
    }
    row.position = row.position.saturating_add(append.entries.len() as u64);
    Ok(())
}

/// Applies an entry to its run and its node, and records its event.
fn apply(rows: &mut Rows, run: RunId, entry: Entry, result_bytes_max: u64) -> Result<()> {
    if rows.run_mut(run)?.run.status.is_terminal() {
        let message = format!("run {run} cannot have an entry after its outcome");
        return Err(illegal(message));
    }
    match entry {
        Entry::NodeStarted {
            node_index,
            attempt,
            queue_ms,
            at,
        } => {
            let node = transition(rows, run, node_index, NodeStatus::Running)?;
            start(node, attempt, queue_ms, at);
            let event = record_event(rows, run, Some(node_index), (EventKind::NodeStarted, at))?;
            event.attempt = Some(attempt);
        }
        Entry::NodeRetrying {
            node_index,
            attempt,
            error,
            delay_ms,
            at,
        } => {
            let node = transition(rows, run, node_index, NodeStatus::Pending)?;
            node.error = Some(error.clone());
            let event = record_event(rows, run, Some(node_index), (EventKind::NodeRetrying, at))?;
            event.attempt = Some(attempt);
            event.duration_ms = Some(delay_ms);
            event.error = Some(error);
        }
        Entry::NodeRecovered {
            node_index,
            attempt,
            reason,
            at,
        } => {
            let event = recover_node(rows, run, node_index, at)?;
            event.attempt = Some(attempt);
            event.error = Some(reason);
        }
        Entry::NodeFinished(node) => finish_node(rows, run, *node)?,
        Entry::Profile {
            node_index,
            profile,
        } => {
            node_row(rows, run, node_index)?.profile = Some(*profile);
        }
        Entry::Log {
            node_index,
            attempt,
            level,
            message,
            at,
        } => {
            let event = record_event(rows, run, node_index, (EventKind::Log, at))?;
            (event.status, event.attempt) = (None, attempt);
            (event.level, event.message) = (Some(level), Some(message));
        }
        Entry::RunFinished { status, error, at } => {
            let outcome = Outcome {
                status,
                error,
                at,
                result_bytes_max,
            };
            finish(rows, run, outcome)?;
        }
        other => return Err(unknown(&other)),
    }
    Ok(())
}

fn finish_node(rows: &mut Rows, id: RunId, finished: FinishedNode) -> Result<()> {
    if !finished.status.is_terminal() {
        return Err(illegal(format!(
            "a node cannot finish as {:?}",
            finished.status
        )));
    }
    let kind = match finished.status {
        NodeStatus::Success => EventKind::NodeCompleted,
        NodeStatus::Failed => EventKind::NodeFailed,
        NodeStatus::Skipped => EventKind::NodeSkipped,
        _ => EventKind::NodeCancelled,
    };
    let node = transition(rows, id, finished.node_index, finished.status)?;
    node.attempt = finished.attempt.or(node.attempt);
    node.row_count = finished.row_count;
    node.duration_ms = finished.duration_ms;
    node.error = finished.error;
    node.finished_at = Some(finished.at);
    node.reused_from = finished.reused_from;
    node.branch = finished.branch;
    node.has_dataset = finished.has_dataset;
    node.unstored = finished.unstored;
    let node = node.clone();
    node_row(rows, id, finished.node_index)?.preview = finished.preview;
    if let Some(reference) = finished.output {
        let output = rows.outputs.entry((id, finished.node_index)).or_default();
        let mut is_whole = true;
        if let Some(bytes) = finished.output_bytes {
            is_whole = bytes.len() as u64 == reference.length;
            output.chunks.clear();
            output.chunks.insert(0, bytes);
        }
        output.reference = is_whole.then_some(reference);
    }
    if matches!(finished.status, NodeStatus::Success | NodeStatus::Failed) {
        rows.run_mut(id)?.claim_count = 1;
    }
    let event = record_event(rows, id, Some(finished.node_index), (kind, finished.at))?;
    event.attempt = finished.attempt;
    event.row_count = node.row_count;
    event.duration_ms = node.duration_ms;
    event.error = node.error;
    Ok(())
}

/// Returns the row of a node, and creates it if this is the first entry of the node.
fn node_row(rows: &mut Rows, run: RunId, node_index: NodeIndex) -> Result<&mut NodeRow> {
    let stored = rows.run_mut(run)?.run.clone();
    let id = rows.node_indexes(&stored)?.id(node_index)?.clone();
    let nodes = &mut rows.run_mut(run)?.nodes;
    Ok(nodes.entry(node_index).or_insert_with(|| NodeRow {
        node: NodeRun::unstarted(run, id, node_index, NodeStatus::Pending),
        preview: None,
        profile: None,
    }))
}

/// Starts an attempt. The first one sets the start time and the wait of the node.
fn start(node: &mut NodeRun, attempt: u32, queue_ms: u64, at: DateTime<Utc>) {
    node.attempt = Some(attempt);
    node.error = None;
    node.queue_ms.get_or_insert(queue_ms);
    node.started_at.get_or_insert(at);
}

/// Records that a node is recovered. Refuses one that is not pending.
fn recover_node(
    rows: &mut Rows,
    run: RunId,
    node_index: NodeIndex,
    at: DateTime<Utc>,
) -> Result<&mut Event> {
    let node = &node_row(rows, run, node_index)?.node;
    if node.status != NodeStatus::Pending {
        let message = format!(
            "node {} is {:?}, and only a pending one is recovered",
            node.id, node.status
        );
        return Err(illegal(message));
    }
    record_event(rows, run, Some(node_index), (EventKind::NodeRecovered, at))
}

/// Changes the status of a node. Refuses an illegal transition.
fn transition(
    rows: &mut Rows,
    run: RunId,
    node_index: NodeIndex,
    next: NodeStatus,
) -> Result<&mut NodeRun> {
    let node = &mut node_row(rows, run, node_index)?.node;
    if !node.status.may_become(next) {
        let message = format!(
            "node {} is {:?} and cannot become {next:?}",
            node.id, node.status
        );
        return Err(illegal(message));
    }
    node.status = next;
    Ok(node)
}

/// Records an event of a run or of one of its nodes. The event of a node has the node's status.
fn record_event(
    rows: &mut Rows,
    id: RunId,
    node_index: Option<NodeIndex>,
    (kind, at): (EventKind, DateTime<Utc>),
) -> Result<&mut Event> {
    let row = rows.run_mut(id)?;
    let run = row.run.clone();
    let status = node_index
        .and_then(|node_index| row.nodes.get(&node_index))
        .map(|row| row.node.status);
    let node_indexes = rows.node_indexes(&run)?;
    let node_id = node_index
        .map(|node_index| node_indexes.id(node_index))
        .transpose()?
        .cloned();
    let event = rows.record_event(&run, kind, at);
    event.node_id = node_id;
    event.status = status.map(Into::into);
    Ok(event)
}
