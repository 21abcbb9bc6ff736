//! Waits while the machine has no descriptor or no process for another program.
//!
//! Such a program has not started, and its attempt has not failed: others give back what it needs.
//! `child` starts the program.

use std::io;
use std::time::Duration;

use crate::clock::Clock;
use crate::executor::NodeLog;

/// The delay before the second try. It doubles up to [`DELAY_MAX`].
const DELAY: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Tries `spawn` until the machine has room for a program. The caller bounds the wait.
///
/// # Errors
/// Any other error of `spawn`.
pub(super) async fn spawn_when_possible<T>(
    clock: &Clock,
    log: &NodeLog,
    mut spawn: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let mut delay = DELAY;
    loop {
        match spawn() {
            Err(error) if is_exhausted(&error) => {
                if delay == DELAY {
                    let line = format!("the command waits until it can be started: {error}");
                    log.warning(line).await;
                }
                clock.sleep(delay).await;
                delay = delay.saturating_mul(2).min(DELAY_MAX);
            }
            spawned => return spawned,
        }
    }
}

/// Returns whether the process or the machine has no descriptor left, or no process.
#[cfg(unix)]
fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::AGAIN];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

/// Other systems report no such error.
#[cfg(not(unix))]
const fn is_exhausted(_: &io::Error) -> bool {
    false
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;
    use crate::testing::ManualClock;

    #[tokio::test]
    async fn a_program_waits_while_descriptors_or_processes_are_exhausted() {
        let clock = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
        let shortages = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::MFILE];
        let mut shortages = shortages.into_iter();
        let spawn = || match shortages.next() {
            Some(errno) => Err(io::Error::from(errno)),
            None => Ok("started"),
        };
        let (system, log) = (clock.clock(), NodeLog::discard());
        let mut starting = Box::pin(spawn_when_possible(&system, &log, spawn));
        for delay in [50, 100, 200, 400].map(Duration::from_millis) {
            tokio::select! {
                biased;
                _ = &mut starting => panic!("it does not wait"),
                () = std::future::ready(()) => {}
            }
            assert_eq!(clock.next_wake(), Some(delay));
            clock.advance(delay);
        }
        assert_eq!(starting.await.unwrap(), "started");
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_fails_at_once() {
        let clock = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
        let spawn = || Err::<(), _>(io::Error::from(Errno::NOENT));
        let failed = spawn_when_possible(&clock.clock(), &NodeLog::discard(), spawn).await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
