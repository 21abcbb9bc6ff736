//! A snapshot of a storage, with which a case proves that nothing changed.
//!
//! `fixtures` writes to the storage.

use super::backfill_fixtures::backfills_in;
use super::fixtures::{figures_of_2024, list_run_ids, matching_events};
use crate::model::{
    AuditEntry, Event, PageRequest, Scope, StoredConnection, StoredPipeline, StoredVariable,
};
use crate::storage::{
    AuditFilter, BackfillDetail, ConnectionFilter, EventFilter, Figures, FiguresBy, PipelineFilter,
    RunDetail, RunFilter, Stats, Storage, StoredSchedule, VariableFilter,
};

/// Everything that readers in a scope see of a storage.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    pipelines: Vec<StoredPipeline>,
    connections: Vec<StoredConnection>,
    variables: Vec<StoredVariable>,
    runs: Vec<RunDetail>,
    backfills: Vec<BackfillDetail>,
    schedules: Vec<StoredSchedule>,
    events: Vec<Event>,
    figures: Vec<Figures>,
    audit: Vec<AuditEntry>,
    stats: Stats,
}

/// Reads everything that readers see of a storage.
pub(crate) async fn snapshot(storage: &dyn Storage) -> Snapshot {
    snapshot_in(storage, &Scope::All).await
}

/// Reads everything that readers in a scope see of a storage.
pub(crate) async fn snapshot_in(storage: &dyn Storage, scope: &Scope) -> Snapshot {
    let mut stats = storage.stats(scope).await.unwrap();
    (stats.bytes, stats.kind) = (0, "");
    let scope = scope.clone();
    let events = EventFilter {
        scope: scope.clone(),
        ..EventFilter::default()
    };
    Snapshot {
        pipelines: pipelines(storage, scope.clone()).await,
        connections: connections(storage, scope.clone()).await,
        variables: variables(storage, scope.clone()).await,
        runs: runs(storage, &scope).await,
        backfills: backfills_in(storage, &scope).await,
        schedules: storage.schedules(&scope).await.unwrap(),
        events: matching_events(storage, events).await,
        figures: figures(storage, scope.clone()).await,
        audit: audit(storage, scope).await,
        stats,
    }
}

async fn audit(storage: &dyn Storage, scope: Scope) -> Vec<AuditEntry> {
    let filter = AuditFilter {
        scope,
        ..AuditFilter::default()
    };
    storage.list_audit(filter, page()).await.unwrap().items
}

const fn page() -> PageRequest {
    PageRequest::Newest { limit: 100 }
}

async fn pipelines(storage: &dyn Storage, scope: Scope) -> Vec<StoredPipeline> {
    let filter = PipelineFilter {
        scope,
        ..PipelineFilter::default()
    };
    let listed = storage.list_pipelines(filter, page()).await;
    listed.unwrap().items
}

async fn connections(storage: &dyn Storage, scope: Scope) -> Vec<StoredConnection> {
    let filter = ConnectionFilter { scope };
    let listed = storage.list_connections(filter, page()).await;
    listed.unwrap().items
}

async fn variables(storage: &dyn Storage, scope: Scope) -> Vec<StoredVariable> {
    let filter = VariableFilter { scope };
    let listed = storage.list_variables(filter, page()).await;
    listed.unwrap().items
}

async fn runs(storage: &dyn Storage, scope: &Scope) -> Vec<RunDetail> {
    let filter = RunFilter {
        scope: scope.clone(),
        ..RunFilter::default()
    };
    let mut runs = Vec::new();
    for run in list_run_ids(storage, filter).await {
        runs.push(storage.find_run(run, scope).await.unwrap().unwrap());
    }
    runs
}

/// Reads the figures by day, of all pipelines and of each, then those by failing pipeline.
async fn figures(storage: &dyn Storage, scope: Scope) -> Vec<Figures> {
    let mut filter = figures_of_2024();
    filter.scope = scope;
    let mut figures = storage.figures(filter.clone()).await.unwrap();
    for pipeline in pipelines(storage, filter.scope.clone()).await {
        let mut filter = filter.clone();
        (filter.scope, filter.pipeline) = (Scope::of(pipeline.tenant.as_ref()), Some(pipeline.id));
        figures.extend(storage.figures(filter).await.unwrap());
    }
    filter.by = FiguresBy::FailingPipeline { count_max: 100 };
    figures.extend(storage.figures(filter).await.unwrap());
    figures
}
