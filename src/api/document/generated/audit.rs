//! The operation on the audit.

use super::answer::Answer;
use super::operation::Operation;
use super::schemas::Schemas;
use crate::api::route::{Route, Verb};
use crate::model::AuditEntry;

/// Describes the operation of a route, if it is this one.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    match (route.method, route.path) {
        (Verb::Get, "/audit") => {
            let list = schemas.list::<AuditEntry>();
            let answer = Answer::json(200, "The audit, newest first.", list)
                .may_have("Link", "The adjacent pages, if there are any.");
            Some(Operation::new("platform", "listAudit").answer(answer))
        }
        _ => None,
    }
}
