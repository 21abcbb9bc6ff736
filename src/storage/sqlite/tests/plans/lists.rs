//! Asks a store for everything but runs that has a filter.
//!
//! `filters` asks for runs.

use super::filters::{PAGE, after, pairs, scopes};
use crate::model::{
    AuditAction, AuditSubject, DeliveryId, DeliveryState, Managed, PipelineId, Scope,
    StoredPipeline,
};
use crate::storage::sqlite::SqliteStorage;
use crate::storage::sqlite::search_cache::BYTES_MAX;
use crate::storage::{
    AuditFilter, Audits, BackfillFilter, Backfills, ConnectionFilter, Connections, Deliveries,
    DeliveryFilter, FiguresBy, NewAudit, PipelineFilter, Pipelines, Purge, PurgeMode,
    PutDeliveries, RefusedCommand, SearchText, System, VariableFilter, Variables,
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
        ask_for_deliveries(storage, &scope).await;
        ask_for_audit(storage, &scope).await;
    }
}

/// Asks for the audit with every combination of filters.
pub(super) async fn ask_all(storage: &SqliteStorage) {
    for scope in scopes() {
        for conditions in 0..1 << 5 {
            ask_for_entries(storage, &scope, conditions).await;
        }
    }
}

async fn ask_for_audit(storage: &SqliteStorage, scope: &Scope) {
    // Only after an entry that exists, a page reads others.
    let audit = NewAudit::new(AuditAction::SystemPurge, AuditSubject::System, at(9));
    let refused = RefusedCommand::new(audit, "run-finished");
    storage.record_refusal(refused).await.unwrap();
    for conditions in [0, 1, 2, 4, 8, 16] {
        ask_for_entries(storage, scope, conditions).await;
    }
}

/// Bit n of `conditions` is condition n.
async fn ask_for_entries(storage: &SqliteStorage, scope: &Scope, conditions: u8) {
    let has = |number: u8| (conditions >> number) & 1 == 1;
    let filter = AuditFilter {
        scope: scope.clone(),
        action: has(0).then_some(AuditAction::RunCancel),
        by: has(1).then(|| "alice".into()),
        subject: has(2).then_some(AuditSubject::System),
        from: has(3).then(|| at(1)),
        to: has(4).then(|| at(9)),
    };
    for request in [PAGE, after(&1)] {
        storage.list_audit(filter.clone(), request).await.unwrap();
    }
}

async fn ask_for_deliveries(storage: &SqliteStorage, scope: &Scope) {
    // Parked events are read for each notifier.
    let put = PutDeliveries::new("slack".to_owned(), 0, at(9));
    storage.put_deliveries(put).await.unwrap();
    for state in [
        None,
        Some(DeliveryState::Waiting),
        Some(DeliveryState::Dead),
    ] {
        for request in [PAGE, after(&DeliveryId::new("slack", 9))] {
            let filter = DeliveryFilter {
                scope: scope.clone(),
                state,
            };
            storage.list_deliveries(filter, request).await.unwrap();
        }
    }
    let id = DeliveryId::new("slack", 9);
    assert_eq!(storage.find_delivery(&id, scope).await.unwrap(), None);
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
    for (tag, enabled, managed) in [
        (None, None, None),
        (Some("a".to_owned()), None, None),
        (None, Some(true), None),
        (None, None, Some(Managed::Code)),
        (None, None, Some(Managed::Api)),
    ] {
        let filter = PipelineFilter {
            scope: scope.clone(),
            tag,
            enabled,
            managed,
            text: None,
        };
        storage.list_pipelines(filter, PAGE).await.unwrap();
    }
    ask_by_text(storage, scope).await;
    let scope = scope.clone();
    let filter = ConnectionFilter {
        scope: scope.clone(),
    };
    storage.list_connections(filter, PAGE).await.unwrap();
    let filter = VariableFilter { scope };
    storage.list_variables(filter, PAGE).await.unwrap();
}

/// Lists by a text, with the pipelines in memory and without room for them.
async fn ask_by_text(storage: &SqliteStorage, scope: &Scope) {
    let cache = &storage.0.published.search_cache;
    let mut filter = PipelineFilter::default();
    (filter.text, filter.scope) = (Some(SearchText::new("")), scope.clone());
    for bytes_max in [0, BYTES_MAX] {
        cache.limit_to(bytes_max);
        let found = storage.list_pipelines(filter.clone(), PAGE).await.unwrap();
        let cursor = found.items.iter().map(StoredPipeline::qualified_id).next();
        if let Some(cursor) = cursor {
            let rest = after(&cursor);
            storage.list_pipelines(filter.clone(), rest).await.unwrap();
        }
    }
}
