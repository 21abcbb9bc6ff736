//! Checks JSON against the schemas of the document.
//!
//! It knows the keywords that the document uses and refuses every other, so that no part of a
//! schema goes unchecked.

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use super::document::resolve;

/// Keywords that say nothing about a value.
const NOTES: [&str; 4] = ["description", "default", "example", "examples"];

/// Checks values against schemas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checker {
    is_closed: bool,
}

impl Checker {
    /// Checks as JSON Schema says.
    pub(crate) const fn open() -> Self {
        Self { is_closed: false }
    }

    /// Also refuses fields that an object schema does not name, unless it says that it has others.
    ///
    /// A later version may add fields to an answer, so the document leaves its objects open. An
    /// answer of this version has the documented fields only.
    pub(crate) const fn closed() -> Self {
        Self { is_closed: true }
    }

    /// Returns what is wrong with a value.
    pub(crate) fn check(self, schema: &'static Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.find("", schema, value, &mut faults);
        faults
    }

    fn fits(self, schema: &'static Value, value: &Value) -> bool {
        self.check(schema, value).is_empty()
    }

    fn find(self, at: &str, schema: &'static Value, value: &Value, faults: &mut Vec<String>) {
        let Some(keywords) = schema.as_object() else {
            if schema == false {
                faults.push(format!("{at}: nothing is allowed here"));
            }
            return;
        };
        for (keyword, expected) in keywords {
            let is_fine = match keyword.as_str() {
                note if NOTES.contains(&note) => true,
                "$ref" => {
                    self.find(at, resolve(schema), value, faults);
                    true
                }
                "properties" | "required" | "additionalProperties" => true,
                "propertyNames" => {
                    for name in value
                        .as_object()
                        .into_iter()
                        .flat_map(|fields| fields.keys())
                    {
                        self.find(at, expected, &Value::from(name.as_str()), faults);
                    }
                    true
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.find(&format!("{at}/{index}"), expected, item, faults);
                    }
                    true
                }
                "oneOf" => self.count_fitting(expected, value) == 1,
                "anyOf" => self.count_fitting(expected, value) > 0,
                "type" => is_of_type(expected, value),
                "const" => value == expected,
                "enum" => expected.as_array().unwrap().contains(value),
                bound => is_within(bound, expected, value),
            };
            if !is_fine {
                faults.push(format!("{at}: {value} breaks {keyword} {expected}"));
            }
        }
        self.find_in_fields(at, schema, value, faults);
    }

    fn count_fitting(self, schemas: &'static Value, value: &Value) -> usize {
        let schemas = schemas.as_array().unwrap().iter();
        schemas.filter(|schema| self.fits(schema, value)).count()
    }

    fn find_in_fields(
        self,
        at: &str,
        schema: &'static Value,
        value: &Value,
        faults: &mut Vec<String>,
    ) {
        let Some(fields) = value.as_object() else {
            return;
        };
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                faults.push(format!("{at}: {name} is missing"));
            }
        }
        let named = schema.get("properties");
        for (name, field) in fields {
            let at = format!("{at}/{name}");
            let own = named.and_then(|named| named.get(name));
            match own.or_else(|| schema.get("additionalProperties")) {
                Some(own) => self.find(&at, own, field, faults),
                None if self.is_closed && named.is_some() => {
                    faults.push(format!("{at} is not documented"));
                }
                None => {}
            }
        }
    }
}

fn is_of_type(expected: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema has the unknown type {other}"),
    };
    match expected {
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    }
}

/// Returns whether a value keeps a bound. A bound says nothing about values of another type.
fn is_within(keyword: &str, expected: &Value, value: &Value) -> bool {
    let number = || (value.as_f64(), expected.as_f64().unwrap());
    let size = expected
        .as_u64()
        .and_then(|size| usize::try_from(size).ok());
    let chars = value.as_str().map(|text| text.chars().count());
    let items = value.as_array().map(Vec::len);
    let fields = value.as_object().map(serde_json::Map::len);
    match keyword {
        "minimum" => matches!(number(), (value, min) if value.is_none_or(|value| value >= min)),
        "maximum" => matches!(number(), (value, max) if value.is_none_or(|value| value <= max)),
        "minLength" => chars.is_none_or(|chars| chars >= size.unwrap()),
        "maxLength" => chars.is_none_or(|chars| chars <= size.unwrap()),
        "minItems" => items.is_none_or(|items| items >= size.unwrap()),
        "maxItems" => items.is_none_or(|items| items <= size.unwrap()),
        "minProperties" => fields.is_none_or(|fields| fields >= size.unwrap()),
        "uniqueItems" => value.as_array().is_none_or(|items| are_distinct(items)),
        "maxProperties" => fields.is_none_or(|fields| fields <= size.unwrap()),
        "format" => value.as_str().is_none_or(|text| has_format(expected, text)),
        "pattern" => value
            .as_str()
            .is_none_or(|text| has_pattern(expected, text)),
        other => panic!("the schema has the unknown keyword {other}"),
    }
}

fn are_distinct(items: &[Value]) -> bool {
    let mut earlier = items.iter().enumerate();
    earlier.all(|(index, item)| !items[..index].contains(item))
}

fn has_format(format: &Value, text: &str) -> bool {
    match format.as_str().unwrap() {
        "uuid" => text.len() == 36 && text.parse::<floret::RunId>().is_ok(),
        "date" => text.parse::<NaiveDate>().is_ok(),
        "date-time" => DateTime::parse_from_rfc3339(text).is_ok(),
        other => panic!("the schema has the unknown format {other}"),
    }
}

fn has_pattern(pattern: &Value, text: &str) -> bool {
    let is_id = |text: &str| floret::PipelineId::new(text).is_ok();
    match pattern.as_str().unwrap() {
        "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" => is_id(text),
        "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$" => is_id(text) || is_id(&text.replacen('_', "a", 1)),
        r"^[^\x00-\x1f\x7f-\x9f]*$" => !text.chars().any(char::is_control),
        r"^[^:\x00-\x1f\x7f-\x9f]+$" => {
            !text.is_empty() && !text.chars().any(|it| it.is_control() || it == ':')
        }
        r"^[^\x00-\x1f\x7f-\x9f}]*$" => !text.chars().any(|it| it.is_control() || it == '}'),
        "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" => text.is_empty() || text.parse::<NaiveDate>().is_ok(),
        "^[prsfck-]*$" => text.chars().all(|it| "prsfck-".contains(it)),
        "^[^:]*:" => text.contains(':'),
        "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" => {
            let parsed = text.parse::<floret::TraceParent>();
            parsed.is_ok_and(|parsed| parsed.to_string() == text)
        }
        r"\S" => !text.trim().is_empty(),
        r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$" => {
            let turns = |it| matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let is_break = |it| matches!(it, '\t' | '\n' | '\r');
            !text
                .chars()
                .any(|it| turns(it) || it.is_control() && !is_break(it))
        }
        other => panic!("the schema has the unknown pattern {other}"),
    }
}
