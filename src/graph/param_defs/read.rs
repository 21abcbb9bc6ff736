//! Reads the definition of a parameter from JSON. `rules` checks ranges.

use serde_json::Value;

use crate::graph::fields::Fields;
use crate::model::{ParamDef, ParamKind};

/// The fields of a definition.
const FIELDS: [&str; 9] = [
    "name",
    "type",
    "required",
    "default",
    "values",
    "min",
    "max",
    "pattern",
    "description",
];
const KINDS: &str = "string, integer, number, boolean, date, datetime or enum";
const SCALAR: &str = "a string, a number or a boolean";
const BOUND: &str = "a number or a string";

/// Reads a definition. A field that Floret does not know is refused, since a mistyped one would
/// let unfit values in.
pub(crate) fn read(mut fields: Fields<'_>) -> ParamDef {
    fields.require("type", KINDS);
    let def = ParamDef {
        name: fields.required("name"),
        kind: fields.take("type", KINDS, read_kind).unwrap_or_default(),
        required: fields
            .take("required", "true or false", Value::as_bool)
            .unwrap_or_default(),
        default: fields.take("default", SCALAR, scalar),
        values: fields.texts("values", "a value"),
        min: fields.take("min", BOUND, bound),
        max: fields.take("max", BOUND, bound),
        pattern: fields.text("pattern"),
        description: fields.text("description"),
        fault: None,
    };
    let only_false = |value: &Value| (*value == Value::Bool(false)).then_some(());
    fields.take(
        "secret",
        "false, as secret parameters are not supported yet",
        only_false,
    );
    fields.refuse_rest(&FIELDS);
    def
}

fn read_kind(value: &Value) -> Option<ParamKind> {
    let text = value.as_str()?;
    ParamKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
}

fn scalar(value: &Value) -> Option<Value> {
    let is_scalar = value.is_string() || value.is_number() || value.is_boolean();
    is_scalar.then(|| value.clone())
}

fn bound(value: &Value) -> Option<Value> {
    (value.is_string() || value.is_number()).then(|| value.clone())
}
