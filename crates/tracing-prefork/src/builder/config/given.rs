//! [`Given`]: what a configuration file gives for an option, whatever its format is.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// A value of a configuration file. The options read it, so that an error has the same text in each format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// `null`, or an empty value of YAML.
    Nothing,
    Flag(bool),
    Number(u64),
    /// A number that no option can have: negative, with a fraction, or larger than 64 bits.
    OtherNumber(String),
    Text(String),
    List(Vec<Given>),
    Table,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("null"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::OtherNumber(number) => f.write_str(number),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(list) => {
                let list: Vec<_> = list.iter().map(Self::to_string).collect();
                write!(f, "[{}]", list.join(", "))
            }
            Self::Table => f.write_str("{..}"),
        }
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an option")
    }

    fn visit_unit<E: Error>(self) -> Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Given, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Given, E> {
        Ok(Given::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Given, E> {
        Ok(Given::Number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Given, E> {
        Ok(u64::try_from(number).map_or_else(|_| Given::OtherNumber(number.to_string()), Given::Number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Given, E> {
        // `Debug` writes `1.0`. `Display` would write `1`, which an error could not refuse.
        Ok(Given::OtherNumber(format!("{number:?}")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut values: S) -> Result<Given, S::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Given::List(list))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Given, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Table)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing | Self::Table => serializer.serialize_none(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::OtherNumber(text) | Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
        }
    }
}
