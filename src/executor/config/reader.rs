//! Reads a config as the type of a function's argument, with the position of each problem.
//!
//! A text that has a template is a number or a boolean where the type wants one. Before it is
//! resolved, a placeholder stands for it. What follows from a problem is left to the parent module.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use super::misfit::Misfit;
use super::placeholder::Placeholder;
use super::session::{At, Session, Templates};
use crate::template;

/// A value of the config.
#[derive(Clone, Copy)]
pub(super) struct Reader<'v, 'p> {
    pub(super) value: &'v Value,
    pub(super) at: &'p At<'p>,
    pub(super) session: &'p Session,
}

impl<'v, 'p> Reader<'v, 'p> {
    /// Returns the placeholder for a value that cannot be read yet, or was reported.
    fn placeholder(&self) -> Option<Placeholder<'v>> {
        let text = self.value.as_str().unwrap_or_default();
        let is_unresolved =
            self.session.templates == Templates::Unresolved && template::has_reference(text);
        let is_reported = || {
            let reported = &self.session.reported;
            !reported.is_empty() && reported.contains(&self.at.pointer())
        };
        (is_unresolved || is_reported()).then_some(Placeholder(text))
    }

    fn located<T>(&self, read: Result<T, Misfit>) -> Result<T, Misfit> {
        read.map_err(|misfit| misfit.at(|| self.at.pointer()))
    }

    /// Returns the number or the boolean that a resolved text stands for.
    fn parsed<T: std::str::FromStr>(&self) -> Option<T> {
        let text = self.value.as_str();
        let text = text.filter(|_| self.session.templates == Templates::Resolved);
        text?.parse().ok()
    }

    fn any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items {
                items: items.iter().enumerate(),
                at: self.at,
                session: self.session,
            }),
            Value::Object(entries) => visitor.visit_map(self.entries(entries)),
        }
    }

    fn entries(self, entries: &'v Map<String, Value>) -> Entries<'v, 'p> {
        let missing = &self.session.missing;
        let missing = (!missing.is_empty()).then(|| missing.get(&self.at.pointer()));
        Entries {
            entries: entries.iter(),
            entry: None,
            missing: missing.flatten().into_iter().flatten().copied().collect(),
            at: self.at,
            session: self.session,
        }
    }

    /// Notes the keys of an object that a struct of these fields does not have.
    fn note_unknown(&self, fields: &'static [&'static str]) {
        let keys = self.value.as_object().into_iter().flat_map(Map::keys);
        for key in keys.filter(|key| !fields.contains(&key.as_str())) {
            let pointer = At::Key(self.at, key).pointer();
            let mut unknown = self.session.unknown.borrow_mut();
            unknown.insert(pointer, (key.clone(), fields));
        }
    }
}

fn visit_number<'v, V: Visitor<'v>>(number: &Number, visitor: V) -> Result<V::Value, Misfit> {
    if let Some(value) = number.as_u64() {
        visitor.visit_u64(value)
    } else if let Some(value) = number.as_i64() {
        visitor.visit_i64(value)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.located(match (self.placeholder(), self.parsed()) {
                (Some(placeholder), _) => placeholder.$method(visitor),
                (None, Some(number)) => visit_number(&number, visitor),
                (None, None) => self.any(visitor),
            })
        })*
    };
}

macro_rules! others {
    ($($method:ident($($argument:ident: $kind:ty),*))*) => {
        $(fn $method<V: Visitor<'v>>(
            self,
            $($argument: $kind,)*
            visitor: V,
        ) -> Result<V::Value, Misfit> {
            self.located(match self.placeholder() {
                Some(placeholder) => placeholder.$method($($argument,)* visitor),
                None => self.any(visitor),
            })
        })*
    };
}

impl<'v> Deserializer<'v> for Reader<'v, '_> {
    type Error = Misfit;

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    others! {
        deserialize_any()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_seq()
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_identifier()
    }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.located(match (self.placeholder(), self.parsed()) {
            (Some(placeholder), _) => placeholder.deserialize_bool(visitor),
            (None, Some(value)) => visitor.visit_bool(value),
            (None, None) => self.any(visitor),
        })
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.located(match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.located(visitor.visit_newtype_struct(self))
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.located(match self.placeholder() {
            Some(placeholder) => placeholder.deserialize_struct(name, fields, visitor),
            None => {
                self.note_unknown(fields);
                self.any(visitor)
            }
        })
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if let Some(placeholder) = self.placeholder() {
            return self.located(placeholder.deserialize_enum(name, variants, visitor));
        }
        self.located(match self.value {
            Value::String(text) => visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            Value::Object(entries) if entries.len() == 1 => visitor.visit_enum(Variant(self)),
            _ => Err(Misfit::text(format!(
                "expected one of {}, or an object with one of them as its only key",
                variants.join(", ")
            ))),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }
}

/// The items of an array.
struct Items<'v, 'p> {
    items: std::iter::Enumerate<std::slice::Iter<'v, Value>>,
    at: &'p At<'p>,
    session: &'p Session,
}

impl<'v> SeqAccess<'v> for Items<'v, '_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'v>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some((index, value)) = self.items.next() else {
            return Ok(None);
        };
        let reader = Reader {
            value,
            at: &At::Index(self.at, index),
            session: self.session,
        };
        seed.deserialize(reader).map(Some)
    }
}

/// The entries of an object, and then placeholders for its missing fields.
struct Entries<'v, 'p> {
    entries: serde_json::map::Iter<'v>,
    /// The entry whose key was read. No value: a missing field.
    entry: Option<(&'v str, Option<&'v Value>)>,
    missing: Vec<&'static str>,
    at: &'p At<'p>,
    session: &'p Session,
}

impl<'v> MapAccess<'v> for Entries<'v, '_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'v>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let (at, dropped) = (self.at, &self.session.dropped);
        let is_read =
            |key: &str| dropped.is_empty() || !dropped.contains(&At::Key(at, key).pointer());
        let of_object = self.entries.find(|(key, _)| is_read(key));
        let of_object = of_object.map(|(key, value)| (key.as_str(), Some(value)));
        self.entry = of_object.or_else(|| Some((self.missing.pop()?, None)));
        let Some((key, _)) = self.entry else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(key))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'v>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        match self.entry.take() {
            Some((key, Some(value))) => seed.deserialize(Reader {
                value,
                at: &At::Key(self.at, key),
                session: self.session,
            }),
            Some((_, None)) | None => seed.deserialize(Placeholder("")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// An object that names a variant of an enum by its only key.
struct Variant<'v, 'p>(Reader<'v, 'p>);

/// The value of a variant, and its name.
struct VariantValue<'v, 'p> {
    name: &'v str,
    value: &'v Value,
    reader: Reader<'v, 'p>,
}

impl<'v, 'p> EnumAccess<'v> for Variant<'v, 'p> {
    type Error = Misfit;
    type Variant = VariantValue<'v, 'p>;

    fn variant_seed<V: DeserializeSeed<'v>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Misfit> {
        let entry = self
            .0
            .value
            .as_object()
            .and_then(|entries| entries.iter().next());
        let (name, value) = entry.ok_or_else(|| Misfit::text("expected the name of a variant"))?;
        let variant = seed.deserialize(BorrowedStrDeserializer::<Misfit>::new(name))?;
        let value = VariantValue {
            name,
            value,
            reader: self.0,
        };
        Ok((variant, value))
    }
}

impl<'v> VariantValue<'v, '_> {
    fn read<T>(self, read: impl FnOnce(Reader<'v, '_>) -> Result<T, Misfit>) -> Result<T, Misfit> {
        read(Reader {
            value: self.value,
            at: &At::Key(self.reader.at, self.name),
            session: self.reader.session,
        })
    }
}

impl<'v> VariantAccess<'v> for VariantValue<'v, '_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        self.read(|reader| <()>::deserialize(reader))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<T::Value, Misfit> {
        self.read(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.read(|reader| reader.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.read(|reader| reader.deserialize_struct("", fields, visitor))
    }
}
