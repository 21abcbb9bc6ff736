//! A snapshot of a storage, with which a case proves that nothing changed.
//!
//! `fixtures` writes to the storage.

use super::fixtures::{all_backfills, all_events, figures_of_2024, list_run_ids, read_run};
use crate::model::{Event, PageRequest, Scope, StoredConnection, StoredPipeline, StoredVariable};
use crate::storage::{
    BackfillDetail, ConnectionFilter, Figures, PipelineFilter, RunDetail, RunFilter, Stats,
    Storage, StoredSchedule, VariableFilter,
};

/// Everything that readers see of a storage.
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
    stats: Stats,
}

/// Reads everything that readers see of a storage.
pub(crate) async fn snapshot(storage: &dyn Storage) -> Snapshot {
    let page = || PageRequest::Newest { limit: 100 };
    let pipelines = storage.list_pipelines(PipelineFilter::default(), page());
    let connections = storage.list_connections(ConnectionFilter::default(), page());
    let variables = storage.list_variables(VariableFilter::default(), page());
    let mut stats = storage.stats(&Scope::All).await.unwrap();
    (stats.bytes, stats.kind) = (0, "");
    let mut runs = Vec::new();
    for run in list_run_ids(storage, RunFilter::default()).await {
        runs.push(read_run(storage, run).await);
    }
    Snapshot {
        pipelines: pipelines.await.unwrap().items,
        connections: connections.await.unwrap().items,
        variables: variables.await.unwrap().items,
        runs,
        backfills: all_backfills(storage).await,
        schedules: storage.schedules(&Scope::All).await.unwrap(),
        events: all_events(storage).await,
        figures: storage.figures(figures_of_2024()).await.unwrap(),
        stats,
    }
}
