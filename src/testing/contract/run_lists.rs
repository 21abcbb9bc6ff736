//! The lists of runs: their order, pages and filters.
//!
//! `runs` covers the creation of runs.

use super::fixtures::{
    Driver, assert_problem, at, backfill_id, claim, claim_one, create, finished_run, list_run_ids,
    new_backfill, new_run, pending_run, pipeline_id, purge_all, run_finished, run_id, save,
    save_for, scope, started_run,
};
use crate::error::Problem;
use crate::model::{Page, PageRequest, Run, RunId, RunStatus, Scope, Trigger};
use crate::storage::{CreateRuns, NewRun, RunFilter, Storage};

async fn page(storage: &dyn Storage, filter: RunFilter, page: PageRequest) -> Page<Run> {
    storage.list_runs(filter, page).await.unwrap()
}

fn after(cursor: Option<RunId>, limit: u32) -> PageRequest {
    let cursor = cursor.map(|run| run.to_string());
    PageRequest::After { cursor, limit }
}

fn ids(page: &Page<Run>) -> Vec<RunId> {
    page.items.iter().map(|run| run.id).collect()
}

/// Runs MUST be listed by descending id, whatever their status and the order of their creation.
pub async fn the_greatest_id_comes_first(storage: &dyn Storage) {
    pending_run(storage, 3).await;
    started_run(storage, 1).await;
    pending_run(storage, 4).await;
    finished_run(storage, 2, RunStatus::Failed).await;
    let page = page(
        storage,
        RunFilter::default(),
        PageRequest::Newest { limit: 3 },
    )
    .await;
    assert_eq!(ids(&page), [run_id(4), run_id(3), run_id(2)]);
    assert_eq!(page.total, None);
    assert_eq!(page.items[2].status, RunStatus::Failed);
}

/// A cursor MUST continue after the previous page. The last page MUST return no cursor.
pub async fn a_cursor_continues_after_the_previous_page(storage: &dyn Storage) {
    for n in 1..=4 {
        pending_run(storage, n).await;
    }
    let all = RunFilter::default;
    let first = page(storage, all(), after(None, 3)).await;
    assert_eq!(ids(&first), [run_id(4), run_id(3), run_id(2)]);
    assert_eq!(first.next, Some(run_id(2).to_string()));
    let second = page(storage, all(), after(Some(run_id(2)), 3)).await;
    assert_eq!((ids(&second), second.next), (vec![run_id(1)], None));
    let exact = page(storage, all(), after(None, 4)).await;
    assert_eq!((exact.items.len(), exact.next), (4, None));
}

/// A cursor MUST work even if its run was purged since.
pub async fn a_cursor_works_after_its_run_is_purged(storage: &dyn Storage) {
    pending_run(storage, 9).await;
    one_finished_and_one_pending(storage).await;
    assert_eq!(purge_all(storage).await, 1);
    let page = page(storage, RunFilter::default(), after(Some(run_id(2)), 3)).await;
    assert_eq!(ids(&page), [run_id(1)]);
}

/// Creates run 2, finished, and run 1, pending.
async fn one_finished_and_one_pending(storage: &dyn Storage) {
    let mut first = new_run(2, "daily");
    first.trigger = Trigger::Manual;
    create(storage, first).await.unwrap();
    let claimed = claim_one(storage, claim(1, 10), run_id(2)).await;
    let mut driver = Driver::new(&claimed);
    driver
        .append(storage, [run_finished(2, RunStatus::Success)])
        .await;
    pending_run(storage, 1).await;
}

/// A cursor that is no run id MUST be refused.
pub async fn a_cursor_that_is_no_run_id_is_refused(storage: &dyn Storage) {
    pending_run(storage, 1).await;
    let cursor = Some("daily".to_owned());
    let request = PageRequest::After { cursor, limit: 3 };
    let listed = storage.list_runs(RunFilter::default(), request).await;
    assert_problem(listed, Problem::InvalidParameter);
}

/// A numbered page MUST return the total of what the filter admits.
pub async fn numbered_pages_return_the_total(storage: &dyn Storage) {
    for n in 1..=5 {
        pending_run(storage, n).await;
    }
    save(storage, "hourly").await;
    create(storage, new_run(6, "hourly")).await.unwrap();
    for (number, expected) in [(1, vec![5, 4]), (3, vec![1]), (4, vec![])] {
        let filter = RunFilter {
            pipeline: Some(pipeline_id("daily")),
            ..RunFilter::default()
        };
        let request = PageRequest::Numbered {
            page: number,
            per_page: 2,
        };
        let page = page(storage, filter, request).await;
        let expected: Vec<_> = expected.into_iter().map(run_id).collect();
        assert_eq!((ids(&page), page.total), (expected, Some(5)));
    }
}

/// A filter MUST admit a run with any of its statuses and any of its triggers.
pub async fn a_filter_admits_any_of_its_statuses_and_triggers(storage: &dyn Storage) {
    finished_run(storage, 1, RunStatus::Failed).await;
    finished_run(storage, 2, RunStatus::Success).await;
    started_run(storage, 3).await;
    for (n, trigger) in [(4, Trigger::Schedule), (5, Trigger::Backfill)] {
        let mut run = new_run(n, "daily");
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let filter = RunFilter {
        statuses: vec![RunStatus::Failed, RunStatus::Running],
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, filter).await, [run_id(3), run_id(1)]);
    let filter = RunFilter {
        triggers: vec![Trigger::Schedule, Trigger::Backfill],
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, filter).await, [run_id(5), run_id(4)]);
}

/// A filter MUST admit the runs of its backfill that meet its other conditions, and no others: not
/// even a resume of one of them. A backfill outside the scope MUST have none.
pub async fn a_filter_finds_the_runs_of_a_backfill(storage: &dyn Storage) {
    save(storage, "daily").await;
    save_for(storage, "daily", "ann").await;
    for (n, first, owner) in [(1, 1, Scope::NoTenant), (2, 11, scope("ann"))] {
        let mut create = new_backfill(n, "daily", first, 3);
        create.scope = owner;
        storage.create_runs(create).await.unwrap();
    }
    let claimed = claim_one(storage, claim(1, 10), run_id(1)).await;
    let failed = [run_finished(1, RunStatus::Failed)];
    Driver::new(&claimed).append(storage, failed).await;
    let (mut resumed, mut manual) = (new_run(21, "daily"), new_run(22, "daily"));
    (resumed.trigger, manual.trigger) = (Trigger::Resume, Trigger::Manual);
    (resumed.resumed_from, resumed.first_run) = (Some(run_id(1)), run_id(1));
    for run in [resumed, manual] {
        let mut create = CreateRuns::new(vec![NewRun::new(run)]);
        create.scope = Scope::NoTenant;
        storage.create_runs(create).await.unwrap();
    }
    let of = |n| RunFilter {
        backfill: Some(backfill_id(n)),
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, of(1)).await, [3, 2, 1].map(run_id));
    assert_eq!(list_run_ids(storage, of(2)).await, [13, 12, 11].map(run_id));
    assert_eq!(list_run_ids(storage, of(3)).await, []);
    for (filter, expected) in [
        (only(of(1), RunStatus::Failed), vec![1]),
        (only(of(1), RunStatus::Pending), vec![3, 2]),
        (of_pipeline(of(1), "daily"), vec![3, 2, 1]),
        (of_pipeline(of(1), "other"), vec![]),
        (in_scope(of(1), scope("ann")), vec![]),
        (in_scope(of(2), scope("ann")), vec![13, 12, 11]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(run_id).collect();
        assert_eq!(list_run_ids(storage, filter.clone()).await, expected);
        let numbered = PageRequest::Numbered {
            page: 1,
            per_page: 2,
        };
        let numbered = page(storage, filter, numbered).await;
        assert_eq!(numbered.total, Some(expected.len() as u64));
    }
    let rest = page(storage, of(1), after(Some(run_id(3)), 1)).await;
    assert_eq!(
        (ids(&rest), rest.next),
        (vec![run_id(2)], Some(run_id(2).to_string()))
    );
}

fn only(filter: RunFilter, status: RunStatus) -> RunFilter {
    RunFilter {
        statuses: vec![status],
        ..filter
    }
}

fn of_pipeline(filter: RunFilter, pipeline: &str) -> RunFilter {
    RunFilter {
        pipeline: Some(pipeline_id(pipeline)),
        ..filter
    }
}

fn in_scope(filter: RunFilter, scope: Scope) -> RunFilter {
    RunFilter { scope, ..filter }
}

/// A range of creation times MUST include its start and exclude its end.
pub async fn a_time_range_includes_its_start_and_excludes_its_end(storage: &dyn Storage) {
    for n in 1..=4 {
        pending_run(storage, n).await;
    }
    let mut filter = RunFilter::default();
    (filter.from, filter.to) = (Some(at(2)), Some(at(4)));
    assert_eq!(list_run_ids(storage, filter).await, [run_id(3), run_id(2)]);
}

/// A list of one run MUST contain only that run, and nothing if its tenant is another one.
pub async fn a_list_of_one_run_contains_only_that_run(storage: &dyn Storage) {
    for (n, id, tenant) in [
        (1, "daily", "ann"),
        (2, "hourly", "ben"),
        (3, "daily", "ann"),
    ] {
        save_for(storage, id, tenant).await;
        create(storage, new_run(n, id)).await.unwrap();
    }
    for (run, scope_of_list, expected) in [
        (1, Scope::All, vec![1]),
        (1, scope("ann"), vec![1]),
        (2, scope("ann"), vec![]),
        (9, Scope::All, vec![]),
    ] {
        let filter = RunFilter {
            scope: scope_of_list.clone(),
            run: Some(run_id(run)),
            ..RunFilter::default()
        };
        let (number, per_page) = (1, 2);
        let request = PageRequest::Numbered {
            page: number,
            per_page,
        };
        let found = page(storage, filter.clone(), request).await;
        let total = expected.len() as u64;
        let expected: Vec<_> = expected.into_iter().map(run_id).collect();
        assert_eq!(
            (ids(&found), found.total),
            (expected, Some(total)),
            "{run} {scope_of_list:?}"
        );
        let below = page(storage, filter, after(Some(run_id(run)), 2)).await;
        assert_eq!(ids(&below), [], "a run is not after itself");
    }
    let hourly = RunFilter {
        run: Some(run_id(1)),
        pipeline: Some(pipeline_id("hourly")),
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, hourly).await, []);
    let failed = RunFilter {
        run: Some(run_id(1)),
        statuses: vec![RunStatus::Failed],
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, failed).await, []);
}

/// All filters MUST apply together, that of the tenant too.
pub async fn all_filters_apply_together(storage: &dyn Storage) {
    for (id, tenant) in [("daily", "ann"), ("hourly", "ann"), ("weekly", "ben")] {
        save_for(storage, id, tenant).await;
    }
    for (n, pipeline, trigger) in [
        (1, "daily", Trigger::Schedule),
        (2, "hourly", Trigger::Schedule),
        (3, "daily", Trigger::Manual),
        (4, "weekly", Trigger::Schedule),
        (5, "daily", Trigger::Schedule),
    ] {
        let mut run = new_run(n, pipeline);
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let mut filter = RunFilter {
        scope: scope("ann"),
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, filter.clone()).await.len(), 4);
    filter.triggers = vec![Trigger::Schedule];
    assert_eq!(
        list_run_ids(storage, filter.clone()).await,
        [5, 2, 1].map(run_id)
    );
    filter.pipeline = Some(pipeline_id("daily"));
    filter.statuses = vec![RunStatus::Pending];
    filter.to = Some(at(5));
    assert_eq!(list_run_ids(storage, filter.clone()).await, [run_id(1)]);
    filter.scope = scope("ben");
    assert_eq!(list_run_ids(storage, filter).await, []);
}
