//! Writes the stored numbers again after one of them was damaged.
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
        let numbers = [
            ("commit_no", self.state.commit_no),
            ("next_run", self.state.next_run),
            ("next_seq", self.state.next_seq),
            ("purged_seq", purged_seq.clamp(0, self.state.next_seq - 1)),
        ];
        for (name, value) in numbers {
            self.write(PUT_META, params![name, value])?;
        }
        let newest = self.state.newest_run;
        let newest = newest.as_ref().map_or(&[][..], id);
        self.write(PUT_META, params!["newest_run", newest])?;
        self.state.is_meta_damaged = false;
        Ok(())
    }
}

const PUT_META: &str = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)";
