//! What a running run does: entries, and the outputs of its nodes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use floret::storage::{
    Append, AppendOutcome, Entry, FinishedNode, Journal, OutputChunk, Outputs, StoredOutput,
};
use floret::{
    Error, Event, EventKind, NodeIndex, NodeRun, NodeStatus, Problem, Result, Run, RunId,
    RunStatus, Scope,
};

use crate::audited::AuditedStorage;
use crate::ends::{End, finish};
use crate::rows::{NodeRow, OutputRow, Rows, RunRow};

#[async_trait]
impl Journal for AuditedStorage {
    async fn append(&self, append: Append) -> Result<AppendOutcome> {
        self.write("append", |rows| {
            let row = fenced(rows, append.run, append.epoch)?;
            if append.position >= row.position {
                check(row, &append)?;
                for entry in append.entries {
                    enter(rows, append.run, entry, append.result_bytes_max)?;
                }
            }
            let row = rows.run_mut(append.run)?;
            let cancelled = row.run.backfill_id.filter(|_| row.cancelled_rest);
            let mut appended = AppendOutcome::new(rows.seq);
            appended.cancelled_backfill = cancelled;
            Ok(appended)
        })
    }
}

#[async_trait]
impl Outputs for AuditedStorage {
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()> {
        self.write("put_output_chunk", |rows| {
            let row = fenced(rows, chunk.run, chunk.epoch)?;
            if row.run.status.is_terminal() {
                return Err(ended(&row.run));
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
        Ok(self.read(|rows| {
            let row = rows.run(run, scope)?;
            let output = rows.outputs.get(&rows.source(row, node_index))?;
            let named = output.named?;
            let chunks = (0..named.chunk_count).map(|index| output.chunks.get(&index));
            let chunks = chunks.collect::<Option<Vec<_>>>()?;
            let bytes = chunks.into_iter().flatten().copied().collect();
            Some(StoredOutput::new(named.hash, bytes))
        }))
    }
}

/// The row of a run under its newest claim.
fn fenced(rows: &mut Rows, run: RunId, epoch: u64) -> Result<&mut RunRow> {
    let row = rows.run_mut(run)?;
    if row.epoch == epoch {
        return Ok(row);
    }
    let message = format!("run {run} is at epoch {}, not {epoch}", row.epoch);
    Err(Error::new(Problem::StaleEpoch, message))
}

fn ended(run: &Run) -> Error {
    let message = format!("run {} has ended, it is {:?}", run.id, run.status);
    Error::new(Problem::RunFinished, message)
}

fn illegal(message: String) -> Error {
    Error::new(Problem::IllegalTransition, message)
}

/// The checks in their order, after that of the epoch.
fn check(row: &mut RunRow, append: &Append) -> Result<()> {
    if append.position > row.position {
        let message = format!(
            "run {} has {} entries, not {}",
            append.run, row.position, append.position
        );
        return Err(Error::internal(message));
    }
    if row.run.status.is_terminal() {
        return Err(ended(&row.run));
    }
    let ends_otherwise = |entry: &Entry| match entry {
        Entry::RunFinished { status, .. } => *status != RunStatus::Cancelled,
        _ => false,
    };
    if row.run.cancel.is_some() && append.entries.iter().any(ends_otherwise) {
        let message = format!("run {} was asked to cancel", append.run);
        return Err(Error::new(Problem::CancelRequested, message));
    }
    row.position = row.position.saturating_add(append.entries.len() as u64);
    Ok(())
}

fn enter(rows: &mut Rows, run: RunId, entry: Entry, result_bytes_max: u64) -> Result<()> {
    if rows.run_mut(run)?.run.status.is_terminal() {
        return Err(illegal(format!("run {run} has an entry after its end")));
    }
    match entry {
        Entry::NodeStarted {
            node_index,
            attempt,
            queue_ms,
            at,
        } => {
            let node = moved(rows, run, node_index, NodeStatus::Running)?;
            node.attempt = Some(attempt);
            node.error = None;
            node.queue_ms.get_or_insert(queue_ms);
            node.started_at.get_or_insert(at);
            let event = tell(rows, run, Some(node_index), (EventKind::NodeStarted, at))?;
            event.attempt = Some(attempt);
        }
        Entry::NodeRetrying {
            node_index,
            attempt,
            error,
            delay_ms,
            at,
        } => {
            let node = moved(rows, run, node_index, NodeStatus::Pending)?;
            node.error = Some(error.clone());
            let event = tell(rows, run, Some(node_index), (EventKind::NodeRetrying, at))?;
            event.attempt = Some(attempt);
            event.duration_ms = Some(delay_ms);
            event.error = Some(error);
        }
        Entry::NodeFinished(end) => end_node(rows, run, *end)?,
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
            let event = tell(rows, run, node_index, (EventKind::Log, at))?;
            event.status = None;
            event.attempt = attempt;
            event.level = Some(level);
            event.message = Some(message);
        }
        Entry::RunFinished { status, error, at } => {
            finish(
                rows,
                run,
                End {
                    status,
                    error,
                    at,
                    result_bytes_max,
                },
            )?;
        }
        other => return Err(Error::internal(format!("cannot keep {other:?}"))),
    }
    Ok(())
}

fn end_node(rows: &mut Rows, id: RunId, end: FinishedNode) -> Result<()> {
    if !end.status.is_terminal() {
        return Err(illegal(format!("no node ends {:?}", end.status)));
    }
    let kind = match end.status {
        NodeStatus::Success => EventKind::NodeCompleted,
        NodeStatus::Failed => EventKind::NodeFailed,
        NodeStatus::Skipped => EventKind::NodeSkipped,
        _ => EventKind::NodeCancelled,
    };
    let node = moved(rows, id, end.node_index, end.status)?;
    node.attempt = end.attempt.or(node.attempt);
    node.row_count = end.row_count;
    node.duration_ms = end.duration_ms;
    node.error = end.error;
    node.finished_at = Some(end.at);
    node.reused_from = end.reused_from;
    node.has_dataset = end.has_dataset;
    let node = node.clone();
    node_row(rows, id, end.node_index)?.preview = end.preview;
    if let Some(named) = end.output {
        rows.outputs.entry((id, end.node_index)).or_default().named = Some(named);
    }
    if matches!(end.status, NodeStatus::Success | NodeStatus::Failed) {
        rows.run_mut(id)?.claim_count = 1;
    }
    let event = tell(rows, id, Some(end.node_index), (kind, end.at))?;
    event.attempt = end.attempt;
    event.row_count = node.row_count;
    event.duration_ms = node.duration_ms;
    event.error = node.error;
    Ok(())
}

/// The row of a node, made where it is its first entry.
fn node_row(rows: &mut Rows, run: RunId, node_index: NodeIndex) -> Result<&mut NodeRow> {
    let of = rows.run_mut(run)?.run.clone();
    let id = rows.node_indexes(&of)?.id(node_index)?.clone();
    let nodes = &mut rows.run_mut(run)?.nodes;
    Ok(nodes.entry(node_index).or_insert_with(|| NodeRow {
        node: NodeRun::unstarted(run, id, node_index, NodeStatus::Pending),
        preview: None,
        profile: None,
    }))
}

/// Moves a node to another status, if it may go there.
fn moved(
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

/// Writes an event of a run or of one of its nodes, with the status of that node.
fn tell(
    rows: &mut Rows,
    id: RunId,
    node_index: Option<NodeIndex>,
    (kind, at): (EventKind, DateTime<Utc>),
) -> Result<&mut Event> {
    let row = rows.run_mut(id)?;
    let run = row.run.clone();
    let status = node_index
        .and_then(|node_index| row.nodes.get(&node_index))
        .map(|kept| kept.node.status);
    let node_indexes = rows.node_indexes(&run)?;
    let node_id = node_index
        .map(|node_index| node_indexes.id(node_index))
        .transpose()?
        .cloned();
    let event = rows.tell(&run, kind, at);
    event.node_id = node_id;
    event.status = status.map(Into::into);
    Ok(event)
}
