//! The crowds of clients that watch runs on their sockets.

use std::time::Duration;

/// A number of clients, and how many runs they watch. Fewer runs for more clients, so that the
/// machine is never full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) clients: usize,
    pub(crate) runs: usize,
}

pub(crate) const CROWDS: [Crowd; 3] = [
    Crowd {
        clients: 1,
        runs: 2_000,
    },
    Crowd {
        clients: 100,
        runs: 200,
    },
    Crowd {
        clients: 1_000,
        runs: 20,
    },
];

/// The runs of a crowd are triggered within this time.
const SPAN: Duration = Duration::from_secs(4);

impl Crowd {
    /// The time between two runs.
    pub(crate) fn pause(self) -> Duration {
        SPAN / u32::try_from(self.runs).unwrap()
    }
}
