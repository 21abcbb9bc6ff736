//! The definition of a parameter: its type, its default and its bounds.
//!
//! `graph/param_defs` reads definitions from JSON, checks them, and checks values against them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ParamKind {
    /// Any text. JSON calls it `string`.
    // A variant `String` would make the compiler write `std::string::String` in the messages that
    // hosts read.
    #[default]
    #[serde(rename = "string")]
    Text,
    /// A whole number without superfluous zeros, such as `-3`. It is at least the least `i64` and
    /// at most the greatest `u64`.
    Integer,
    /// A number as JSON writes it, such as `0.5` or `1e-3`.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A date of ISO 8601, such as `2024-01-15`.
    Date,
    /// A time of RFC 3339, such as `2024-01-15T06:30:00Z`.
    DateTime,
    /// One of a few texts.
    Enum,
}

impl ParamKind {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Text,
        Self::Integer,
        Self::Number,
        Self::Boolean,
        Self::Date,
        Self::DateTime,
        Self::Enum,
    ];

    /// Returns the type as JSON has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Enum => "enum",
        }
    }
}

/// The definition of a parameter of a pipeline.
///
/// A pipeline with definitions takes no other parameters, apart from `date`, and refuses values
/// that do not fit. The definitions themselves are checked when the pipeline is saved.
///
/// ```
/// use floret::{ParamDef, Pipeline};
///
/// let daily = Pipeline::new("daily")
///     .param_def(ParamDef::integer("rows").min(1).max(100).default(10))
///     .param_def(ParamDef::one_of("region", ["eu", "us"]).required())
///     .param_def(ParamDef::string("table").pattern("[a-z_]+").description("The source."))
///     .node("load", "load");
/// assert_eq!(daily.param_defs[0].name, "rows");
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ParamDef {
    /// The name, 1 to 128 characters, unique in the pipeline.
    pub name: String,
    /// The type of the values. JSON calls it `type`.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// Whether each run must have a value. A default is one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub required: bool,
    /// The value of a run that is given none, as a string, a number or a boolean.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub default: Option<Value>,
    /// The texts that an `enum` takes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub values: Vec<String>,
    /// The least value of a number, a date or a time; the least number of characters of a string.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min: Option<Value>,
    /// The greatest value of a number, a date or a time; the greatest number of characters of a
    /// string.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max: Option<Value>,
    /// The regular expression that a string must match as a whole, in the syntax of the crate
    /// `regex-lite`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pattern: Option<String>,
    /// What the parameter is for, at most 2,000 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Whether the values are secret: they are stored encrypted, and `********` stands for each in
    /// answers. Only a string can be secret.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub secret: bool,
    /// Why there is no definition for a field of a Rust type. A save reports it.
    #[serde(skip)]
    pub(crate) fault: Option<String>,
}

impl ParamDef {
    /// Defines a parameter of a type. An `enum` also needs [`ParamDef::values`].
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ParamKind) -> Self {
        Self {
            name: name.into(),
            kind,
            ..<Self as Default>::default()
        }
    }

    /// Defines a text.
    #[must_use]
    pub fn string(name: impl Into<String>) -> Self {
        Self::new(name, ParamKind::Text)
    }

    /// Defines a whole number.
    #[must_use]
    pub fn integer(name: impl Into<String>) -> Self {
        Self::new(name, ParamKind::Integer)
    }

    /// Defines a number.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self::new(name, ParamKind::Number)
    }

    /// Defines a parameter that is `true` or `false`.
    #[must_use]
    pub fn boolean(name: impl Into<String>) -> Self {
        Self::new(name, ParamKind::Boolean)
    }

    /// Defines a date.
    #[must_use]
    pub fn date(name: impl Into<String>) -> Self {
        Self::new(name, ParamKind::Date)
    }

    /// Defines a time.
    #[must_use]
    pub fn datetime(name: impl Into<String>) -> Self {
        Self::new(name, ParamKind::DateTime)
    }

    /// Defines a parameter that is one of a few texts.
    #[must_use]
    pub fn one_of<T: Into<String>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::new(name, ParamKind::Enum).values(values)
    }

    /// Makes each run need a value, be it the default.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Sets the value of a run that is given none: a text, a number or a boolean.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Sets the texts that an `enum` takes.
    #[must_use]
    pub fn values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the least value, or the least number of characters of a string. A date or a time is
    /// given as its text.
    #[must_use]
    pub fn min(mut self, least: impl Into<Value>) -> Self {
        self.min = Some(least.into());
        self
    }

    /// Sets the greatest value, or the greatest number of characters of a string. A date or a time
    /// is given as its text.
    #[must_use]
    pub fn max(mut self, greatest: impl Into<Value>) -> Self {
        self.max = Some(greatest.into());
        self
    }

    /// Sets the regular expression that a string must match as a whole.
    #[must_use]
    pub fn pattern(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Says what the parameter is for.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Makes the values secret.
    ///
    /// They are stored encrypted, with the key of the host
    /// ([`Builder::secret_key`](crate::Builder), feature `secrets`), and a run with one needs that
    /// key. In answers, `********` stands for each. The nodes of the run get the value, in
    /// [`Ctx::params`](crate::executor::Ctx::params) and in their configs, and logs, errors and
    /// previews show `***` for it. Only a string can be secret, and it has no default.
    ///
    /// ```
    /// use floret::{ParamDef, Pipeline};
    ///
    /// let daily = Pipeline::new("daily").param_def(ParamDef::string("token").secret());
    /// assert!(daily.param_defs[0].secret);
    /// ```
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Returns the default as the text that a run gets.
    pub(crate) fn default_text(&self) -> Option<String> {
        self.default.as_ref().and_then(scalar_text)
    }
}

/// Returns a string, a number or a boolean as a text, or `None` for any other value.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_written_as_it_was_built() {
        let def = ParamDef::integer("rows")
            .required()
            .min(1)
            .max(9)
            .default("5");
        let written = json!({
            "name": "rows", "type": "integer", "required": true, "default": "5", "min": 1, "max": 9
        });
        assert_eq!(serde_json::to_value(&def).unwrap(), written);
        assert_eq!(serde_json::from_value::<ParamDef>(written).unwrap(), def);
        let text = ParamDef::string("table")
            .pattern("[a-z]+")
            .description("The source.")
            .secret();
        let written = json!({
            "name": "table", "type": "string", "pattern": "[a-z]+", "description": "The source.",
            "secret": true
        });
        assert_eq!(serde_json::to_value(text).unwrap(), written);
        for kind in ParamKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
