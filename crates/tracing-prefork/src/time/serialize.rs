//! The feature `serde`: [`Rotation`] and [`Zone`] as texts. `Display` writes a text, and `FromStr` reads it.

use crate::{ParseError, Rotation, Zone};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{self, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// Reads a text by `FromStr`. For anything but a text, the error says what was expected.
struct Text<T> {
    expected: &'static str,
    of: PhantomData<T>,
}

impl<T: FromStr<Err = ParseError>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Writes the text. A text that cannot be read back is an error: `build` would refuse that rotation or zone.
fn write<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: ToString + FromStr<Err = ParseError>,
    S: Serializer,
{
    let text = value.to_string();
    text.parse::<T>().map_err(ser::Error::custom)?;
    serializer.serialize_str(&text)
}

impl Serialize for Rotation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Rotation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: "a rotation such as \"daily at 04:00\"", of: PhantomData })
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: "a time zone such as \"local\"", of: PhantomData })
    }
}
