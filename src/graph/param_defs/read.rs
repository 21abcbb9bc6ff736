//! Reads the definition of a parameter from JSON. `rules` checks ranges.

use serde_json::Value;

use crate::graph::fields::Fields;
use crate::graph::params::SCALAR;
use crate::model::{ParamDef, ParamKind, scalar_text};

/// The fields of a definition.
pub(crate) const PARAM_DEF_FIELDS: [&str; 10] = [
    "name",
    "type",
    "required",
    "default",
    "values",
    "min",
    "max",
    "pattern",
    "description",
    "secret",
];
const BOUND: &str = "a number or a string";

/// Reads a definition. A field that Floret does not know is refused, since a mistyped one would
/// let unfit values in.
pub(crate) fn read(mut fields: Fields<'_>) -> ParamDef {
    let kinds = format!(
        "one of {}",
        ParamKind::ALL.map(ParamKind::as_str).join(", ")
    );
    fields.require("type", &kinds);
    let def = ParamDef {
        name: fields.required("name"),
        kind: fields.take("type", &kinds, read_kind).unwrap_or_default(),
        required: fields
            .take("required", "true or false", Value::as_bool)
            .unwrap_or_default(),
        default: fields.take("default", SCALAR, |value| {
            scalar_text(value).map(|_| value.clone())
        }),
        values: fields.texts("values", "a value"),
        min: fields.take("min", BOUND, bound),
        max: fields.take("max", BOUND, bound),
        pattern: fields.text("pattern"),
        description: fields.text("description"),
        secret: fields
            .take("secret", "true or false", Value::as_bool)
            .unwrap_or_default(),
        fault: None,
    };
    fields.refuse_rest(&PARAM_DEF_FIELDS);
    def
}

fn read_kind(value: &Value) -> Option<ParamKind> {
    let text = value.as_str()?;
    ParamKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
}

fn bound(value: &Value) -> Option<Value> {
    (value.is_string() || value.is_number()).then(|| value.clone())
}
