//! The condition of an edge, as definitions have it.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads the condition of an edge. Some existing clients send a text, which is empty instead of
/// omitted. Returns `None` for any other value.
pub(crate) fn read(value: &Value) -> Option<Option<bool>> {
    match value {
        Value::Bool(branch) => Some(Some(*branch)),
        Value::String(text) => match text.as_str() {
            "" => Some(None),
            "true" => Some(Some(true)),
            "false" => Some(Some(false)),
            _ => None,
        },
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads a stored condition. A store from before conditions had an effect may have any value, which
/// must not make its definition unreadable.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(read(&value).flatten())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::model::Edge;

    #[test]
    fn a_stored_condition_of_any_type_is_readable() {
        for (stored, expected) in [
            (json!(true), Some(true)),
            (json!("false"), Some(false)),
            (json!(""), None),
            (json!("yes"), None),
            (json!(null), None),
            (json!([1]), None),
        ] {
            let edge = json!({"from": "a", "to": "b", "condition": stored});
            let edge: Edge = serde_json::from_value(edge).unwrap();
            assert_eq!(edge.condition, expected, "{stored}");
        }
        let edge: Edge = serde_json::from_value(json!({"from": "a", "to": "b"})).unwrap();
        assert_eq!(edge.condition, None);
    }
}
