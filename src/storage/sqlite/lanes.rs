//! The queue lanes: pending runs, counted by what holds them back, rank, pipeline and backfill.
//!
//! The rows are authoritative: `state` counts the lanes from them when a store is opened. A lane
//! remembers its next runs (`upcoming`), and `claim` chooses a lane. The changes of a transaction
//! can be undone, because counting the rows again takes long if many runs are pending.

use std::collections::{BTreeMap, HashMap};

use super::store_error::StoreError;
use super::upcoming::{Head, Upcoming};
use super::values;
use crate::model::{BackfillOrder, Rank, Run, RunId};

/// What keeps the runs of a lane from being claimed. No claim reads such a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// Nothing does: they are ready.
    No,
    /// No claim has found them due.
    ByDelay,
    /// As many runs of their concurrency key are ready or running as may be.
    ByKey,
}

/// The key of a lane. Each backfill has a lane of its own, and so have runs that are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneKey {
    pub(super) held: Held,
    pub(super) rank: Rank,
    pub(super) pipeline: i64,
    pub(super) backfill: Option<i64>,
}

/// What the stored number of a lane has more while its runs are delayed.
const BY_DELAY: i64 = 64;
/// What it has more while their keys hold them back.
const BY_KEY: i64 = 8;

impl LaneKey {
    /// Returns the lane of a new run.
    pub(super) const fn of(run: &Run, held: Held, pipeline: i64, backfill: Option<i64>) -> Self {
        Self {
            held,
            rank: run.rank(),
            pipeline,
            backfill,
        }
    }

    /// Reads a lane from the stored number of its rank and of what holds it back.
    pub(super) fn read(
        number: i64,
        pipeline: i64,
        backfill: Option<i64>,
    ) -> Result<Self, StoreError> {
        let (rank, held) = read_number(number)?;
        Ok(Self {
            held,
            rank,
            pipeline,
            backfill,
        })
    }

    /// Returns the stored number of its rank and of what holds it back.
    pub(super) const fn number(self) -> i64 {
        number(self.rank, self.held)
    }
}

/// Returns the stored number of a rank and of what holds a run back.
pub(super) const fn number(rank: Rank, held: Held) -> i64 {
    let more = match held {
        Held::No => 0,
        Held::ByDelay => BY_DELAY,
        Held::ByKey => BY_KEY,
    };
    values::rank(rank) + more
}

/// Reads the stored number of a rank and of what holds a run back.
pub(super) fn read_number(number: i64) -> Result<(Rank, Held), StoreError> {
    let (rank, held) = if number >= BY_DELAY {
        (number - BY_DELAY, Held::ByDelay)
    } else if number & BY_KEY != 0 {
        (number - BY_KEY, Held::ByKey)
    } else {
        (number, Held::No)
    };
    Ok((values::to_rank(rank)?, held))
}

/// When the next delayed run is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum NextDue {
    /// The rows know it.
    #[default]
    Unknown,
    Never,
    /// Not before this time, in milliseconds.
    At(i64),
}

/// One lane, which has at least one run.
#[derive(Debug)]
struct Lane {
    count: u64,
    upcoming: Upcoming,
    order: BackfillOrder,
}

impl Lane {
    fn empty(order: BackfillOrder) -> Self {
        Self {
            count: 0,
            upcoming: Upcoming::default(),
            order,
        }
    }
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The cost of a claim depends on the number of lanes, not on the number of runs.
    by_key: BTreeMap<LaneKey, Lane>,
    pipeline_counts: HashMap<i64, u64>,
    pending_total: u64,
    next_due: NextDue,
    /// What the current transaction has changed, in order.
    changes: Vec<(LaneKey, BackfillOrder, Change)>,
}

/// A change of the number of runs of a lane.
#[derive(Debug, Clone, Copy)]
enum Change {
    Added,
    Removed,
}

impl Lanes {
    /// Adds a lane with its count. Its next runs are read later.
    pub(super) fn add_counted(&mut self, key: LaneKey, order: BackfillOrder, count: u64) {
        self.pending_total += count;
        *self.pipeline_counts.entry(key.pipeline).or_default() += count;
        let lane = Lane {
            count,
            ..Lane::empty(order)
        };
        self.by_key.insert(key, lane);
    }

    /// Forgets the changes of the earlier transaction, which was committed.
    pub(super) fn begin(&mut self) {
        self.changes.clear();
    }

    /// Undoes the changes of the current transaction. The next runs of changed lanes are read
    /// again.
    pub(super) fn roll_back(&mut self) {
        self.next_due = NextDue::Unknown;
        for (key, order, change) in std::mem::take(&mut self.changes).into_iter().rev() {
            match change {
                Change::Added => self.decrement(key),
                Change::Removed => self.increment(key, order).count += 1,
            }
            if let Some(lane) = self.by_key.get_mut(&key) {
                lane.upcoming = Upcoming::default();
            }
        }
    }

    pub(super) fn add(&mut self, key: LaneKey, order: BackfillOrder, run: Head) {
        self.changes.push((key, order, Change::Added));
        let lane = self.increment(key, order);
        lane.upcoming.add(run, lane.order, lane.count);
        lane.count += 1;
    }

    pub(super) fn remove(&mut self, key: LaneKey, run: RunId) {
        if key.held == Held::ByDelay {
            // It may be the one that is due next.
            self.next_due = NextDue::Unknown;
        }
        if let Some(lane) = self.by_key.get_mut(&key) {
            lane.upcoming.remove(run);
        }
        self.discard(key);
    }

    /// Moves a run from one lane to another. The next runs of both are read from the rows.
    pub(super) fn move_one(&mut self, from: LaneKey, to: LaneKey) {
        let Some(lane) = self.by_key.get_mut(&from) else {
            return;
        };
        lane.upcoming = Upcoming::default();
        let order = lane.order;
        self.discard(from);
        self.changes.push((to, order, Change::Added));
        let lane = self.increment(to, order);
        lane.count += 1;
        lane.upcoming = Upcoming::default();
    }

    pub(super) const fn next_due(&self) -> NextDue {
        self.next_due
    }

    pub(super) const fn set_next_due(&mut self, next: NextDue) {
        self.next_due = next;
    }

    /// Notes that a new run is due at this time.
    pub(super) fn add_due(&mut self, due: i64) {
        self.next_due = match self.next_due {
            NextDue::Unknown => NextDue::Unknown,
            NextDue::Never => NextDue::At(due),
            NextDue::At(earliest) => NextDue::At(earliest.min(due)),
        };
    }

    /// Removes a run that the lane does not know by its id.
    pub(super) fn discard(&mut self, key: LaneKey) {
        if let Some(lane) = self.by_key.get(&key) {
            self.changes.push((key, lane.order, Change::Removed));
            self.decrement(key);
        }
    }

    /// Adds a run to all counts but that of its lane, which it returns.
    fn increment(&mut self, key: LaneKey, order: BackfillOrder) -> &mut Lane {
        self.pending_total += 1;
        *self.pipeline_counts.entry(key.pipeline).or_default() += 1;
        self.by_key.entry(key).or_insert_with(|| Lane::empty(order))
    }

    fn decrement(&mut self, key: LaneKey) {
        let Some(lane) = self.by_key.get_mut(&key) else {
            return;
        };
        self.pending_total = self.pending_total.saturating_sub(1);
        lane.count = lane.count.saturating_sub(1);
        if lane.count == 0 {
            self.by_key.remove(&key);
        }
        if let Some(count) = self.pipeline_counts.get_mut(&key.pipeline) {
            *count -= 1;
            if *count == 0 {
                self.pipeline_counts.remove(&key.pipeline);
            }
        }
    }

    /// Remembers the next runs of a lane.
    pub(super) fn set_upcoming(&mut self, key: LaneKey, upcoming: Upcoming) {
        if let Some(lane) = self.by_key.get_mut(&key) {
            lane.upcoming = upcoming;
        }
    }

    /// Returns the next run of a lane, or `None` if it must be read.
    pub(super) fn head(&self, key: LaneKey) -> Option<Head> {
        self.by_key.get(&key)?.upcoming.first()
    }

    /// Returns the order in which the runs of a lane are claimed.
    pub(super) fn order(&self, key: LaneKey) -> BackfillOrder {
        self.by_key
            .get(&key)
            .map_or_else(BackfillOrder::default, |lane| lane.order)
    }

    /// Returns the pipelines that have pending runs of a rank that are ready. Skips from pipeline
    /// to pipeline.
    pub(super) fn pipelines_with_pending(&self, rank: Rank) -> Vec<i64> {
        let mut pipelines = Vec::new();
        let mut from = Some(i64::MIN);
        while let Some(pipeline) = from {
            let next = self
                .by_key
                .range(first_key(Held::No, rank, pipeline)..)
                .next();
            let found = next.filter(|(key, _)| (key.held, key.rank) == (Held::No, rank));
            pipelines.extend(found.map(|(key, _)| key.pipeline));
            from = found.and_then(|(key, _)| key.pipeline.checked_add(1));
        }
        pipelines
    }

    /// Returns the lanes of a pipeline that have pending runs of a rank.
    pub(super) fn lanes_of(&self, held: Held, rank: Rank, pipeline: i64) -> Vec<LaneKey> {
        self.by_key
            .range(first_key(held, rank, pipeline)..)
            .map(|(key, _)| *key)
            .take_while(|key| (key.held, key.rank, key.pipeline) == (held, rank, pipeline))
            .collect()
    }

    /// Returns how many runs of a pipeline are pending.
    pub(super) fn pending_in_pipeline(&self, pipeline: i64) -> u64 {
        self.pipeline_counts.get(&pipeline).copied().unwrap_or(0)
    }

    /// Returns how many runs are pending.
    pub(super) const fn pending_total(&self) -> u64 {
        self.pending_total
    }
}

const fn first_key(held: Held, rank: Rank, pipeline: i64) -> LaneKey {
    LaneKey {
        held,
        rank,
        pipeline,
        backfill: None,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{LaneClass, Priority};

    fn head(number: u64) -> Head {
        Head {
            run: RunId::from_uuid(Uuid::from_u64_pair(0, number)),
            key: 0,
        }
    }

    const fn rank(class: LaneClass) -> Rank {
        Rank::new(class, Priority::Normal)
    }

    const fn lane(class: LaneClass, backfill: Option<i64>) -> LaneKey {
        LaneKey {
            held: Held::No,
            rank: rank(class),
            pipeline: 7,
            backfill,
        }
    }

    /// Returns the lanes without their next runs.
    fn counts(lanes: &Lanes) -> (Vec<(LaneKey, u64, BackfillOrder)>, u64, u64) {
        let each = lanes.by_key.iter();
        let each = each.map(|(key, lane)| (*key, lane.count, lane.order));
        let pending = lanes.pending_in_pipeline(7);
        (each.collect(), pending, lanes.pending_total())
    }

    #[test]
    fn a_rollback_undoes_what_was_added_and_removed_since_the_transaction_began() {
        let mut lanes = Lanes::default();
        let (manual, dated) = (
            lane(LaneClass::Manual, None),
            lane(LaneClass::Backfill, Some(1)),
        );
        let (asc, desc) = (BackfillOrder::Ascending, BackfillOrder::Descending);
        lanes.add(manual, asc, head(5));
        lanes.add(dated, desc, head(6));
        lanes.begin();
        let before = counts(&lanes);
        // One lane loses its last run and gets another one, the other grows.
        lanes.remove(dated, head(6).run);
        lanes.add(dated, asc, head(7));
        lanes.add(manual, asc, head(3));
        lanes.discard(manual);
        lanes.add(lane(LaneClass::Schedule, None), asc, head(8));
        let delayed = LaneKey {
            held: Held::ByDelay,
            ..manual
        };
        lanes.add(delayed, asc, head(9));
        lanes.move_one(delayed, manual);
        lanes.move_one(delayed, dated);
        assert_eq!(lanes.pending_total(), 4, "an absent run is not moved");
        lanes.roll_back();
        assert_eq!(counts(&lanes), before);
        assert_eq!((lanes.head(manual), lanes.head(dated)), (None, None));
        lanes.roll_back();
        assert_eq!(counts(&lanes), before, "nothing is undone twice");
    }

    #[test]
    fn a_lane_remembers_its_next_run_until_it_leaves() {
        let mut lanes = Lanes::default();
        let (first, last) = (
            lane(LaneClass::Manual, None),
            lane(LaneClass::Backfill, None),
        );
        let order = BackfillOrder::Ascending;
        lanes.add(first, order, head(5));
        lanes.add(first, order, head(3));
        lanes.add(last, order, head(1));
        assert_eq!(lanes.head(first), Some(head(3)));
        assert_eq!(
            (lanes.pending_in_pipeline(7), lanes.pending_total()),
            (3, 3)
        );
        lanes.remove(first, head(3).run);
        assert_eq!(lanes.head(first), Some(head(5)));
        lanes.set_upcoming(first, Upcoming::default());
        lanes.add(first, order, head(4));
        assert_eq!(lanes.head(first), None, "an older run may be pending");
        lanes.set_upcoming(first, Upcoming::new(vec![head(4)]));
        lanes.remove(first, head(5).run);
        assert_eq!(lanes.head(first), Some(head(4)));
        lanes.remove(first, head(4).run);
        assert_eq!(
            lanes.pipelines_with_pending(rank(LaneClass::Manual)),
            Vec::<i64>::new()
        );
        assert_eq!(lanes.pipelines_with_pending(rank(LaneClass::Backfill)), [7]);
        assert_eq!(
            (lanes.pending_in_pipeline(7), lanes.pending_total()),
            (1, 1)
        );
    }

    #[test]
    fn the_rows_are_asked_again_when_the_next_delay_is_unclear() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.next_due(), NextDue::Unknown);
        lanes.add_due(5);
        assert_eq!(lanes.next_due(), NextDue::Unknown, "others may be due");
        lanes.set_next_due(NextDue::Never);
        lanes.add_due(7);
        lanes.add_due(9);
        assert_eq!(lanes.next_due(), NextDue::At(7));
        let delayed = LaneKey {
            held: Held::ByDelay,
            ..lane(LaneClass::Manual, None)
        };
        lanes.add(delayed, BackfillOrder::Ascending, head(1));
        lanes.remove(delayed, head(1).run);
        assert_eq!(lanes.next_due(), NextDue::Unknown);
        lanes.set_next_due(NextDue::At(9));
        lanes.roll_back();
        assert_eq!(lanes.next_due(), NextDue::Unknown);
    }

    #[test]
    fn the_lane_of_a_backfill_has_its_order() {
        let mut lanes = Lanes::default();
        let (asc, desc) = (
            lane(LaneClass::Backfill, Some(1)),
            lane(LaneClass::Backfill, Some(2)),
        );
        for number in [1, 2, 3] {
            lanes.add(asc, BackfillOrder::Ascending, head(number));
            lanes.add(desc, BackfillOrder::Descending, head(number + 10));
        }
        lanes.add(
            lane(LaneClass::Backfill, None),
            BackfillOrder::Ascending,
            head(20),
        );
        assert_eq!(lanes.head(asc), Some(head(1)));
        assert_eq!(lanes.head(desc), Some(head(13)));
        assert_eq!(lanes.order(desc), BackfillOrder::Descending);
        assert_eq!(lanes.pipelines_with_pending(rank(LaneClass::Backfill)), [7]);
        assert_eq!(
            lanes.lanes_of(Held::No, rank(LaneClass::Backfill), 7),
            [lane(LaneClass::Backfill, None), asc, desc]
        );
        assert_eq!(lanes.lanes_of(Held::No, rank(LaneClass::Backfill), 8), []);
    }
}
