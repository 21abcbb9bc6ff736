//! Serves until a signal arrives, and then shuts down in order.

use std::time::Duration;

use floret::{Floret, RunsService};
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::listener::Connections;

/// How long nodes may run on after the server was asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long responses may take after the nodes have stopped.
const RESPONSE_GRACE: Duration = Duration::from_secs(5);

/// Serves until a signal arrives, then shuts down in order.
pub(crate) async fn serve(
    listener: TcpListener,
    service: RunsService,
    floret: &Floret,
    mut signals: Signals,
) -> Result<(), Failure> {
    let mut connections = Connections::new();
    tokio::select! {
        () = connections.accept(&listener, service.clone()) => {}
        () = signals.received() => {}
    }
    tracing::info!(
        "shutting down: executing nodes have {} s; a second signal stops the server at once",
        GRACE.as_secs()
    );
    tokio::select! {
        result = shut_down(floret, connections, listener, service) => result,
        () = signals.received() => Err(Failure::new("stopped at once; unfinished runs continue at the next start")),
    }
}

/// Shuts Floret down first: it closes its streams, which the connections wait for. New connections
/// are accepted meanwhile, so that a load balancer sees in the health that it has to send its
/// requests elsewhere.
async fn shut_down(
    floret: &Floret,
    mut connections: Connections,
    listener: TcpListener,
    service: RunsService,
) -> Result<(), Failure> {
    let mut closed = Ok(());
    let closing = async { closed = floret.shutdown(GRACE).await };
    tokio::select! {
        () = closing => {}
        () = connections.accept(&listener, service) => {}
    }
    drop(listener);
    connections.finish(RESPONSE_GRACE).await;
    closed.map_err(|error| Failure::of("the store could not be closed properly", error))
}

/// The number of the signal on Linux, from signal(7).
#[cfg(target_os = "linux")]
const SIGXFSZ: i32 = 25;

/// Waits for SIGINT or SIGTERM, or for Ctrl-C on other systems.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    // Held, so that the signal does not end the process: a write beyond a limit on the size of
    // files then fails, and its request gets an answer.
    #[cfg(target_os = "linux")]
    _file_too_large: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    /// Registers the signal handlers. Signals that arrive from here on are received.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::of("signals cannot be received", error);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
                terminate: signal(SignalKind::terminate()).map_err(failed)?,
                #[cfg(target_os = "linux")]
                _file_too_large: signal(SignalKind::from_raw(SIGXFSZ)).map_err(failed)?,
            })
        }
        #[cfg(windows)]
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c().map_err(failed)?,
        })
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}
