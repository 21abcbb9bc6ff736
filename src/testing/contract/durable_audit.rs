//! The audit of a durable backend: a command and its entry are one commit.
//!
//! `audit` has the promises of every backend.

use super::audited_commands::entry;
use super::durable_backend::{CommitFailure, Durable};
use super::fixtures::{new_run, run_id, save};
use crate::model::{AuditAction, AuditSubject, PageRequest, Scope};
use crate::storage::{AuditFilter, Audits, CreateRuns, NewRun, Runs};

/// A command whose commit failed MUST be in the audit if and only if it took effect.
pub async fn a_command_is_in_the_audit_if_its_commit_took_effect<D: Durable>(durable: &D) {
    let storage = durable.open().await;
    save(&storage, "daily").await;
    let faults = [CommitFailure::BeforeEffect, CommitFailure::AfterEffect];
    for (n, fault) in (1..).zip(faults) {
        let run = AuditSubject::Run(run_id(n));
        let mut request = CreateRuns::new(vec![NewRun::new(new_run(n, "daily"))]);
        request.audit = Some(entry(AuditAction::RunRerun, run.clone(), 1));
        durable.fail_next_commit(&storage, fault);
        let created = storage.create_runs(request).await;
        let found = storage.find_run(run_id(n), &Scope::All).await.unwrap();
        let filter = AuditFilter {
            subject: Some(run),
            ..AuditFilter::default()
        };
        let page = PageRequest::Newest { limit: 9 };
        let audit = storage.list_audit(filter, page).await.unwrap().items;
        assert_eq!(audit.len(), usize::from(found.is_some()), "{created:?}");
    }
}
