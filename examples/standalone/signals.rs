//! The signals of a server: SIGINT and SIGTERM stop it, SIGHUP makes it read its keys again.

use std::process::ExitCode;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// The number of the signal on Linux, from signal(7).
#[cfg(target_os = "linux")]
const SIGXFSZ: i32 = 25;

/// The signals of a server.
pub(crate) struct Signals {
    pub(crate) stop: StopSignals,
    pub(crate) reload: ReloadSignal,
    // Held, so that the signal does not end the process: a write beyond a limit on the size of
    // files then fails, and its request gets an answer.
    #[cfg(target_os = "linux")]
    _file_too_large: Signal,
}

/// Waits for SIGINT or SIGTERM, or for Ctrl-C on other systems.
pub(crate) struct StopSignals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

/// A signal that stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// Ctrl-C
    Interrupt,
    /// A request of the system
    #[cfg(unix)]
    Terminate,
}

/// Waits for SIGHUP, which other systems do not have.
pub(crate) struct ReloadSignal {
    #[cfg(unix)]
    hangup: Option<Signal>,
}

impl Signals {
    /// Registers the signal handlers. Signals that arrive from here on are received.
    ///
    /// Without anything to reload, SIGHUP ends the process, as at the end of a terminal.
    pub(crate) fn listen(has_reload: bool) -> Result<Self, Failure> {
        Ok(Self {
            stop: StopSignals::listen()?,
            reload: ReloadSignal::listen(has_reload)?,
            #[cfg(target_os = "linux")]
            _file_too_large: signal(SignalKind::from_raw(SIGXFSZ)).map_err(failed)?,
        })
    }
}

impl StopSignal {
    /// Returns the exit code of a program that the signal has stopped: 128 plus its number.
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Interrupt => 130,
            #[cfg(unix)]
            Self::Terminate => 143,
        })
    }
}

impl StopSignals {
    /// Registers the handlers of the signals that stop the program.
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Registers the handler of the signal that stops the program.
    #[cfg(windows)]
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c().map_err(failed)?,
        })
    }

    /// Waits for the next signal that stops the program.
    pub(crate) async fn received(&mut self) -> StopSignal {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
        #[cfg(windows)]
        {
            self.interrupt.recv().await;
            StopSignal::Interrupt
        }
    }
}

impl ReloadSignal {
    #[cfg(unix)]
    fn listen(has_reload: bool) -> Result<Self, Failure> {
        let hangup = has_reload.then(|| signal(SignalKind::hangup()));
        Ok(Self {
            hangup: hangup.transpose().map_err(failed)?,
        })
    }

    #[cfg(not(unix))]
    const fn listen(_: bool) -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Waits for the next signal. Without a handler, it waits forever.
    pub(crate) async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(hangup) = &mut self.hangup {
            hangup.recv().await;
            return;
        }
        std::future::pending().await
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::of("signals cannot be received", error)
}
