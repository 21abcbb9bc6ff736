//! The choice of a claim among orphans: which may be claimed, and which are finished as poisoned.
//!
//! `holdings` settles the owner's own runs before. Pending runs are left to `limits`, and writing
//! the choice to the backends.

use chrono::{DateTime, Utc};

use super::poisoned_message;
use crate::model::{OwnerId, RunId, RunStatus};
use crate::storage::Claim;

/// A running run, with what the choice depends on.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct RunningRun {
    pub(in crate::storage) run: RunId,
    pub(in crate::storage) owner: Option<OwnerId>,
    pub(in crate::storage) epoch: u64,
    pub(in crate::storage) lease_until: DateTime<Utc>,
    /// Claims without progress.
    pub(in crate::storage) claim_count: u32,
}

/// The orphans of a claim, and how many it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::storage) struct OrphanChoice {
    /// Orphans that crashed too often. They finish now.
    pub(in crate::storage) poisoned: Vec<RunId>,
    /// The other orphans: fewest claims first, then the oldest.
    pub(in crate::storage) claimable: Vec<RunId>,
    /// How many of the claimable orphans this claim may take. Unreadable ones do not count.
    pub(in crate::storage) count_max: usize,
    /// Whether a claimable orphan is suspected of crashing its owner.
    pub(in crate::storage) has_suspect: bool,
    /// When the earliest lease of another owner ends.
    pub(in crate::storage) lease_until: Option<DateTime<Utc>>,
}

impl OrphanChoice {
    /// Returns whether orphans must wait for a later claim after `tried_count` were tried.
    pub(in crate::storage) const fn leaves_suspects(&self, tried_count: usize) -> bool {
        self.has_suspect && tried_count < self.claimable.len()
    }
}

/// Chooses among the running runs.
///
/// While an orphan is suspected, orphans are claimed one at a time.
pub(in crate::storage) fn choose_orphans(
    claim: &Claim,
    running: impl IntoIterator<Item = RunningRun>,
) -> OrphanChoice {
    let (mut poisoned, mut claimable) = (Vec::new(), Vec::new());
    let (mut has_suspect, mut holds_suspect) = (false, false);
    let mut lease_until = None;
    for run in running {
        match ownership(claim, &run) {
            // A first claim is no crash: only a run that came back is suspected in execution.
            Ownership::Own => holds_suspect |= is_suspect(claim, &run) && run.claim_count > 1,
            Ownership::Leased => lease_until = earlier(lease_until, run.lease_until),
            Ownership::Orphan if is_poisoned(claim, &run) => {
                poisoned.push((run.claim_count, run.run));
            }
            Ownership::Orphan => {
                has_suspect |= is_suspect(claim, &run);
                claimable.push((run.claim_count, run.run));
            }
        }
    }
    let count_max = claim.count_max as usize;
    OrphanChoice {
        poisoned: in_order(poisoned),
        claimable: in_order(claimable),
        count_max: match (has_suspect, claim.suspects && !holds_suspect) {
            (false, _) => count_max,
            (true, true) => count_max.min(1),
            (true, false) => 0,
        },
        has_suspect,
        lease_until,
    }
}

/// Returns the status and the error of a poisoned run.
pub(in crate::storage) fn poisoned_outcome(
    is_cancelling: bool,
    claim_count: u32,
) -> (RunStatus, Option<String>) {
    if is_cancelling {
        (RunStatus::Cancelled, None)
    } else {
        (RunStatus::Failed, Some(poisoned_message(claim_count)))
    }
}

/// Who holds a running run, from the view of the owner that claims.
enum Ownership {
    Own,
    /// Another owner holds it.
    Leased,
    Orphan,
}

fn ownership(claim: &Claim, run: &RunningRun) -> Ownership {
    match run.owner {
        Some(owner) if owner == claim.owner => Ownership::Own,
        Some(_) if run.lease_until > claim.now => Ownership::Leased,
        Some(_) | None => Ownership::Orphan,
    }
}

fn is_poisoned(claim: &Claim, run: &RunningRun) -> bool {
    run.claim_count >= claim.crashes_max.max(1)
}

/// Returns whether one more crash poisons the run.
fn is_suspect(claim: &Claim, run: &RunningRun) -> bool {
    run.claim_count >= claim.crashes_max.saturating_sub(1).max(1)
}

fn earlier(earliest: Option<DateTime<Utc>>, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Some(earliest.map_or(at, |earliest| earliest.min(at)))
}

fn in_order(mut runs: Vec<(u32, RunId)>) -> Vec<RunId> {
    runs.sort_unstable();
    runs.into_iter().map(|(_, run)| run).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn run_id(n: u64) -> RunId {
        RunId::from_uuid(Uuid::from_u64_pair(0, n))
    }

    fn owner(n: u64) -> OwnerId {
        OwnerId::from_uuid(Uuid::from_u64_pair(0, n))
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// A run, its owner, the end of its lease, and its claims without progress.
    type Row = (u64, Option<u64>, i64, u32);

    const fn orphan(n: u64, claim_count: u32) -> Row {
        (n, None, 0, claim_count)
    }

    const fn own(n: u64, claim_count: u32) -> Row {
        (n, Some(1), 500, claim_count)
    }

    const fn leased(n: u64, claim_count: u32) -> Row {
        (n, Some(2), 500, claim_count)
    }

    fn choose(claim: &Claim, rows: &[Row]) -> OrphanChoice {
        let running = rows.iter().map(|(n, by, until, claim_count)| RunningRun {
            run: run_id(*n),
            owner: by.map(owner),
            epoch: 1,
            lease_until: at(*until),
            claim_count: *claim_count,
        });
        choose_orphans(claim, running)
    }

    /// Makes a claim of owner 1 at second 100 for up to nine runs. The third crash poisons.
    fn claim() -> Claim {
        let mut claim = Claim::new(owner(1), 9, at(100));
        claim.crashes_max = 3;
        claim
    }

    /// Asserts which runs are poisoned, which are claimable, and how many of them may be claimed.
    #[track_caller]
    fn check(rows: &[Row], poisoned: &[u64], claimable: &[u64], count_max: usize) {
        let choice = choose(&claim(), rows);
        let ids = |ids: &[u64]| ids.iter().copied().map(run_id).collect::<Vec<_>>();
        assert_eq!(choice.poisoned, ids(poisoned));
        assert_eq!(choice.claimable, ids(claimable));
        assert_eq!(choice.count_max, count_max);
        assert_eq!(choice.has_suspect, count_max < 9);
    }

    #[test]
    fn an_orphan_has_no_owner_or_one_whose_lease_has_ended() {
        check(&[], &[], &[], 9);
        check(&[orphan(1, 0)], &[], &[1], 9);
        check(&[(1, None, 500, 0)], &[], &[1], 9);
        check(&[(1, Some(2), 100, 1)], &[], &[1], 9);
        check(&[(1, Some(2), 101, 1)], &[], &[], 9);
        check(&[(1, Some(1), 50, 1)], &[], &[], 9);
    }

    #[test]
    fn orphans_go_by_fewest_claims_then_by_age() {
        check(
            &[orphan(3, 0), orphan(1, 1), orphan(2, 0)],
            &[],
            &[2, 3, 1],
            9,
        );
    }

    #[test]
    fn orphans_are_claimed_one_at_a_time_while_one_is_suspected() {
        check(&[orphan(1, 2)], &[], &[1], 1);
        check(&[orphan(1, 2), orphan(2, 1)], &[], &[2, 1], 1);
    }

    #[test]
    fn a_suspect_in_execution_delays_orphans_while_another_is_suspected() {
        check(&[own(1, 2), orphan(2, 2), orphan(3, 1)], &[], &[3, 2], 0);
        check(&[own(1, 2), orphan(2, 1)], &[], &[2], 9);
        check(&[leased(1, 2), orphan(2, 2)], &[], &[2], 1);
    }

    #[test]
    fn an_orphan_that_crashed_too_often_is_poisoned() {
        check(&[orphan(1, 3), orphan(2, 1)], &[1], &[2], 9);
        check(&[orphan(1, 3), orphan(2, 2)], &[1], &[2], 1);
        check(&[orphan(1, 4), orphan(2, 3)], &[2, 1], &[], 9);
        check(&[own(1, 3), leased(2, 3)], &[], &[], 9);
    }

    #[test]
    fn a_claim_may_leave_suspects_for_later() {
        let rows = [orphan(1, 2), orphan(2, 1)];
        let mut early = claim();
        early.suspects = false;
        let choice = choose(&early, &rows);
        assert_eq!(choice.count_max, 0);
        assert!(choice.leaves_suspects(0));
        let choice = choose(&claim(), &rows);
        assert!(choice.leaves_suspects(1));
        assert!(!choice.leaves_suspects(2), "both were tried");
        let without = choose(&early, &rows[1..]);
        assert_eq!(without.count_max, 9);
        assert!(!without.leaves_suspects(0));
    }

    #[test]
    fn a_limit_of_one_crash_poisons_at_once() {
        for crashes_max in [0, 1] {
            let mut claim = claim();
            claim.crashes_max = crashes_max;
            let choice = choose(&claim, &[orphan(1, 1), orphan(2, 0)]);
            assert_eq!(choice.poisoned, [run_id(1)]);
            assert_eq!(choice.claimable, [run_id(2)]);
            assert!(!choice.has_suspect, "a run that never crashed");
        }
    }

    #[test]
    fn a_run_in_its_first_claim_delays_no_orphan() {
        let mut claim = claim();
        claim.crashes_max = 2;
        let choice = choose(&claim, &[own(1, 1), orphan(2, 1), orphan(3, 1)]);
        assert_eq!((choice.claimable.len(), choice.count_max), (2, 1));
        let choice = choose(&claim, &[own(1, 2), orphan(2, 1)]);
        assert_eq!(choice.count_max, 0);
    }

    #[test]
    fn a_claim_takes_no_more_orphans_than_it_requests() {
        let mut claim = claim();
        claim.count_max = 0;
        assert_eq!(choose(&claim, &[orphan(1, 2)]).count_max, 0);
    }

    #[test]
    fn the_earliest_lease_of_another_owner_is_found() {
        let rows = [
            (1, Some(2), 300, 1),
            (2, Some(3), 200, 1),
            (3, Some(1), 150, 1),
            (4, Some(2), 90, 1),
        ];
        assert_eq!(choose(&claim(), &rows).lease_until, Some(at(200)));
        assert_eq!(choose(&claim(), &rows[2..]).lease_until, None);
    }

    #[test]
    fn a_poisoned_run_with_a_cancel_request_becomes_cancelled() {
        let (status, error) = poisoned_outcome(false, 3);
        assert_eq!(status, RunStatus::Failed);
        assert!(error.is_some_and(|error| error.starts_with("poisoned")));
        let cancelled = poisoned_outcome(true, 3);
        assert_eq!(cancelled, (RunStatus::Cancelled, None));
    }
}
