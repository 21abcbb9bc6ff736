//! How a store is opened.
//!
//! Opening it is left to `open`.

use std::time::Duration;

/// How safe an acknowledged write is from loss of power. A crash of the process loses nothing
/// either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Each commit is forced to the disk before it is acknowledged: with an honest disk nothing
    /// acknowledged is lost to loss of power.
    #[default]
    Full,
    /// Commits are forced to the disk from time to time: loss of power may undo the last moments
    /// and corrupts nothing.
    Normal,
}

/// How a [`SqliteStorage`](super::SqliteStorage) is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// How safe an acknowledged write is from loss of power.
    pub durability: Durability,
    /// How long a write waits for another program that holds the write lock. 5 s: a person in the
    /// shell is noticed, a client is not left waiting.
    pub busy_timeout: Duration,
    /// Threads that read. 2: one long page does not hold up a short one.
    pub readers_max: usize,
    /// Questions that wait for a reader before callers have to wait. 1,024.
    pub reads_queued_max: usize,
    /// Steps that wait for the writer before callers have to wait. 4,096: some seconds of commits.
    pub steps_queued_max: usize,
    /// Steps of one commit. 256: beyond it a larger group saves nothing.
    pub group_max: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            busy_timeout: Duration::from_secs(5),
            readers_max: 2,
            reads_queued_max: 1_024,
            steps_queued_max: 4_096,
            group_max: 256,
        }
    }
}

impl SqliteOptions {
    /// Sets how safe an acknowledged write is from loss of power.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long a write waits for another program that holds the write lock.
    #[must_use]
    pub const fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Sets how many threads read, at least 1.
    #[must_use]
    pub const fn readers_max(mut self, readers_max: usize) -> Self {
        self.readers_max = readers_max;
        self
    }

    /// Sets how many questions wait for a reader before callers have to wait, at least 1.
    #[must_use]
    pub const fn reads_queued_max(mut self, reads_queued_max: usize) -> Self {
        self.reads_queued_max = reads_queued_max;
        self
    }

    /// Sets how many steps wait for the writer before callers have to wait, at least 1.
    #[must_use]
    pub const fn steps_queued_max(mut self, steps_queued_max: usize) -> Self {
        self.steps_queued_max = steps_queued_max;
        self
    }

    /// Sets how many steps one commit has at most, at least 1.
    #[must_use]
    pub const fn group_max(mut self, group_max: usize) -> Self {
        self.group_max = group_max;
        self
    }
}
