//! Macros that give a type its JSON Schema for the OpenAPI document, where none can be derived.
//!
//! `api/document/generated` writes the document. Only tests compile them.

/// Gives a type the schema of the type that it serializes as: `schema_of! { Run => RunFields }`.
macro_rules! schema_of {
    ($shown:ty => $fields:ty) => {
        impl schemars::JsonSchema for $shown {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                <$fields as schemars::JsonSchema>::schema_name()
            }

            fn inline_schema() -> bool {
                <$fields as schemars::JsonSchema>::inline_schema()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$fields as schemars::JsonSchema>::json_schema(generator)
            }
        }
    };
}

/// Gives a type a schema that each place repeats, because it is short.
macro_rules! inline_schema {
    ($shown:ty => $schema:expr) => {
        impl schemars::JsonSchema for $shown {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($shown).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}
