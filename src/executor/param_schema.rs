//! The definition of a parameter from the JSON Schema of a field.
//!
//! `param_types` has the struct of the fields.

use serde_json::Value;

use crate::model::{ParamDef, ParamKind, scalar_text};

/// How many references lead to a schema at most. A recursive type would lead on for ever.
const REFERENCES_MAX: usize = 16;

/// Returns the definition that a schema describes. `root` has the definitions that it refers to.
///
/// # Errors
/// What the schema describes instead of a scalar.
pub(super) fn definition(name: &str, schema: &Value, root: &Value) -> Result<ParamDef, String> {
    let inner = resolve(schema, root).ok_or("a type that refers to itself")?;
    let kind = kind(inner)?;
    let mut def = ParamDef::new(name, kind);
    let text = |key: &str| inner[key].as_str().map(str::to_owned);
    match kind {
        ParamKind::Enum => def.values = values(inner).unwrap_or_default(),
        ParamKind::Text => {
            (def.min, def.max) = (bound(&inner["minLength"]), bound(&inner["maxLength"]));
            def.pattern = text("pattern");
        }
        ParamKind::Integer => {
            let (least, greatest) = range_of_format(inner["format"].as_str());
            def.min = bound(&inner["minimum"]).or(least);
            def.max = bound(&inner["maximum"]).or(greatest);
        }
        ParamKind::Number => {
            (def.min, def.max) = (bound(&inner["minimum"]), bound(&inner["maximum"]));
        }
        ParamKind::Boolean | ParamKind::Date | ParamKind::DateTime => {}
    }
    def.description = schema["description"].as_str().map(str::to_owned);
    let default = &schema["default"];
    def.default = scalar_text(default).map(|_| default.clone());
    def.secret = schema["writeOnly"] == true;
    Ok(def)
}

/// Follows references and the alternative to `null` that an `Option` has.
fn resolve<'a>(mut schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    for _ in 0..REFERENCES_MAX {
        if let Some(reference) = schema["$ref"].as_str() {
            schema = root.pointer(reference.strip_prefix('#')?)?;
        } else if let Some(only) = only_alternative(schema) {
            schema = only;
        } else {
            return Some(schema);
        }
    }
    None
}

fn only_alternative(schema: &Value) -> Option<&Value> {
    let all = schema["anyOf"].as_array().or(schema["allOf"].as_array())?;
    let mut others = all.iter().filter(|one| one["type"] != "null");
    let only = others.next()?;
    others.next().is_none().then_some(only)
}

fn kind(schema: &Value) -> Result<ParamKind, String> {
    if values(schema).is_some() {
        return Ok(ParamKind::Enum);
    }
    match (type_of(schema), schema["format"].as_str()) {
        (Some("string"), Some("date")) => Ok(ParamKind::Date),
        (Some("string"), Some("date-time")) => Ok(ParamKind::DateTime),
        (Some("string"), _) => Ok(ParamKind::Text),
        (Some("integer"), _) => Ok(ParamKind::Integer),
        (Some("number"), _) => Ok(ParamKind::Number),
        (Some("boolean"), _) => Ok(ParamKind::Boolean),
        (Some("array"), _) => Err("an array".to_owned()),
        (Some("object"), _) => Err("an object".to_owned()),
        (Some(_), _) | (None, _) => Err("of another type".to_owned()),
    }
}

/// Returns the only type of a schema besides `null`.
fn type_of(schema: &Value) -> Option<&str> {
    if let Some(all) = schema["type"].as_array() {
        let mut others = all.iter().filter(|one| *one != "null");
        let only = others.next()?.as_str();
        return only.filter(|_| others.next().is_none());
    }
    schema["type"].as_str()
}

/// Returns the texts of an enum without data, or `None` for any other type. The variants with
/// comments have schemas of their own.
fn values(schema: &Value) -> Option<Vec<String>> {
    if let Some(only) = schema["const"].as_str() {
        return Some(vec![only.to_owned()]);
    }
    if let Some(all) = schema["enum"].as_array() {
        let texts = all.iter().filter(|one| !one.is_null());
        return texts.map(|one| one.as_str().map(str::to_owned)).collect();
    }
    let mut found = Vec::new();
    for variant in schema["oneOf"].as_array()? {
        match (variant["const"].as_str(), variant["enum"].as_array()) {
            (Some(only), _) => found.push(only.to_owned()),
            (None, Some(all)) => {
                let texts = all.iter().map(|one| one.as_str().map(str::to_owned));
                found.extend(texts.collect::<Option<Vec<_>>>()?);
            }
            (None, None) => return None,
        }
    }
    Some(found)
}

/// Returns a bound, as a whole number if it is one: a range of integers may be written with floats.
fn bound(value: &Value) -> Option<Value> {
    let number = value.as_number()?;
    let text = number.to_string();
    let whole = text
        .strip_suffix(".0")
        .and_then(|whole| whole.parse::<i64>().ok());
    Some(whole.map_or_else(|| value.clone(), Value::from))
}

/// Returns the range of the types of Rust whose schema gives none.
fn range_of_format(format: Option<&str>) -> (Option<Value>, Option<Value>) {
    let (least, greatest) = match format {
        Some("int32") => (Some(i32::MIN.into()), Some(i32::MAX.into())),
        Some("int64" | "int") => (Some(i64::MIN.into()), Some(i64::MAX.into())),
        Some("uint32") => (None, Some(u32::MAX.into())),
        Some(_) | None => (None, None),
    };
    (least, greatest)
}
