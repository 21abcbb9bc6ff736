//! An answer of a route that is no problem: its status, body, headers and links.

use serde_json::{Map, Value, json};

/// An answer of a route that is no problem.
pub(super) struct Answer {
    status: u16,
    about: String,
    content: Map<String, Value>,
    headers: Map<String, Value>,
    links: Map<String, Value>,
}

impl Answer {
    /// An answer without a body.
    pub(super) fn empty(status: u16, about: impl Into<String>) -> Self {
        Self {
            status,
            about: about.into(),
            content: Map::new(),
            headers: Map::new(),
            links: Map::new(),
        }
    }

    /// An answer with JSON of this schema.
    pub(super) fn json(status: u16, about: impl Into<String>, schema: Value) -> Self {
        Self::empty(status, about).content("application/json", schema)
    }

    pub(super) fn content(mut self, kind: &str, schema: Value) -> Self {
        let media = Map::from_iter([("schema".to_owned(), schema)]);
        self.content.insert(kind.to_owned(), media.into());
        self
    }

    /// Adds an example of the JSON.
    pub(super) fn example(mut self, example: Value) -> Self {
        self.content["application/json"]["example"] = example;
        self
    }

    /// Adds a header that every such answer has.
    pub(super) fn always(self, name: &str, about: &str) -> Self {
        self.header(
            name,
            json!({"description": about, "required": true, "schema": {"type": "string"}}),
        )
    }

    /// Adds a header that such an answer may have.
    pub(super) fn may_have(self, name: &str, about: &str) -> Self {
        self.header(
            name,
            json!({"description": about, "schema": {"type": "string"}}),
        )
    }

    fn header(mut self, name: &str, header: Value) -> Self {
        self.headers.insert(name.to_owned(), header);
        self
    }

    /// Adds a link to an operation, which takes a parameter from the body of this answer.
    pub(super) fn link(self, operation: &str, parameter: &str, pointer: &str) -> Self {
        self.link_with(operation, &[(parameter, pointer)])
    }

    /// Adds links to operations, which all take this parameter from the body of this answer.
    pub(super) fn links(self, operations: &[&str], parameter: &str, pointer: &str) -> Self {
        operations.iter().fold(self, |answer, operation| {
            answer.link(operation, parameter, pointer)
        })
    }

    /// Adds a link to an operation, which takes parameters from the body of this answer.
    pub(super) fn link_with(mut self, operation: &str, parameters: &[(&str, &str)]) -> Self {
        let parameters: Map<_, _> = parameters
            .iter()
            .map(|(name, pointer)| {
                (
                    (*name).to_owned(),
                    Value::from(format!("$response.body#{pointer}")),
                )
            })
            .collect();
        let link = json!({"operationId": operation, "parameters": parameters});
        self.links.insert(operation.to_owned(), link);
        self
    }

    /// Returns whether it is an answer with what was asked for, or says that it is unchanged.
    pub(super) const fn shows_something(&self) -> bool {
        matches!(self.status, 200 | 304)
    }

    /// Returns the key of the answer among the responses, and its value.
    pub(super) fn into_json(self) -> (String, Value) {
        let mut response = json!({"description": self.about});
        let parts = [
            ("content", self.content),
            ("headers", self.headers),
            ("links", self.links),
        ];
        for (name, part) in parts {
            if !part.is_empty() {
                response[name] = part.into();
            }
        }
        (self.status.to_string(), response)
    }
}
