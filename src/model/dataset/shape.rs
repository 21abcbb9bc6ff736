//! Converts a value of any shape to a dataset: a sequence is rows, an object is one row.
//!
//! `rows` converts a slice, whose shape is known.

use std::fmt;

use serde::Serialize;
use serde::ser::{Impossible, SerializeSeq, SerializeTuple, SerializeTupleStruct};

use super::build::{DatasetBuilder, RowError};
use super::parse::describe;
use super::{Dataset, rows};
use crate::error::Result;
use crate::limits::DatasetLimits;

/// The shape that a value serializes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing: `()` or `None`.
    Nothing,
    /// An object, which is one row.
    Row,
    /// A sequence of rows, with their number if it is known.
    Rows(Option<usize>),
    /// Anything else, with its name in an error message.
    Other(&'static str),
}

impl Shape {
    /// Returns the shape of a value. This reads no more of it than its start.
    pub(crate) fn of<T: Serialize>(value: &T) -> Self {
        match value.serialize(Top { sink: None }) {
            Ok(()) => Self::Nothing,
            Err(Stop::Shape(shape)) => shape,
            // The value fails again when it is converted, with its message.
            Err(Stop::Row(_) | Stop::Custom(_)) => Self::Row,
        }
    }
}

/// Converts a value to a dataset. Returns `None` if there is nothing to convert.
///
/// # Errors
/// Those of [`Dataset::from_serialize`], or `Invalid` if the value is neither a row nor rows.
pub(super) fn from_value<T: Serialize>(
    value: &T,
    limits: DatasetLimits,
) -> Result<Option<Dataset>> {
    match Shape::of(value) {
        Shape::Nothing => Ok(None),
        Shape::Row => rows::from_serialize(std::slice::from_ref(value), limits).map(Some),
        Shape::Rows(_) => from_sequence(value, limits).map(Some),
        Shape::Other(what) => Err(RowError::new(format!(
            "expected an object, which is one row, or an array of objects, not {what}"
        ))
        .into()),
    }
}

fn from_sequence<T: Serialize>(value: &T, limits: DatasetLimits) -> Result<Dataset> {
    let mut sink = RowSink {
        builder: DatasetBuilder::new(limits),
        text: Vec::new(),
        row_count: 0,
    };
    match value.serialize(Top {
        sink: Some(&mut sink),
    }) {
        Ok(()) => Ok(sink.builder.finish()?),
        Err(Stop::Row(error)) => Err(error.in_row(sink.row_count)),
        Err(Stop::Custom(message)) => Err(RowError::new(message).into()),
        Err(Stop::Shape(_)) => Err(RowError::new("the value changes its shape").into()),
    }
}

/// Where the rows of a sequence go.
struct RowSink {
    builder: DatasetBuilder,
    text: Vec<u8>,
    row_count: usize,
}

impl RowSink {
    fn push<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), Stop> {
        self.text.clear();
        let written = serde_json::to_writer(&mut self.text, row);
        written.map_err(|error| Stop::Row(RowError::new(describe(&error))))?;
        self.builder.push_json_row(&self.text).map_err(Stop::Row)?;
        self.row_count = self.row_count.saturating_add(1);
        Ok(())
    }
}

/// Why a serialization stops.
#[derive(Debug)]
enum Stop {
    /// The shape is known.
    Shape(Shape),
    /// A row cannot be added.
    Row(RowError),
    /// The value cannot be serialized.
    Custom(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(_) => f.write_str("the shape is known"),
            Self::Row(error) => error.fmt(f),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Stop {}

impl serde::ser::Error for Stop {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// Serializes the outermost value: stops at its shape, or sends the rows of a sequence to the sink.
struct Top<'a> {
    sink: Option<&'a mut RowSink>,
}

impl<'a> Top<'a> {
    fn sequence(self, len: Option<usize>) -> Result<&'a mut RowSink, Stop> {
        self.sink.ok_or(Stop::Shape(Shape::Rows(len)))
    }
}

const fn stop<T>(shape: Shape) -> Result<T, Stop> {
    Err(Stop::Shape(shape))
}

macro_rules! scalars {
    ($($method:ident($kind:ty) is $what:literal;)*) => {
        $(fn $method(self, _: $kind) -> Result<(), Stop> {
            stop(Shape::Other($what))
        })*
    };
}

impl<'a> serde::Serializer for Top<'a> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = &'a mut RowSink;
    type SerializeTuple = &'a mut RowSink;
    type SerializeTupleStruct = &'a mut RowSink;
    type SerializeTupleVariant = Impossible<(), Stop>;
    type SerializeMap = Impossible<(), Stop>;
    type SerializeStruct = Impossible<(), Stop>;
    type SerializeStructVariant = Impossible<(), Stop>;

    scalars! {
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
        serialize_f32(f32) is "a number";
        serialize_f64(f64) is "a number";
        serialize_char(char) is "a string";
        serialize_str(&str) is "a string";
        serialize_bytes(&[u8]) is "an array of numbers";
        serialize_unit_struct(&'static str) is "a struct without fields";
    }

    fn serialize_none(self) -> Result<(), Stop> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Stop> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Stop> {
        stop(Shape::Other("a string"))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Stop> {
        stop(Shape::Row)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<&'a mut RowSink, Stop> {
        self.sequence(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<&'a mut RowSink, Stop> {
        self.sequence(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<&'a mut RowSink, Stop> {
        self.sequence(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Stop> {
        stop(Shape::Row)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Stop> {
        stop(Shape::Row)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Stop> {
        stop(Shape::Row)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Stop> {
        stop(Shape::Row)
    }
}

macro_rules! sequences {
    ($($sequence:ident::$method:ident),*) => {
        $(impl $sequence for &mut RowSink {
            type Ok = ();
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), Stop> {
                self.push(row)
            }

            fn end(self) -> Result<(), Stop> {
                Ok(())
            }
        })*
    };
}

sequences!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field
);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Serialize)]
    struct Summary {
        orders: u64,
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Wrapper<T>(T);

    #[derive(Serialize)]
    enum Report {
        Empty,
        Whole { orders: u64 },
    }

    fn rows<T: Serialize>(value: &T) -> Result<Option<Value>, String> {
        let dataset = from_value(value, DatasetLimits::default());
        let dataset = dataset.map_err(|error| error.to_string())?;
        Ok(dataset.map(|dataset| json!(dataset.rows().unwrap())))
    }

    #[test]
    fn an_object_is_one_row_and_a_sequence_is_rows() {
        let one = json!([{"orders": 7}]);
        let summary = || Summary { orders: 7 };
        assert_eq!(rows(&summary()), Ok(Some(one.clone())));
        assert_eq!(rows(&Some(summary())), Ok(Some(one.clone())));
        assert_eq!(rows(&Wrapper(summary())), Ok(Some(one.clone())));
        assert_eq!(rows(&json!({"orders": 7})), Ok(Some(one.clone())));
        assert_eq!(rows(&vec![summary()]), Ok(Some(one.clone())));
        assert_eq!(rows(&[summary()]), Ok(Some(one.clone())));
        assert_eq!(rows(&(summary(),)), Ok(Some(one.clone())));
        assert_eq!(rows(&Wrapper(vec![summary()])), Ok(Some(one.clone())));
        assert_eq!(rows(&one), Ok(Some(one.clone())));
        assert_eq!(rows(&Vec::<Summary>::new()), Ok(Some(json!([]))));
        assert_eq!(
            rows(&Report::Whole { orders: 7 }),
            Ok(Some(json!([{"Whole": {"orders": 7}}])))
        );
    }

    #[test]
    fn nothing_is_no_dataset() {
        assert_eq!(rows(&()), Ok(None));
        assert_eq!(rows(&None::<Summary>), Ok(None));
        assert_eq!(rows(&Value::Null), Ok(None));
    }

    #[test]
    fn any_other_shape_is_refused_by_its_name() {
        let refused = |what| {
            Err(format!(
                "expected an object, which is one row, or an array of objects, not {what}"
            ))
        };
        assert_eq!(rows(&7), refused("a number"));
        assert_eq!(rows(&"seven"), refused("a string"));
        assert_eq!(rows(&Wrapper(true)), refused("a boolean"));
        assert_eq!(rows(&Unit), refused("a struct without fields"));
        assert_eq!(rows(&Report::Empty), refused("a string"));
    }

    #[test]
    fn an_error_names_the_row() {
        let rows = rows(&json!([{"id": 1}, 7])).unwrap_err();
        assert!(rows.starts_with("row 2: "), "{rows}");
    }

    #[test]
    fn the_shape_is_known_without_the_rows() {
        assert_eq!(Shape::of(&vec![(); 9]), Shape::Rows(Some(9)));
        assert_eq!(Shape::of(&Summary { orders: 7 }), Shape::Row);
    }
}
