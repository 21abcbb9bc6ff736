//! The stop signal of a run: how urgently its nodes must stop.
//!
//! The driver and `active` raise it and never lower it; nodes watch it. The steps of a forced
//! cancel are described in `cancel`.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::model::Cancel;

/// How urgently a run must stop. A greater signal includes the smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StopSignal {
    /// The run continues.
    None,
    /// The engine shuts down: no node starts, executing nodes may finish.
    Drain,
    /// A plain cancel: no node starts, executing nodes may finish.
    Cancel,
    /// The run's timeout has passed: executing nodes are asked to stop and fail. They are aborted
    /// after the stop grace.
    TimedOut,
    /// A forced cancel: executing nodes are asked to stop.
    Force,
    /// The grace of the forced cancel has passed: executing nodes are aborted.
    Abandon,
    /// The lease is lost or the run is released: executing nodes are dropped and not recorded.
    LeaseLost,
}

/// Waits until the stop signal is at least `least`, and returns it.
pub(super) async fn wait_for_signal(
    stop_signal: &mut watch::Receiver<StopSignal>,
    least: StopSignal,
) -> StopSignal {
    match stop_signal.wait_for(|signal| *signal >= least).await {
        Ok(signal) => *signal,
        // The driver was dropped: the run no longer executes here.
        Err(_) => StopSignal::LeaseLost,
    }
}

/// Resolves once nothing of the run may be stored any more: its lease is lost, or the engine stops.
pub(super) async fn lost_or_stopped(
    stop_signal: &watch::Sender<StopSignal>,
    stop: &CancellationToken,
) {
    let mut stop_signal = stop_signal.subscribe();
    tokio::select! {
        _ = wait_for_signal(&mut stop_signal, StopSignal::LeaseLost) => {}
        () = stop.cancelled() => {}
    }
}

impl From<Cancel> for StopSignal {
    fn from(cancel: Cancel) -> Self {
        match cancel {
            Cancel::Plain => Self::Cancel,
            Cancel::Forced => Self::Force,
        }
    }
}
