//! Claims runs while slots are free, and renews their leases.
//!
//! Storage chooses the next run and applies every limit on runs, both in the claim. `execution`
//! executes a claimed run.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::active::OwnClaims;
use super::{Shared, execution};
use crate::error::{Result, catch_panic, log};
use crate::metrics;
use crate::storage::{Claim, ClaimOutcome};

const RETRY: Duration = Duration::from_millis(200);
/// The shortest pause before a delayed run.
const DUE_PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest pause before a delayed run. Its time is one of the wall clock, which may be set.
const DUE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Claims runs until the engine drains.
pub(super) async fn run(shared: Arc<Shared>) {
    let started = shared.clock.elapsed();
    let suspects_at = started.saturating_add(shared.limits.suspect_delay);
    let mut outage = Outage::default();
    loop {
        let may_claim_suspects = shared.clock.elapsed() >= suspects_at;
        let claiming = claim_or_wait(&shared, may_claim_suspects, &mut outage);
        // Storage and the subscriber of the log may be the host's code. A panic of theirs must not
        // end the queue.
        let next = catch_panic(claiming).await;
        let pause = async {
            match next.unwrap_or(NextClaim::After(RETRY)) {
                NextClaim::WhenWoken => std::future::pending().await,
                NextClaim::After(pause) => shared.clock.sleep(pause).await,
                NextClaim::WhenSuspectsMayStart(at_latest) => {
                    let rest = suspects_at.saturating_sub(shared.clock.elapsed());
                    shared.clock.sleep(rest.min(at_latest)).await;
                }
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
    /// When suspects may start, or after this pause if that is earlier.
    WhenSuspectsMayStart(Duration),
}

/// Whether a claim may have finished runs without an answer.
#[derive(Default)]
struct Outage {
    is_open: bool,
}

async fn claim_or_wait(
    shared: &Arc<Shared>,
    may_claim_suspects: bool,
    outage: &mut Outage,
) -> NextClaim {
    let is_after_outage = std::mem::replace(&mut outage.is_open, true);
    match claim(shared, may_claim_suspects).await {
        Ok(next) => {
            outage.is_open = false;
            if is_after_outage {
                // The claim whose answer was lost may have finished poisoned runs.
                shared.events.recheck_waiters();
                shared.recheck_ends();
            }
            next
        }
        Err(error) => {
            // The claim may be committed although it failed. Nothing executes its runs then: they
            // are not among the held ones, so the next claim releases them first.
            log::warn!(%error, "the queue waits for storage");
            NextClaim::After(RETRY)
        }
    }
}

async fn claim(shared: &Arc<Shared>, may_claim_suspects: bool) -> Result<NextClaim> {
    let OwnClaims {
        held,
        ending_count,
        broken_off,
    } = shared.active.own_claims();
    // Storage holds the limit of pending runs: an ending run counts until its end is applied. An
    // orphan may go on beside an ending run, which executes nothing any more.
    let executing_count = held.len().saturating_sub(ending_count);
    let executing_count = u32::try_from(executing_count).unwrap_or(u32::MAX);
    let runs_max = shared.capacity.current().runs_max;
    let free = runs_max.saturating_sub(executing_count);
    if free == 0 && broken_off.is_empty() || shared.drain.is_cancelled() {
        return Ok(NextClaim::WhenWoken);
    }
    shared.active.clear_early_cancels();
    let mut claim = Claim::new(shared.owner, free, shared.clock.now());
    claim.held = held;
    claim.broken_off.clone_from(&broken_off);
    claim.runs_max = runs_max;
    claim.crashes_max = shared.limits.crashes_max;
    claim.lease = shared.limits.lease;
    claim.suspects = may_claim_suspects;
    let claims = shared.storage.claim(claim).await?;
    shared.active.forget_broken_off(&broken_off);
    for run in broken_off {
        // It may have finished all the same: the answer of its last append may be lost.
        shared.events.run_finished(run.run);
        shared.recheck_ends();
    }
    Ok(execute_claimed(shared, claims, may_claim_suspects))
}

fn execute_claimed(
    shared: &Arc<Shared>,
    claims: ClaimOutcome,
    may_claim_suspects: bool,
) -> NextClaim {
    shared.events.committed(claims.seq);
    metrics::runs_poisoned(claims.poisoned.len());
    for run in &claims.poisoned {
        shared.events.run_finished(*run);
        log::error!(run_id = %run, "the run failed as poisoned: it crashed the process too often");
    }
    shared.notify_cancelled_backfills(claims.cancelled_backfills);
    shared.notify_ends(claims.may_start_others);
    for run in &claims.unreadable {
        log::error!(run_id = %run, "the stored run cannot be read");
    }
    for lost in claims.lost {
        shared.active.stop_after_lease_loss(lost);
        // It may have finished, and the answer of its last append may be lost.
        shared.recheck_ends();
    }
    let now = shared.clock.now();
    let due_pause = claims.due_at.map(|due| {
        // A storage that finds a run due and does not claim it must not keep the queue busy.
        let is_left = due <= now && claims.claimed.is_empty();
        let min = if is_left { RETRY } else { DUE_PAUSE_MIN };
        pause_until(due, now).clamp(min, DUE_PAUSE_MAX)
    });
    for claimed in claims.claimed {
        execution::start(shared, claimed);
    }
    if !claims.unreadable.is_empty() {
        return NextClaim::After(RETRY);
    }
    if claims.suspects_left && !may_claim_suspects {
        return NextClaim::WhenSuspectsMayStart(due_pause.unwrap_or(Duration::MAX));
    }
    let lease_pause = claims
        .lease_until
        .map(|until| pause_until(until, now).max(RETRY));
    match lease_pause.into_iter().chain(due_pause).min() {
        Some(pause) => NextClaim::After(pause),
        None => NextClaim::WhenWoken,
    }
}

/// Returns how long it is until a time. Zero if it has passed.
fn pause_until(time: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    time.signed_duration_since(now).to_std().unwrap_or_default()
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
        // As in the queue, a panic of the host's code must not end the renewals.
        let _panic = catch_panic(renew_leases(&shared)).await;
    }
}

async fn renew_leases(shared: &Shared) {
    let held = shared.active.own_claims().held;
    if held.is_empty() {
        return;
    }
    let (lease, now) = (shared.limits.lease, shared.clock.now());
    match shared.storage.renew(shared.owner, held, lease, now).await {
        Ok(lost) => {
            for held in lost {
                shared.active.stop_after_lease_loss(held);
                shared.recheck_ends();
            }
        }
        Err(error) => {
            log::warn!(%error, "leases could not be renewed; the next round tries again");
        }
    }
}
