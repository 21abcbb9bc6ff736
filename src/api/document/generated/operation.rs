//! An operation of the document: what a route takes, what it answers, and what it refuses.
//!
//! `problems` adds the refusals that follow from the row of the route.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::{parameters, permission, problems};
use crate::api::request::Payload;
use crate::api::route::{Need, Route};
use crate::error::Problem;

const SEQ: &str = "The newest event that the answer contains. Events `since` it follow.";

/// The description of a route beyond its row in the table.
pub(super) struct Operation {
    id: &'static str,
    tag: &'static str,
    headers: Vec<Value>,
    body: Option<Value>,
    answers: Vec<Answer>,
    problems: Vec<Problem>,
}

impl Operation {
    pub(super) const fn new(tag: &'static str, id: &'static str) -> Self {
        Self {
            id,
            tag,
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Adds a header of the request.
    pub(super) fn header(mut self, header: Value) -> Self {
        self.headers.push(header);
        self
    }

    /// Sets the schema of the body, with an example.
    pub(super) fn body(mut self, schema: Value, example: Value) -> Self {
        let media = [
            ("schema".to_owned(), schema),
            ("example".to_owned(), example),
        ];
        self.body = Some(Map::from_iter(media).into());
        self
    }

    pub(super) fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// Adds refusals that do not follow from the row of the route.
    pub(super) fn problems(mut self, problems: &[Problem]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// Returns the operation. Problems that several routes share go to `problems`.
    pub(super) fn into_json(self, route: &Route, problems: &mut Map<String, Value>) -> Value {
        let mut responses = Map::new();
        for answer in self.answers {
            let answer = match route.shows_runs() && answer.shows_something() {
                true => answer.always("Floret-Seq", SEQ),
                false => answer,
            };
            let (status, response) = answer.into_json();
            responses.insert(status, response);
        }
        let refused = problems::responses(route, &self.problems, problems);
        responses.extend(refused);
        let parameters = parameters::of(route).chain(self.headers);
        let mut operation = json!({
            "operationId": self.id,
            "summary": sentence(route.about),
            "tags": [self.tag],
            "parameters": parameters.collect::<Vec<_>>(),
            "responses": responses,
            "security": security(route.needs),
        });
        if let Some(permission) = permission(route.needs) {
            operation["x-permission"] = json!(permission);
        }
        match (route.payload, self.body) {
            (Payload::Ignored, None) => {}
            (payload @ (Payload::Optional | Payload::Required), Some(body)) => {
                operation["requestBody"] = json!({
                    "required": payload == Payload::Required,
                    "content": {"application/json": body},
                });
            }
            (_, body) => panic!("{route:?} and its described body differ: {body:?}"),
        }
        operation
    }
}

fn security(needs: Need) -> Value {
    match needs {
        Need::Nothing => json!([]),
        Need::Token => json!([{"webhookToken": []}]),
        Need::Caller => json!([{"bearer": []}]),
        Need::Permission(permission) => json!([{"bearer": [permission.as_str()]}]),
    }
}

fn sentence(about: &str) -> String {
    let (first, rest) = about.split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}
