//! The operations on deliveries.

use serde_json::json;

use super::answer::Answer;
use super::operation::Operation;
use super::schemas::Schemas;
use crate::api::route::{Route, Verb};
use crate::error::Problem;
use crate::model::Delivery;

/// Describes the operation of a route, if it is one of these.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("deliveries", id);
    Some(match (route.method, route.path) {
        (Verb::Get, "/deliveries") => {
            let list = schemas.list::<Delivery>();
            let answer = Answer::json(200, "Deliveries, the newest event first.", list)
                .may_have("Link", "The adjacent pages, if there are any.")
                .link("getDelivery", "delivery_id", "/0/id")
                .link("retryDelivery", "delivery_id", "/0/id")
                .link("dropDelivery", "delivery_id", "/0/id");
            operation("listDeliveries").answer(answer)
        }
        (Verb::Get, "/deliveries/{delivery_id}") => {
            let answer = Answer::json(200, "The delivery.", schemas.of::<Delivery>());
            operation("getDelivery").answer(answer)
        }
        (Verb::Post, "/deliveries/{delivery_id}/retry") => {
            let body = json!({"type": "object", "properties": {}, "additionalProperties": false});
            let body = schemas.define("RetryDeliveryRequest", body);
            let about = "The delivery, which waits for its next try.";
            operation("retryDelivery")
                .body(body, json!({}))
                .answer(Answer::json(200, about, schemas.of::<Delivery>()))
                .problems(&[Problem::DeliveryWaiting])
        }
        (Verb::Delete, "/deliveries/{delivery_id}") => operation("dropDelivery")
            .answer(Answer::empty(204, "The dead letter is dropped."))
            .problems(&[Problem::DeliveryWaiting]),
        _ => return None,
    })
}
