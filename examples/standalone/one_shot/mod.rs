//! Executes one run of a pipeline in this process, shows its progress, and exits by its status.
//!
//! `progress` shows the nodes.

mod progress;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use floret::storage::EventFilter;
use floret::{Builder, Error, ErrorKind, Floret, RunHandle, RunStatus};

use self::progress::Progress;
pub(crate) use self::progress::ProgressForm;
use crate::failure::Failure;
use crate::options::HostOptions;
use crate::output::one_line;
use crate::signals::{StopSignal, StopSignals};
use crate::{definitions, floret as host};

/// How long other runs of the store may go on after the run has finished.
const GRACE: Duration = Duration::from_secs(10);

/// The run that is asked for.
#[derive(Debug)]
pub(crate) struct OneShot {
    pub(crate) pipeline: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) progress: ProgressForm,
}

/// Executes the run. The exit code is 0 after a success, 1 if the run failed, 2 if there is no such
/// pipeline or a parameter is wrong, and 128 plus the number of the signal that cancelled it.
pub(crate) async fn run(
    db: &Path,
    options: &HostOptions,
    asked: OneShot,
) -> Result<ExitCode, Failure> {
    let mut signals = StopSignals::listen()?;
    let floret = host::start_with(db, options, Builder::no_schedules).await?;
    let outcome = execute(&floret, asked, &mut signals).await;
    let closed = floret.shutdown(GRACE).await;
    let code = outcome?;
    closed.map_err(|error| Failure::of("the store could not be closed properly", error))?;
    Ok(code)
}

async fn execute(
    floret: &Floret,
    asked: OneShot,
    signals: &mut StopSignals,
) -> Result<ExitCode, Failure> {
    let mut builder = floret.run(&asked.pipeline);
    for (name, value) in &asked.params {
        builder = builder.param(name, value);
    }
    let run = builder.start().await.map_err(refused)?;
    let detail = run.get().await.map_err(unreadable)?;
    let mut progress = Progress::new(&detail, asked.progress);
    note_pause(floret, &asked.pipeline, &mut progress).await?;
    let cancelled_by = follow(floret, &run, &mut progress, signals).await?;
    let run = run.get().await.map_err(unreadable)?.run;
    progress.finish(&run)?;
    Ok(match run.status {
        RunStatus::Success => ExitCode::SUCCESS,
        RunStatus::Failed => ExitCode::FAILURE,
        _ => cancelled_by.map_or(ExitCode::FAILURE, StopSignal::code),
    })
}

/// Says that the run waits, if its pipeline is paused.
async fn note_pause(
    floret: &Floret,
    pipeline: &str,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let stored = floret.pipelines().get(pipeline).await.map_err(unreadable)?;
    let Some(pause) = stored.paused else {
        return Ok(());
    };
    let reason = pause.reason.map(|reason| format!(": {reason}"));
    let reason = one_line(&reason.unwrap_or_default());
    progress.note(&format!("the pipeline is paused{reason}; the run waits"))
}

/// Shows the events of a run until it has finished. The first signal cancels the run, the second
/// cancels what executes too, and the third leaves it as it is. Returns the first.
async fn follow(
    floret: &Floret,
    run: &RunHandle,
    progress: &mut Progress,
    signals: &mut StopSignals,
) -> Result<Option<StopSignal>, Failure> {
    let mut filter = EventFilter::default();
    filter.run = Some(run.id());
    let mut events = floret.events_of(filter, 0);
    let mut received = Vec::new();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => {
                    progress.show(&event)?;
                    if event.kind.is_terminal() {
                        break;
                    }
                }
                Some(Err(error)) => return Err(unreadable(error)),
                None => break,
            },
            signal = signals.received() => {
                received.push(signal);
                match received.len() {
                    // Once it says so, the cancel is stored.
                    1 => {
                        cancel(run, false).await?;
                        progress.note("cancelling: executing nodes may finish; a second signal stops them")?;
                    }
                    2 => {
                        cancel(run, true).await?;
                        progress.note("stopping the executing nodes; a third signal leaves at once")?;
                    }
                    _ => break,
                }
            }
        }
    }
    Ok(received.first().copied())
}

async fn cancel(run: &RunHandle, is_forced: bool) -> Result<(), Failure> {
    let cancel = run.cancel().reason("its process was asked to stop");
    let cancelled = if is_forced {
        cancel.force().await
    } else {
        cancel.await
    };
    match cancelled {
        // It has finished meanwhile.
        Err(error) if error.kind() == ErrorKind::RunFinished => Ok(()),
        cancelled => cancelled
            .map(drop)
            .map_err(|error| Failure::of("the run cannot be cancelled", error)),
    }
}

fn refused(error: Error) -> Failure {
    let message = definitions::all_of(&error);
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Malformed | ErrorKind::Conflict => {
            Failure::usage(message)
        }
        _ => Failure::of("the run was not created", error),
    }
}

fn unreadable(error: Error) -> Failure {
    Failure::of("the run cannot be read", error)
}
