//! A value that fits nearly every type, in place of one that is not known before a run.
//!
//! A type that refuses it is not checked further: `config` ignores the refusal.

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor};

use super::misfit::Misfit;

/// A placeholder, with the text in place of which it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placeholder<'v>(pub(super) &'v str);

impl<'v> IntoDeserializer<'v, Misfit> for Placeholder<'v> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! scalars {
    ($($method:ident is $visit:ident($value:expr);)*) => {
        $(fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
            visitor.$visit($value)
        })*
    };
}

impl<'v> Deserializer<'v> for Placeholder<'v> {
    type Error = Misfit;

    // 1 and not 0, which types such as `NonZero` refuse.
    scalars! {
        deserialize_bool is visit_bool(true);
        deserialize_i8 is visit_i8(1);
        deserialize_i16 is visit_i16(1);
        deserialize_i32 is visit_i32(1);
        deserialize_i64 is visit_i64(1);
        deserialize_i128 is visit_i128(1);
        deserialize_u8 is visit_u8(1);
        deserialize_u16 is visit_u16(1);
        deserialize_u32 is visit_u32(1);
        deserialize_u64 is visit_u64(1);
        deserialize_u128 is visit_u128(1);
        deserialize_f32 is visit_f32(1.0);
        deserialize_f64 is visit_f64(1.0);
        deserialize_char is visit_char('a');
    }

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_borrowed_bytes(self.0.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_tuple(0, visitor)
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_seq(SeqDeserializer::new(std::iter::repeat_n(self, len)))
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let fields = fields.iter().map(|field| (*field, self));
        visitor.visit_map(MapDeserializer::new(fields))
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let first = variants.first().copied().unwrap_or_default();
        visitor.visit_enum(FirstVariant(first, self))
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'v>> str string identifier ignored_any
    }
}

/// The first variant of an enum.
struct FirstVariant<'v>(&'static str, Placeholder<'v>);

impl<'v> EnumAccess<'v> for FirstVariant<'v> {
    type Error = Misfit;
    type Variant = Placeholder<'v>;

    fn variant_seed<V: DeserializeSeed<'v>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Placeholder<'v>), Misfit> {
        let variant = seed.deserialize(StrDeserializer::<Misfit>::new(self.0))?;
        Ok((variant, self.1))
    }
}

impl<'v> VariantAccess<'v> for Placeholder<'v> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_struct("", fields, visitor)
    }
}
