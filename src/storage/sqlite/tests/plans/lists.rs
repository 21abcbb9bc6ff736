//! Asks a store for everything but runs that has a filter.
//!
//! `filters` asks for runs.

use super::filters::{PAGE, after, pairs, scopes};
use crate::model::{PipelineId, Scope};
use crate::storage::sqlite::SqliteStorage;
use crate::storage::{
    BackfillFilter, Backfills, ConnectionFilter, Connections, FiguresBy, PipelineFilter, Pipelines,
    Purge, PurgeMode, System, VariableFilter, Variables,
};
use crate::testing::contract::fixtures::{at, backfill_id, figures_of_2024};

pub(super) async fn ask(storage: &SqliteStorage) {
    for (pipeline, scope) in pairs() {
        ask_for_figures(storage, pipeline.as_ref(), &scope).await;
        for backfill in [None, Some(backfill_id(1))] {
            for request in [PAGE, after(&backfill_id(9))] {
                let filter = BackfillFilter {
                    scope: scope.clone(),
                    backfill,
                    pipeline: pipeline.clone(),
                };
                storage.list_backfills(filter, request).await.unwrap();
            }
        }
    }
    for scope in scopes() {
        storage.stats(&scope).await.unwrap();
        let mut purge = Purge::new(at(9), 1);
        (purge.scope, purge.mode) = (scope.clone(), PurgeMode::Preview);
        storage.purge(purge).await.unwrap();
        ask_for_definitions(storage, &scope).await;
    }
}

async fn ask_for_figures(storage: &SqliteStorage, pipeline: Option<&PipelineId>, scope: &Scope) {
    for by in [FiguresBy::Day, FiguresBy::FailingPipeline { count_max: 2 }] {
        let mut filter = figures_of_2024();
        (filter.by, filter.scope) = (by, scope.clone());
        filter.pipeline = pipeline.cloned();
        storage.figures(filter).await.unwrap();
    }
}

async fn ask_for_definitions(storage: &SqliteStorage, scope: &Scope) {
    for (tag, enabled) in [
        (None, None),
        (Some("a".to_owned()), None),
        (None, Some(true)),
    ] {
        let filter = PipelineFilter {
            scope: scope.clone(),
            tag,
            enabled,
        };
        storage.list_pipelines(filter, PAGE).await.unwrap();
    }
    let scope = scope.clone();
    let filter = ConnectionFilter {
        scope: scope.clone(),
    };
    storage.list_connections(filter, PAGE).await.unwrap();
    let filter = VariableFilter { scope };
    storage.list_variables(filter, PAGE).await.unwrap();
}
