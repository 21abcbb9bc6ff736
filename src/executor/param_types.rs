//! The parameters of a pipeline as a struct of the host: its definitions, and the parameters of a
//! run read as the struct.
//!
//! `param_schema` makes a definition of the schema of a field, and `config` reads texts as fields.

use std::any::type_name;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ExecutorError;
use super::config::{self, TextMisfit};
use super::param_schema;
use crate::error::quote;
use crate::graph::param_defs::expectation;
use crate::model::{DATE_PARAM, ParamDef, Params, Pipeline};

impl Pipeline {
    /// Defines a parameter for each field of a struct, which derives `serde::Deserialize` and
    /// `schemars::JsonSchema`.
    ///
    /// A field is a text, a number, a boolean, a date (`chrono::NaiveDate`), a time
    /// (`chrono::DateTime<Utc>`, with the feature `chrono04` of `schemars` as for dates) or an enum
    /// without data. A field that is an `Option` or has `#[serde(default)]` is not required, and
    /// its default is that of the definition. Its comment is the description;
    /// `#[schemars(range(…), length(…), regex(…))]` are the bounds and the pattern, which matches
    /// whole values.
    ///
    /// A type that is no such struct is refused when the pipeline is saved, with the name of the
    /// field. [`Ctx::params`](crate::executor::Ctx::params) reads the parameters of a run as the
    /// struct.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{Ctx, ExecutorError};
    /// use floret::{Pipeline, testing::memory};
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, JsonSchema)]
    /// struct Daily {
    ///     /// Where the orders come from.
    ///     region: Region,
    ///     #[serde(default = "ten")]
    ///     #[schemars(range(min = 1, max = 100))]
    ///     rows: u32,
    ///     note: Option<String>,
    /// }
    ///
    /// #[derive(Serialize, Deserialize, JsonSchema)]
    /// #[serde(rename_all = "lowercase")]
    /// enum Region { Eu, Us }
    ///
    /// fn ten() -> u32 { 10 }
    ///
    /// async fn load(ctx: Ctx) -> Result<(), ExecutorError> {
    ///     let daily = ctx.params::<Daily>()?;
    ///     assert_eq!((daily.rows, daily.note), (10, None));
    ///     Ok(())
    /// }
    /// let daily = Pipeline::new("daily").params_of::<Daily>().node("load", "load");
    /// assert_eq!(daily.param_defs[0].values, ["eu", "us"]);
    /// let floret = memory().node("load", load).pipeline(daily).start().await?;
    ///
    /// let given = Daily { region: Region::Eu, rows: 10, note: None };
    /// let finished = floret.run("daily").params(&given).await?.finished().await?;
    /// assert_eq!(finished.run.params["region"], "eu");
    /// # assert_eq!(finished.run.error, None);
    /// let refused = floret.run("daily").param("region", "eus").await.unwrap_err();
    /// assert!(refused.to_string().contains("did you mean \"eu\"?"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn params_of<T: DeserializeOwned + JsonSchema>(mut self) -> Self {
        self.param_defs.extend(definitions::<T>());
        self
    }
}

/// Returns a definition for each field of a type, in the order of the fields. A field that is no
/// parameter gets a definition with the fault, which a save reports.
fn definitions<T: DeserializeOwned + JsonSchema>() -> Vec<ParamDef> {
    let name = short_name::<T>();
    let root = config::schema::<T>();
    let properties = root["properties"].as_object();
    let (Some(fields), Some(properties)) = (config::fields_of::<T>(), properties) else {
        return vec![ParamDef {
            fault: Some(format!(
                "the parameters of a pipeline must be a struct with named fields and without \
                 #[serde(flatten)], and {name} is none"
            )),
            ..ParamDef::string(name)
        }];
    };
    let is_required = |field: &str| {
        let required = root["required"].as_array();
        required.is_some_and(|required| required.iter().any(|name| name == field))
    };
    let def = |field: &&str| {
        let schema = properties.get(*field)?;
        let mut def = match param_schema::definition(field, schema, &root) {
            Ok(def) => def,
            Err(found) => ParamDef {
                fault: Some(format!(
                    "the field {field} of {name} must be a text, a number, a boolean, a date, a \
                     time or an enum without data, and is {found}"
                )),
                ..ParamDef::string(*field)
            },
        };
        def.required = is_required(field);
        Some(def)
    };
    // A name without a property is an alias, or a field that the schema skips.
    fields.iter().filter_map(def).collect()
}

/// Returns the name of a type without its path and its arguments.
fn short_name<T>() -> &'static str {
    let name = type_name::<T>();
    let name = name.split_once('<').map_or(name, |(name, _)| name);
    name.rsplit("::").next().unwrap_or(name)
}

/// Reads the parameters of a run as a type.
///
/// # Errors
/// A permanent error that names the parameter, what was expected and what was received.
pub(super) fn read<T: DeserializeOwned + JsonSchema>(params: &Params) -> Result<T, ExecutorError> {
    let fields = config::fields_of::<T>();
    // Each run has a date, which a type that refuses unknown fields need not have.
    let is_read = |name: &str| name != DATE_PARAM || fields.is_none_or(|all| all.contains(&name));
    let texts = params.iter().filter(|(name, _)| is_read(name));
    let texts: Map<_, _> = texts
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
        .collect();
    config::read_texts(texts).map_err(|misfit| {
        let defs = definitions::<T>();
        ExecutorError::permanent(describe(&misfit, &defs, params, short_name::<T>()))
    })
}

fn describe(misfit: &TextMisfit, defs: &[ParamDef], params: &Params, of: &str) -> String {
    let Some(name) = &misfit.field else {
        return format!("the parameters do not fit {of}: {}", misfit.reason);
    };
    let def = defs.iter().find(|def| def.name == *name);
    let expects = def.map_or_else(|| format!("the type of {of}"), expectation);
    let name = quote(name);
    match params.get(misfit.field.as_deref().unwrap_or_default()) {
        None => format!("the parameter {name} of {of} is missing; it must be {expects}"),
        Some(_) if params.is_secret(misfit.field.as_deref().unwrap_or_default()) => {
            format!("the secret parameter {name} of {of} must be {expects}")
        }
        Some(text) => {
            let (received, reason) = (quote(text), &misfit.reason);
            format!("the parameter {name} of {of} must be {expects}, received {received}: {reason}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, NaiveDate, Utc};
    use proptest::prelude::{Just, Strategy, prop_oneof};
    use proptest::strategy::Union;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::graph::definition;
    use crate::graph::issues::Issues;
    use crate::graph::param_defs::{Patterns, check};
    use crate::limits::Limits;

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Region {
        /// With a comment, which makes another schema.
        North,
        South,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Share(f64);

    fn seven() -> u8 {
        7
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Daily {
        /// Where the orders come from.
        region: Region,
        #[serde(default = "seven")]
        #[schemars(range(min = 1, max = 9))]
        small: u8,
        whole: Option<i32>,
        large: Option<u64>,
        signed: Option<i64>,
        share: Option<Share>,
        #[serde(rename = "dry-run", default)]
        dry_run: bool,
        #[schemars(length(min = 1, max = 5), regex(pattern = "[a-z]+"))]
        table: Option<String>,
        letter: Option<char>,
        from: Option<NaiveDate>,
        until: Option<DateTime<Utc>>,
        date: NaiveDate,
    }

    fn pipeline() -> Pipeline {
        Pipeline::new("p").node("a", "x").params_of::<Daily>()
    }

    #[test]
    fn each_field_has_its_definition_in_the_order_of_the_fields() {
        let expected = json!([
            {
                "name": "region", "type": "enum", "required": true, "values": ["north", "south"],
                "description": "Where the orders come from."
            },
            {"name": "small", "type": "integer", "default": 7, "min": 1, "max": 9},
            {"name": "whole", "type": "integer", "min": i32::MIN, "max": i32::MAX},
            {"name": "large", "type": "integer", "min": 0},
            {"name": "signed", "type": "integer", "min": i64::MIN, "max": i64::MAX},
            {"name": "share", "type": "number"},
            {"name": "dry-run", "type": "boolean", "default": false},
            {"name": "table", "type": "string", "min": 1, "max": 5, "pattern": "[a-z]+"},
            {"name": "letter", "type": "string", "min": 1, "max": 1},
            {"name": "from", "type": "date"},
            {"name": "until", "type": "datetime"},
            {"name": "date", "type": "date", "required": true}
        ]);
        let mut values = serde_json::to_value(pipeline().param_defs).unwrap();
        // Variants with comments come after the others in a schema.
        let texts = values[0]["values"].as_array_mut().unwrap();
        texts.sort_by_key(ToString::to_string);
        assert_eq!(values, expected);
        definition::check(&pipeline(), &Limits::default()).unwrap();
    }

    #[test]
    fn a_type_that_is_no_flat_struct_is_refused_with_its_field() {
        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its schema is read")]
        struct Nested {
            fine: u8,
            tables: Vec<String>,
            inner: Option<Daily>,
            either: Either,
        }
        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its schema is read")]
        enum Either {
            Left(u8),
            Right,
        }
        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its schema is read")]
        struct Flat {
            #[serde(flatten)]
            inner: Daily,
        }
        let refusal = |pipeline: Pipeline| {
            let error = definition::check(&pipeline, &Limits::default()).unwrap_err();
            let details = error.issues().iter().map(|issue| issue.detail.clone());
            details.collect::<Vec<_>>()
        };
        let empty = || Pipeline::new("p").node("a", "x");
        let field = |name: &str, found: &str| {
            format!(
                "the field {name} of Nested must be a text, a number, a boolean, a date, a time or \
                 an enum without data, and is {found}"
            )
        };
        let expected = [
            field("tables", "an array"),
            field("inner", "an object"),
            field("either", "of another type"),
        ];
        assert_eq!(refusal(empty().params_of::<Nested>()), expected);
        for (pipeline, name) in [
            (empty().params_of::<Flat>(), "Flat"),
            (empty().params_of::<Either>(), "Either"),
            (empty().params_of::<BTreeMap<String, String>>(), "BTreeMap"),
        ] {
            let refused = refusal(pipeline);
            assert_eq!(refused.len(), 1);
            assert!(
                refused[0].contains("without #[serde(flatten)]"),
                "{refused:?}"
            );
            assert!(refused[0].contains(name), "{refused:?}");
        }
    }

    #[test]
    fn a_misfit_names_the_parameter_what_it_must_be_and_what_it_is() {
        let good = || Params::from_iter([("region", "north"), ("date", "2024-01-15")]);
        let daily = read::<Daily>(&good()).unwrap();
        assert_eq!(
            (daily.region, daily.small, daily.whole),
            (Region::North, 7, None)
        );
        for (name, text, expected) in [
            (
                "small",
                "x",
                "\"small\" of Daily must be a whole number from 1 to 9, received \"x\"",
            ),
            (
                "small",
                "300",
                "must be a whole number from 1 to 9, received \"300\"",
            ),
            (
                "dry-run",
                "yes",
                "\"dry-run\" of Daily must be true or false, received \"yes\"",
            ),
            (
                "from",
                "2023-02-29",
                "must be a date such as 2024-01-15, received \"2023-02-29\"",
            ),
            ("region", "west", "must be one of "),
        ] {
            let mut params = good();
            params.insert(name, text);
            let error = read::<Daily>(&params).unwrap_err().to_string();
            assert!(
                error.starts_with("the parameter \"") && error.contains(expected),
                "{error}"
            );
        }
        let error = read::<Daily>(&Params::from_iter([("date", "2024-01-15")])).unwrap_err();
        let expected = "the parameter \"region\" of Daily is missing; it must be one of ";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn the_date_of_each_run_is_no_unknown_field() {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its fields are read")]
        struct Strict {
            rows: u8,
        }
        let given = |other: &str| Params::from_iter([("rows", "1"), (other, "2024-01-15")]);
        read::<Strict>(&given("date")).unwrap();
        let error = read::<Strict>(&given("other")).unwrap_err().to_string();
        assert_eq!(
            error,
            "the parameters do not fit Strict: the key \"other\" is unknown"
        );
    }

    /// Texts that are values of some type, or nearly.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?[0-9]{1,20}",
            "-?[0-9]{1,3}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
            "(true|false|north|south|NaN|inf|null| )",
            "[0-9]{4}-[01][0-9]-[0-3][0-9]",
            "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?([Zz]|[+-][01][0-9]:[0-5][0-9])",
            "[a-z]{0,6}",
            "\\PC{0,3}",
        ]
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1_000))]

        #[test]
        fn parameters_that_fit_the_definitions_are_readable_as_the_struct(
            (name, text) in (Union::new(definitions::<Daily>().into_iter().map(|def| Just(def.name))), texts())
        ) {
            let defs = definitions::<Daily>();
            let mut params = Params::from_iter([("region", "north"), ("date", "2024-01-15")]);
            params.insert(name.clone(), text.clone());
            let mut issues = Issues::default();
            let all = params.iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
            let (secrets, patterns) = (Params::new(), Patterns::default());
            check(&defs, &all.collect(), &secrets, &patterns, &mut issues);
            // An empty date is replaced before a node reads it.
            if issues.is_empty() && !(name == DATE_PARAM && text.is_empty()) {
                let read = read::<Daily>(&params);
                proptest::prop_assert!(read.is_ok(), "{name} {text:?}: {read:?}");
            }
        }
    }
}
