//! Stored outputs: their chunks, and the runs that hold them.
//!
//! A run has a row for each output that it can read. The chunks are dropped with the last row that
//! names them, by `dropped_outputs`. `journal` checks entries.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStorage;
use super::reader::Reader;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{chunk_key, chunk_keys, hash, id, json, node_key, to_i64, to_u64};
use crate::error::{Error, Result};
use crate::model::{InheritedOutput, NodeIndex, Run, RunId, Scope};
use crate::storage::{OutputChunk, OutputRef, Outputs, StoredOutput, rules};

#[async_trait]
impl Outputs for SqliteStorage {
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()> {
        self.step_low(move |tx| tx.put_chunk(&chunk)).await
    }

    async fn find_output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>> {
        let scope = scope.clone();
        self.read(move |reader| reader.snapshot(|reader| reader.output(run, node_index, &scope)))
            .await
    }
}

impl Reader {
    fn output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>, StoreError> {
        let Some(key) = self.run_key(run, scope)? else {
            return Ok(None);
        };
        let node = node_key(key, node_index);
        let held = self.row(HELD_OUTPUT, [node], read_held_output);
        // An output that cannot be read is absent, so that its node executes again.
        let Some(held) = self.unreadable.skip("an output", node, held)?.flatten() else {
            return Ok(None);
        };
        let (first, last) = chunk_keys(held.source);
        let chunks = self.rows(
            "SELECT bytes FROM chunks WHERE key BETWEEN ? AND ? ORDER BY key",
            [first, last],
            |row| Ok(row.get::<_, Vec<u8>>(0)?),
        )?;
        let OutputRef {
            hash,
            length,
            chunk_count,
        } = held.output;
        let is_whole = chunks.len() as u64 == u64::from(chunk_count);
        let bytes = chunks.concat();
        Ok((is_whole && bytes.len() as u64 == length).then(|| StoredOutput::new(hash, bytes)))
    }
}

/// An output that a run holds, with the key of the node that wrote its chunks.
struct HeldOutput {
    source: i64,
    output: OutputRef,
}

const HELD_OUTPUT: &str = "SELECT source, hash, length, chunk_count FROM outputs WHERE key = ?";

fn read_held_output(row: &rusqlite::Row<'_>) -> Result<HeldOutput, StoreError> {
    let chunk_count = super::values::to_u32(row.get(3)?);
    Ok(HeldOutput {
        source: row.get(0)?,
        output: OutputRef::new(
            hash(&row.get::<_, Vec<u8>>(1)?)?,
            to_u64(row.get(2)?),
            chunk_count,
        ),
    })
}

impl Tx {
    fn put_chunk(&mut self, chunk: &OutputChunk) -> Result<(), StoreError> {
        let OutputChunk {
            run,
            epoch,
            node_index,
            index,
            bytes,
        } = chunk;
        let Some((key, cached)) = self.cached_run(*run, *epoch)? else {
            return Err(self.refusal_for(*run, *epoch)?.into());
        };
        if !rules::accepts_chunk(cached.node_status(*node_index)) {
            return Ok(());
        }
        cached.has_staged = true;
        let node = node_key(key, *node_index);
        let key = chunk_key(node, *index)
            .ok_or_else(|| Error::internal(format!("an output cannot have a chunk {index}")))?;
        if *index == 0 {
            self.drop_chunks(node)?;
        }
        // Every chunk is recorded, not only the first, so that recovery drops them all.
        self.write("INSERT OR IGNORE INTO staged (key) VALUES (?)", [node])?;
        self.put_chunk_bytes(key, bytes)
    }

    /// Makes bytes the output of a node that has none.
    ///
    /// `has_chunks` says whether chunks of the node may be there. Bytes of another length than
    /// `output` names become no output.
    pub(super) fn store_output_bytes(
        &mut self,
        node: i64,
        output: &OutputRef,
        bytes: &[u8],
        has_chunks: bool,
    ) -> Result<(), StoreError> {
        if has_chunks {
            self.drop_staged_node(node)?;
        }
        let names_them = (output.length, output.chunk_count) == (bytes.len() as u64, 1);
        let Some(key) = chunk_key(node, 0).filter(|_| names_them) else {
            return Ok(());
        };
        self.put_chunk_bytes(key, bytes)?;
        self.insert_output(node, node, output)
    }

    /// Makes the written chunks of a node that has no output its output.
    ///
    /// If a chunk is missing, the node gets no output.
    pub(super) fn store_output_chunks(
        &mut self,
        node: i64,
        output: &OutputRef,
    ) -> Result<(), StoreError> {
        let OutputRef {
            hash: _,
            length,
            chunk_count,
        } = output;
        let (first, last) = chunk_keys(node);
        let written = self.row(
            "SELECT count(*), ifnull(sum(length(bytes)), 0) FROM chunks WHERE key BETWEEN ? AND ?",
            [first, last],
            |row| Ok((to_u64(row.get(0)?), to_u64(row.get(1)?))),
        )?;
        if written != Some((u64::from(*chunk_count), *length)) {
            return self.drop_staged_node(node);
        }
        self.insert_output(node, node, output)?;
        self.write("DELETE FROM staged WHERE key = ?", [node])?;
        Ok(())
    }

    fn put_chunk_bytes(&mut self, key: i64, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(
            "INSERT OR REPLACE INTO chunks (key, bytes) VALUES (?, ?)",
            params![key, bytes],
        )?;
        Ok(())
    }

    fn insert_output(
        &mut self,
        node: i64,
        source: i64,
        output: &OutputRef,
    ) -> Result<(), StoreError> {
        let OutputRef {
            hash,
            length,
            chunk_count,
        } = output;
        self.write(
            "INSERT INTO outputs (key, source, hash, length, chunk_count) VALUES (?, ?, ?, ?, ?)",
            params![node, source, hash, to_i64(*length), chunk_count],
        )?;
        Ok(())
    }

    /// Writes rows for the outputs that a run inherits, so that it holds them as well.
    pub(super) fn inherit_outputs(&mut self, key: i64, run: &Run) -> Result<(), StoreError> {
        for inherited in &run.inherited {
            let found = self.find_inherited(run, inherited)?;
            let Some(held) = found.filter(|held| Some(held.output.hash) == inherited.output_hash)
            else {
                continue;
            };
            let node = node_key(key, inherited.node_index);
            self.insert_output(node, held.source, &held.output)?;
        }
        Ok(())
    }

    fn held_output(&self, node: i64) -> Result<Option<HeldOutput>, StoreError> {
        let held = self.row(HELD_OUTPUT, [node], read_held_output);
        Ok(self.unreadable.skip("an output", node, held)?.flatten())
    }

    /// Returns the output of the run that produced it.
    ///
    /// If that run was purged, returns the output that another run of the chain holds, or the run
    /// that is repeated.
    fn find_inherited(
        &self,
        run: &Run,
        inherited: &InheritedOutput,
    ) -> Result<Option<HeldOutput>, StoreError> {
        let producer = self.row(
            "SELECT key FROM runs WHERE id = ?",
            [id(&inherited.from_run)],
            |row| Ok(row.get(0)?),
        )?;
        if let Some(key) = producer {
            return self.held_output(node_key(key, inherited.from_node_index));
        }
        let chain = self.readable_rows(
            "a run of a chain",
            "SELECT key, inherited FROM runs WHERE (id = ?1 OR first_run = ?1 OR id = ?3) AND inherited IS NOT NULL AND id <> ?2",
            params![id(&run.first_run), id(&run.id), run.rerun_of.as_ref().map(id)],
            |row| {
                let text: String = row.get(1)?;
                Ok((row.get::<_, i64>(0)?, json("a run's inherited outputs", &text)?))
            },
        )?;
        for (key, others) in chain {
            let others: Vec<InheritedOutput> = others;
            let same = others.iter().find(|other| {
                other.from_run == inherited.from_run
                    && other.from_node_index == inherited.from_node_index
            });
            let held = same
                .map(|other| self.held_output(node_key(key, other.node_index)))
                .transpose()?;
            if let Some(held) = held.flatten() {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }
}
