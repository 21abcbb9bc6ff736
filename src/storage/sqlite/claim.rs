//! Claims runs: orphans first, then those that are next in the queue lanes that have room.
//!
//! Which orphans are claimed and which lane has room is decided in `rules`; renewals and releases
//! are left to `queue`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rusqlite::params;

use super::body::Body;
use super::fault::Fault;
use super::lanes::{Head, LaneKey};
use super::queue::{lease_end, to_lease_end};
use super::state::{ACTIVE, Active, Driven, read_active};
use super::tx::{Counted, Tx};
use super::values::{self, int, millis, run_id, time};
use crate::model::{BackfillOrder, EventKind, NodeRun, Priority, RunId, RunStatus};
use crate::storage::rules::{self, LaneLimits, OrphanChoice, RunningRun, Usage};
use crate::storage::{Claim, ClaimOutcome, ClaimedRun};

/// A pending run that may be claimed; the smallest goes first.
type Next = Reverse<(Priority, RunId, i64, LaneKey)>;

impl Tx {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<ClaimOutcome, Fault> {
        let choice = rules::choose_orphans(claim, self.running());
        let mut claims = ClaimOutcome {
            lease_until: choice.lease_until,
            ..ClaimOutcome::default()
        };
        self.poison(&choice, claim, &mut claims)?;
        self.claim_orphans(&choice, claim, &mut claims)?;
        self.claim_pending(claim, &mut claims)?;
        claims.seq = self.newest_seq();
        Ok(claims)
    }

    fn running(&self) -> impl Iterator<Item = RunningRun> {
        let running = self.state.running.iter();
        running.map(|(run, active)| RunningRun {
            run: *run,
            owner: active.owner,
            lease_until: to_lease_end(active.lease_until),
            claim_count: active.claims,
        })
    }

    /// Claims orphans. After one that cannot be read the next is tried instead.
    fn claim_orphans(
        &mut self,
        choice: &OrphanChoice,
        claim: &Claim,
        claims: &mut ClaimOutcome,
    ) -> Result<(), Fault> {
        let mut tried_count = 0;
        for &run in &choice.claimable {
            if claims.claimed.len() == choice.count_max {
                break;
            }
            tried_count += 1;
            match self.claim_orphan(claim, run)? {
                Some(claimed) => claims.claimed.push(claimed),
                None => claims.unreadable.push(run),
            }
        }
        claims.suspects_left = choice.leaves_suspects(tried_count);
        Ok(())
    }

    fn claim_orphan(&mut self, claim: &Claim, run: RunId) -> Result<Option<ClaimedRun>, Fault> {
        let key = self.state.running.get(&run).map(|active| active.key);
        if let Some(key) = key {
            self.reset_nodes(key)?;
        }
        let driven = self.drive(run);
        self.claim_run(claim, run, driven)
    }

    fn claim_pending(&mut self, claim: &Claim, claims: &mut ClaimOutcome) -> Result<(), Fault> {
        if !self.may_start(claim, claims) {
            return Ok(());
        }
        let mut heap = BinaryHeap::new();
        for &priority in Priority::ALL {
            for pipeline in self.state.lanes.pipelines(priority) {
                if self.pipeline_usage(pipeline)?.has_room() {
                    for lane in self.state.lanes.of(priority, pipeline) {
                        heap.extend(self.next(lane)?);
                    }
                }
            }
        }
        while self.may_start(claim, claims)
            && let Some(Reverse((_, run, key, lane))) = heap.pop()
        {
            // A run that was claimed meanwhile may have taken the room.
            if self.limits(lane)?.has_room() {
                match self.claim_one_pending(claim, lane, Head { run, key })? {
                    Some(claimed) => claims.claimed.push(claimed),
                    None => claims.unreadable.push(run),
                }
                heap.extend(self.next(lane)?);
            }
        }
        Ok(())
    }

    fn may_start(&self, claim: &Claim, claims: &ClaimOutcome) -> bool {
        let running = self.state.running.len() as u64;
        rules::may_start(claim, claims.claimed.len(), running)
    }

    /// The run that is next in a lane that has room.
    fn next(&mut self, lane: LaneKey) -> Result<Option<Next>, Fault> {
        if !self.limits(lane)?.has_room() {
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

    fn limits(&mut self, lane: LaneKey) -> Result<LaneLimits, Fault> {
        Ok(LaneLimits {
            priority: lane.priority,
            pipeline: self.pipeline_usage(lane.pipeline)?,
            backfill: lane.backfill.map(|backfill| Usage {
                running: self.state.running_of_backfill(backfill),
                max: Some(self.state.backfills.max_parallel(backfill)),
            }),
            is_schedule_executing: self.state.is_schedule_executing(lane.pipeline),
        })
    }

    fn pipeline_usage(&mut self, pipeline: i64) -> Result<Usage, Fault> {
        let known = self.state.pipeline_at(&self.conn, pipeline)?;
        Ok(Usage {
            running: self.state.running_of(pipeline),
            max: known.max_concurrent_runs,
        })
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
        self.claim_run(claim, run, driven)
    }

    /// A run as it is known though the rest of its row cannot be read.
    fn undriven(&self, key: i64) -> Result<Active, Fault> {
        let sql = format!("SELECT {ACTIVE} FROM runs WHERE key = ?");
        let found = self.row(&sql, [key], read_active)?;
        found
            .map(|(_, active)| active)
            .ok_or_else(|| Fault::unreadable("a pending run", "it is missing"))
    }

    /// Makes the caller the owner of a running run. One that cannot be read is counted and left an
    /// orphan.
    fn claim_run(
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
}

/// The pending run of a lane that is next, the oldest or the newest.
const FIRST: &str = "SELECT id, key FROM runs WHERE finished_at IS NULL AND priority = ? AND pipeline = ? AND backfill IS ? AND status = 0 \
     ORDER BY id LIMIT 1";
const LAST: &str = "SELECT id, key FROM runs WHERE finished_at IS NULL AND priority = ? AND pipeline = ? AND backfill IS ? AND status = 0 \
     ORDER BY id DESC LIMIT 1";
