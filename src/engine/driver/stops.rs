//! What stops a run before its nodes have ended by themselves: a wish, its time, a shutdown; and how it leaves.
//!
//! What executing nodes make of it is told by `halt`.

use std::time::Duration;

use super::{Driver, Left};
use crate::engine::Shared;
use crate::engine::context::Context;
use crate::engine::halt::Halt;
use crate::engine::journal::Lost;
use crate::model::{Cancel, NodeStatus, RunStatus};
use crate::storage::Entry;

/// Moments at which something is due, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    pub(super) run: Option<Duration>,
    pub(super) force: Option<Duration>,
}

impl Driver {
    /// When the run's time is over; the time before a crash counts.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let Context {
            shared,
            run,
            definition,
            ..
        } = &*self.context;
        let timeout = definition.timeout?;
        let started_at = run.started_at.unwrap_or(run.created_at);
        let spent = shared
            .clock
            .now()
            .signed_duration_since(started_at)
            .to_std()
            .unwrap_or_default();
        shared
            .clock
            .elapsed()
            .checked_add(timeout.saturating_sub(spent))
    }

    /// How nodes read that a crash kept from being recorded: a run that was cancelled before it has cancelled them.
    pub(super) fn left_out(&self) -> NodeStatus {
        match *self.wish.borrow() {
            Some(Cancel::Plain | Cancel::Forced) => NodeStatus::Cancelled,
            None => NodeStatus::Skipped,
        }
    }

    /// A run whose time was over before it was taken up starts nothing; one whose nodes have all succeeded has ended in time.
    pub(super) async fn heed_lost_time(&mut self, deadlines: &mut Deadlines) -> Result<(), Lost> {
        let now = self.context.shared.clock.elapsed();
        let is_over = deadlines.run.is_some_and(|deadline| deadline <= now);
        if is_over && self.frontier.run_outcome() != Some(RunStatus::Success) {
            deadlines.run = None;
            self.time_out().await?;
        }
        Ok(())
    }

    pub(super) async fn heed_wish(&mut self, deadlines: &mut Deadlines) -> Result<(), Lost> {
        let Some(cancel) = *self.wish.borrow_and_update() else {
            return Ok(());
        };
        self.context.raise(cancel.into());
        if cancel == Cancel::Forced {
            let shared = &self.context.shared;
            let now = shared.clock.elapsed();
            let due = now.checked_add(shared.limits.force_grace);
            deadlines.force = deadlines.force.or(due);
        }
        let cancelled = self.frontier.cancel();
        self.leave_out(&cancelled, NodeStatus::Cancelled).await
    }

    pub(super) async fn time_out(&mut self) -> Result<(), Lost> {
        let allowed = self.context.definition.timeout.unwrap_or_default();
        let error = format!(
            "the run took longer than its time-out of {} s",
            allowed.as_secs_f64()
        );
        self.first_error.get_or_insert(error);
        self.context.raise(Halt::TimedOut);
        let skipped = self.frontier.time_out();
        self.leave_out(&skipped, NodeStatus::Skipped).await
    }

    /// Nothing is under way: the run has ended, or goes on at another time.
    pub(super) async fn leave(&mut self) -> Result<Left, Lost> {
        let Some(status) = self.frontier.run_outcome() else {
            if *self.context.halt.borrow() == Halt::Lost {
                return Err(Lost);
            }
            return Ok(self.give_back().await);
        };
        let error = if status == RunStatus::Failed {
            self.first_error.take()
        } else {
            None
        };
        let at = self.context.shared.clock.now();
        let mut stored = self
            .context
            .journal
            .store(Entry::RunFinished { status, error, at })
            .await?;
        tokio::select! {
            stored = &mut stored => stored.map(|()| Left::Ended).map_err(|_| Lost),
            // The end is not stored yet, and need not be: the run is told from its nodes when it is claimed again.
            () = self.context.shared.stop.cancelled() => Ok(self.give_back().await),
        }
    }

    /// Drops what executes, stores what is under way to storage, and leaves the rest to the next start.
    pub(super) async fn give_back(&mut self) -> Left {
        self.tasks.shutdown().await;
        self.profiles.shutdown().await;
        Left::Released
    }
}

pub(super) async fn due(shared: &Shared, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => shared.clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
