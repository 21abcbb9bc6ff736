//! The memory of this process: its resident set, and what the program has allocated.

use std::alloc::System;
use std::time::Duration;

use cap::Cap;

/// Counts the bytes that are allocated and not freed. The C code of SQLite does not use it.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The resident set. `None` where the system has no `/proc`.
    pub(crate) rss: Option<u64>,
    pub(crate) live: u64,
}

impl Memory {
    pub(crate) fn now() -> Self {
        Self {
            rss: rss(),
            live: u64::try_from(ALLOCATOR.allocated()).unwrap(),
        }
    }

    /// Waits until the memory has stopped changing, for at most ten seconds, and returns it.
    pub(crate) async fn settled() -> Self {
        const PAUSE: Duration = Duration::from_millis(100);
        /// A loop that wakes up may hold a little for a moment.
        const LIVE_NOISE: u64 = 1_024;
        let mut last = Self::now();
        let mut same = 0;
        for _ in 0..100 {
            tokio::time::sleep(PAUSE).await;
            let now = Self::now();
            let is_same = now.rss == last.rss && now.live.abs_diff(last.live) <= LIVE_NOISE;
            same = if is_same { same + 1 } else { 0 };
            last = now;
            if same == 5 {
                break;
            }
        }
        last
    }

    /// Waits until the resident set has at most this size, for at most ten seconds.
    pub(crate) async fn below(rss_max: u64) -> Self {
        for _ in 0..100 {
            if rss().is_none_or(|rss| rss <= rss_max) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Self::settled().await
    }
}

fn rss() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_bytes()?)
}

/// Returns the size of a page, which the kernel gives only in its auxiliary vector.
fn page_bytes() -> Option<u64> {
    const PAGE_SIZE: u64 = 6;
    let words = std::fs::read("/proc/self/auxv").ok()?;
    let mut words = words
        .chunks_exact(8)
        .filter_map(|word| word.try_into().ok().map(u64::from_ne_bytes));
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if name == PAGE_SIZE {
            return Some(value);
        }
    }
    None
}

/// Returns the largest resident set that this process has had.
pub(crate) fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}
