//! The storage as a whole: statistics, figures, purge and close.
//!
//! `purges` covers the steps of a purge. `inheritance`, `events` and `deliveries` cover what it
//! keeps.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::fixtures::{
    Driver, at, claim, claim_one, create, date, figures_of_2024, finished_run, new_run, of_tenant,
    pending_run, pipeline_id, purge_all, read_output, read_run, run_finished, run_id, save,
    save_for, scope, snapshot, started_run, with_key,
};
use super::idempotency::first_creation;
use crate::model::{Cancel, NodeId, PageRequest, RunStatus, Scope};
use crate::storage::{
    CancelRequest, CreateRuns, DeletePipeline, Figures, FiguresBy, FiguresFilter, NewRun, Purge,
    RunFilter, Storage,
};

/// Statistics MUST count the pipelines and the active runs within the scope.
pub async fn stats_count_pipelines_and_runs_in_scope(storage: &dyn Storage) {
    for (id, tenant) in [("daily", "ann"), ("hourly", "ann"), ("weekly", "ben")] {
        save_for(storage, id, tenant).await;
    }
    started_run(storage, 1).await;
    for (n, pipeline) in [(2, "daily"), (3, "hourly"), (4, "weekly")] {
        create(storage, new_run(n, pipeline)).await.unwrap();
    }
    for (scope, pipelines, running, waiting) in [
        (Scope::All, 3, 1, 3),
        (scope("ann"), 2, 1, 2),
        (scope("ben"), 1, 0, 1),
        (scope("cy"), 0, 0, 0),
    ] {
        let stats = storage.stats(&scope).await.unwrap();
        assert_eq!(stats.pipeline_count, pipelines);
        assert_eq!(
            (stats.running_count, stats.pending_count),
            (running, waiting)
        );
        assert!(stats.bytes > 0);
    }
}

/// Statistics MUST return the greatest sequence number that was ever purged, even if a later purge
/// deletes smaller ones.
pub async fn stats_return_the_greatest_purged_sequence_number(storage: &dyn Storage) {
    finished_run(storage, 5, RunStatus::Success).await;
    finished_run(storage, 2, RunStatus::Success).await;
    assert_eq!(storage.stats(&Scope::All).await.unwrap().purged_seq, 0);
    let newest = storage.newest_seq().await.unwrap();
    for remaining in [1, 0] {
        let purge = Purge::new(at(1_000_000), 1);
        assert_eq!(storage.purge(purge).await.unwrap().deleted, 1);
        let stats = storage.stats(&Scope::All).await.unwrap();
        assert_eq!(stats.purged_seq, newest, "{remaining} runs remain");
    }
}

/// Counts the listed runs by day and status.
async fn recount(storage: &dyn Storage, filter: RunFilter) -> Vec<Figures> {
    let page = PageRequest::Newest { limit: 100 };
    let mut days: BTreeMap<NaiveDate, Figures> = BTreeMap::new();
    for run in storage.list_runs(filter, page).await.unwrap().items {
        let date = run.created_at.date_naive();
        let day = days.entry(date).or_insert(Figures::new(date));
        match run.status {
            RunStatus::Pending => day.pending += 1,
            RunStatus::Running => day.running += 1,
            RunStatus::Success => day.success += 1,
            RunStatus::Failed => day.failed += 1,
            RunStatus::Cancelled => day.cancelled += 1,
        }
    }
    days.into_values().collect()
}

/// Asserts that figures equal a recount, in total, by pipeline and by tenant.
async fn assert_figures(storage: &dyn Storage) -> Vec<Figures> {
    for pipeline in [None, Some("daily"), Some("hourly")] {
        for scope in [Scope::All, scope("ann"), scope("ben")] {
            let mut filter = figures_of_2024();
            filter.scope = scope.clone();
            filter.pipeline = pipeline.map(pipeline_id);
            let mut runs = RunFilter::default();
            (runs.scope, runs.pipeline) = (scope, filter.pipeline.clone());
            let figures = storage.figures(filter).await.unwrap();
            assert_eq!(figures, recount(storage, runs).await);
        }
    }
    storage.figures(figures_of_2024()).await.unwrap()
}

/// Figures MUST equal a recount after every step of a mixed history, purges included.
pub async fn figures_equal_a_recount_at_any_time(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    save_for(storage, "hourly", "ben").await;
    for n in 1..=8 {
        let pipeline = if n % 3 == 0 { "hourly" } else { "daily" };
        let mut run = new_run(n, pipeline);
        run.created_at = at(i64::try_from(n).unwrap() * 20_000);
        create(storage, run).await.unwrap();
    }
    let created = assert_figures(storage).await;
    assert_eq!(created.len(), 2 + usize::from(created.len() > 2));
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    assert_figures(storage).await;
    let outcomes = [RunStatus::Success, RunStatus::Failed, RunStatus::Cancelled];
    for (n, claimed) in claims.claimed.iter().enumerate().take(6) {
        let mut driver = Driver::new(claimed);
        driver
            .append(storage, [run_finished(n as u64, outcomes[n % 3])])
            .await;
        assert_figures(storage).await;
    }
    let cancel = CancelRequest::new(pending_run(storage, 9).await, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    assert_figures(storage).await;
    assert_eq!(purge_all(storage).await, 7);
    let remaining = assert_figures(storage).await;
    assert_eq!(remaining.iter().map(|day| day.running).sum::<u64>(), 2);
}

/// Figures MUST cover the requested days, both bounds included, oldest first and without empty
/// days.
pub async fn figures_cover_the_requested_days(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (n, day) in [(1, 0), (2, 1), (3, 3), (4, 3)] {
        let mut run = new_run(n, "daily");
        run.created_at = at(day * 86_400);
        create(storage, run).await.unwrap();
    }
    let filter = FiguresFilter::new(date("2024-01-16"), date("2024-01-18"));
    let figures = storage.figures(filter).await.unwrap();
    let dates: Vec<_> = figures.iter().map(|day| (day.date, day.pending)).collect();
    assert_eq!(dates, [(date("2024-01-16"), 1), (date("2024-01-18"), 2)]);
    let backwards = FiguresFilter::new(date("2024-01-18"), date("2024-01-16"));
    assert_eq!(storage.figures(backwards).await.unwrap(), []);
}

/// Figures by failing pipeline MUST cover all runs of the existing pipelines in scope with failed
/// runs. They MUST be listed by descending number of failed runs, then by id.
pub async fn figures_by_failing_pipeline_list_the_most_failures_first(storage: &dyn Storage) {
    for (id, tenant) in [
        ("a", "ann"),
        ("b", "ben"),
        ("c", "ann"),
        ("d", "ann"),
        ("e", "ben"),
    ] {
        save_for(storage, id, tenant).await;
    }
    let runs = [
        ("c", 0),
        ("c", 0),
        ("b", 0),
        ("b", 1),
        ("d", 0),
        ("a", 0),
        ("e", 9),
        ("c", 1),
        ("e", 0),
    ];
    for (n, (pipeline, day)) in (1..).zip(runs) {
        let mut run = new_run(n, pipeline);
        run.created_at = at(day * 86_400);
        create(storage, run).await.unwrap();
    }
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    for (n, claimed) in (1..).zip(&claims.claimed) {
        let is_failed = n <= 4 || n == 6 || n == 7;
        let status = if is_failed {
            RunStatus::Failed
        } else {
            RunStatus::Success
        };
        let mut driver = Driver::new(claimed);
        driver.append(storage, [run_finished(n, status)]).await;
    }
    let gone = pipeline_id("a");
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(gone.clone(), at(9)))
        .await;
    deleted.unwrap();
    let failures_by_pipeline = async |tenant: Option<&str>, count_max| {
        let mut filter = FiguresFilter::new(date("2024-01-15"), date("2024-01-16"));
        filter.by = FiguresBy::FailingPipeline { count_max };
        filter.scope = tenant.map_or(Scope::All, scope);
        let figures = storage.figures(filter).await.unwrap();
        let rows = figures.into_iter().map(|figures| {
            assert_eq!(figures.date, date("2024-01-15"));
            (figures.pipeline.unwrap(), figures.failed, figures.success)
        });
        rows.collect::<Vec<_>>()
    };
    let [b, c] = [("b", "ben", 2, 0), ("c", "ann", 2, 1)]
        .map(|(id, tenant, failed, success)| (of_tenant(id, tenant), failed, success));
    assert_eq!(failures_by_pipeline(None, 9).await, [b.clone(), c.clone()]);
    assert_eq!(
        failures_by_pipeline(None, 1).await,
        std::slice::from_ref(&b)
    );
    assert_eq!(failures_by_pipeline(Some("ann"), 9).await, [c]);
    assert_eq!(failures_by_pipeline(Some("ben"), 9).await, [b]);
    assert_eq!(failures_by_pipeline(Some("cy"), 9).await, []);
}

/// A purge MUST delete only finished runs, the oldest finished first, and at most the requested
/// number.
pub async fn a_purge_deletes_the_oldest_finished_runs_first(storage: &dyn Storage) {
    for n in [3, 1, 2, 4] {
        finished_run(storage, n, RunStatus::Failed).await;
    }
    let active = started_run(storage, 5).await.run;
    pending_run(storage, 6).await;
    let purged = storage.purge(Purge::new(at(1_004), 2)).await.unwrap();
    assert_eq!(purged.deleted, 2);
    for n in [1, 2] {
        let gone = storage.find_run(run_id(n), &Scope::All).await.unwrap();
        assert_eq!(gone, None);
    }
    let purged = storage.purge(Purge::new(at(1_004), 9)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    read_run(storage, run_id(4)).await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(purge_all(storage).await, 0);
    assert_eq!(
        read_run(storage, active).await.run.status,
        RunStatus::Running
    );
    assert_eq!(
        read_run(storage, run_id(6)).await.run.status,
        RunStatus::Pending
    );
}

/// A purge of one tenant MUST NOT delete runs of others.
pub async fn a_purge_is_limited_to_its_scope(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    finished_run(storage, 1, RunStatus::Success).await;
    let before = snapshot(storage).await;
    let mut purge = Purge::new(at(1_000_000), 100);
    purge.scope = scope("ben");
    assert_eq!(storage.purge(purge.clone()).await.unwrap().deleted, 0);
    assert_eq!(snapshot(storage).await, before);
    purge.scope = scope("ann");
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 1);
}

/// A purge MUST delete everything that belongs to its runs: key, tick, outputs and previews.
pub async fn a_purge_deletes_everything_that_belongs_to_its_runs(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut creation = with_key(1, "once", 1);
    creation.runs[0].fire_at = Some(at(3_600));
    let key = creation.idempotency.clone().unwrap();
    storage.create_runs(creation).await.unwrap();
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(1)).await);
    driver.succeed(storage, 2, b"seven").await;
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(first_creation(storage, &key).await, None);
    assert_eq!(read_output(storage, driver.run, 2).await, None);
    let save = NodeId::new("save").unwrap();
    let preview = storage.find_preview(driver.run, &save, &Scope::All).await;
    assert_eq!(preview.unwrap(), None);
    let chain = storage.find_chain(driver.run, &Scope::All).await.unwrap();
    assert_eq!(chain, []);
    let mut again = NewRun::new(new_run(2, "daily"));
    again.fire_at = Some(at(3_600));
    storage
        .create_runs(CreateRuns::new(vec![again]))
        .await
        .unwrap();
}
