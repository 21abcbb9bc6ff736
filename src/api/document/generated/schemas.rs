//! The schemas of the types that answers serialize, in the form that the document shows.
//!
//! Bodies are read by hand, so `bodies` has their schemas.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::api::paging::{CursorPage, NumberedPage};

/// Collects the schemas of the document.
pub(super) struct Schemas {
    generator: SchemaGenerator,
    own: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            });
        Self {
            generator: settings.into_generator(),
            own: Map::new(),
        }
    }

    /// Returns the schema of a type: a reference, if the type has a name.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.generator.subschema_for::<T>().to_value();
        clean(&mut schema);
        schema
    }

    /// Returns a reference to a schema with this name.
    pub(super) fn define(&mut self, name: &str, schema: Value) -> Value {
        self.own.insert(name.to_owned(), schema);
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// Returns the schema of a list in its three forms.
    pub(super) fn list<T: JsonSchema + 'static>(&mut self) -> Value {
        let newest = self.of::<Vec<T>>();
        let numbered = self.of::<NumberedPage<'static, T>>();
        let following = self.of::<CursorPage<'static, T>>();
        let schema = json!({
            "description": "The newest items without paging parameters, a page with its number \
                with `page` or `per_page`, and a part after a cursor with `after` or `limit`.",
            "oneOf": [newest, numbered, following],
        });
        self.define(&format!("{}List", T::schema_name()), schema)
    }

    /// Returns all schemas by their names.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut schemas = self.generator.take_definitions(true);
        schemas.values_mut().for_each(clean);
        for (name, schema) in self.own {
            let before = schemas.insert(name, schema);
            assert_eq!(before, None, "two schemas have one name");
        }
        schemas
    }
}

/// Brings a derived schema into the form of the document, with the schemas inside it.
fn clean(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("default");
            fields.remove("title");
            let is_rust = |format: &Value| {
                let format = format.as_str().unwrap_or_default();
                ["int", "uint", "float", "double"]
                    .iter()
                    .any(|own| format.starts_with(own))
            };
            if fields.get("format").is_some_and(is_rust) {
                fields.remove("format");
            }
            shorten_description(fields);
            join_constants(fields);
            never_null(fields);
            for (keyword, value) in fields {
                match value {
                    // Its keys are the names of fields, not keywords.
                    Value::Object(properties) if keyword == "properties" => {
                        properties.values_mut().for_each(clean_inner);
                    }
                    items if keyword == "items" => clean_inner(items),
                    value => clean(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Cleans a schema that generators of clients expect to be an object.
fn clean_inner(schema: &mut Value) {
    if *schema == true {
        *schema = json!({});
    }
    clean(schema);
}

/// Keeps the first paragraph of a description, without the links and the `None` of Rust.
fn shorten_description(fields: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = fields.get_mut("description") {
        let first = text.split("\n\n").next().unwrap_or_default();
        let lines: Vec<_> = first.lines().map(str::trim).collect();
        let mut joined = lines.join(" ").replace("[`", "`").replace("`]", "`");
        while let Some((before, rest)) = joined.split_once("`(super::") {
            let (_, after) = rest.split_once(')').unwrap_or_default();
            joined = format!("{before}`{after}");
        }
        *text = joined.replace(", or `None`", "; absent");
    }
}

/// Turns the choice between constants, each with its description, into one list of words.
fn join_constants(fields: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = fields.get("oneOf") else {
        return;
    };
    let (mut words, mut meanings) = (Vec::new(), Vec::new());
    for choice in choices {
        let Some(word) = choice.get("const").and_then(Value::as_str) else {
            return;
        };
        words.push(word.to_owned());
        let mut own = json!({"description": choice["description"]});
        clean(&mut own);
        let meaning = own["description"].as_str().unwrap_or_default();
        meanings.push(format!("`{word}`: {meaning}"));
    }
    let about = fields
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let about = format!("{about} {}", meanings.join(" "));
    fields.remove("oneOf");
    fields.insert("type".to_owned(), "string".into());
    fields.insert("enum".to_owned(), words.into());
    fields.insert("description".to_owned(), about.trim().into());
}

/// Removes `null` from the fields of an object that are omitted instead.
fn never_null(fields: &mut Map<String, Value>) {
    let required = fields
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let Some(Value::Object(properties)) = fields.get_mut("properties") else {
        return;
    };
    for (name, schema) in properties {
        let is_required = required.iter().any(|own| own == name.as_str());
        let Some(schema) = schema.as_object_mut().filter(|_| !is_required) else {
            continue;
        };
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.retain(|word| !word.is_null());
        }
        if let Some(Value::Array(kinds)) = schema.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [kind] = &kinds[..] {
                let kind = kind.clone();
                schema.insert("type".to_owned(), kind);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| choice["type"] != "null");
            if let [Value::Object(choice)] = &choices[..] {
                let choice = choice.clone();
                schema.remove("anyOf");
                schema.extend(choice);
            }
        }
    }
}
