//! Claims runs as slots come free, and keeps the claims alive.
//!
//! Which run is next and every limit on runs is decided by storage, in the claim.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument;

use super::Shared;
use super::active::Handle;
use super::driver::Left;
use super::halt::Halt;
use super::recovery::{self, Strings};
use crate::error::{Result, trace_causes};
use crate::model::OwnerId;
use crate::storage::{Append, Claim, ClaimOutcome, ClaimedRun, HeldRun};

const RETRY: Duration = Duration::from_millis(200);

/// Claims runs until the engine drains.
pub(super) async fn run(shared: Arc<Shared>) {
    let started = shared.clock.elapsed();
    let settled_at = started.saturating_add(shared.limits.suspect_delay);
    let mut owner = shared.clock.new_owner_id();
    loop {
        let is_settled = shared.clock.elapsed() >= settled_at;
        let next = match claim(&shared, owner, is_settled).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "the queue waits for storage");
                // What the failed claim may have taken is executed by nobody. Under another name it can be claimed again once its lease has run out.
                owner = shared.clock.new_owner_id();
                Look::After(RETRY)
            }
        };
        let pause = async {
            match next {
                Look::WhenWoken => std::future::pending().await,
                Look::After(pause) => shared.clock.sleep(pause).await,
                Look::OnceSettled => shared.clock.sleep_until(settled_at).await,
            }
        };
        tokio::select! {
            biased;
            () = shared.drain.cancelled() => return,
            () = shared.wake.notified() => {}
            () = pause => {}
        }
    }
}

/// When to look at the queue again, if nothing wakes it before.
enum Look {
    WhenWoken,
    After(Duration),
    OnceSettled,
}

async fn claim(shared: &Arc<Shared>, owner: OwnerId, is_settled: bool) -> Result<Look> {
    let free = shared.limits.runs_max.saturating_sub(shared.active.count());
    if free == 0 || shared.drain.is_cancelled() {
        return Ok(Look::WhenWoken);
    }
    shared.active.claim_begins();
    let mut claim = Claim::new(owner, free, shared.clock.now());
    claim.runs_max = shared.limits.runs_max;
    claim.crashes_max = shared.limits.crashes_max;
    claim.lease = shared.limits.lease;
    claim.suspects = is_settled;
    let claims = shared.storage.claim(claim).await?;
    Ok(taken(shared, owner, claims, is_settled))
}

fn taken(shared: &Arc<Shared>, owner: OwnerId, claims: ClaimOutcome, is_settled: bool) -> Look {
    shared.events.committed(claims.seq);
    for run in &claims.poisoned {
        tracing::error!(run_id = %run, "the run is given up as poisoned");
        shared.events.run_finished(*run);
    }
    shared.tell_of_stopped(claims.stopped);
    for run in &claims.unreadable {
        tracing::error!(run_id = %run, "the stored run cannot be read");
    }
    for claimed in claims.claimed {
        execute(shared, owner, claimed);
    }
    if !claims.unreadable.is_empty() {
        return Look::After(RETRY);
    }
    if claims.suspects_left && !is_settled {
        return Look::OnceSettled;
    }
    match claims.lease_until {
        Some(until) => Look::After(
            until
                .signed_duration_since(shared.clock.now())
                .to_std()
                .unwrap_or(RETRY)
                .max(RETRY),
        ),
        None => Look::WhenWoken,
    }
}

fn execute(shared: &Arc<Shared>, owner: OwnerId, claimed: ClaimedRun) {
    let span = tracing::info_span!("run", run_id = %claimed.run.id, pipeline_id = %claimed.run.pipeline_id);
    let leaving = Leaving {
        shared: Arc::clone(shared),
        owner,
        held: HeldRun::new(claimed.run.id, claimed.epoch),
    };
    let (cancel, wish) = watch::channel(claimed.run.cancel);
    let halt = watch::Sender::new(Halt::Not);
    shared.active.insert(
        claimed.run.id,
        Handle::new(owner, claimed.epoch, cancel, halt.clone()),
    );
    shared
        .tasks
        .spawn(drive(leaving, claimed, Strings { wish, halt }).instrument(span));
}

/// Frees the run's slot however its task ends.
struct Leaving {
    shared: Arc<Shared>,
    owner: OwnerId,
    held: HeldRun,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.shared.active.remove(self.held);
        self.shared.wake.notify_one();
    }
}

async fn drive(leaving: Leaving, claimed: ClaimedRun, strings: Strings) {
    let shared = Arc::clone(&leaving.shared);
    let held = leaving.held;
    let left = match recovery::take_up(&shared, claimed.clone(), strings).await {
        Ok(Ok((driver, skipped))) => driver.run(skipped).await,
        Ok(Err(super::journal::Lost)) => Left::Lost,
        Err(error) => {
            tracing::error!(%error, "the stored definition cannot be executed");
            trace_causes(&error);
            end_broken(&shared, &claimed, &error).await
        }
    };
    match left {
        Left::Ended => shared.events.run_finished(held.run),
        Left::Released => release(&shared, leaving.owner, held).await,
        // Storage was out of reach until the end; where the claim is lost this gives nothing back.
        Left::Lost if shared.stop.is_cancelled() => release(&shared, leaving.owner, held).await,
        Left::Lost => tracing::warn!("the run was left, since its claim is lost"),
    }
    drop(leaving);
}

async fn end_broken(
    shared: &Arc<Shared>,
    claimed: &ClaimedRun,
    error: &crate::error::Error,
) -> Left {
    let entry = recovery::broken(claimed, error, shared.clock.now());
    let append = Append::new(claimed.run.id, claimed.epoch, claimed.position, vec![entry]);
    match shared.storage.append(append).await {
        Ok(appended) => {
            shared.events.committed(appended.seq);
            shared.tell_of_stopped(appended.stopped);
            Left::Ended
        }
        Err(error) => {
            tracing::error!(
                %error,
                "a run that cannot be executed could not be ended; it is left to the next start"
            );
            trace_causes(&error);
            Left::Lost
        }
    }
}

async fn release(shared: &Shared, owner: OwnerId, held: HeldRun) {
    if let Err(error) = shared.storage.release(owner, vec![held]).await {
        tracing::warn!(%error, run_id = %held.run, "a run could not be given back; the next start charges it a crash");
    }
}

/// Prolongs the claims of every run under way until the engine stops.
pub(super) async fn renew(shared: Arc<Shared>) {
    let pause = shared
        .limits
        .lease
        .checked_div(3)
        .unwrap_or_default()
        .max(Duration::from_millis(1));
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.clock.sleep(pause) => {}
        }
        for (owner, held) in shared.active.held() {
            prolong(&shared, owner, held).await;
        }
    }
}

async fn prolong(shared: &Shared, owner: OwnerId, held: Vec<HeldRun>) {
    let (lease, now) = (shared.limits.lease, shared.clock.now());
    match shared.storage.renew(owner, held, lease, now).await {
        Ok(lost) => lost.into_iter().for_each(|held| shared.active.lose(held)),
        Err(error) => {
            tracing::warn!(%error, "claims could not be prolonged; it is tried again");
        }
    }
}
