//! What a closed storage answers: the same to every call.
//!
//! `durable` reopens a storage.

use super::fixtures::{
    Driver, at, backfill_id, claim, figures_of_2024, new_run, node_id, owner, pipeline_id, put,
    run_id, started_run, with_key, without_tenant,
};
use crate::error::{Problem, Result};
use crate::model::{
    AuditAction, AuditSubject, Cancel, ConnectionFields, ConnectionId, DeliveryId, PageRequest,
    Scope, VariableFields, VariableKey, VariableValue,
};
use crate::storage::{
    Advance, AnswerEnds, AuditFilter, BackfillFilter, CancelBackfill, CancelRequest,
    ChangeDeadLetter, ClaimCursors, ConnectionFilter, CreateRuns, DeadLetterAction,
    DeleteConnection, DeletePipeline, DeleteVariable, DeliveryFilter, EventFilter, NewAudit,
    NewRun, NewestRuns, OutputChunk, PipelineFilter, Purge, PurgeMode, PutConnection,
    PutDeliveries, PutVariable, RefusedCommand, RunFilter, SetBackfillPause, SetPause, Storage,
    StoredSchedule, VariableFilter,
};

/// Asserts that each call was refused because the storage is closed.
macro_rules! assert_closed {
    ($($call:expr),* $(,)?) => {
        $(assert_eq!(problem($call.await), Some(Problem::ShuttingDown), "{}", stringify!($call));)*
    };
}

fn problem<T>(answer: Result<T>) -> Option<Problem> {
    answer.err().map(|error| error.problem())
}

/// A second `close` MUST succeed, and a closed storage MUST refuse every other call in the same
/// way, reads included.
pub async fn a_closed_storage_refuses_every_call(storage: &dyn Storage) {
    let driver = started_run(storage, 1).await;
    let daily = storage.put_pipeline(put("daily")).await.unwrap();
    storage.close().await.unwrap();
    storage.close().await.unwrap();
    refuses_definitions(storage).await;
    refuses_settings(storage).await;
    refuses_runs(storage, &driver).await;
    refuses_execution(storage, &driver).await;
    let schedule = StoredSchedule::new(daily, at(0));
    assert_closed!(
        storage.schedules(&Scope::All),
        storage.advance(Advance::new(&schedule, at(1))),
        storage.waiting_ends(),
        storage.answer_ends(AnswerEnds::new(&schedule.pipeline, vec![run_id(1)])),
    );
    let audit = NewAudit::new(AuditAction::SystemPurge, AuditSubject::System, at(1));
    assert_closed!(
        storage.record_refusal(RefusedCommand::new(audit, "run-finished")),
        storage.list_audit(AuditFilter::default(), PageRequest::Newest { limit: 1 }),
        storage.trim_audit(at(1), 10),
    );
    let mut preview = Purge::new(at(1_000_000), 100);
    preview.mode = PurgeMode::Preview;
    assert_closed!(
        storage.stats(&Scope::All),
        storage.figures(figures_of_2024()),
        storage.purge(Purge::new(at(1_000_000), 100)),
        storage.purge(preview),
    );
}

async fn refuses_definitions(storage: &dyn Storage) {
    let page = || PageRequest::Newest { limit: 1 };
    let cancel = CancelBackfill::new(backfill_id(1), Cancel::Plain, at(1));
    assert_closed!(
        storage.put_pipeline(put("p-2")),
        storage.find_pipeline("daily", &Scope::All),
        storage.list_pipelines(PipelineFilter::default(), page()),
        storage.delete_pipeline(DeletePipeline::new(pipeline_id("daily"), at(1))),
        storage.set_pause(SetPause::new(pipeline_id("daily"), None)),
        storage.find_backfill(backfill_id(1), &Scope::All),
        storage.list_backfills(BackfillFilter::default(), page()),
        storage.cancel_backfill(cancel),
        storage.set_backfill_pause(SetBackfillPause::new(backfill_id(1), None)),
    );
}

async fn refuses_settings(storage: &dyn Storage) {
    let page = || PageRequest::Newest { limit: 1 };
    let id = ConnectionId::new("c").unwrap();
    let connection = PutConnection::new(id.clone(), ConnectionFields::default(), at(0));
    let key = VariableKey::new("k").unwrap();
    let fields = VariableFields {
        value: VariableValue::Plain("1".to_owned()),
        description: String::new(),
    };
    let variable = PutVariable::new(key.clone(), fields, at(0));
    assert_closed!(
        storage.put_connection(connection),
        storage.find_connection(&id, &Scope::All),
        storage.list_connections(ConnectionFilter::default(), page()),
        storage.delete_connection(DeleteConnection::new(id.clone(), at(1))),
        storage.put_variable(variable),
        storage.find_variables(std::slice::from_ref(&key), &Scope::All),
        storage.list_variables(VariableFilter::default(), page()),
        storage.delete_variable(DeleteVariable::new(key.clone(), at(1))),
    );
}

async fn refuses_runs(storage: &dyn Storage, driver: &Driver) {
    let key = with_key(2, "once", 1).idempotency.unwrap();
    let cancel = CancelRequest::new(driver.run, Cancel::Plain, at(50));
    let create = CreateRuns::new(vec![NewRun::new(new_run(2, "daily"))]);
    let node = node_id("load");
    assert_closed!(
        storage.create_runs(create),
        storage.find_idempotent(&key.operation, &key.key),
        storage.find_run(driver.run, &Scope::All),
        storage.find_chain(run_id(1), &Scope::All),
        storage.list_runs(RunFilter::default(), PageRequest::Newest { limit: 1 }),
        storage.request_cancel(cancel),
        storage.find_preview(driver.run, &node, &Scope::All),
        storage.find_profile(driver.run, &node, &Scope::All),
        storage.list_run_nodes(NewestRuns::new(without_tenant("daily"), 1)),
        storage.list_past_node_runs(NewestRuns::new(without_tenant("daily"), 1), &node),
        storage.newest_run(),
        storage.events(EventFilter::default(), 0, 1),
        storage.events_before(EventFilter::default(), 9, 1),
        storage.newest_seq(),
    );
}

async fn refuses_execution(storage: &dyn Storage, driver: &Driver) {
    let lease = std::time::Duration::from_secs(1);
    let chunk = OutputChunk::new(driver.run, driver.epoch, 0, 0, b"late"[..].into());
    let cursors = ClaimCursors::new(vec!["slack".to_owned()], at(0), at(1));
    assert_closed!(
        storage.claim(claim(1, 10)),
        storage.renew(owner(1), vec![driver.held()], lease, at(1)),
        storage.release(owner(1), vec![driver.held()]),
        storage.waiting(driver.run, &Scope::All, at(1)),
        storage.append(driver.next_append([])),
        storage.put_output_chunk(chunk),
        storage.find_output(driver.run, 0, &Scope::All),
        storage.claim_cursors(cursors),
        storage.put_deliveries(PutDeliveries::new("slack".to_owned(), 1, at(1))),
        storage.list_deliveries(DeliveryFilter::default(), PageRequest::Newest { limit: 1 }),
        storage.find_delivery(&DeliveryId::new("slack", 1), &Scope::All),
        storage.change_dead_letter(ChangeDeadLetter::new(
            DeliveryId::new("slack", 1),
            DeadLetterAction::Drop,
            at(1)
        )),
    );
}
