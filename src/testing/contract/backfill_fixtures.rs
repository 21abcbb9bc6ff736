//! Backfill fixtures of the cases.
//!
//! Their pipelines and runs come from `fixtures`.

use chrono::NaiveTime;
use uuid::Uuid;

use super::fixtures::{at, date, new_run, pipeline_id};
use crate::model::{Backfill, BackfillId, PageRequest, Scope, Trigger};
use crate::storage::{BackfillDetail, BackfillFilter, CreateRuns, NewBackfill, NewRun, Storage};

/// Returns the id of backfill `n`. Ids grow with `n`.
pub(crate) fn backfill_id(n: u64) -> BackfillId {
    BackfillId::from_uuid(Uuid::from_u64_pair(
        (0x018c_0000_0000 + n) << 16 | 0x7000,
        1 << 63,
    ))
}

/// Returns backfill `n` of a pipeline, created at second `n`, for this many dates from 2024-01-01.
/// Its runs are numbered from `first`.
pub(crate) fn new_backfill(n: u64, pipeline: &str, first: u64, dates: u64) -> CreateRuns {
    let start = date("2024-01-01");
    let day = |index: u64| start + chrono::Days::new(index);
    let run_of = |index: u64| {
        let mut run = new_run(first + index, pipeline);
        (run.trigger, run.date) = (Trigger::Backfill, day(index));
        run.scheduled_at = Some(run.date.and_time(NaiveTime::MIN).and_utc());
        run.backfill_id = Some(backfill_id(n));
        NewRun::new(run)
    };
    let range = (start, day(dates.saturating_sub(1)));
    let created_at = at(i64::try_from(n).unwrap());
    let backfill = Backfill::new(backfill_id(n), pipeline_id(pipeline), range, created_at);
    let mut create = CreateRuns::new((0..dates).map(run_of).collect());
    create.backfill = Some(NewBackfill::new(backfill));
    create
}

/// Reads every backfill with its runs, newest first.
pub(crate) async fn all_backfills(storage: &dyn Storage) -> Vec<BackfillDetail> {
    backfills_in(storage, &Scope::All).await
}

/// Reads every backfill in a scope with its runs, newest first.
pub(crate) async fn backfills_in(storage: &dyn Storage, scope: &Scope) -> Vec<BackfillDetail> {
    let page = PageRequest::Newest { limit: 100 };
    let filter = BackfillFilter {
        scope: scope.clone(),
        ..BackfillFilter::default()
    };
    let page = storage.list_backfills(filter, page);
    let mut all = Vec::new();
    for listed in page.await.unwrap().items {
        let found = storage.find_backfill(listed.id, scope).await;
        let found = found.unwrap().unwrap();
        assert_eq!(found.backfill, listed);
        all.push(found);
    }
    all
}
