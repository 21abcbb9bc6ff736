//! The operations on variables.

use serde_json::json;

use super::answer::Answer;
use super::bodies;
use super::operation::Operation;
use super::schemas::Schemas;
use crate::api::route::{Route, Verb};
use crate::error::Problem;
use crate::model::StoredVariable;

/// Describes the operation of a route, if it is one of these.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("variables", id);
    let save = [Problem::IdMismatch, Problem::EncryptionKeyMissing];
    Some(match (route.method, route.path) {
        (Verb::Get, "/variables") => {
            let list = schemas.list::<StoredVariable>();
            let answer = Answer::json(200, "Variables, the newest first.", list)
                .may_have("Link", "The adjacent pages, if there are any.");
            operation("listVariables").answer(answer)
        }
        (Verb::Post, "/variables") => {
            let body = schemas.define("VariableRequest", bodies::variable(&["key", "value"]));
            let answer = Answer::json(
                201,
                "The variable is created.",
                schemas.of::<StoredVariable>(),
            )
            .always("Location", "The path of the variable.")
            .link("getVariable", "key", "/key")
            .link("replaceVariable", "key", "/key")
            .link("deleteVariable", "key", "/key");
            operation("createVariable")
                .body(body, json!({"key": "region", "value": "eu"}))
                .answer(answer)
                .problems(&save)
                .problems(&[Problem::AlreadyExists])
        }
        (Verb::Get, "/variables/{key}") => {
            let answer = Answer::json(200, "The variable.", schemas.of::<StoredVariable>());
            operation("getVariable").answer(answer)
        }
        (Verb::Put, "/variables/{key}") => {
            let body = schemas.define("ReplaceVariableRequest", bodies::variable(&["value"]));
            let answer = Answer::json(
                200,
                "The variable is replaced.",
                schemas.of::<StoredVariable>(),
            );
            operation("replaceVariable")
                .body(body, json!({"value": "us"}))
                .answer(answer)
                .problems(&save)
                .problems(&[Problem::PreconditionFailed])
        }
        (Verb::Delete, "/variables/{key}") => {
            operation("deleteVariable").answer(Answer::empty(204, "The variable is deleted."))
        }
        _ => return None,
    })
}
