//! All that readers see of a storage, so that a case can tell that nothing changed.
//!
//! What it takes to write something is `fixtures`.

use super::fixtures::{all_events, backfills, found, listed, of_the_year};
use crate::model::{Event, PageRequest, Scope, StoredConnection, StoredPipeline, StoredVariable};
use crate::storage::{
    BackfillDetail, ConnectionFilter, Figures, PipelineFilter, RunDetail, RunFilter, Stats,
    Storage, StoredSchedule, VariableFilter,
};

/// All that readers see, to tell that nothing changed.
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

pub(crate) async fn snapshot(storage: &dyn Storage) -> Snapshot {
    let page = || PageRequest::Newest { limit: 100 };
    let pipelines = storage.list_pipelines(PipelineFilter::default(), page());
    let connections = storage.list_connections(ConnectionFilter::default(), page());
    let variables = storage.list_variables(VariableFilter::default(), page());
    let mut stats = storage.stats(&Scope::All).await.unwrap();
    (stats.bytes, stats.kind) = (0, "");
    let mut runs = Vec::new();
    for run in listed(storage, RunFilter::default()).await {
        runs.push(found(storage, run).await);
    }
    Snapshot {
        pipelines: pipelines.await.unwrap().items,
        connections: connections.await.unwrap().items,
        variables: variables.await.unwrap().items,
        runs,
        backfills: backfills(storage).await,
        schedules: storage.schedules(&Scope::All).await.unwrap(),
        events: all_events(storage).await,
        figures: storage.figures(of_the_year()).await.unwrap(),
        stats,
    }
}
