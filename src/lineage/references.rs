//! The connections and variables that a node's config names.
//!
//! `template` parses templates and replaces them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::ConnectionId;
use crate::template;

/// The config keys, at any depth, whose text is the id of a connection.
const CONNECTION_KEYS: [&str; 3] = ["connection", "connection_id", "conn_id"];

/// The connections and variables in a config.
#[derive(Debug)]
pub(super) struct References {
    pub(super) connections: BTreeSet<String>,
    pub(super) variables: BTreeSet<String>,
}

impl References {
    pub(super) fn from_config(config: &Map<String, Value>) -> Self {
        Self {
            connections: connections(config),
            variables: template::variables(config),
        }
    }
}

fn connections(config: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // A stack instead of recursion, because users control the depth of a config.
    let mut pending: Vec<_> = config
        .iter()
        .map(|(key, value)| (Some(key), value))
        .collect();
    while let Some((key, value)) = pending.pop() {
        match value {
            Value::String(text) => {
                let is_named = key.is_some_and(|key| CONNECTION_KEYS.contains(&key.as_str()));
                if is_named && ConnectionId::new(text).is_ok() {
                    found.insert(text.to_owned());
                }
            }
            Value::Array(items) => pending.extend(items.iter().map(|item| (None, item))),
            Value::Object(entries) => {
                pending.extend(entries.iter().map(|(key, value)| (Some(key), value)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(config: Value) -> (Vec<String>, Vec<String>) {
        let Value::Object(config) = config else {
            panic!("a config is an object");
        };
        let References {
            connections,
            variables,
        } = References::from_config(&config);
        (
            connections.into_iter().collect(),
            variables.into_iter().collect(),
        )
    }

    #[test]
    fn connections_are_named_under_their_keys_at_any_depth() {
        let config = json!({
            "connection": "shop",
            "target": [{"conn_id": "lake"}, {"connection_id": "shop", "name": "none"}],
        });
        assert_eq!(of(config).0, ["lake", "shop"]);
        let config = json!({"connection": "${param.shop}", "conn_id": 5, "connection_id": ""});
        assert_eq!(of(config).0, [""; 0]);
    }

    #[test]
    fn variables_are_named_in_any_text_unless_the_dollar_is_doubled() {
        let config = json!({
            "a": "${var.one} and ${param.x}${var.two}",
            "b": ["$${var.not}", {"c": "$${${var.three}"}],
            "d": "${var.open",
            "e": "$ ${other.one} ${var.one}",
        });
        assert_eq!(of(config).1, ["one", "three", "two"]);
    }
}
