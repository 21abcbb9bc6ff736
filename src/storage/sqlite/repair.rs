//! Writes the stored numbers: those that outlive their rows, and all of them after damage.
//!
//! `meta` reads them. No other row can be repaired from what is left.

use rusqlite::params;

use super::meta::meta;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::id;

impl Tx {
    /// Writes the stored numbers again after one of them was damaged.
    pub(super) fn repair_meta(&mut self) -> Result<(), StoreError> {
        let oldest = self.row(
            "SELECT seq - n FROM journal ORDER BY seq LIMIT 1",
            [],
            |row| Ok(row.get::<_, i64>(0)?),
        )?;
        let purged_seq = match meta(&self.conn, "purged_seq") {
            Ok(purged_seq) => purged_seq,
            // What came before the oldest event may have been purged.
            Err(_) => oldest.unwrap_or(self.state.next_seq - 1),
        };
        let commit_no = self.state.commit_no;
        self.write(PUT_META, params!["commit_no", commit_no])?;
        self.write_high_marks(purged_seq.clamp(0, self.state.next_seq - 1))?;
        self.state.is_meta_damaged = false;
        Ok(())
    }

    /// Stores the numbers that must not be used again after their last row is deleted.
    pub(super) fn write_high_marks(&mut self, purged_seq: i64) -> Result<(), StoreError> {
        let (next_seq, next_run) = (self.state.next_seq, self.state.next_run);
        for (name, value) in [
            ("purged_seq", purged_seq),
            ("next_seq", next_seq),
            ("next_run", next_run),
        ] {
            self.write(PUT_META, params![name, value])?;
        }
        let newest = self.state.newest_run;
        let newest = newest.as_ref().map_or(&[][..], id);
        self.write(PUT_META, params!["newest_run", newest])?;
        Ok(())
    }
}

pub(super) const PUT_META: &str = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)";
