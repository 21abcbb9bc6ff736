//! Answers the ends of upstream runs: waits for them, and has the engine create the runs that they
//! start.
//!
//! `answers` decides. Storage ensures that no end starts two runs of a pipeline.

use std::time::Duration;

use super::RETRY;
use super::answers::{PlannedAnswer, plan};
use super::together::decide_all;
use crate::engine::SchedulerHandle;
use crate::error::{ErrorKind, Result, log};
use crate::model::StoredPipeline;
use crate::storage::{EndAnswer, WaitingEnds};

/// The pause while the queue is full.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Done,
    /// Another change came first. It has woken the loop, unless storage repeats this.
    Stale,
    QueueFull,
}

/// Answers ends until the engine drains.
pub(super) async fn run(handle: SchedulerHandle) {
    let mut was_full = false;
    loop {
        let next = answer_all(&handle, &mut was_full).await;
        let pause = async {
            match next {
                Ok(Some(pause)) => handle.clock().sleep(pause).await,
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    log::warn!(%error, "dependent runs cannot start while storage is unavailable");
                    handle.clock().sleep(RETRY).await;
                }
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

/// Answers the ends that can be answered. Returns when to look again, unless some arrive earlier.
async fn answer_all(handle: &SchedulerHandle, was_full: &mut bool) -> Result<Option<Duration>> {
    loop {
        let waiting = handle.waiting_ends().await?;
        let now = handle.clock().now();
        // More may wait than one read returns.
        let has_more = waiting.iter().any(|one| one.ends.len() >= WaitingEnds::MAX);
        let planned = waiting
            .into_iter()
            .flat_map(|WaitingEnds { pipeline, ends, .. }| {
                let answers = plan(&pipeline.definition, &ends, now).into_iter();
                let with_pipeline = move |answer| (pipeline.clone(), answer);
                answers.map(with_pipeline).collect::<Vec<_>>()
            });
        let answered = decide_all(handle, planned.collect(), answer).await?;
        let is_full = answered.contains(&Answered::QueueFull);
        if is_full && !*was_full {
            log::warn!("dependent runs wait for room in the queue");
        }
        *was_full = is_full;
        let has_progress = answered.contains(&Answered::Done);
        if is_full {
            return Ok(Some(FULL_PAUSE));
        } else if answered.contains(&Answered::Stale) {
            return Ok(Some(RETRY));
        } else if !(has_more && has_progress) || handle.is_draining() {
            return Ok(None);
        }
    }
}

/// Gives one answer.
///
/// Its run has its id before the future begins, so that the runs of a pipeline are in the order of
/// the ends, whichever answer comes first.
fn answer(
    handle: SchedulerHandle,
    (pipeline, planned): (StoredPipeline, PlannedAnswer),
) -> impl Future<Output = Result<Answered>> + Send + 'static {
    let answer = handle.new_answer(&pipeline, planned.ends, planned.starts.as_ref());
    async move {
        match handle.answer(answer).await {
            Ok(EndAnswer::Created | EndAnswer::Dropped) => Ok(Answered::Done),
            Ok(EndAnswer::Stale) => Ok(Answered::Stale),
            Err(error) if error.kind() == ErrorKind::QueueFull => Ok(Answered::QueueFull),
            Err(error) => Err(error),
        }
    }
}
