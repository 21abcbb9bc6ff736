//! The operations on connections.

use serde_json::json;

use super::answer::Answer;
use super::bodies;
use super::operation::Operation;
use super::schemas::Schemas;
use crate::api::route::{Route, Verb};
use crate::error::Problem;
use crate::model::StoredConnection;

/// Describes the operation of a route, if it is one of these.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("connections", id);
    let save = [Problem::IdMismatch, Problem::EncryptionKeyMissing];
    Some(match (route.method, route.path) {
        (Verb::Get, "/connections") => {
            let list = schemas.list::<StoredConnection>();
            let answer = Answer::json(200, "Connections, the newest first.", list)
                .may_have("Link", "The adjacent pages, if there are any.");
            operation("listConnections").answer(answer)
        }
        (Verb::Post, "/connections") => {
            let body = schemas.define(
                "ConnectionRequest",
                bodies::connection(&["conn_id", "type"]),
            );
            let answer = Answer::json(
                201,
                "The connection is created.",
                schemas.of::<StoredConnection>(),
            )
            .always("Location", "The path of the connection.")
            .link("getConnection", "conn_id", "/conn_id")
            .link("replaceConnection", "conn_id", "/conn_id")
            .link("deleteConnection", "conn_id", "/conn_id");
            operation("createConnection")
                .body(body, json!({"conn_id": "warehouse", "type": "postgres", "host": "db.example", "port": 5_432}))
                .answer(answer)
                .problems(&save)
                .problems(&[Problem::AlreadyExists])
        }
        (Verb::Get, "/connections/{conn_id}") => {
            let answer = Answer::json(200, "The connection.", schemas.of::<StoredConnection>());
            operation("getConnection").answer(answer)
        }
        (Verb::Put, "/connections/{conn_id}") => {
            let body = schemas.define("ReplaceConnectionRequest", bodies::connection(&["type"]));
            let answer = Answer::json(
                200,
                "The connection is replaced.",
                schemas.of::<StoredConnection>(),
            );
            operation("replaceConnection")
                .body(
                    body,
                    json!({"type": "postgres", "host": "db2.example", "password": "********"}),
                )
                .answer(answer)
                .problems(&save)
                .problems(&[Problem::PreconditionFailed])
        }
        (Verb::Delete, "/connections/{conn_id}") => {
            operation("deleteConnection").answer(Answer::empty(204, "The connection is deleted."))
        }
        _ => return None,
    })
}
