//! Answers the ends of upstream runs: waits for them, and has the engine create the runs that they
//! start.
//!
//! `answers` decides. Storage ensures that no end starts two runs of a pipeline.

use std::time::Duration;

use super::RETRY;
use super::answers::plan;
use super::together::decide_all;
use crate::engine::SchedulerHandle;
use crate::error::{ErrorKind, Result, log};
use crate::storage::{EndAnswer, WaitingEnds};

/// The pause while the queue is full.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// When to look at the ends again, unless some arrive earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Now,
    After(Duration),
    WhenWoken,
}

pub(super) async fn run(handle: SchedulerHandle) {
    loop {
        let next = match answer_all(&handle).await {
            Ok(next) => next,
            Err(error) => {
                log::warn!(%error, "dependent runs cannot start while storage is unavailable");
                Next::After(RETRY)
            }
        };
        let pause = async {
            match next {
                Next::Now => {}
                Next::After(pause) => handle.clock().sleep(pause).await,
                Next::WhenWoken => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = handle.wait_for_drain() => return,
            () = handle.wait_for_ends() => {}
            () = pause => {}
        }
    }
}

/// Answers the ends of all pipelines.
async fn answer_all(handle: &SchedulerHandle) -> Result<Next> {
    let waiting = handle.waiting_ends().await?;
    let answered = decide_all(handle, waiting, answer).await?;
    Ok(answered.into_iter().min().unwrap_or(Next::WhenWoken))
}

/// Answers the ends of one pipeline.
async fn answer(handle: SchedulerHandle, waiting: WaitingEnds) -> Result<Next> {
    let WaitingEnds { pipeline, ends, .. } = waiting;
    let mut next = Next::WhenWoken;
    for planned in plan(&pipeline.definition, &ends, handle.clock().now()) {
        let answered = handle.answer(&pipeline, planned.ends, planned.starts.as_ref());
        match answered.await {
            // More may wait than one read returns.
            Ok(EndAnswer::Created | EndAnswer::Dropped) if ends.len() >= WaitingEnds::MAX => {
                next = Next::Now;
            }
            Ok(EndAnswer::Created | EndAnswer::Dropped) => {}
            // A save wakes the loop again. A storage that repeats this must not keep it busy.
            Ok(EndAnswer::Stale) => return Ok(Next::After(RETRY)),
            Err(error) if error.kind() == ErrorKind::QueueFull => {
                log::warn!(pipeline_id = %pipeline.id, "a dependent run waits for room in the queue");
                return Ok(Next::After(FULL_PAUSE));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(next)
}
