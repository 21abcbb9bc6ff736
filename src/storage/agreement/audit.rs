//! The audit: refusals, trims and questions about it.
//!
//! The other commands have entries of their own.

use super::command::{Command, Question};
use super::questions::page_of;
use super::world::{World, both, scope_of};
use crate::model::{AuditAction, AuditSubject};
use crate::storage::{AuditFilter, RefusedCommand};
use crate::testing::contract::fixtures::at;

impl World<'_> {
    pub(super) async fn trim_audit(&self, command: &Command, age: u8, count_max: u32) {
        let audit = self.audit(AuditAction::PipelineDelete);
        let mut refused = RefusedCommand::new(audit, "pipeline-active");
        refused.tenant = scope_of(age).tenant().cloned();
        drop(both!(self, command, |storage, _side| storage
            .record_refusal(refused.clone())));
        let before = at(self.seconds - i64::from(age) * 50);
        drop(both!(self, command, |storage, _side| storage
            .trim_audit(before, count_max)));
    }

    pub(super) async fn ask_audit(&self, question: &Question) {
        let Question::Audit {
            conditions,
            page,
            scope,
        } = question
        else {
            return;
        };
        let has = |number: u8| (conditions >> number) & 1 == 1;
        let filter = AuditFilter {
            scope: scope_of(*scope),
            action: has(0).then_some(AuditAction::RunCancel),
            by: has(1).then(|| "alice".into()),
            subject: has(2).then_some(AuditSubject::System),
            from: has(3).then(|| at(20)),
            to: has(4).then(|| at(40_000)),
        };
        let page = page_of(page, |number| number.to_string());
        drop(both!(self, question, |storage, _side| storage
            .list_audit(filter.clone(), page.clone())));
    }
}
