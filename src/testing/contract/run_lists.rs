//! How runs are listed.
//!
//! How they are made is promised in `runs`.

use super::fixtures::{
    Driver, at, claim, claim_one, create, end_of, ended, listed, new_run, pending, pipeline_id,
    purge_all, refused_as, run_id, running, save, save_for, scope,
};
use crate::error::Problem;
use crate::model::{Page, PageRequest, Run, RunId, RunStatus, Scope, Trigger};
use crate::storage::{RunFilter, Storage};

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

/// The greatest id comes first, whatever its status and in whatever order runs were made.
pub async fn the_greatest_id_comes_first(storage: &dyn Storage) {
    pending(storage, 3).await;
    running(storage, 1).await;
    pending(storage, 4).await;
    ended(storage, 2, RunStatus::Failed).await;
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

/// A cursor goes on where the page before ended.
pub async fn a_cursor_goes_on_where_the_page_before_ended(storage: &dyn Storage) {
    for n in 1..=4 {
        pending(storage, n).await;
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

/// A cursor works though its run was purged.
pub async fn a_cursor_works_though_its_run_was_purged(storage: &dyn Storage) {
    pending(storage, 9).await;
    ended_last(storage).await;
    assert_eq!(purge_all(storage).await, 1);
    let page = page(storage, RunFilter::default(), after(Some(run_id(2)), 3)).await;
    assert_eq!(ids(&page), [run_id(1)]);
}

/// Run 1 waits, run 2 has ended.
async fn ended_last(storage: &dyn Storage) {
    let mut first = new_run(2, "daily");
    first.trigger = Trigger::Manual;
    create(storage, first).await.unwrap();
    let claimed = claim_one(storage, claim(1, 10), run_id(2)).await;
    let mut driver = Driver::of(&claimed);
    driver
        .append(storage, [end_of(2, RunStatus::Success)])
        .await;
    pending(storage, 1).await;
}

/// A cursor that is no run id is refused.
pub async fn a_cursor_that_is_no_run_is_malformed(storage: &dyn Storage) {
    pending(storage, 1).await;
    let cursor = Some("daily".to_owned());
    let request = PageRequest::After { cursor, limit: 3 };
    let listed = storage.list_runs(RunFilter::default(), request).await;
    refused_as(listed, Problem::InvalidParameter);
}

/// Numbered pages tell the total of what the filter lets through.
pub async fn numbered_pages_tell_the_total(storage: &dyn Storage) {
    for n in 1..=5 {
        pending(storage, n).await;
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

/// Statuses and triggers are alternatives.
pub async fn statuses_and_triggers_are_alternatives(storage: &dyn Storage) {
    ended(storage, 1, RunStatus::Failed).await;
    ended(storage, 2, RunStatus::Success).await;
    running(storage, 3).await;
    for (n, trigger) in [(4, Trigger::Schedule), (5, Trigger::Backfill)] {
        let mut run = new_run(n, "daily");
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let filter = RunFilter {
        statuses: vec![RunStatus::Failed, RunStatus::Running],
        ..RunFilter::default()
    };
    assert_eq!(listed(storage, filter).await, [run_id(3), run_id(1)]);
    let filter = RunFilter {
        triggers: vec![Trigger::Schedule, Trigger::Backfill],
        ..RunFilter::default()
    };
    assert_eq!(listed(storage, filter).await, [run_id(5), run_id(4)]);
}

/// The time of creation is bounded from its first instant on and before its last.
pub async fn times_are_from_the_first_and_before_the_last(storage: &dyn Storage) {
    for n in 1..=4 {
        pending(storage, n).await;
    }
    let mut filter = RunFilter::default();
    (filter.from, filter.to) = (Some(at(2)), Some(at(4)));
    assert_eq!(listed(storage, filter).await, [run_id(3), run_id(2)]);
}

/// A list of one run has that run alone, and none that the tenant does not see.
pub async fn a_list_of_one_run_has_that_run_alone(storage: &dyn Storage) {
    for (n, id, tenant) in [
        (1, "daily", "ann"),
        (2, "hourly", "ben"),
        (3, "daily", "ann"),
    ] {
        save_for(storage, id, tenant).await;
        create(storage, new_run(n, id)).await.unwrap();
    }
    for (run, whose, expected) in [
        (1, Scope::All, vec![1]),
        (1, scope("ann"), vec![1]),
        (2, scope("ann"), vec![]),
        (9, Scope::All, vec![]),
    ] {
        let filter = RunFilter {
            scope: whose.clone(),
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
            "{run} {whose:?}"
        );
        let below = page(storage, filter, after(Some(run_id(run)), 2)).await;
        assert_eq!(ids(&below), [], "a run is not behind itself");
    }
    let hourly = RunFilter {
        run: Some(run_id(1)),
        pipeline: Some(pipeline_id("hourly")),
        ..RunFilter::default()
    };
    assert_eq!(listed(storage, hourly).await, []);
    let failed = RunFilter {
        run: Some(run_id(1)),
        statuses: vec![RunStatus::Failed],
        ..RunFilter::default()
    };
    assert_eq!(listed(storage, failed).await, []);
}

/// All conditions hold together, the tenant's too.
pub async fn conditions_hold_together(storage: &dyn Storage) {
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
    assert_eq!(listed(storage, filter.clone()).await.len(), 4);
    filter.triggers = vec![Trigger::Schedule];
    assert_eq!(listed(storage, filter.clone()).await, [5, 2, 1].map(run_id));
    filter.pipeline = Some(pipeline_id("daily"));
    filter.statuses = vec![RunStatus::Pending];
    filter.to = Some(at(5));
    assert_eq!(listed(storage, filter.clone()).await, [run_id(1)]);
    filter.scope = scope("ben");
    assert_eq!(listed(storage, filter).await, []);
}
