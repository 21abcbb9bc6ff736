//! The commands that have an entry in the audit, one of each kind, for the cases of `audit`.

use super::backfill_fixtures::{backfill_id, new_backfill};
use super::connections::{connection, connection_id};
use super::deliveries::dead_letter;
use super::fixtures::{at, new_run, pipeline_id, put, run_id, save_for, scope};
use super::variables::{variable, variable_key};
use crate::model::{AuditAction, AuditSubject, Cancel, DeliveryId, Pause, Scope};
use crate::storage::{
    CancelBackfill, CancelRequest, ChangeDeadLetter, CreateRuns, DeadLetterAction,
    DeleteConnection, DeletePipeline, DeleteVariable, EditRun, Expect, NewAudit, NewRun, Purge,
    PutConnection, PutDeliveries, PutVariable, SetBackfillPause, SetPause, Storage,
};

/// Returns an entry with a caller and a reason.
pub(crate) fn entry(action: AuditAction, subject: AuditSubject, seconds: i64) -> NewAudit {
    let mut audit = NewAudit::new(action, subject, at(seconds));
    audit.by = Some("alice".into());
    audit.reason = Some(format!("reason {seconds}"));
    audit
}

/// Pauses a pipeline `hourly` and a backfill of `daily`, with entries in the audit.
pub(super) async fn give_pauses(storage: &dyn Storage) {
    storage.put_pipeline(put("hourly")).await.unwrap();
    pause_in(storage, "hourly", 60, &Scope::All).await;
    let id = backfill_id(1);
    let backfill = new_backfill(1, "daily", 6, 2);
    storage.create_runs(backfill).await.unwrap();
    let mut request = SetBackfillPause::new(id, Some(Pause::new(at(61))));
    let subject = AuditSubject::Backfill(id);
    request.audit = Some(entry(AuditAction::BackfillPause, subject, 61));
    storage.set_backfill_pause(request).await.unwrap();
}

/// Pauses a pipeline without a tenant at a time. A paused one stays as it is.
pub(super) async fn pause(storage: &dyn Storage, id: &str, seconds: i64) {
    pause_in(storage, id, seconds, &Scope::NoTenant).await;
}

pub(super) async fn pause_in(storage: &dyn Storage, id: &str, seconds: i64, scope: &Scope) {
    let subject = AuditSubject::Pipeline(pipeline_id(id));
    let mut request = SetPause::new(pipeline_id(id), Some(Pause::new(at(seconds))));
    request.scope = scope.clone();
    request.audit = Some(entry(AuditAction::PipelinePause, subject, seconds));
    storage.set_pause(request).await.unwrap();
}

/// Gives one command of each kind on objects of the tenant `ann`, one a second. Returns the
/// entries.
pub(super) async fn give_all(storage: &dyn Storage) -> Vec<NewAudit> {
    let mut given = give_runs(storage).await;
    given.extend(give_backfills(storage).await);
    given.extend(give_deliveries(storage).await);
    given.extend(give_pipelines(storage).await);
    given.extend(give_settings(storage).await);
    given
}

async fn give_runs(storage: &dyn Storage) -> Vec<NewAudit> {
    save_for(storage, "daily", "ann").await;
    let run = AuditSubject::Run(run_id(1));
    let given = [
        entry(AuditAction::RunRerun, run.clone(), 1),
        entry(AuditAction::RunEdit, run.clone(), 2),
        entry(AuditAction::RunCancel, run, 3),
    ];
    let [rerun, edit, cancel] = given.clone().map(Some);
    let request = CreateRuns::new(vec![NewRun::new(new_run(1, "daily"))]);
    let request = CreateRuns {
        audit: rerun,
        ..request
    };
    storage.create_runs(request).await.unwrap();
    let request = EditRun {
        audit: edit,
        ..EditRun::new(run_id(1))
    };
    storage.edit_run(request).await.unwrap();
    let mut request = CancelRequest::new(run_id(1), Cancel::Plain, at(3));
    request.audit = cancel;
    storage.request_cancel(request).await.unwrap();
    given.into()
}

async fn give_backfills(storage: &dyn Storage) -> Vec<NewAudit> {
    let id = backfill_id(1);
    let subject = AuditSubject::Backfill(id);
    let given = [
        entry(AuditAction::BackfillCreate, subject.clone(), 4),
        entry(AuditAction::BackfillPause, subject.clone(), 5),
        entry(AuditAction::BackfillUnpause, subject.clone(), 6),
        entry(AuditAction::BackfillCancel, subject, 7),
    ];
    let [create, pause, unpause, cancel] = given.clone().map(Some);
    let mut request = new_backfill(1, "daily", 2, 2);
    request.audit = create;
    storage.create_runs(request).await.unwrap();
    for (new, audit) in [(Some(Pause::new(at(5))), pause), (None, unpause)] {
        let mut request = SetBackfillPause::new(id, new);
        request.audit = audit;
        storage.set_backfill_pause(request).await.unwrap();
    }
    let mut request = CancelBackfill::new(id, Cancel::Plain, at(7));
    request.audit = cancel;
    storage.cancel_backfill(request).await.unwrap();
    given.into()
}

async fn give_deliveries(storage: &dyn Storage) -> Vec<NewAudit> {
    let id = DeliveryId::new("slack", 1);
    let given = [
        entry(
            AuditAction::DeliveryDrop,
            AuditSubject::Delivery(id.clone()),
            8,
        ),
        entry(AuditAction::SystemPurge, AuditSubject::System, 9),
    ];
    let [drop, purge] = given.clone().map(Some);
    let mut parked = PutDeliveries::new("slack".to_owned(), 1, at(5));
    parked.parked = vec![dead_letter(run_id(1), 1)];
    storage.put_deliveries(parked).await.unwrap();
    let mut request = ChangeDeadLetter::new(id, DeadLetterAction::Drop, at(8));
    request.audit = drop;
    storage.change_dead_letter(request).await.unwrap();
    let mut request = Purge::new(at(100), 10);
    (request.scope, request.audit) = (scope("ann"), purge);
    storage.purge(request).await.unwrap();
    given.into()
}

async fn give_pipelines(storage: &dyn Storage) -> Vec<NewAudit> {
    let subject = || AuditSubject::Pipeline(pipeline_id("hourly"));
    let given = [
        entry(AuditAction::PipelineCreate, subject(), 10),
        entry(AuditAction::PipelineEdit, subject(), 11),
        entry(AuditAction::PipelinePause, subject(), 12),
        entry(AuditAction::PipelineUnpause, subject(), 13),
        entry(AuditAction::PipelineDelete, subject(), 14),
    ];
    let [create, edit, pause, unpause, delete] = given.clone().map(Some);
    // The second save changes nothing, and was a command all the same.
    for audit in [create, edit] {
        let mut request = put("hourly");
        (request.scope, request.audit) = (scope("ann"), audit);
        storage.put_pipeline(request).await.unwrap();
    }
    for (new, audit) in [(Some(Pause::new(at(12))), pause), (None, unpause)] {
        let mut request = SetPause::new(pipeline_id("hourly"), new);
        request.audit = audit;
        storage.set_pause(request).await.unwrap();
    }
    let mut request = DeletePipeline::new(pipeline_id("hourly"), at(14));
    request.audit = delete;
    storage.delete_pipeline(request).await.unwrap();
    given.into()
}

async fn give_settings(storage: &dyn Storage) -> Vec<NewAudit> {
    let (id, key) = (connection_id("warehouse"), variable_key("region"));
    let (named, keyed) = (
        AuditSubject::Connection(id.clone()),
        AuditSubject::Variable(key.clone()),
    );
    let given = [
        entry(AuditAction::ConnectionCreate, named.clone(), 20),
        entry(AuditAction::ConnectionDelete, named, 21),
        entry(AuditAction::VariableCreate, keyed.clone(), 22),
        entry(AuditAction::VariableDelete, keyed, 23),
    ];
    let [create, delete, create_variable, delete_variable] = given.clone().map(Some);
    let mut request = PutConnection::new(id.clone(), connection("reader"), at(20));
    (request.scope, request.audit) = (scope("ann"), create);
    storage.put_connection(request).await.unwrap();
    let mut request = DeleteConnection::new(id, at(21));
    request.audit = delete;
    storage.delete_connection(request).await.unwrap();
    let mut request = PutVariable::new(key.clone(), variable("north"), at(22));
    (request.scope, request.audit) = (scope("ann"), create_variable);
    storage.put_variable(request).await.unwrap();
    let mut request = DeleteVariable::new(key, at(23));
    request.audit = delete_variable;
    storage.delete_variable(request).await.unwrap();
    given.into()
}

/// Gives commands of every kind but a purge, which storage refuses. There is a pipeline `daily`.
pub(super) async fn refuse_all(storage: &dyn Storage) {
    let audit = || Some(entry(AuditAction::RunEdit, AuditSubject::System, 1));
    let mut request = put("daily");
    (request.expect, request.audit) = (Expect::Absent, audit());
    storage.put_pipeline(request).await.unwrap_err();
    let absent = || pipeline_id("absent");
    let mut request = DeletePipeline::new(absent(), at(1));
    request.audit = audit();
    storage.delete_pipeline(request).await.unwrap_err();
    let mut request = SetPause::new(absent(), None);
    request.audit = audit();
    storage.set_pause(request).await.unwrap_err();
    let mut request = CreateRuns::new(vec![NewRun::new(new_run(1, "daily"))]);
    (request.queued_max, request.audit) = (0, audit());
    storage.create_runs(request).await.unwrap_err();
    let mut request = CancelRequest::new(run_id(9), Cancel::Plain, at(1));
    request.audit = audit();
    storage.request_cancel(request).await.unwrap_err();
    let mut request = EditRun::new(run_id(9));
    request.audit = audit();
    storage.edit_run(request).await.unwrap_err();
    let mut request = CancelBackfill::new(backfill_id(9), Cancel::Plain, at(1));
    request.audit = audit();
    storage.cancel_backfill(request).await.unwrap_err();
    let mut request = SetBackfillPause::new(backfill_id(9), None);
    request.audit = audit();
    storage.set_backfill_pause(request).await.unwrap_err();
    let id = DeliveryId::new("slack", 9);
    let mut request = ChangeDeadLetter::new(id, DeadLetterAction::Retry, at(1));
    request.audit = audit();
    storage.change_dead_letter(request).await.unwrap_err();
    refuse_settings(storage, audit).await;
}

async fn refuse_settings(storage: &dyn Storage, audit: impl Fn() -> Option<NewAudit> + Sync) {
    let (id, key) = (connection_id("absent"), variable_key("absent"));
    let mut request = PutConnection::new(id.clone(), connection("reader"), at(1));
    (request.expect, request.audit) = (Expect::Present, audit());
    storage.put_connection(request).await.unwrap_err();
    let mut request = DeleteConnection::new(id, at(1));
    request.audit = audit();
    storage.delete_connection(request).await.unwrap_err();
    let mut request = PutVariable::new(key.clone(), variable("north"), at(1));
    (request.expect, request.audit) = (Expect::Present, audit());
    storage.put_variable(request).await.unwrap_err();
    let mut request = DeleteVariable::new(key, at(1));
    request.audit = audit();
    storage.delete_variable(request).await.unwrap_err();
}
