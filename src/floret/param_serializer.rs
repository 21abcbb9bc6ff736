//! Makes texts of the fields of a struct or the entries of a map, as the definitions of parameters
//! take them.
//!
//! JSON would lose what is no number (`NaN`), and the digits of a small float.

use std::fmt;

use serde::Serialize;
use serde::ser::{Error, Impossible, SerializeMap, SerializeStruct, Serializer};
use serde_json::Number;

/// What was found where a scalar, or a struct or a map, was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl Error for Unfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(format!("what does not serialize: {message}"))
    }
}

/// The text of each field. `None` for one without a value.
type Entries = Vec<(String, Result<Option<String>, Unfit>)>;

/// Returns the fields of a struct or the entries of a map.
///
/// # Errors
/// What the value is instead.
pub(super) fn entries(value: &(impl Serialize + ?Sized)) -> Result<Entries, Unfit> {
    value.serialize(Fields)
}

fn unfit<T>(found: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit(found.into()))
}

/// Refuses values, each with what it is.
macro_rules! refuse {
    ($found:literal: $($method:ident($($kind:ty),*) -> $output:ty;)*) => {
        $(fn $method(self, $(_: $kind),*) -> Result<$output, Unfit> {
            unfit($found)
        })*
    };
}

/// Refuses values of a generic type, each with what it is.
macro_rules! refuse_data {
    ($output:ty) => {
        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<$output, Unfit> {
            unfit("an enum with data")
        }

        refuse! { "bytes": serialize_bytes(&[u8]) -> $output; }
        refuse! { "a list": serialize_seq(Option<usize>) -> Self::SerializeSeq; }
        refuse! { "a tuple":
            serialize_tuple(usize) -> Self::SerializeTuple;
            serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        }
        refuse! { "an enum with data":
            serialize_tuple_variant(&'static str, u32, &'static str, usize)
                -> Self::SerializeTupleVariant;
            serialize_struct_variant(&'static str, u32, &'static str, usize)
                -> Self::SerializeStructVariant;
        }
    };
}

/// Makes the text of a scalar, or `None` of nothing.
struct Scalar;

type NoText = Impossible<Option<String>, Unfit>;

/// Writes values as their texts.
macro_rules! texts {
    ($($method:ident($kind:ty))*) => {
        $(fn $method(self, value: $kind) -> Result<Option<String>, Unfit> {
            Ok(Some(value.to_string()))
        })*
    };
}

impl Serializer for Scalar {
    type Ok = Option<String>;
    type Error = Unfit;
    type SerializeSeq = NoText;
    type SerializeTuple = NoText;
    type SerializeTupleStruct = NoText;
    type SerializeTupleVariant = NoText;
    type SerializeMap = NoText;
    type SerializeStruct = NoText;
    type SerializeStructVariant = NoText;

    texts! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128)
        serialize_char(char) serialize_str(&str)
    }

    fn serialize_f32(self, value: f32) -> Result<Option<String>, Unfit> {
        if value.is_finite() {
            // The shortest text that reads as this number.
            Ok(Some(value.to_string()))
        } else {
            unfit(value.to_string())
        }
    }

    fn serialize_f64(self, value: f64) -> Result<Option<String>, Unfit> {
        match Number::from_f64(value) {
            Some(number) => Ok(Some(number.to_string())),
            None => unfit(value.to_string()),
        }
    }

    fn serialize_none(self) -> Result<Option<String>, Unfit> {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Option<String>, Unfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Option<String>, Unfit> {
        Ok(None)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Option<String>, Unfit> {
        Ok(None)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Option<String>, Unfit> {
        Ok(Some(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Option<String>, Unfit> {
        value.serialize(self)
    }

    refuse_data!(Option<String>);
    refuse! { "a map": serialize_map(Option<usize>) -> NoText; }
    refuse! { "a struct": serialize_struct(&'static str, usize) -> NoText; }
}

/// Makes texts of the fields of a struct or a map.
struct Fields;

type NoFields = Impossible<Entries, Unfit>;

impl Serializer for Fields {
    type Ok = Entries;
    type Error = Unfit;
    type SerializeSeq = NoFields;
    type SerializeTuple = NoFields;
    type SerializeTupleStruct = NoFields;
    type SerializeTupleVariant = NoFields;
    type SerializeMap = Collected;
    type SerializeStruct = Collected;
    type SerializeStructVariant = NoFields;

    refuse! { "a boolean": serialize_bool(bool) -> Entries; }
    refuse! { "a number":
        serialize_i8(i8) -> Entries; serialize_i16(i16) -> Entries; serialize_i32(i32) -> Entries;
        serialize_i64(i64) -> Entries; serialize_u8(u8) -> Entries; serialize_u16(u16) -> Entries;
        serialize_u32(u32) -> Entries; serialize_u64(u64) -> Entries;
        serialize_f32(f32) -> Entries; serialize_f64(f64) -> Entries;
    }
    refuse! { "a text": serialize_char(char) -> Entries; serialize_str(&str) -> Entries; }
    refuse! { "an enum": serialize_unit_variant(&'static str, u32, &'static str) -> Entries; }

    fn serialize_none(self) -> Result<Entries, Unfit> {
        Ok(Vec::new())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Entries, Unfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Entries, Unfit> {
        Ok(Vec::new())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Entries, Unfit> {
        Ok(Vec::new())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Entries, Unfit> {
        value.serialize(self)
    }

    refuse_data!(Entries);

    fn serialize_map(self, _: Option<usize>) -> Result<Collected, Unfit> {
        Ok(Collected::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Collected, Unfit> {
        Ok(Collected::default())
    }
}

/// The fields so far.
#[derive(Default)]
struct Collected {
    entries: Entries,
    /// The key of a map whose value is next.
    key: Option<String>,
}

impl SerializeStruct for Collected {
    type Ok = Entries;
    type Error = Unfit;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        self.entries.push((key.to_owned(), value.serialize(Scalar)));
        Ok(())
    }

    fn end(self) -> Result<Entries, Unfit> {
        Ok(self.entries)
    }
}

impl SerializeMap for Collected {
    type Ok = Entries;
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        match key.serialize(Scalar) {
            Ok(Some(key)) => {
                self.key = Some(key);
                Ok(())
            }
            Ok(None) | Err(_) => unfit("a map whose keys are no texts"),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        let key = self.key.take();
        let key = key.ok_or_else(|| Unfit::custom("a value without a key"))?;
        self.entries.push((key, value.serialize(Scalar)));
        Ok(())
    }

    fn end(self) -> Result<Entries, Unfit> {
        Ok(self.entries)
    }
}
