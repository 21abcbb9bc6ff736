//! What stops a run: from a plain cancel to the loss of its claim.
//!
//! The driver turns its halt up, never down; nodes watch it.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::attempt::reached;
use crate::model::Cancel;

/// How far a run is stopped. A greater one includes the smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Halt {
    /// It is not.
    Not,
    /// Floret shuts down: nothing starts, what executes may end.
    Drain,
    /// A plain cancel: nothing starts, what executes may end.
    Cancel,
    /// The run's time is over: what executes is told to stop, dropped after the stop grace, and failed.
    TimedOut,
    /// A forced cancel: what executes is told to stop and abandoned after the force grace.
    Force,
    /// The forced cancel's grace is over.
    Abandon,
    /// The claim is lost or given back: what executes is dropped and not recorded.
    Lost,
}

/// Resolves once nothing of the run may be stored any more: its lease is lost, or the engine stops.
pub(super) async fn lost_or_stopped(halt: &watch::Sender<Halt>, stop: &CancellationToken) {
    let mut halt = halt.subscribe();
    tokio::select! {
        _ = reached(&mut halt, Halt::Lost) => {}
        () = stop.cancelled() => {}
    }
}

impl From<Cancel> for Halt {
    fn from(cancel: Cancel) -> Self {
        match cancel {
            Cancel::Plain => Self::Cancel,
            Cancel::Forced => Self::Force,
        }
    }
}
