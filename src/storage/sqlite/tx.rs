//! The transaction of a group of steps: its connection, the writer's memory, and the figures that are written once before the commit.
//!
//! When it begins and ends is left to `writer`; what a step does to `steps` of each noun.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::body::Body;
use super::fault::Fault;
use super::state::State;
use super::under_way::Changes;
use super::values::{day, run_status, time};
use crate::model::{RunStatus, TenantId};

/// The write connection and what belongs to it.
#[derive(Debug)]
pub(super) struct Tx {
    pub(super) conn: Connection,
    pub(super) state: State,
    figures: HashMap<FigureKey, [i64; 5]>,
    pub(super) backfills: Changes,
    is_dirty: bool,
}

/// Pipeline, tenant and day of a row of figures.
type FigureKey = (i64, String, i64);

/// Whose figures a run belongs to.
pub(super) struct Counted<'a> {
    pub(super) pipeline: i64,
    pub(super) tenant: Option<&'a TenantId>,
    pub(super) created_at: i64,
    pub(super) backfill: Option<i64>,
}

impl Tx {
    pub(super) fn new(conn: Connection) -> Result<Self, Fault> {
        let state = State::load(&conn)?;
        Ok(Self {
            conn,
            state,
            figures: HashMap::new(),
            backfills: Changes::default(),
            is_dirty: false,
        })
    }

    /// Begins the transaction of a group; it takes the write lock at once, since a reader that begins to write may not get it.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        self.is_dirty = false;
        self.figures.clear();
        self.backfills = Changes::default();
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Writes what is written once a transaction; false when there is nothing to commit.
    pub(super) fn finish(&mut self) -> Result<bool, Fault> {
        self.write_figures()?;
        self.write_backfills()?;
        if self.is_dirty {
            self.state.commit_no += 1;
            let commit_no = self.state.commit_no;
            self.write(
                "UPDATE meta SET value = ? WHERE name = 'commit_no'",
                [commit_no],
            )?;
        }
        Ok(self.is_dirty)
    }

    /// Commits.
    pub(super) fn commit(&self) -> Result<(), Fault> {
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Ends the transaction without effect; it may be gone already, as it is after `SQLITE_FULL`.
    pub(super) fn roll_back(&self) -> Result<(), Fault> {
        if !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    /// One statement that writes; answers how many rows it changed.
    pub(super) fn write(&mut self, sql: &str, params: impl Params) -> Result<usize, Fault> {
        self.is_dirty = true;
        Ok(self.conn.prepare_cached(sql)?.execute(params)?)
    }

    /// The first row of a question.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        row(&self.conn, sql, params, read)
    }

    /// All rows of a question.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        rows(&self.conn, sql, params, read)
    }

    /// Writes one row of the journal and answers the number of its last event.
    pub(super) fn write_events(
        &mut self,
        run: i64,
        body: &Body,
        position: Option<i64>,
    ) -> Result<i64, Fault> {
        let seq = self.state.next_seq + body.count - 1;
        self.write(
            "INSERT INTO journal (seq, run, n, position, body) VALUES (?, ?, ?, ?, ?)",
            params![seq, run, body.count, position, body.text],
        )?;
        self.state.next_seq = seq + 1;
        Ok(seq)
    }

    /// The number of the newest event.
    pub(super) fn newest_seq(&self) -> u64 {
        super::values::uint(self.state.next_seq - 1)
    }

    /// Counts a run under another status; none before it is made and after it is purged.
    pub(super) fn count(
        &mut self,
        run: &Counted<'_>,
        before: Option<RunStatus>,
        after: Option<RunStatus>,
    ) -> Result<(), Fault> {
        let day = day(time(run.created_at)?.date_naive());
        if let Some(backfill) = run.backfill {
            self.backfills.note(backfill, before, after);
        }
        let tenant = run.tenant.map_or("", TenantId::as_str);
        let mut keys = vec![
            (run.pipeline, tenant.to_owned(), day),
            (0, String::new(), day),
        ];
        if !tenant.is_empty() {
            keys.push((0, tenant.to_owned(), day));
        }
        for key in keys {
            let counts = self.figures.entry(key).or_default();
            for (status, change) in [(before, -1), (after, 1)] {
                let count = status
                    .and_then(|status| usize::try_from(run_status(status)).ok())
                    .and_then(|index| counts.get_mut(index));
                if let Some(count) = count {
                    *count += change;
                }
            }
        }
        Ok(())
    }

    fn write_figures(&mut self) -> Result<(), Fault> {
        for ((pipeline, tenant, day), counts) in std::mem::take(&mut self.figures) {
            let [pending, running, success, failed, cancelled] = counts;
            if counts == [0; 5] {
                continue;
            }
            self.write(
                "INSERT INTO daily (pipeline, tenant, day, pending, running, success, failed, cancelled) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pipeline, tenant, day) DO UPDATE SET \
                 pending = pending + excluded.pending, running = running + excluded.running, success = success + excluded.success, \
                 failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled",
                params![pipeline, tenant, day, pending, running, success, failed, cancelled],
            )?;
        }
        Ok(())
    }
}

/// The first row of a question.
pub(super) fn row<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    conn.prepare_cached(sql)?
        .query_row(params, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

/// All rows of a question.
pub(super) fn rows<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push(read(row)?);
    }
    Ok(items)
}
