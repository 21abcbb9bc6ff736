//! What a claim does with the runs that its owner has already: renews, frees or releases them.
//!
//! `orphans` chooses among the orphans afterwards.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::RunningRun;
use crate::storage::{Claim, HeldRun};

/// The owner's runs of a claim, by what happens to them before orphans are chosen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct Holdings {
    /// Their lease is renewed.
    pub(in crate::storage) renewed: Vec<HeldRun>,
    /// They become orphans without a change of their claim count.
    pub(in crate::storage) broken_off: Vec<HeldRun>,
    /// Their owner never received them. They are released.
    pub(in crate::storage) unreceived: Vec<HeldRun>,
    /// The owner holds them no longer.
    pub(in crate::storage) lost: Vec<HeldRun>,
}

/// Sorts the running runs of the claim's owner.
///
/// A lease that holds for another half is not renewed: a claim then costs no write for a run that
/// executes.
pub(in crate::storage) fn settle_holdings(
    claim: &Claim,
    running: impl IntoIterator<Item = RunningRun>,
) -> Holdings {
    let broken_off: HashSet<_> = claim.broken_off.iter().copied().collect();
    let mut missing: HashSet<_> = claim.held.iter().copied().collect();
    let renew_before = half_lease_end(claim);
    let mut holdings = Holdings::default();
    for run in running {
        if run.owner != Some(claim.owner) {
            continue;
        }
        let held = HeldRun::new(run.run, run.epoch);
        if broken_off.contains(&held) {
            holdings.broken_off.push(held);
        } else if !missing.remove(&held) {
            holdings.unreceived.push(held);
        } else if run.lease_until < renew_before {
            holdings.renewed.push(held);
        }
    }
    let lost = claim.held.iter().filter(|held| missing.contains(held));
    holdings.lost = lost.copied().collect();
    holdings
}

/// Returns when half a lease that begins now ends.
fn half_lease_end(claim: &Claim) -> DateTime<Utc> {
    TimeDelta::from_std(claim.lease / 2)
        .ok()
        .and_then(|half| claim.now.checked_add_signed(half))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::model::{OwnerId, RunId};

    fn held(n: u64, epoch: u64) -> HeldRun {
        HeldRun::new(RunId::from_uuid(Uuid::from_u64_pair(0, n)), epoch)
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn running(n: u64, owner: u64, lease_until: i64) -> RunningRun {
        RunningRun {
            run: held(n, 0).run,
            owner: Some(OwnerId::from_uuid(Uuid::from_u64_pair(0, owner))),
            epoch: 7,
            lease_until: at(lease_until),
            claim_count: 1,
        }
    }

    #[test]
    fn every_run_of_the_owner_is_renewed_freed_or_released() {
        let owner = OwnerId::from_uuid(Uuid::from_u64_pair(0, 1));
        let mut claim = Claim::new(owner, 9, at(100));
        claim.lease = Duration::from_secs(60);
        claim.held = vec![held(1, 7), held(2, 7), held(3, 6), held(4, 7), held(9, 7)];
        claim.broken_off = vec![held(5, 7), held(6, 6), held(8, 7)];
        let runs = [
            running(1, 1, 129),
            running(2, 1, 130),
            running(3, 1, 50),
            running(4, 2, 500),
            running(5, 1, 500),
            running(6, 1, 500),
            running(7, 2, 50),
        ];
        let expected = Holdings {
            renewed: vec![held(1, 7)],
            broken_off: vec![held(5, 7)],
            unreceived: vec![held(3, 7), held(6, 7)],
            lost: vec![held(3, 6), held(4, 7), held(9, 7)],
        };
        assert_eq!(settle_holdings(&claim, runs), expected);
    }

    #[test]
    fn an_endless_lease_is_kept() {
        let owner = OwnerId::from_uuid(Uuid::from_u64_pair(0, 1));
        let mut claim = Claim::new(owner, 9, at(100));
        (claim.lease, claim.held) = (Duration::MAX, vec![held(1, 7)]);
        let mut run = running(1, 1, 0);
        run.lease_until = DateTime::<Utc>::MAX_UTC;
        assert_eq!(settle_holdings(&claim, [run]), Holdings::default());
    }
}
