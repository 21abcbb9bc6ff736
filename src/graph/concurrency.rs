//! Reads and checks the concurrency key of a definition.
//!
//! `engine/concurrency` checks the templates of its text.

use serde_json::Value;

use super::fields::{Fields, whole_number};
use super::issues::Issues;
use crate::error::quote;
use crate::model::{Concurrency, OnConflict, Pipeline};

/// The fields of a concurrency key.
pub(crate) const CONCURRENCY_FIELDS: [&str; 3] = ["key", "max", "on_conflict"];

const MAX_RANGE: &str = "a whole number from 1 to 1000";
const CONFLICTS: &str = "queue, skip or cancel_running";

/// Reads a key. A field that Floret does not know is refused, since a mistyped one would let too
/// many runs execute.
pub(super) fn read(mut fields: Fields<'_>) -> Concurrency {
    let concurrency = Concurrency::new(fields.required("key"))
        .max(fields.take("max", MAX_RANGE, whole_number).unwrap_or(1))
        .on_conflict(
            fields
                .take("on_conflict", CONFLICTS, read_on_conflict)
                .unwrap_or_default(),
        );
    fields.refuse_rest(&CONCURRENCY_FIELDS);
    concurrency
}

fn read_on_conflict(value: &Value) -> Option<OnConflict> {
    let text = value.as_str()?;
    OnConflict::ALL
        .into_iter()
        .find(|on_conflict| on_conflict.as_str() == text)
}

/// Adds an issue for each part of a key that is out of its range.
pub(super) fn check(pipeline: &Pipeline, issues: &mut Issues) {
    let Some(Concurrency {
        key,
        max,
        on_conflict: _,
    }) = &pipeline.concurrency
    else {
        return;
    };
    let count = key.chars().count();
    let chars_max = Concurrency::KEY_CHARS_MAX;
    if !(1..=chars_max).contains(&count) || key.chars().any(char::is_control) {
        issues.push("/concurrency/key", || {
            let received = quote(key);
            format!(
                "key must be 1 to {chars_max} characters without control characters, received {count}: {received}"
            )
        });
    }
    if !(1..=Concurrency::RUNS_MAX).contains(max) {
        issues.push("/concurrency/max", || {
            format!("max must be {MAX_RANGE}, received {max}")
        });
    }
}
