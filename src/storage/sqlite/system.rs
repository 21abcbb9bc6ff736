//! The storage methods of the store as a whole, and its statistics.
//!
//! Figures are in `figures`, and purges are in `purge`.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::params_from_iter;

use super::SqliteStorage;
use super::figures::FigureRows;
use super::meta::meta;
use super::pages::Conditions;
use super::reader::Reader;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::to_u64;
use crate::error::{Result, log, trace_causes};
use crate::model::Scope;
use crate::storage::{Figures, FiguresFilter, Purge, PurgeMode, PurgeOutcome, Stats, System};

#[async_trait]
impl System for SqliteStorage {
    async fn stats(&self, scope: &Scope) -> Result<Stats> {
        let (scope, file) = (scope.clone(), Arc::clone(&self.0.file));
        self.read(move |reader| {
            let stats = reader.snapshot(|reader| reader.stats(&scope))?;
            let bytes = stats.bytes.saturating_add(file.log_bytes());
            Ok(Stats { bytes, ..stats })
        })
        .await
    }

    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>> {
        self.read(move |reader| reader.snapshot(|reader| reader.figures(&filter)))
            .await
    }

    async fn purge(&self, purge: Purge) -> Result<PurgeOutcome> {
        match purge.mode {
            PurgeMode::Delete => {
                let purge_runs = move |tx: &mut Tx| {
                    let outcome = tx.purge(&purge)?;
                    tx.wants_sweep = false;
                    Ok(outcome)
                };
                let outcome = self.step(purge_runs).await?;
                // The purge has ended once its rows are gone. Other steps go between the sweeps.
                while self.sweep_part().await {}
                Ok(outcome)
            }
            PurgeMode::Preview => {
                self.read(move |reader| reader.snapshot(|reader| reader.preview_purge(&purge)))
                    .await
            }
        }
    }

    async fn close(&self) -> Result<()> {
        self.shut_down().await
    }
}

impl SqliteStorage {
    /// Deletes a part of what a purge has left. Returns whether anything is left.
    async fn sweep_part(&self) -> bool {
        let swept = self.step_low(Tx::sweep).await;
        swept.unwrap_or_else(|error| {
            // The runs are gone, so that the purge has not failed. The next one goes on.
            log::warn!(%error, "the rows of purged runs could not be swept");
            trace_causes(&error);
            false
        })
    }
}

/// Dead letters with their runs. Without the named index, the planner scans all parked events.
pub(super) const DEAD_LETTERS: &str =
    "parked p INDEXED BY parked_dead CROSS JOIN runs r ON r.key = p.run";

impl Reader {
    fn stats(&self, scope: &Scope) -> Result<Stats, StoreError> {
        let mut pipelines = Conditions::default();
        pipelines.add("slug IS NOT NULL", []);
        pipelines.add_scope("tenant", scope);
        let figures = FigureRows::new(scope, None, None);
        let sql = format!(
            "SELECT CAST(total(running) AS INTEGER), CAST(total(pending) AS INTEGER) FROM {}",
            figures.sql,
        );
        let counts = self.row(&sql, params_from_iter(&figures.values), |row| {
            Ok((to_u64(row.get(0)?), to_u64(row.get(1)?)))
        })?;
        let (running_count, pending_count) = counts.unwrap_or_default();
        let bytes = self.row(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            [],
            |row| Ok(to_u64(row.get(0)?)),
        )?;
        let mut dead = Conditions::default();
        dead.add("p.is_dead = 1", []);
        dead.add_scope("r.tenant", scope);
        let purged_seq = meta(&self.conn, "purged_seq");
        let purged_seq = self
            .unreadable
            .skip("a stored number", "purged_seq", purged_seq)?;
        Ok(Stats {
            pipeline_count: self.count("pipelines", &pipelines)?,
            running_count,
            pending_count,
            bytes: bytes.unwrap_or_default(),
            purged_seq: purged_seq.map_or(0, to_u64),
            dead_letter_count: self.count(DEAD_LETTERS, &dead)?,
            unreadable_count: self.unreadable.count(),
            kind: "sqlite",
        })
    }
}
