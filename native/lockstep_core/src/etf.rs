//! Serde values as Erlang's External Term Format (ERTS User's Guide, "External Term Format").
//!
//! Structs become maps with atom keys in the order of their fields, unit variants atoms, strings binaries, `None` the
//! atom `nil`. The same value always gives the same bytes.

use std::fmt;

use erlang_term::RawTerm;
use serde::ser::{self, Serialize};

/// The term of `value`, with the format's version byte in front.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, Unsupported> {
    Ok(value.serialize(Encoder)?.to_bytes())
}

/// A kind of value that traces do not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported(String);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot be encoded as a term: {}", self.0)
    }
}

impl std::error::Error for Unsupported {}

impl ser::Error for Unsupported {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Unsupported(message.to_string())
    }
}

fn atom(name: &str) -> RawTerm {
    RawTerm::SmallAtom(name.to_owned())
}

fn integer(value: u64) -> RawTerm {
    match (u8::try_from(value), i32::try_from(value)) {
        (Ok(small), _) => RawTerm::SmallInt(small),
        (_, Ok(int)) => RawTerm::Int(int),
        _ => RawTerm::SmallBigInt(value.into()),
    }
}

#[derive(Debug, Clone, Copy)]
struct Encoder;

macro_rules! unsigned {
    ($($name:ident: $ty:ty),*) => {
        $(fn $name(self, value: $ty) -> Result<RawTerm, Unsupported> {
            Ok(integer(u64::from(value)))
        })*
    };
}

macro_rules! unsupported {
    ($($name:ident: $ty:ty),*) => {
        $(fn $name(self, _value: $ty) -> Result<RawTerm, Unsupported> {
            Err(Unsupported(stringify!($ty).to_owned()))
        })*
    };
}

impl ser::Serializer for Encoder {
    type Ok = RawTerm;
    type Error = Unsupported;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = ser::Impossible<RawTerm, Unsupported>;
    type SerializeMap = ser::Impossible<RawTerm, Unsupported>;
    type SerializeStruct = Fields;
    type SerializeStructVariant = ser::Impossible<RawTerm, Unsupported>;

    unsigned!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);
    unsupported!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    unsupported!(serialize_f32: f32, serialize_f64: f64, serialize_char: char);

    fn serialize_bool(self, value: bool) -> Result<RawTerm, Unsupported> {
        Ok(atom(if value { "true" } else { "false" }))
    }

    fn serialize_str(self, value: &str) -> Result<RawTerm, Unsupported> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<RawTerm, Unsupported> {
        Ok(RawTerm::Binary(value.to_vec()))
    }

    fn serialize_none(self) -> Result<RawTerm, Unsupported> {
        Ok(atom("nil"))
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<RawTerm, Unsupported> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<RawTerm, Unsupported> {
        Ok(atom("nil"))
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<RawTerm, Unsupported> {
        Ok(atom("nil"))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<RawTerm, Unsupported> {
        Ok(atom(variant))
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<RawTerm, Unsupported> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<RawTerm, Unsupported> {
        Err(Unsupported(format!("{name}::{variant}")))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List, Unsupported> {
        Ok(List {
            items: Vec::new(),
            tuple: false,
        })
    }

    fn serialize_tuple(self, _length: usize) -> Result<List, Unsupported> {
        Ok(List {
            items: Vec::new(),
            tuple: true,
        })
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List, Unsupported> {
        self.serialize_tuple(length)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unsupported> {
        Err(Unsupported(format!("{name}::{variant}")))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Self::SerializeMap, Unsupported> {
        Err(Unsupported("a map".to_owned()))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Unsupported> {
        Ok(Fields(Vec::new()))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unsupported> {
        Err(Unsupported(format!("{name}::{variant}")))
    }
}

/// A list or tuple in the making.
#[derive(Debug)]
struct List {
    items: Vec<RawTerm>,
    tuple: bool,
}

impl List {
    fn push<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unsupported> {
        self.items.push(value.serialize(Encoder)?);
        Ok(())
    }

    fn finish(self) -> RawTerm {
        match (self.tuple, self.items.is_empty()) {
            (true, _) => RawTerm::SmallTuple(self.items),
            (false, true) => RawTerm::Nil,
            (false, false) => RawTerm::List(self.items),
        }
    }
}

macro_rules! elements {
    ($($trait:ident: $method:ident),*) => {
        $(impl ser::$trait for List {
            type Ok = RawTerm;
            type Error = Unsupported;

            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unsupported> {
                self.push(value)
            }

            fn end(self) -> Result<RawTerm, Unsupported> {
                Ok(self.finish())
            }
        })*
    };
}

elements!(SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field);

/// A struct in the making.
#[derive(Debug)]
struct Fields(Vec<(RawTerm, RawTerm)>);

impl ser::SerializeStruct for Fields {
    type Ok = RawTerm;
    type Error = Unsupported;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result<(), Unsupported> {
        self.0.push((atom(key), value.serialize(Encoder)?));
        Ok(())
    }

    fn end(self) -> Result<RawTerm, Unsupported> {
        Ok(RawTerm::Map(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    struct Sample {
        name: String,
        numbers: Vec<u64>,
        nothing: Option<u8>,
        yes: bool,
    }

    #[test]
    fn bytes_are_pinned() {
        let sample = Sample {
            name: "a".into(),
            numbers: vec![1, 256, u64::MAX],
            nothing: None,
            yes: true,
        };
        let expected: &[u8] = &[
            131, 116, 0, 0, 0, 4, 119, 4, b'n', b'a', b'm', b'e', 109, 0, 0, 0, 1, b'a', 119, 7, b'n', b'u', b'm',
            b'b', b'e', b'r', b's', 108, 0, 0, 0, 3, 97, 1, 98, 0, 0, 1, 0, 110, 8, 0, 255, 255, 255, 255, 255, 255,
            255, 255, 106, 119, 7, b'n', b'o', b't', b'h', b'i', b'n', b'g', 119, 3, b'n', b'i', b'l', 119, 3, b'y',
            b'e', b's', 119, 4, b't', b'r', b'u', b'e',
        ];
        assert_eq!(to_bytes(&sample).unwrap(), expected);
    }

    #[test]
    fn an_empty_list_is_nil() {
        assert_eq!(to_bytes(&Vec::<u8>::new()).unwrap(), [131, 106]);
    }

    #[test]
    fn what_traces_do_not_contain_is_an_error() {
        assert!(to_bytes(&1.5f64).is_err());
    }
}
