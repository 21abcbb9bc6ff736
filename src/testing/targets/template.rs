//! The fuzz target of templates in the config of a node.
//!
//! Which names exist is left to `engine`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

use crate::model::RunId;
use crate::template::{Bindings, resolve};

/// Resolves a text, alone and inside a list.
///
/// A text without `${` does not change. A text resolves to the same value alone and inside a list,
/// or fails in both cases.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let values = BTreeMap::from([
        ("date".to_owned(), "2024-01-15".to_owned()),
        ("nested".to_owned(), "${param.date} $${".to_owned()),
        (String::new(), "empty".to_owned()),
    ]);
    let names = Bindings {
        params: &values.clone().into(),
        vars: &values,
        run_id: RunId::from_uuid(uuid::Uuid::nil()),
        date: NaiveDate::default(),
        scheduled_at: DateTime::UNIX_EPOCH,
    };
    let alone = resolve(&config(Value::from(&*text)), &names);
    let nested = resolve(&config(Value::from(vec![Value::from(&*text)])), &names);
    assert_eq!(alone.is_ok(), nested.is_ok());
    let (Ok(alone), Ok(nested)) = (alone, nested) else {
        return;
    };
    assert_eq!(alone["text"], nested["text"][0]);
    if !text.contains("${") {
        assert_eq!(alone["text"], Value::from(&*text));
    }
}

fn config(value: Value) -> Map<String, Value> {
    Map::from_iter([("text".to_owned(), value)])
}
