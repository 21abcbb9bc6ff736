//! Asks stores for runs with the filters that lead to different texts.
//!
//! `lists` asks for everything else that has a filter.

use std::path::Path;

use super::super::open_file;
use crate::model::{PageRequest, PipelineId, RunStatus, Scope, Trigger};
use crate::storage::sqlite::SqliteStorage;
use crate::storage::sqlite::recorded_texts::RECORDED_FILE;
use crate::storage::{RunFilter, Runs, System};
use crate::testing::contract::fixtures::{
    at, backfill_id, pending_run, pipeline_id, run_id, save_for, scope,
};

/// More runs of each pipeline than a list sorts.
const MANY_RUNS: &str = "INSERT INTO runs (key, id, pipeline, definition, tenant, status, \
     priority, trigger, date, created_at, finished_at, epoch, claims, position) \
     WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 4100) \
     SELECT 10000 * p.key + n, randomblob(16), p.key, 1, p.tenant, 2, 0, 0, 738900, \
     1705300000000 + n, 1705300000000 + n, 1, 1, 0 FROM c CROSS JOIN pipelines p; \
     INSERT INTO labels (name, value, run) SELECT 'many', 'x', id FROM runs";

/// The statuses of a filter. Success stands for a status that most runs have.
const STATUSES: [&[RunStatus]; 7] = [
    &[],
    &[RunStatus::Pending],
    &[RunStatus::Success],
    &[RunStatus::Failed],
    &[RunStatus::Cancelled],
    &[RunStatus::Pending, RunStatus::Running],
    &[RunStatus::Failed, RunStatus::Cancelled],
];

const TRIGGERS: [&[Trigger]; 3] = [&[], &[Trigger::Manual], &[Trigger::Manual, Trigger::Resume]];

/// The first and the last second of a filter.
const AGES: [(Option<i64>, Option<i64>); 4] = [
    (None, None),
    (Some(-86_401), None),
    (None, Some(86_401)),
    (Some(-86_401), Some(86_401)),
];

/// The labels of a filter. In the store with many runs, all runs have the first one.
const LABELS: [&[&str]; 3] = [&[], &["many"], &["few", "many"]];

/// The request for a page and the total.
pub(super) const PAGE: PageRequest = PageRequest::Numbered {
    page: 1,
    per_page: 10,
};

/// Opens a store with few runs in this folder, and one with many.
pub(super) async fn stores(dir: &Path) -> [SqliteStorage; 2] {
    let many = dir.join("many");
    std::fs::create_dir(&many).unwrap();
    [store_of(dir, "").await, store_of(&many, MANY_RUNS).await]
}

/// Opens a store with two pipelines `shared` and a pipeline `daily`, and adds to its rows.
async fn store_of(dir: &Path, more: &str) -> SqliteStorage {
    let file = dir.join(RECORDED_FILE);
    let storage = open_file(&file).await;
    pending_run(&storage, 1).await;
    save_for(&storage, "shared", "ann").await;
    save_for(&storage, "shared", "ben").await;
    storage.close().await.unwrap();
    // This connection is not recorded.
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch(more)
        .unwrap();
    open_file(&file).await
}

/// Returns the request for the page after a cursor.
pub(super) fn after(cursor: &impl ToString) -> PageRequest {
    PageRequest::After {
        cursor: Some(cursor.to_string()),
        limit: 10,
    }
}

pub(super) fn scopes() -> [Scope; 3] {
    [Scope::All, Scope::NoTenant, scope("ann")]
}

/// Returns all scopes with no pipeline, with the only one of its id, and with one of several.
pub(super) fn pairs() -> impl Iterator<Item = (Option<PipelineId>, Scope)> {
    let pipelines = [None, Some("daily"), Some("shared")].map(|id| id.map(pipeline_id));
    let pair = |pipeline: Option<PipelineId>| scopes().map(|scope| (pipeline.clone(), scope));
    pipelines.into_iter().flat_map(pair)
}

/// Returns a filter for each combination of conditions, with the number of its conditions.
fn filters() -> Vec<(RunFilter, usize)> {
    let mut filters = Vec::new();
    let labels = || LABELS.into_iter();
    for ((pipeline, scope), labels) in
        pairs().flat_map(|pair| labels().map(move |own| (pair.clone(), own)))
    {
        for statuses in STATUSES {
            for triggers in TRIGGERS {
                for (from, to) in AGES {
                    let filter = RunFilter {
                        scope: scope.clone(),
                        run: None,
                        pipeline: pipeline.clone(),
                        backfill: None,
                        statuses: statuses.to_vec(),
                        triggers: triggers.to_vec(),
                        from: from.map(at),
                        to: to.map(at),
                        labels: labels
                            .iter()
                            .map(|name| ((*name).to_owned(), "x".to_owned()))
                            .collect(),
                    };
                    let has = [
                        !statuses.is_empty(),
                        !triggers.is_empty(),
                        from.or(to).is_some(),
                        !labels.is_empty(),
                    ];
                    filters.push((filter, has.into_iter().filter(|has| *has).count()));
                }
            }
        }
    }
    filters
}

/// Asks for runs with at most one condition beside pipeline and scope, and for those of a backfill.
pub(super) async fn ask(stores: &[SqliteStorage]) {
    for (filter, count) in filters() {
        let of_backfill = RunFilter {
            backfill: Some(backfill_id(1)),
            ..filter.clone()
        };
        match count {
            0 => {
                ask_in_every_way(stores, &filter).await;
                ask_in_every_way(stores, &of_backfill).await;
            }
            1 => ask_for(stores, &filter, PAGE).await,
            _ => {}
        }
    }
}

/// Asks for runs with every combination of conditions.
pub(super) async fn ask_all(stores: &[SqliteStorage]) {
    for (filter, _) in filters() {
        for backfill in [None, Some(backfill_id(1))] {
            let filter = RunFilter {
                backfill,
                ..filter.clone()
            };
            ask_for(stores, &filter, PAGE).await;
            ask_for(stores, &filter, after(&run_id(9))).await;
        }
    }
}

/// Asks for a page with the total, for one after a cursor, and for one run.
async fn ask_in_every_way(stores: &[SqliteStorage], filter: &RunFilter) {
    ask_for(stores, filter, PAGE).await;
    ask_for(stores, filter, after(&run_id(9))).await;
    let one = RunFilter {
        run: Some(run_id(1)),
        ..filter.clone()
    };
    ask_for(stores, &one, PAGE).await;
}

async fn ask_for(stores: &[SqliteStorage], filter: &RunFilter, page: PageRequest) {
    for storage in stores {
        storage
            .list_runs(filter.clone(), page.clone())
            .await
            .unwrap();
    }
}
