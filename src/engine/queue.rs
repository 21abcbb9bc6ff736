//! Claims runs while slots are free, executes them, and renews their leases.
//!
//! Storage chooses the next run and applies every limit on runs, both in the claim.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tracing::Instrument;

use super::Shared;
use super::active::DriverHandle;
use super::driver::RunExit;
use super::prepare::{self, PrepareError, PreparedRun, RunSignals};
use super::stop_signal::StopSignal;
use crate::error::{Error, Result, trace_causes};
use crate::model::{OwnerId, RunStatus};
use crate::storage::{Append, Claim, ClaimOutcome, ClaimedRun, Entry, HeldRun};

const RETRY: Duration = Duration::from_millis(200);

/// Claims runs until the engine drains.
pub(super) async fn run(shared: Arc<Shared>) {
    let started = shared.clock.elapsed();
    let suspects_at = started.saturating_add(shared.limits.suspect_delay);
    let mut owner = shared.clock.new_owner_id();
    loop {
        let may_claim_suspects = shared.clock.elapsed() >= suspects_at;
        let next = match claim(&shared, owner, may_claim_suspects).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "the queue waits for storage");
                // The claim may be committed although it failed; nothing executes its runs then.
                // Under a new owner they can be claimed once their lease expires.
                owner = shared.clock.new_owner_id();
                NextClaim::After(RETRY)
            }
        };
        let pause = async {
            match next {
                NextClaim::WhenWoken => std::future::pending().await,
                NextClaim::After(pause) => shared.clock.sleep(pause).await,
                NextClaim::WhenSuspectsMayStart => shared.clock.sleep_until(suspects_at).await,
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

/// When to claim again unless the queue is woken earlier.
enum NextClaim {
    WhenWoken,
    After(Duration),
    WhenSuspectsMayStart,
}

async fn claim(
    shared: &Arc<Shared>,
    owner: OwnerId,
    may_claim_suspects: bool,
) -> Result<NextClaim> {
    let free = shared.limits.runs_max.saturating_sub(shared.active.count());
    if free == 0 || shared.drain.is_cancelled() {
        return Ok(NextClaim::WhenWoken);
    }
    shared.active.clear_early_cancels();
    let mut claim = Claim::new(owner, free, shared.clock.now());
    claim.runs_max = shared.limits.runs_max;
    claim.crashes_max = shared.limits.crashes_max;
    claim.lease = shared.limits.lease;
    claim.suspects = may_claim_suspects;
    let claims = shared.storage.claim(claim).await?;
    Ok(execute_claimed(shared, owner, claims, may_claim_suspects))
}

fn execute_claimed(
    shared: &Arc<Shared>,
    owner: OwnerId,
    claims: ClaimOutcome,
    may_claim_suspects: bool,
) -> NextClaim {
    shared.events.committed(claims.seq);
    for run in &claims.poisoned {
        tracing::error!(run_id = %run, "the run failed as poisoned: it crashed the process too often");
        shared.events.run_finished(*run);
    }
    shared.notify_cancelled_backfills(claims.cancelled_backfills);
    for run in &claims.unreadable {
        tracing::error!(run_id = %run, "the stored run cannot be read");
    }
    for claimed in claims.claimed {
        execute(shared, owner, claimed);
    }
    if !claims.unreadable.is_empty() {
        return NextClaim::After(RETRY);
    }
    if claims.suspects_left && !may_claim_suspects {
        return NextClaim::WhenSuspectsMayStart;
    }
    match claims.lease_until {
        Some(until) => NextClaim::After(
            until
                .signed_duration_since(shared.clock.now())
                .to_std()
                .unwrap_or(RETRY)
                .max(RETRY),
        ),
        None => NextClaim::WhenWoken,
    }
}

fn execute(shared: &Arc<Shared>, owner: OwnerId, claimed: ClaimedRun) {
    let span = tracing::info_span!("run", run_id = %claimed.run.id, pipeline_id = %claimed.run.pipeline_id);
    let guard = SlotGuard {
        shared: Arc::clone(shared),
        owner,
        held: HeldRun::new(claimed.run.id, claimed.epoch),
    };
    let (cancel_sender, cancel_request) = watch::channel(claimed.run.cancel);
    let stop_signal = watch::Sender::new(StopSignal::None);
    shared.active.insert(
        claimed.run.id,
        DriverHandle::new(owner, claimed.epoch, cancel_sender, stop_signal.clone()),
    );
    let signals = RunSignals {
        cancel_request,
        stop_signal,
    };
    shared
        .tasks
        .spawn(drive(guard, claimed, signals).instrument(span));
}

/// Frees the run's slot however its task ends.
struct SlotGuard {
    shared: Arc<Shared>,
    owner: OwnerId,
    held: HeldRun,
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        self.shared.active.remove(self.held);
        self.shared.wake.notify_one();
    }
}

async fn drive(guard: SlotGuard, claimed: ClaimedRun, signals: RunSignals) {
    let shared = Arc::clone(&guard.shared);
    let held = guard.held;
    let exit = match prepare::prepare_run(&shared, claimed.clone(), signals).await {
        Ok(PreparedRun { driver, skipped }) => driver.run(skipped).await,
        Err(PrepareError::LeaseLost) => RunExit::LeaseLost,
        Err(PrepareError::Invalid(error)) => {
            tracing::error!(%error, "the stored definition is invalid");
            trace_causes(&error);
            finish_invalid(&shared, &claimed, &error).await
        }
    };
    match exit {
        RunExit::Finished => shared.events.run_finished(held.run),
        RunExit::Released => release(&shared, guard.owner, held).await,
        // The stop may be the only reason. If the lease is lost, the release changes nothing.
        RunExit::LeaseLost if shared.stop.is_cancelled() => {
            release(&shared, guard.owner, held).await
        }
        RunExit::LeaseLost => tracing::warn!("the run stopped here, since its lease is lost"),
    }
    drop(guard);
}

/// Finishes a run with an invalid definition, as failed or cancelled.
async fn finish_invalid(shared: &Arc<Shared>, claimed: &ClaimedRun, error: &Error) -> RunExit {
    let entry = invalid_definition_entry(claimed, error, shared.clock.now());
    let append = Append::new(claimed.run.id, claimed.epoch, claimed.position, vec![entry]);
    match shared.storage.append(append).await {
        Ok(appended) => {
            shared.events.committed(appended.seq);
            shared.notify_cancelled_backfills(appended.cancelled_backfill);
            RunExit::Finished
        }
        Err(error) => {
            tracing::error!(
                %error,
                "a run with an invalid definition could not be finished; the next start tries again"
            );
            trace_causes(&error);
            RunExit::LeaseLost
        }
    }
}

/// Returns the entry that finishes a run with an invalid definition.
fn invalid_definition_entry(claimed: &ClaimedRun, error: &Error, at: DateTime<Utc>) -> Entry {
    let status = if claimed.run.cancel.is_some() {
        RunStatus::Cancelled
    } else {
        RunStatus::Failed
    };
    Entry::RunFinished {
        status,
        error: Some(format!("the stored definition cannot be executed: {error}")),
        at,
    }
}

async fn release(shared: &Shared, owner: OwnerId, held: HeldRun) {
    if let Err(error) = shared.storage.release(owner, vec![held]).await {
        tracing::warn!(%error, run_id = %held.run, "a run could not be released; the next start counts a crash");
    }
}

/// Renews the leases of all active runs until the engine stops.
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
            renew_leases(&shared, owner, held).await;
        }
    }
}

async fn renew_leases(shared: &Shared, owner: OwnerId, held: Vec<HeldRun>) {
    let (lease, now) = (shared.limits.lease, shared.clock.now());
    match shared.storage.renew(owner, held, lease, now).await {
        Ok(lost) => lost
            .into_iter()
            .for_each(|held| shared.active.stop_after_lease_loss(held)),
        Err(error) => {
            tracing::warn!(%error, "leases could not be renewed; the next round tries again");
        }
    }
}
