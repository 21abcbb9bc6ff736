//! The query parameter `wait`: a request that is answered once a run has finished, or the time is
//! over.

use std::time::Duration;

use super::call::Call;
use super::permission::Permission;
use super::query::Query;
use crate::error::{Error, Problem, Result, log};
use crate::model::{RunId, Scope};
use crate::views::TaggedJson;

/// The name of the parameter.
pub(super) const WAIT: &str = "wait";

/// The longest wait in seconds. Proxies close a connection that is silent for longer.
pub(super) const WAIT_SECONDS_MAX: u64 = 60;

/// Reads how long a request waits.
///
/// # Errors
/// `Malformed` (`invalid-parameter`).
pub(super) fn read(query: &Query) -> Result<Option<Duration>> {
    let seconds = query.number(WAIT, 1..=WAIT_SECONDS_MAX)?;
    Ok(seconds.map(Duration::from_secs))
}

/// The wait for a run that a request starts.
pub(super) struct StartWait {
    time: Duration,
    /// The scope in which the caller sees the run.
    scope: Scope,
}

impl StartWait {
    /// Creates the wait of a request that may wait.
    ///
    /// # Errors
    /// `Forbidden` if the caller may start runs and not see them.
    pub(super) fn new(call: &Call, time: Option<Duration>) -> Result<Option<Self>> {
        let Some(time) = time else {
            return Ok(None);
        };
        let scope = call.scope_for(Permission::RunsView).ok_or_else(|| {
            let detail = "the parameter wait shows the run, which needs the permission runs.view";
            Error::new(Problem::Forbidden, detail)
        })?;
        Ok(Some(Self { time, scope }))
    }

    /// Returns the run once it has finished, or `None` if the time is over first.
    ///
    /// The run is stored, and its caller learns that whatever the wait meets.
    pub(super) async fn finished_run(&self, call: &Call, run: RunId) -> Option<TaggedJson> {
        let finished = async {
            if until_finished(call, run, &self.scope, self.time).await? {
                return call.views().run(run, &self.scope).await.map(Some);
            }
            Ok(None)
        };
        finished.await.unwrap_or_else(|error: Error| {
            log::warn!(run_id = %run, %error, "a caller stopped waiting for a run");
            None
        })
    }
}

/// Waits until a run has finished. Returns false if the time is over or Floret stops first.
///
/// # Errors
/// `NotFound` (`run-not-found`) if there is no such run, or it is purged meanwhile; `Unavailable`.
pub(super) async fn until_finished(
    call: &Call,
    run: RunId,
    scope: &Scope,
    wait: Duration,
) -> Result<bool> {
    let (engine, views) = (call.engine(), call.views());
    let finished = || async { Ok(views.is_finished(run, scope).await?.then_some(())) };
    let finished = engine.events().until_finished(run, finished);
    let finished = engine.clock().timeout(wait, finished).await.transpose()?;
    Ok(finished.flatten().is_some())
}
