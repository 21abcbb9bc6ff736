//! The config of a node as an argument of its function, and the check of a config before a run.
//!
//! `reader` reads a config, `misfit` says why one does not fit. The engine resolves templates.

mod misfit;
mod placeholder;
mod reader;
mod session;

use std::cell::Cell;
use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserializer;
use serde::de::{DeserializeOwned, Visitor};
use serde_json::{Map, Value, json};

use self::misfit::{Misfit, Reason};
use self::reader::Reader;
use self::session::{At, Session, Templates};
use super::ExecutorError;
use crate::error::{Issue, quote, reference_token};
use crate::model::engine_keys::CONFIG_KEYS;
use crate::suggestion::{did_you_mean, nearest};
use crate::template;

/// The config of the node, as an argument of its function.
///
/// `C` implements `serde::Deserialize` and `schemars::JsonSchema`. Each attempt reads the config
/// with its templates resolved. A text is a number or a boolean where `C` wants one, so that
/// `"${param.rows}"` fits a number.
///
/// A pipeline is refused, in the code and over HTTP, if a key of the config is unknown or a value
/// is of the wrong type. A value with a template is checked once it is resolved. The keys that the
/// engine reads (`max_retries`, `retry_delay`, `timeout`, `keep_output`) are never unknown.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// use floret::executor::{Config, Ctx, ExecutorError};
/// use floret::{Node, Pipeline, testing::memory};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Fetch { table: String, rows: u64 }
///
/// async fn fetch(ctx: Ctx, Config(own): Config<Fetch>) -> Result<(), ExecutorError> {
///     ctx.log.info(format!("{} rows of {}", own.rows, own.table)).await;
///     Ok(())
/// }
/// let node = Node::new("orders", "fetch").config("tabel", "orders").config("rows", 5);
/// let refused = memory().node("fetch", fetch).pipeline(Pipeline::new("daily").with(node));
/// let error = refused.start().await.unwrap_err();
/// assert!(error.to_string().contains("did you mean \"table\"?"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Config<C>(pub C);

/// A type that configs are read as.
pub(super) struct ConfigType {
    keys: ConfigKeys,
    schema: Value,
    read: fn(&Value, &Session) -> Result<(), Misfit>,
}

/// The keys that a type reads.
enum ConfigKeys {
    /// The fields of a struct, with their aliases.
    Fields(&'static [&'static str]),
    /// The properties of the schema. `None` if any key may be one.
    Properties(Option<Vec<String>>),
}

/// What is wrong with a config.
#[derive(Default)]
struct ConfigProblems {
    issues: Vec<Issue>,
    /// The keys that the type does not read, by their pointers.
    unknown: BTreeMap<String, String>,
}

/// The most problems of one config that are reported.
const PROBLEMS_MAX: usize = 100;

impl ConfigType {
    pub(super) fn of<C: DeserializeOwned + JsonSchema>() -> Self {
        let schema = schema::<C>();
        Self {
            keys: ConfigKeys::of::<C>(&schema),
            schema,
            read: |value, session| read_value::<C>(value, session).map(drop),
        }
    }

    /// Returns the fields of a struct.
    pub(super) const fn fields(&self) -> Option<&[&str]> {
        match &self.keys {
            ConfigKeys::Fields(fields) => Some(fields),
            ConfigKeys::Properties(_) => None,
        }
    }

    /// Returns what is wrong with a config whose templates are not resolved.
    fn problems(&self, config: &Map<String, Value>) -> ConfigProblems {
        let config = Value::Object(self.keys.without_engine_keys(config));
        let mut session = Session::new(Templates::Unresolved);
        let mut problems = ConfigProblems::default();
        while let Err(misfit) = (self.read)(&config, &session) {
            let issue = note(&config, misfit, &mut session);
            problems.issues.extend(issue.clone());
            if issue.is_none() || problems.issues.len() >= PROBLEMS_MAX {
                break;
            }
        }
        for (pointer, (key, fields)) in session.unknown.into_inner() {
            let detail = unknown_key(&key, fields.iter().copied());
            problems.unknown.insert(pointer, detail);
        }
        if let (ConfigKeys::Properties(Some(known)), Value::Object(entries)) = (&self.keys, &config)
        {
            for key in entries.keys().filter(|key| !known.contains(key)) {
                let detail = unknown_key(key, known.iter().map(String::as_str));
                let pointer = format!("/{}", reference_token(key));
                problems.unknown.insert(pointer, detail);
            }
        }
        problems
    }
}

/// Notes a problem, so that the next read finds another one. Returns `None` if it may be one of
/// a template's value, or would be found for ever.
fn note(config: &Value, misfit: Misfit, session: &mut Session) -> Option<Issue> {
    let pointer = misfit.pointer.unwrap_or_default();
    match misfit.reason {
        Reason::Missing(field) => {
            let fields = session.missing.entry(pointer.clone()).or_default();
            let pointer = format!("{pointer}/{}", reference_token(field));
            let issue = || Issue::pointer(pointer, format!("the key {} is missing", quote(field)));
            fields.insert(field).then(issue)
        }
        Reason::Unknown(key) => {
            let pointer = format!("{pointer}/{}", reference_token(&key));
            let issue = Issue::pointer(pointer.clone(), unknown_key(&key, []));
            session.dropped.insert(pointer).then_some(issue)
        }
        Reason::Value(message) => {
            let is_open = config.pointer(&pointer).is_some_and(has_template);
            let is_new = !is_open && session.reported.insert(pointer.clone());
            is_new.then(|| Issue::pointer(pointer, message))
        }
    }
}

fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => template::has_reference(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(entries) => entries.values().any(has_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn unknown_key<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let question = match nearest(key, known.iter().chain(&CONFIG_KEYS).copied()) {
        Some(near) => did_you_mean(near),
        None if known.is_empty() => String::new(),
        None => format!("; known are {}", known.join(", ")),
    };
    format!("this node reads no key {}{question}", quote(key))
}

impl ConfigKeys {
    fn of<C: DeserializeOwned>(schema: &Value) -> Self {
        if let Some(fields) = fields_of::<C>() {
            return Self::Fields(fields);
        }
        let properties = schema["properties"].as_object();
        let is_open = matches!(
            &schema["additionalProperties"],
            Value::Bool(true) | Value::Object(_)
        );
        let keys = properties.filter(|_| !is_open);
        Self::Properties(keys.map(|properties| properties.keys().cloned().collect()))
    }

    /// Returns a config without the keys that the engine alone reads.
    fn without_engine_keys(&self, config: &Map<String, Value>) -> Map<String, Value> {
        let is_own = |key: &str| !CONFIG_KEYS.contains(&key) || self.contains(key);
        let own = config.iter().filter(|(key, _)| is_own(key));
        own.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn contains(&self, key: &str) -> bool {
        match self {
            Self::Fields(fields) => fields.contains(&key),
            Self::Properties(Some(keys)) => keys.iter().any(|known| known == key),
            Self::Properties(None) => false,
        }
    }
}

/// Returns what is wrong with a config that a function reads as these types. A key is unknown if no
/// type has it.
pub(super) fn issues(config_types: &[ConfigType], config: &Map<String, Value>) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut unknown: Option<BTreeMap<String, String>> = None;
    for config_type in config_types {
        let problems = config_type.problems(config);
        issues.extend(problems.issues);
        unknown = Some(match unknown {
            None => problems.unknown,
            Some(mut unknown) => {
                unknown.retain(|pointer, _| problems.unknown.contains_key(pointer));
                unknown
            }
        });
    }
    let unknown = unknown.into_iter().flatten();
    issues.extend(unknown.map(|(pointer, detail)| Issue::pointer(pointer, detail)));
    issues
}

/// Returns the schema of a config that a function reads as these types, or `None` without a type.
pub(super) fn combined_schema(config_types: &[ConfigType]) -> Option<Value> {
    match config_types {
        [] => None,
        [only] => Some(only.schema.clone()),
        several => {
            let schemas: Vec<_> = several.iter().map(|config| &config.schema).collect();
            Some(json!({ "allOf": schemas }))
        }
    }
}

/// Returns the fields of a struct, with their aliases, or `None` for any other type.
pub(super) fn fields_of<C: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let fields = Cell::new(None);
    // The read always fails. It has noted the fields before.
    let _failed = C::deserialize(Probe(&fields)).is_err();
    fields.get()
}

/// Returns the JSON Schema of a type.
pub(super) fn schema<C: JsonSchema>() -> Value {
    SchemaGenerator::default()
        .into_root_schema_for::<C>()
        .to_value()
}

fn read_value<C: DeserializeOwned>(value: &Value, session: &Session) -> Result<C, Misfit> {
    C::deserialize(Reader {
        value,
        at: &At::Root,
        session,
    })
}

/// Reads a config whose templates are resolved. `config_type` is the type `C`.
///
/// # Errors
/// A permanent error that names the value, if the config does not fit.
pub(super) fn read<C: DeserializeOwned>(
    config_type: &ConfigType,
    config: &Map<String, Value>,
) -> Result<C, ExecutorError> {
    let config = Value::Object(config_type.keys.without_engine_keys(config));
    let session = Session::new(Templates::Resolved);
    read_value(&config, &session).map_err(|misfit| {
        let pointer = misfit.pointer.as_deref().unwrap_or_default();
        let at = if pointer.is_empty() { "" } else { " at " };
        ExecutorError::permanent(format!(
            "the node's config does not fit{at}{pointer}: {misfit}"
        ))
    })
}

/// Why texts do not fit a type.
pub(super) struct TextMisfit {
    /// The field whose text does not fit, or that is missing. `None` if it is not one field.
    pub(super) field: Option<String>,
    pub(super) reason: String,
}

/// Reads texts as the fields of a type: a text is a number or a boolean where the type wants one.
///
/// # Errors
/// The first field that does not fit.
pub(super) fn read_texts<C: DeserializeOwned>(texts: Map<String, Value>) -> Result<C, TextMisfit> {
    let texts = Value::Object(texts);
    let session = Session::new(Templates::Resolved);
    read_value(&texts, &session).map_err(|Misfit { pointer, reason }| {
        let reported = pointer.unwrap_or_default();
        let entries = texts.as_object().into_iter().flatten();
        let field = match &reason {
            Reason::Missing(field) => Some((*field).to_owned()),
            Reason::Unknown(_) => None,
            Reason::Value(_) => entries
                .map(|(name, _)| name)
                .find(|name| reported == format!("/{}", reference_token(name)))
                .cloned(),
        };
        TextMisfit {
            field,
            reason: reason.to_string(),
        }
    })
}

/// Notes the fields of a struct, and refuses every type.
struct Probe<'a>(&'a Cell<Option<&'static [&'static str]>>);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Misfit> {
        Err(Misfit::text("a probe has no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.0.set(Some(fields));
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
