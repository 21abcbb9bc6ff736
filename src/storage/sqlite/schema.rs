//! The schema and its migrations: one SQL text per version, in order.
//!
//! The SQL texts document the columns. `rows` and each noun's file read and write the rows.

use rusqlite::Connection;

use super::store_error::StoreError;

/// The application id that marks a Floret store: `flrt` in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x666c_7274;

/// The text at index n migrates a store from version n to n + 1.
pub(super) const MIGRATIONS: [&str; 25] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
    include_str!("migrations/8.sql"),
    include_str!("migrations/9.sql"),
    include_str!("migrations/10.sql"),
    include_str!("migrations/11.sql"),
    include_str!("migrations/12.sql"),
    include_str!("migrations/13.sql"),
    include_str!("migrations/14.sql"),
    include_str!("migrations/15.sql"),
    include_str!("migrations/16.sql"),
    include_str!("migrations/17.sql"),
    include_str!("migrations/18.sql"),
    include_str!("migrations/19.sql"),
    include_str!("migrations/20.sql"),
    include_str!("migrations/21.sql"),
    include_str!("migrations/22.sql"),
    include_str!("migrations/23.sql"),
    include_str!("migrations/24.sql"),
    include_str!("migrations/25.sql"),
];

/// The schema version that this code reads and writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// Migrates a store from `version` to the newest version in one transaction.
///
/// # Errors
/// `Unreadable` if a migrated row refers to a missing one. In that case, nothing was changed.
pub(super) fn migrate(conn: &Connection, version: usize) -> Result<(), StoreError> {
    migrate_with(conn, version, &MIGRATIONS)
}

fn migrate_with(conn: &Connection, version: usize, texts: &[&str]) -> Result<(), StoreError> {
    let Some(missing) = texts.get(version..).filter(|texts| !texts.is_empty()) else {
        return Ok(());
    };
    // A migration may rebuild a table that rows of other tables refer to. Within a transaction,
    // SQLite ignores this pragma.
    conn.pragma_update(None, "foreign_keys", false)?;
    let is_new = version == 0;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let outcome = apply(conn, missing, is_new)
        .and_then(|()| Ok(conn.pragma_update(None, "user_version", to_i64(texts.len()))?))
        .and_then(|()| Ok(conn.execute_batch("COMMIT")?));
    // SQLite ends the transaction itself after errors such as `SQLITE_FULL`.
    if outcome.is_err() && !conn.is_autocommit() {
        drop(conn.execute_batch("ROLLBACK"));
    }
    conn.pragma_update(None, "foreign_keys", true)?;
    outcome
}

/// Applies migrations. Refuses them if they leave more rows than before that refer to a missing
/// row.
///
/// A row that was damaged before must not keep the store closed.
fn apply(conn: &Connection, texts: &[&str], is_new: bool) -> Result<(), StoreError> {
    let before = if is_new { 0 } else { dangling_count(conn)? };
    texts.iter().try_for_each(|text| conn.execute_batch(text))?;
    let after = dangling_count(conn)?;
    if after > before {
        let why = format!("{after} rows refer to a missing row, {before} before the migration");
        return Err(StoreError::unreadable("a migrated store", why));
    }
    Ok(())
}

/// Returns how many references to a missing row the store has.
fn dangling_count(conn: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM pragma_foreign_key_check";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

fn to_i64(version: usize) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Version 1 has a table that another one refers to.
    const TABLES: &str = "CREATE TABLE parents (key INTEGER PRIMARY KEY) STRICT; \
         CREATE TABLE children (parent INTEGER NOT NULL REFERENCES parents (key)) STRICT; \
         INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1);";

    fn version_1() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "foreign_keys", true).unwrap();
        migrate_with(&conn, 0, &[TABLES]).unwrap();
        conn
    }

    fn number(conn: &Connection, sql: &str) -> i64 {
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_migration_may_rebuild_a_table_that_other_rows_refer_to() {
        let conn = version_1();
        let rebuild = "CREATE TABLE next (key INTEGER PRIMARY KEY, name TEXT) STRICT; \
             INSERT INTO next SELECT key, 'new' FROM parents; \
             DROP TABLE parents; ALTER TABLE next RENAME TO parents;";
        migrate_with(&conn, 1, &[TABLES, rebuild]).unwrap();
        assert_eq!(number(&conn, "PRAGMA user_version"), 2);
        assert_eq!(number(&conn, "SELECT count(*) FROM children"), 1);
        let dangling = conn.execute("INSERT INTO children VALUES (9)", []);
        assert!(dangling.is_err(), "foreign keys are enforced again");
    }

    #[test]
    fn a_migration_that_leaves_a_reference_to_a_missing_row_changes_nothing() {
        let conn = version_1();
        let error = migrate_with(&conn, 1, &[TABLES, "DELETE FROM parents"]).unwrap_err();
        assert!(matches!(error, StoreError::Unreadable(_)), "{error:?}");
        assert_eq!(number(&conn, "PRAGMA user_version"), 1);
        assert_eq!(number(&conn, "SELECT count(*) FROM parents"), 1);
        assert_eq!(number(&conn, "PRAGMA foreign_keys"), 1);
    }

    #[test]
    fn a_row_that_was_damaged_before_does_not_stop_a_migration() {
        let conn = version_1();
        conn.execute_batch(
            "PRAGMA foreign_keys = OFF; INSERT INTO children VALUES (9); PRAGMA foreign_keys = ON",
        )
        .unwrap();
        migrate_with(
            &conn,
            1,
            &[TABLES, "CREATE TABLE more (key INTEGER) STRICT"],
        )
        .unwrap();
        assert_eq!(number(&conn, "PRAGMA user_version"), 2);
    }

    /// A migration never changes once a store may have been written with it.
    #[test]
    fn the_texts_of_shipped_migrations_never_change() {
        let shipped = [
            "ca49df779ea44eb8af3234e531a14b44e6576012e889a94b27d212ed2c2e9af2",
            "0c7a4a1b407eed9d47b7ebf57d0e29371cf823c72186b1acd552d230b12b50de",
            "6e5ef49f9ffbec33f72ba2214a163a874c817268db781fcdffe3db705f7a4867",
            "91698b83ecd58fd5253857af7469cd32a834c393002d7ccfcc254afca574ee8e",
            "5db63cae95ef44e41f286987c331bc6202fa75c375b7e6a7f9d6495a20a7d1d9",
            "efb633e0c33c915b4963dacd87698f38edb9838612243483588ddc063d94de89",
            "81dc2d095024e7dd8fca5afdfd23886637e7465491e2792810e8cef2e5a5ee99",
            "11a224d6049b665c75db9a399fbb151e25a2f8ccb526125a4e2ddae389c87538",
            "34707ab097cbee8d9c70d629715ed2208ed2068b69ea00f30f1c01039c5d2e0b",
            "295a5a69b8d70db84852f95a65c4e9a38bd1a49952f4230cb230736b01631412",
            "41b32b3c9113715a3be4b2fd0f2c264b0a07c6c0e9c626f283698733a7f826f4",
            "d29b70e16e7d083bf7a0b16a4fe30b07e57cc4bbf224422a528974a7dad1ec8f",
            "b077c5c901db435ef814ffa282caff029d364376b9069f47e94019e84daab6eb",
            "5b05ebc1216f02dee8f2d61d2b1ca7e10a98bd4b0c1f29afcb7447c20a46e80c",
            "178164150bee793d01a3630684e62151c114df832630bc2f8a13b3f297fe29ff",
            "21651ccb1c057ecab587cb12559cb01e0625da77e20d0aea51f62cea5d73e9bc",
            "8d859e336dba24434a1b4016368732d456d5dc19a702f8846d6f2a17a6aa92cf",
            "01923d0f393c316f77d4715c3f708be76da0b23d441e54e50fe4a4ce3c4e894b",
            "29d8a707a50ef2b8db07cad4bdc38c5aece78bf4de3a8a2f9d9d6868b8c2fe9b",
            "ac07d6bb9f1f0b94c9f7e3363d0bb6edce4547bdbff02551a7225eeeafb6ae75",
            "403f6ee56cc9e7bbbfad57b3f00beb561be8f26c1506d564ffd9cdd2a4ba86b8",
            "4ee21917801c3baf2f7359213767be2d3a4d29996e3a8caabf465d0bee6f439d",
            "c0e4f276c08e1a1e296e9ff1c4447ffd899976f2935ca12901952deb2fba4442",
            "d5873d583b9f7bbdb82ff1a21bea105b2cb711618609e3beef5867b25b330e17",
            "a20bfea48950079f07d5e930785709cdeb2a714915702a85499ac03688ade134",
        ];
        assert_eq!(MIGRATIONS.len(), shipped.len(), "each text has its hash");
        for (text, expected) in MIGRATIONS.iter().zip(shipped) {
            // A checkout may have changed the line endings.
            let hash = Sha256::digest(text.replace('\r', ""));
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{}", text.lines().next().unwrap());
        }
    }
}
