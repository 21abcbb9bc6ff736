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
    match value.serialize(Finder)? {
        Found::Fields { entries, .. } => Ok(entries),
        Found::Nothing => Ok(Vec::new()),
        Found::Text { what, .. } => unfit(what),
    }
}

/// Returns the text of a scalar, or `None` of nothing.
///
/// # Errors
/// What the value is instead.
fn scalar(value: &(impl Serialize + ?Sized)) -> Result<Option<String>, Unfit> {
    match value.serialize(Finder)? {
        Found::Text { text, .. } => Ok(Some(text)),
        Found::Nothing => Ok(None),
        Found::Fields { what, .. } => unfit(what),
    }
}

fn unfit<T>(found: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit(found.into()))
}

/// What a value is.
enum Found {
    Nothing,
    Text {
        text: String,
        what: &'static str,
    },
    Fields {
        entries: Entries,
        what: &'static str,
    },
}

/// Finds what a value is.
struct Finder;

/// Writes values as their texts.
macro_rules! texts {
    ($($method:ident($kind:ty) is $what:literal;)*) => {
        $(fn $method(self, value: $kind) -> Result<Found, Unfit> {
            Ok(Found::Text { text: value.to_string(), what: $what })
        })*
    };
}

/// Refuses values with what they are.
macro_rules! refuse {
    ($($method:ident($($kind:ty),*) is $what:literal -> $output:ty;)*) => {
        $(fn $method(self, $(_: $kind),*) -> Result<$output, Unfit> {
            unfit($what)
        })*
    };
}

type Nowhere = Impossible<Found, Unfit>;

impl Serializer for Finder {
    type Ok = Found;
    type Error = Unfit;
    type SerializeSeq = Nowhere;
    type SerializeTuple = Nowhere;
    type SerializeTupleStruct = Nowhere;
    type SerializeTupleVariant = Nowhere;
    type SerializeMap = Collected;
    type SerializeStruct = Collected;
    type SerializeStructVariant = Nowhere;

    texts! {
        serialize_bool(bool) is "a boolean";
        serialize_i8(i8) is "a number";
        serialize_i16(i16) is "a number";
        serialize_i32(i32) is "a number";
        serialize_i64(i64) is "a number";
        serialize_i128(i128) is "a number";
        serialize_u8(u8) is "a number";
        serialize_u16(u16) is "a number";
        serialize_u32(u32) is "a number";
        serialize_u64(u64) is "a number";
        serialize_u128(u128) is "a number";
        serialize_char(char) is "a text";
        serialize_str(&str) is "a text";
    }
    refuse! {
        serialize_bytes(&[u8]) is "bytes" -> Found;
        serialize_seq(Option<usize>) is "a list" -> Nowhere;
        serialize_tuple(usize) is "a tuple" -> Nowhere;
        serialize_tuple_struct(&'static str, usize) is "a tuple" -> Nowhere;
        serialize_tuple_variant(&'static str, u32, &'static str, usize)
            is "an enum with data" -> Nowhere;
        serialize_struct_variant(&'static str, u32, &'static str, usize)
            is "an enum with data" -> Nowhere;
    }

    fn serialize_f32(self, value: f32) -> Result<Found, Unfit> {
        if !value.is_finite() {
            return unfit(value.to_string());
        }
        // The shortest text that reads as this number.
        let text = value.to_string();
        let what = "a number";
        Ok(Found::Text { text, what })
    }

    fn serialize_f64(self, value: f64) -> Result<Found, Unfit> {
        let number = Number::from_f64(value).ok_or_else(|| Unfit(value.to_string()))?;
        let (text, what) = (number.to_string(), "a number");
        Ok(Found::Text { text, what })
    }

    fn serialize_none(self) -> Result<Found, Unfit> {
        Ok(Found::Nothing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Found, Unfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Found, Unfit> {
        Ok(Found::Nothing)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Found, Unfit> {
        Ok(Found::Nothing)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Found, Unfit> {
        let (text, what) = (variant.to_owned(), "an enum");
        Ok(Found::Text { text, what })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Found, Unfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Found, Unfit> {
        unfit("an enum with data")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Collected, Unfit> {
        Ok(Collected::new("a map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Collected, Unfit> {
        Ok(Collected::new("a struct"))
    }
}

/// The fields so far.
struct Collected {
    entries: Entries,
    /// The key of a map whose value is next.
    key: Option<String>,
    what: &'static str,
}

impl Collected {
    const fn new(what: &'static str) -> Self {
        Self {
            entries: Vec::new(),
            key: None,
            what,
        }
    }

    fn into_found(self) -> Found {
        Found::Fields {
            entries: self.entries,
            what: self.what,
        }
    }
}

impl SerializeStruct for Collected {
    type Ok = Found;
    type Error = Unfit;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        self.entries.push((key.to_owned(), scalar(value)));
        Ok(())
    }

    fn end(self) -> Result<Found, Unfit> {
        Ok(self.into_found())
    }
}

impl SerializeMap for Collected {
    type Ok = Found;
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        match scalar(key) {
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
        self.entries.push((key, scalar(value)));
        Ok(())
    }

    fn end(self) -> Result<Found, Unfit> {
        Ok(self.into_found())
    }
}
