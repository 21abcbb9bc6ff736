//! Which runs are claimed: orphans first, then those that are next in the lanes that have room.
//!
//! Renewing and giving back is left to `queue`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rusqlite::params;

use super::body::Body;
use super::fault::Fault;
use super::lanes::{Head, LaneKey};
use super::queue::lease_end;
use super::state::{ACTIVE, Active, Driven, read_active};
use super::tx::{Counted, Tx};
use super::values::{self, int, millis, run_id, time};
use crate::model::{BackfillOrder, EventKind, NodeRun, Priority, RunId, RunStatus};
use crate::storage::{Claim, ClaimOutcome, ClaimedRun, rules};

/// A pending run that may be claimed; the smallest goes first.
type Next = Reverse<(Priority, RunId, i64, LaneKey)>;

impl Tx {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<ClaimOutcome, Fault> {
        let mut claims = ClaimOutcome::default();
        self.poison(claim, &mut claims)?;
        self.claim_orphans(claim, &mut claims)?;
        self.claim_pending(claim, &mut claims)?;
        claims.lease_until = self.earliest_lease(claim)?;
        claims.seq = self.newest_seq();
        Ok(claims)
    }

    fn claim_orphans(&mut self, claim: &Claim, claims: &mut ClaimOutcome) -> Result<(), Fault> {
        let is_suspect = |active: &Active| active.claims >= suspect_count(claim);
        let orphans = self.orphans(claim, |_| true);
        let count_max = claim.count_max as usize;
        let mut allowed = count_max;
        if !self.orphans(claim, is_suspect).is_empty() {
            let mut held = self.state.running.values();
            let holds_one =
                held.any(|active| active.owner == Some(claim.owner) && is_suspect(active));
            allowed = if claim.suspects && !holds_one {
                count_max.min(1)
            } else {
                0
            };
            claims.suspects_left = true;
        }
        let mut left = orphans.len();
        for run in orphans {
            if claims.claimed.len() == allowed {
                break;
            }
            match self.claim_orphan(claim, run)? {
                Some(claimed) => claims.claimed.push(claimed),
                None => claims.unreadable.push(run),
            }
            left -= 1;
        }
        claims.suspects_left &= left > 0;
        Ok(())
    }

    /// Orphans of a sort, fewest claims first, then the oldest.
    pub(super) fn orphans(&self, claim: &Claim, is_meant: impl Fn(&Active) -> bool) -> Vec<RunId> {
        let running = self.state.running.iter();
        let mut orphans: Vec<_> = running
            .filter(|(_, active)| is_orphan(active, claim) && is_meant(active))
            .map(|(run, active)| (active.claims, *run))
            .collect();
        orphans.sort_unstable();
        orphans.into_iter().map(|(_, run)| run).collect()
    }

    fn claim_orphan(&mut self, claim: &Claim, run: RunId) -> Result<Option<ClaimedRun>, Fault> {
        let key = self.state.running.get(&run).map(|active| active.key);
        if let Some(key) = key {
            self.put_back_nodes(key)?;
        }
        let driven = self.drive(run);
        self.take(claim, run, driven)
    }

    fn claim_pending(&mut self, claim: &Claim, claims: &mut ClaimOutcome) -> Result<(), Fault> {
        let mut heap = BinaryHeap::new();
        let has_room = |tx: &Self, claims: &ClaimOutcome| {
            claims.claimed.len() < claim.count_max as usize
                && tx.state.running.len() < claim.runs_max as usize
        };
        if !has_room(self, claims) {
            return Ok(());
        }
        for &priority in Priority::ALL {
            for pipeline in self.state.lanes.pipelines(priority) {
                if self.has_room(pipeline)? {
                    for lane in self.state.lanes.of(priority, pipeline) {
                        heap.extend(self.next(lane)?);
                    }
                }
            }
        }
        while has_room(self, claims) {
            let Some(Reverse((_, run, key, lane))) = heap.pop() else {
                break;
            };
            // Another lane of the pipeline may have taken its room meanwhile.
            if self.has_room_in(lane)? {
                match self.claim_one_pending(claim, lane, Head { run, key })? {
                    Some(claimed) => claims.claimed.push(claimed),
                    None => claims.unreadable.push(run),
                }
                heap.extend(self.next(lane)?);
            }
        }
        Ok(())
    }

    /// The run that is next in a lane that has room.
    fn next(&mut self, lane: LaneKey) -> Result<Option<Next>, Fault> {
        if !self.has_room_in(lane)? || self.is_schedule_executing(lane) {
            return Ok(None);
        }
        let LaneKey {
            priority,
            pipeline,
            backfill,
        } = lane;
        if let Some(Head { run, key }) = self.state.lanes.head(lane) {
            return Ok(Some(Reverse((priority, run, key, lane))));
        }
        let sql = match self.state.lanes.order(lane) {
            BackfillOrder::Ascending => FIRST,
            BackfillOrder::Descending => LAST,
        };
        let found = self.row(
            sql,
            params![values::priority(priority), pipeline, backfill],
            |row| {
                let run = run_id(&row.get::<_, Vec<u8>>(0)?)?;
                Ok(Head {
                    run,
                    key: row.get(1)?,
                })
            },
        )?;
        Ok(found.map(|head| {
            self.state.lanes.note_head(lane, head);
            Reverse((priority, head.run, head.key, lane))
        }))
    }

    fn has_room_in(&mut self, lane: LaneKey) -> Result<bool, Fault> {
        let is_full = lane.backfill.is_some_and(|backfill| {
            let max = self.state.backfills.max_parallel(backfill);
            self.state.running_of_backfill(backfill) >= max
        });
        Ok(!is_full && self.has_room(lane.pipeline)?)
    }

    fn has_room(&mut self, pipeline: i64) -> Result<bool, Fault> {
        let known = self.state.pipeline_at(&self.conn, pipeline)?;
        let running = self.state.running_of(pipeline);
        Ok(known.max_concurrent_runs.is_none_or(|max| running < max))
    }

    /// Whether the runs of a lane wait for one that executes.
    fn is_schedule_executing(&self, lane: LaneKey) -> bool {
        rules::runs_one_at_a_time(lane.priority) && self.state.is_schedule_executing(lane.pipeline)
    }

    fn claim_one_pending(
        &mut self,
        claim: &Claim,
        lane: LaneKey,
        Head { run, key }: Head,
    ) -> Result<Option<ClaimedRun>, Fault> {
        let driven = self.drive_pending(key);
        let active = match &driven {
            Ok(driven) => Active::pending(key, lane, &driven.run),
            Err(_) => self.undriven(key)?,
        };
        let counted = Counted {
            pipeline: lane.pipeline,
            tenant: active.tenant.as_ref(),
            created_at: active.created_at,
            backfill: lane.backfill,
        };
        self.count(&counted, Some(RunStatus::Pending), Some(RunStatus::Running))?;
        let at = claim.now.max(time(active.created_at)?);
        let body = Body::of_run(EventKind::RunStarted, RunStatus::Running, None, at)?;
        self.write_events(key, &body, None)?;
        self.state.lanes.remove(lane, run);
        self.state.start(run, active);
        let driven = driven.map(|mut driven| {
            driven.run.status = RunStatus::Running;
            driven.run.started_at = Some(at);
            (driven, Vec::new())
        });
        self.take(claim, run, driven)
    }

    /// A run as it is known though the rest of its row cannot be read.
    fn undriven(&self, key: i64) -> Result<Active, Fault> {
        let sql = format!("SELECT {ACTIVE} FROM runs WHERE key = ?");
        let found = self.row(&sql, [key], read_active)?;
        found
            .map(|(_, active)| active)
            .ok_or_else(|| Fault::unreadable("a pending run", "it is missing"))
    }

    /// Makes a running run the asker's; where it cannot be read, it is counted and left an orphan.
    fn take(
        &mut self,
        claim: &Claim,
        run: RunId,
        driven: Result<(Box<Driven>, Vec<NodeRun>), Fault>,
    ) -> Result<Option<ClaimedRun>, Fault> {
        let driven = match driven {
            Ok(driven) => Some(driven),
            Err(fault @ Fault::Unreadable(_)) => {
                tracing::error!(%run, "a run cannot be read and is left alone");
                fault.trace();
                None
            }
            Err(fault) => return Err(fault),
        };
        let Some(active) = self.state.running.get_mut(&run) else {
            return Ok(None);
        };
        active.epoch += 1;
        active.claims = active.claims.saturating_add(1);
        active.owner = driven.as_ref().map(|_| claim.owner);
        active.lease_until = lease_end(claim.now, claim.lease);
        let (key, epoch, claims) = (active.key, active.epoch, active.claims);
        let created_at = active.created_at;
        let owner = active.owner.map(|owner| owner.as_uuid().into_bytes());
        let lease_until = owner.map(|_| active.lease_until);
        let claimed = driven.map(|(driven, nodes)| {
            let claimed = ClaimedRun {
                run: driven.run.clone(),
                definition: Arc::clone(&driven.definition.pipeline),
                nodes,
                epoch,
                position: driven.position,
                claim_count: claims,
            };
            active.driven = Some(driven);
            claimed
        });
        self.write(
            "UPDATE runs SET status = 1, started_at = ifnull(started_at, ?), owner = ?, lease_until = ?, epoch = ?, claims = ? \
             WHERE key = ?",
            params![millis(claim.now).max(created_at), owner, lease_until, int(epoch), claims, key],
        )?;
        Ok(claimed)
    }

    /// When the earliest lease of another owner runs out.
    fn earliest_lease(
        &self,
        claim: &Claim,
    ) -> Result<Option<chrono::DateTime<chrono::Utc>>, Fault> {
        let others = self.state.running.values().filter(|active| {
            active.owner.is_some_and(|owner| owner != claim.owner) && !is_orphan(active, claim)
        });
        others
            .map(|active| active.lease_until)
            .min()
            .map(time)
            .transpose()
    }
}

/// The pending run of a lane that is next, the oldest or the newest.
const FIRST: &str = "SELECT id, key FROM runs WHERE finished_at IS NULL AND priority = ? AND pipeline = ? AND backfill IS ? AND status = 0 \
     ORDER BY id LIMIT 1";
const LAST: &str = "SELECT id, key FROM runs WHERE finished_at IS NULL AND priority = ? AND pipeline = ? AND backfill IS ? AND status = 0 \
     ORDER BY id DESC LIMIT 1";

/// Claims without progress at which an orphan is suspected.
fn suspect_count(claim: &Claim) -> u32 {
    claim.crashes_max.saturating_sub(1).max(1)
}

fn is_orphan(active: &Active, claim: &Claim) -> bool {
    active
        .owner
        .is_none_or(|owner| owner != claim.owner && active.lease_until <= millis(claim.now))
}
