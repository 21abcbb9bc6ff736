//! Claims runs: first orphans, then the next runs of the queue lanes that have room.
//!
//! `rules` decides which orphans are claimed and which lanes have room. `poisoned` handles poisoned
//! orphans, and `queue` handles renewals and releases.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::body::JournalBody;
use super::counts::Counted;
use super::lanes::{Held, LaneKey};
use super::queue::lease_end;
use super::state::{ACTIVE_RUN, ActiveRun, CachedRun, read_active_run};
use super::store_error::StoreError;
use super::tx::Tx;
use super::upcoming::{Head, Upcoming};
use super::values::{self, millis, run_id, time, to_i64};
use crate::model::{BackfillOrder, EventKind, NodeRun, Rank, RunId, RunStatus};
use crate::storage::rules::{self, LaneLimits, OrphanChoice, RunningRun, Usage};
use crate::storage::{Claim, ClaimOutcome, ClaimedRun, HeldRun};

/// A pending run that can be claimed. The smallest is claimed first.
type NextRun = Reverse<(Rank, RunId, i64, LaneKey)>;

impl Tx {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<ClaimOutcome, StoreError> {
        let lost = self.settle_holdings(claim)?;
        let choice = rules::choose_orphans(claim, self.running_runs());
        let mut claims = ClaimOutcome {
            lost,
            lease_until: choice.lease_until,
            ..ClaimOutcome::default()
        };
        self.finish_poisoned(&choice, claim, &mut claims)?;
        self.claim_orphans(&choice, claim, &mut claims)?;
        self.claim_pending(claim, &mut claims)?;
        claims.seq = self.newest_seq();
        Ok(claims)
    }

    /// Settles the runs that the claim's owner has already, and returns the claims that it lost.
    fn settle_holdings(&mut self, claim: &Claim) -> Result<Vec<HeldRun>, StoreError> {
        let holdings = rules::settle_holdings(claim, self.running_runs());
        let until = lease_end(claim.now, claim.lease);
        self.renew(claim.owner, &holdings.renewed, until)?;
        for broken_off in &holdings.broken_off {
            self.disown(broken_off.run)?;
        }
        self.release(claim.owner, &holdings.unreceived)?;
        Ok(holdings.lost)
    }

    fn running_runs(&self) -> impl Iterator<Item = RunningRun> {
        let running = self.state.running.iter();
        running.map(|(run, active)| RunningRun {
            run: *run,
            owner: active.owner,
            epoch: active.epoch,
            lease_until: values::nearest_time(active.lease_until),
            claim_count: active.claims,
        })
    }

    /// Claims orphans. If one cannot be read, the next one is tried instead.
    fn claim_orphans(
        &mut self,
        choice: &OrphanChoice,
        claim: &Claim,
        claims: &mut ClaimOutcome,
    ) -> Result<(), StoreError> {
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

    fn claim_orphan(
        &mut self,
        claim: &Claim,
        run: RunId,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        let key = self.state.running.get(&run).map(|active| active.key);
        if let Some(key) = key {
            self.reset_nodes(key)?;
        }
        let cached = self.load_running_run(run);
        self.claim_run(claim, run, cached)
    }

    fn claim_pending(
        &mut self,
        claim: &Claim,
        claims: &mut ClaimOutcome,
    ) -> Result<(), StoreError> {
        if !self.can_start(claim, claims) {
            return Ok(());
        }
        claims.due_at = self.end_delays(claim.now)?;
        let mut heap = BinaryHeap::new();
        for rank in Rank::all() {
            for pipeline in self.state.lanes.pipelines_with_pending(rank) {
                if self.pipeline_usage(pipeline, claim.now)?.has_room() {
                    for lane in self.state.lanes.lanes_of(Held::No, rank, pipeline) {
                        heap.extend(self.next_in_lane(claim, lane)?);
                    }
                }
            }
        }
        while self.can_start(claim, claims)
            && let Some(Reverse((_, run, key, lane))) = heap.pop()
        {
            // A run that this loop claimed may have filled the lane.
            if self.lane_limits(lane, claim.now)?.has_room() {
                match self.claim_one_pending(claim, lane, Head { run, key })? {
                    Some(claimed) => claims.claimed.push(claimed),
                    None => claims.unreadable.push(run),
                }
                if self.can_start(claim, claims) {
                    heap.extend(self.next_in_lane(claim, lane)?);
                }
            }
        }
        Ok(())
    }

    fn can_start(&self, claim: &Claim, claims: &ClaimOutcome) -> bool {
        let running = self.state.running.len() as u64;
        rules::may_start(claim, claims.claimed.len(), running)
    }

    /// Returns the next run of a lane that has room.
    fn next_in_lane(
        &mut self,
        claim: &Claim,
        lane: LaneKey,
    ) -> Result<Option<NextRun>, StoreError> {
        if !self.lane_limits(lane, claim.now)?.has_room() {
            return Ok(None);
        }
        let head = match self.state.lanes.head(lane) {
            Some(head) => Some(head),
            None => self.read_upcoming(claim, lane)?,
        };
        Ok(head.map(|Head { run, key }| Reverse((lane.rank, run, key, lane))))
    }

    /// Reads the next runs of a lane, and returns the first. Finishes a run before it whose id
    /// cannot be read.
    fn read_upcoming(&mut self, claim: &Claim, lane: LaneKey) -> Result<Option<Head>, StoreError> {
        loop {
            let mut heads = Vec::new();
            let mut nameless = None;
            for (id, key) in self.oldest_in_lane(lane)? {
                match self.unreadable.skip("a pending run", key, run_id(&id))? {
                    Some(run) => heads.push(Head { run, key }),
                    None => {
                        nameless = Some(key);
                        break;
                    }
                }
            }
            let first = heads.first().copied();
            self.state.lanes.set_upcoming(lane, Upcoming::new(heads));
            match (first, nameless) {
                (None, Some(key)) => self.fail_nameless_run(key, lane, claim.now)?,
                (first, _) => return Ok(first),
            }
        }
    }

    /// Returns the ids and keys of the next runs of a lane.
    fn oldest_in_lane(&self, lane: LaneKey) -> Result<Vec<(Vec<u8>, i64)>, StoreError> {
        let sql = match self.state.lanes.order(lane) {
            BackfillOrder::Ascending => OLDEST_IN_LANE,
            BackfillOrder::Descending => NEWEST_IN_LANE,
        };
        self.rows(
            sql,
            params![lane.number(), lane.pipeline, lane.backfill, Upcoming::MAX],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    fn lane_limits(&mut self, lane: LaneKey, now: DateTime<Utc>) -> Result<LaneLimits, StoreError> {
        Ok(LaneLimits {
            class: lane.rank.class,
            pipeline: self.pipeline_usage(lane.pipeline, now)?,
            backfill: lane.backfill.map(|backfill| Usage {
                running: self.state.running_in_backfill(backfill),
                max: self.state.backfills.running_max(backfill),
            }),
            is_schedule_executing: self.state.is_schedule_executing(lane.pipeline),
        })
    }

    fn pipeline_usage(&mut self, pipeline: i64, now: DateTime<Utc>) -> Result<Usage, StoreError> {
        let cached = self.state.pipelines.find_by_key(&self.conn, pipeline);
        // Without a readable pipeline, its runs are claimed, so that each is found unreadable.
        let cached = self.unreadable.skip("a pipeline", pipeline, cached)?;
        Ok(Usage {
            running: self.state.running_in_pipeline(pipeline),
            max: cached.and_then(|cached| {
                let waits = cached.is_paused || self.is_blocked(&cached, now);
                rules::usage_max(waits, cached.max_concurrent_runs)
            }),
        })
    }

    fn claim_one_pending(
        &mut self,
        claim: &Claim,
        lane: LaneKey,
        Head { run, key }: Head,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        let cached = self.load_pending_run(key);
        let active = match &cached {
            Ok(cached) => ActiveRun::pending(key, lane, &cached.run),
            Err(_) => self.load_active_run(key)?,
        };
        let counted = Counted {
            pipeline: lane.pipeline,
            tenant: active.tenant.as_ref(),
            created_at: active.created_at,
            backfill: lane.backfill,
        };
        self.count(&counted, Some(RunStatus::Pending), Some(RunStatus::Running))?;
        let at = start_time(claim, active.created_at);
        let body = JournalBody::of_run(EventKind::RunStarted, RunStatus::Running, None, at)?;
        self.write_events(key, &body, None)?;
        self.state.lanes.remove(lane, run);
        self.state.add_running(run, active);
        let cached = cached.map(|mut cached| {
            cached.run.status = RunStatus::Running;
            cached.run.started_at = Some(at);
            (cached, Vec::new())
        });
        self.claim_run(claim, run, cached)
    }

    /// Reads the columns of a pending run that remain readable if the rest of its row is damaged.
    fn load_active_run(&self, key: i64) -> Result<ActiveRun, StoreError> {
        let sql = format!("SELECT {ACTIVE_RUN} FROM runs WHERE key = ?");
        self.row(&sql, [key], read_active_run)?
            .ok_or_else(|| StoreError::unreadable("a pending run", "it is missing"))
    }

    /// Makes the caller the owner of a running run.
    ///
    /// A run that cannot be read is charged with the claim and stays an orphan.
    fn claim_run(
        &mut self,
        claim: &Claim,
        run: RunId,
        cached: Result<(Box<CachedRun>, Vec<NodeRun>), StoreError>,
    ) -> Result<Option<ClaimedRun>, StoreError> {
        let cached = self.unreadable.skip("a claimed run", run, cached)?;
        let Some(active) = self.state.running.get_mut(&run) else {
            return Ok(None);
        };
        active.epoch += 1;
        active.claims = active.claims.saturating_add(1);
        active.owner = cached.as_ref().map(|_| claim.owner);
        active.lease_until = lease_end(claim.now, claim.lease);
        let (key, epoch, claims) = (active.key, active.epoch, active.claims);
        let started_at = millis(start_time(claim, active.created_at));
        let owner = active.owner.map(|owner| owner.as_uuid().into_bytes());
        let lease_until = owner.map(|_| active.lease_until);
        let claimed = cached.map(|(cached, nodes)| {
            let claimed = ClaimedRun {
                run: cached.run.clone(),
                definition: Arc::clone(&cached.definition.pipeline),
                nodes,
                epoch,
                position: cached.position,
                claim_count: claims,
                graph: Some((
                    Arc::clone(&cached.definition.pipeline),
                    Arc::clone(&cached.definition.graph),
                )),
            };
            active.cached = Some(cached);
            claimed
        });
        self.write(
            "UPDATE runs SET status = 1, started_at = ifnull(started_at, ?), owner = ?, lease_until = ?, epoch = ?, claims = ? \
             WHERE key = ?",
            params![started_at, owner, lease_until, to_i64(epoch), claims, key],
        )?;
        Ok(claimed)
    }
}

/// Returns when a run starts: not before its creation, unless that time is damaged.
fn start_time(claim: &Claim, created_at: i64) -> DateTime<Utc> {
    time(created_at).map_or(claim.now, |created_at| created_at.max(claim.now))
}

/// The next runs of a lane in ascending order.
const OLDEST_IN_LANE: &str = "SELECT id, key FROM runs WHERE finished_at IS NULL AND priority = ? AND pipeline = ? AND backfill IS ? AND status = 0 \
     ORDER BY id LIMIT ?";
/// The next runs of a lane in descending order.
const NEWEST_IN_LANE: &str = "SELECT id, key FROM runs WHERE finished_at IS NULL AND priority = ? AND pipeline = ? AND backfill IS ? AND status = 0 \
     ORDER BY id DESC LIMIT ?";
