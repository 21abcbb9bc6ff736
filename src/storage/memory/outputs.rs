//! Outputs: chunks are staged until a node outcome names them as one output. Runs of a chain share
//! it.
//!
//! Encoding and hashes are left to the engine.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::rows::{OutputBytes, OutputRow, RunRow};
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::Result;
use crate::model::{NodeIndex, NodeStatus, RunId, RunStatus, Scope};
use crate::storage::{FinishedNode, OutputChunk, OutputRef, Outputs, StoredOutput};

impl RunRow {
    /// Turns the bytes of a node outcome, or else the staged chunks, into the output that it names.
    ///
    /// A node that was executed loses its inherited output.
    pub(super) fn store_output(&mut self, finished: &FinishedNode) {
        let staged = self.staged.remove(&finished.node_index).unwrap_or_default();
        match finished.status {
            NodeStatus::Success | NodeStatus::Failed => self.outputs.remove(&finished.node_index),
            NodeStatus::Skipped
            | NodeStatus::Cancelled
            | NodeStatus::Pending
            | NodeStatus::Running => return,
        };
        let chunks = match &finished.output_bytes {
            Some(bytes) => vec![bytes.clone()],
            None => staged.into_values().collect(),
        };
        if let Some(output) = finished.output
            && is_whole(&chunks, output)
        {
            let made_by = (self.run.id, finished.node_index);
            let output = Arc::new(OutputBytes {
                hash: output.hash,
                length: output.length,
                chunks,
            });
            self.outputs
                .insert(finished.node_index, OutputRow { made_by, output });
        }
    }
}

impl OutputBytes {
    fn to_stored(&self) -> StoredOutput {
        StoredOutput::new(self.hash, self.chunks.concat())
    }
}

/// Returns whether all chunks are there. They are numbered from 0, so their count shows a missing
/// one.
fn is_whole(chunks: &[Bytes], output: OutputRef) -> bool {
    chunks.len() as u64 == u64::from(output.chunk_count)
        && chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>() == output.length
}

impl State {
    /// Deletes the outputs that a finished run does not retain.
    pub(super) fn settle_outputs(&mut self, id: RunId, result_bytes_max: u64) -> Result<()> {
        if self.options.keeps_outputs {
            return Ok(());
        }
        let row = self.run_mut(id)?;
        match row.run.status {
            RunStatus::Success => {
                let graph = &row.version.graph;
                row.outputs.retain(|node_index, held| {
                    graph.retains_output(*node_index, held.output.length, result_bytes_max)
                });
                let first = row.run.first_run;
                for other in self.index.chain(first).filter(|other| *other != id) {
                    if let Some(other) = self.runs.get_mut(&other) {
                        other.outputs.clear();
                    }
                }
            }
            RunStatus::Cancelled if row.run.resumed_from.is_none() => row.outputs.clear(),
            RunStatus::Cancelled | RunStatus::Failed | RunStatus::Pending | RunStatus::Running => {}
        }
        Ok(())
    }

    fn put_output_chunk(&mut self, chunk: OutputChunk) -> Result<()> {
        let row = self.run_mut(chunk.run)?;
        if row.claim.epoch != chunk.epoch {
            return Err(rules::stale_epoch(chunk.run));
        }
        if row.run.status.is_terminal() {
            return Err(rules::run_finished(chunk.run));
        }
        if !rules::accepts_chunk(row.node_status(chunk.node_index)) {
            return Ok(());
        }
        let staged = row.staged.entry(chunk.node_index).or_default();
        if chunk.index == 0 {
            staged.clear();
        }
        staged.insert(chunk.index, chunk.bytes);
        Ok(())
    }
}

#[async_trait]
impl Outputs for MemoryStorage {
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()> {
        self.state()?.put_output_chunk(chunk)
    }

    async fn find_output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>> {
        // The lock covers only the handle. The bytes are joined outside it.
        let output = {
            let state = self.state()?;
            let held = state
                .run(run, scope)
                .and_then(|row| row.outputs.get(&node_index));
            held.map(|held| Arc::clone(&held.output))
        };
        Ok(output.map(|output| output.to_stored()))
    }
}
