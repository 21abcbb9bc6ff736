//! The options of a SQLite store.
//!
//! `open` opens a store with them.

use std::time::Duration;

/// Whether an acknowledged write survives a power loss.
///
/// With either value, a crash of the process loses no acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Each commit is synced to the disk before it is acknowledged.
    ///
    /// A power loss loses no acknowledged write if the disk honors the sync.
    #[default]
    Full,
    /// Commits are synced to the disk from time to time.
    ///
    /// A power loss may undo the latest commits. It never corrupts the store.
    Normal,
}

/// The options of a [`SqliteStorage`](super::SqliteStorage).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// Whether an acknowledged write survives a power loss.
    pub durability: Durability,
    /// How long a write waits while another program holds the write lock. Default: 5 s.
    ///
    /// The default is enough for a short transaction in a shell, and clients do not wait long.
    pub busy_timeout: Duration,
    /// The number of reader threads. Default: 2, so that a long read does not delay a short one.
    pub readers_max: usize,
    /// How many reads are queued before callers have to wait. Default: 1,024.
    pub reads_queued_max: usize,
    /// How long a read may take. Default: 30 s, which no page takes, and after which few clients
    /// still wait. A longer read fails as `Unavailable`.
    pub read_timeout: Duration,
    /// How many write steps are queued before callers have to wait.
    ///
    /// Default: 4,096, which is a few seconds of commits.
    pub steps_queued_max: usize,
    /// The maximum number of write steps in one commit. Default: 256. A larger group would save no
    /// more time.
    pub group_max: usize,
    /// How long the callers of a failed commit wait while the store cannot be opened again to see
    /// whether the commit had its effect. Default: 30 s.
    ///
    /// Other callers do not wait. The default outlasts the reset of a disk controller.
    pub outcome_timeout: Duration,
    /// The size in bytes up to which the file of the write-ahead log may grow. Default: 64 MiB.
    ///
    /// Only a reader of another program that stays in one transaction can make it grow further.
    /// Then the writer logs a warning and tries to restart the log.
    pub log_bytes_max: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            busy_timeout: Duration::from_secs(5),
            readers_max: 2,
            reads_queued_max: 1_024,
            read_timeout: Duration::from_secs(30),
            steps_queued_max: 4_096,
            group_max: 256,
            outcome_timeout: Duration::from_secs(30),
            log_bytes_max: 64 << 20,
        }
    }
}

impl SqliteOptions {
    /// Sets whether an acknowledged write survives a power loss.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long a write waits while another program holds the write lock.
    #[must_use]
    pub const fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Sets the number of reader threads. 0 counts as 1.
    #[must_use]
    pub const fn readers_max(mut self, readers_max: usize) -> Self {
        self.readers_max = readers_max;
        self
    }

    /// Sets how many reads are queued before callers have to wait. 0 counts as 1.
    #[must_use]
    pub const fn reads_queued_max(mut self, reads_queued_max: usize) -> Self {
        self.reads_queued_max = reads_queued_max;
        self
    }

    /// Sets how long a read may take.
    #[must_use]
    pub const fn read_timeout(mut self, read_timeout: Duration) -> Self {
        self.read_timeout = read_timeout;
        self
    }

    /// Sets how many write steps are queued before callers have to wait. 0 counts as 1.
    #[must_use]
    pub const fn steps_queued_max(mut self, steps_queued_max: usize) -> Self {
        self.steps_queued_max = steps_queued_max;
        self
    }

    /// Sets the maximum number of write steps in one commit. 0 counts as 1.
    #[must_use]
    pub const fn group_max(mut self, group_max: usize) -> Self {
        self.group_max = group_max;
        self
    }

    /// Sets how long the callers of a failed commit wait for the store to be opened again.
    #[must_use]
    pub const fn outcome_timeout(mut self, outcome_timeout: Duration) -> Self {
        self.outcome_timeout = outcome_timeout;
        self
    }

    /// Sets the size in bytes up to which the file of the write-ahead log may grow.
    #[must_use]
    pub const fn log_bytes_max(mut self, log_bytes_max: u64) -> Self {
        self.log_bytes_max = log_bytes_max;
        self
    }
}
