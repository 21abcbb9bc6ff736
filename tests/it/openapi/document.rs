//! Reads `docs/openapi.json`, and compares a response with what the document says about it.

use std::sync::OnceLock;

use http::{Method, StatusCode};
use serde_json::Value;

use super::schema::Checker;
use crate::tidy::root;
use crate::wire::TestResponse;

/// The prefix of the paths of the document, in the tests that check it.
const PREFIX: &str = "/api";

/// An operation of the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    pub(crate) value: &'static Value,
}

/// Returns the document as the repository has it.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    })
}

/// Returns the value that a reference stands for, or the value itself.
pub(crate) fn resolve(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference.trim_start_matches('#');
            let found = document().pointer(pointer);
            found.unwrap_or_else(|| panic!("{reference} stands for nothing"))
        }
        None => value,
    }
}

/// Returns all operations.
pub(crate) fn operations() -> Vec<Operation> {
    let paths = document()["paths"].as_object().unwrap().iter();
    let of_path = |(path, methods): (&'static String, &'static Value)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, value)| Operation {
            path,
            method,
            value,
        })
    };
    paths.flat_map(of_path).collect()
}

impl Operation {
    /// Returns the schema and the example of the body, if the operation takes one.
    pub(crate) fn body(&self) -> Option<(&'static Value, &'static Value)> {
        let json = self
            .value
            .pointer("/requestBody/content/application~1json")?;
        Some((&json["schema"], &json["example"]))
    }

    /// Returns the parameters of the query.
    pub(crate) fn query(&self) -> Vec<&'static Value> {
        let parameters = self.value["parameters"].as_array().unwrap().iter();
        let parameters = parameters.map(resolve);
        parameters
            .filter(|parameter| parameter["in"] == "query")
            .collect()
    }

    /// Returns whether a path is one of this operation.
    fn has_path(&self, path: &str) -> bool {
        let (mut own, mut given) = (self.path.split('/'), path.split('/'));
        loop {
            match (own.next(), given.next()) {
                (None, None) => return true,
                (Some(own), Some(given)) => {
                    let is_parameter = own.starts_with('{') && !given.is_empty();
                    if own != given && !is_parameter {
                        return false;
                    }
                }
                (None, Some(_)) | (Some(_), None) => return false,
            }
        }
    }
}

/// Returns the operations of a path. A path without a parameter wins over one with it.
fn of_path(path: &str) -> Vec<Operation> {
    let mut found = operations();
    found.retain(|operation| operation.has_path(path));
    let fewest = |operation: &Operation| operation.path.matches('{').count();
    let least = found.iter().map(fewest).min();
    found.retain(|operation| Some(fewest(operation)) == least);
    found
}

/// Asserts that the document has a response.
///
/// # Panics
/// If the document says something else about the operation, or does not have the path.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, response: &TestResponse) {
    // A host may strip the prefix.
    let Some(below) = path
        .strip_prefix(PREFIX)
        .filter(|below| below.starts_with('/'))
    else {
        return;
    };
    let operations = of_path(below);
    let name = if method == Method::HEAD {
        "get"
    } else {
        &method.as_str().to_lowercase()
    };
    let operation = operations.iter().find(|operation| operation.method == name);
    let faults = match operation {
        Some(operation) => faults(operation, method, response),
        None => faults_of_unknown(operations.is_empty(), response),
    };
    assert!(
        faults.is_empty(),
        "docs/openapi.json does not have this response to {method} {path}:\n{}\n{response:?}",
        faults.join("\n")
    );
}

/// Returns what is wrong with the response to a method or a path that the document does not have.
fn faults_of_unknown(is_unknown_path: bool, response: &TestResponse) -> Vec<String> {
    // These refusals come before the look-up of the route.
    let early = [
        "unauthenticated",
        "cross-origin",
        "misdirected",
        "uri-too-long",
    ];
    let late = if is_unknown_path {
        "not-found"
    } else {
        "method-not-allowed"
    };
    if response.body.is_empty() {
        return Vec::new();
    }
    let slug = slug(response).unwrap_or_default();
    if slug == late || early.contains(&slug.as_str()) {
        return Vec::new();
    }
    vec![format!(
        "the document has no such operation, and the response is {slug}"
    )]
}

fn faults(operation: &Operation, method: &Method, response: &TestResponse) -> Vec<String> {
    let status = response.status;
    let Some(documented) = operation.value["responses"].get(status.as_str()) else {
        return vec![format!("the status {status} is not documented")];
    };
    let documented = resolve(documented);
    let mut faults = Vec::new();
    if let Some(slugs) = documented.get("x-problem-types").and_then(Value::as_array) {
        let slug = slug(response);
        let is_known = slug
            .as_ref()
            .is_none_or(|slug| slugs.iter().any(|own| own == slug));
        if !is_known {
            faults.push(format!("the problem {slug:?} is not documented"));
        }
    }
    if let Some(headers) = documented.get("headers").and_then(Value::as_object) {
        let required = headers
            .iter()
            .filter(|(_, header)| header["required"] == true);
        let missing = required.filter(|(name, _)| !response.headers.contains_key(*name));
        faults.extend(missing.map(|(name, _)| format!("the header {name} is missing")));
    }
    if method != Method::HEAD {
        faults.extend(faults_of_body(documented, response));
    }
    faults
}

fn faults_of_body(documented: &'static Value, response: &TestResponse) -> Vec<String> {
    let given = response.header("content-type");
    let essence = given.split(';').next().unwrap_or_default();
    let Some(content) = documented.get("content") else {
        let is_empty = response.body.is_empty() && given.is_empty();
        return Vec::from_iter((!is_empty).then(|| "the body is not documented".to_owned()));
    };
    let Some(kind) = content.get(essence) else {
        return vec![format!("the content type {essence:?} is not documented")];
    };
    if !essence.ends_with("json") || essence.ends_with("ndjson") {
        return Vec::new();
    }
    Checker::closed().check(&kind["schema"], &response.json())
}

/// Returns the slug of a problem. A response to HEAD has none.
fn slug(response: &TestResponse) -> Option<String> {
    if response.status < StatusCode::BAD_REQUEST || response.body.is_empty() {
        return None;
    }
    let problem = response.json();
    let kind = problem["type"].as_str()?;
    Some(kind.strip_prefix("urn:floret:problem:")?.to_owned())
}
