//! How the value of each kind of option is read and written: numbers, ages, sizes, permissions, names.

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::buffer::options::WhenFull;
use crate::builder::config::given::Given;
use crate::time::rotation::Rotation;
use crate::time::zone::Zone;
use crate::upkeep::compression::Compression;
use std::fmt::Display;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
#[cfg(any(target_os = "linux", target_os = "android"))]
use tracing_core::Level;

/// A kind of value. The errors say what is wrong, and what was expected.
pub(super) trait Value: Sized {
    fn read(given: Given) -> Result<Self, String>;

    /// An error if the value could not be read back.
    fn write(&self) -> Result<Given, String>;
}

/// Milliseconds in a unit of time, and the unit's names.
const TIMES: [(u64, [&str; 3]); 6] = [
    (1, ["ms", "millisecond", "milliseconds"]),
    (1000, ["s", "second", "seconds"]),
    (60 * 1000, ["m", "minute", "minutes"]),
    (3600 * 1000, ["h", "hour", "hours"]),
    (24 * 3600 * 1000, ["d", "day", "days"]),
    (7 * 24 * 3600 * 1000, ["w", "week", "weeks"]),
];

/// Bytes in a unit of size, and the unit's name.
const SIZES: [(u64, &str); 9] = [
    (1, "B"),
    (1_000, "kB"),
    (1 << 10, "KiB"),
    (1_000_000, "MB"),
    (1 << 20, "MiB"),
    (1_000_000_000, "GB"),
    (1 << 30, "GiB"),
    (1_000_000_000_000, "TB"),
    (1 << 40, "TiB"),
];

impl Value for Duration {
    fn read(given: Given) -> Result<Self, String> {
        const EXPECTED: &str = "expected a time such as \"30 days\", \"12h\" or \"10 ms\"";
        const NO_UNIT: &str = "a number has no unit; write \"30 days\", \"12 hours\" or \"90 minutes\", for example";
        let text = match given {
            Given::Text(text) => text,
            Given::Number(_) => return Err(NO_UNIT.to_owned()),
            _ => return Err(EXPECTED.to_owned()),
        };
        let (number, unit) = number_and_unit(&text).ok_or(EXPECTED)?;
        if unit.is_empty() {
            return Err(NO_UNIT.to_owned());
        }
        let named = |names: &[&str]| names.iter().any(|name| unit.eq_ignore_ascii_case(name));
        let (millis, _) = TIMES.iter().find(|(_, names)| named(names)).ok_or(EXPECTED)?;
        let millis = number.checked_mul(*millis).ok_or("this is too long; leave the option out for no limit")?;
        Ok(Duration::from_millis(millis))
    }

    fn write(&self) -> Result<Given, String> {
        let millis = u64::try_from(self.as_millis()).ok().filter(|millis| Duration::from_millis(*millis) == *self);
        let millis = millis.ok_or_else(|| format!("{self:?}: a time is written in whole milliseconds"))?;
        let (unit, names) = TIMES.iter().rev().find(|(unit, _)| millis % unit == 0).unwrap_or(&TIMES[0]);
        let number = millis / unit;
        Ok(Given::Text(format!("{number} {}", names[if number == 1 { 1 } else { 2 }])))
    }
}

impl Value for u64 {
    fn read(given: Given) -> Result<Self, String> {
        const EXPECTED: &str = "expected a size such as \"10 GB\" (1000³ bytes), \"512 MiB\" (1024² bytes) or a whole \
                                number of bytes";
        let text = match given {
            Given::Number(bytes) => return Ok(bytes),
            Given::Text(text) => text,
            _ => return Err(EXPECTED.to_owned()),
        };
        let (number, unit) = number_and_unit(&text).ok_or(EXPECTED)?;
        let found = SIZES.iter().find(|(_, name)| unit.eq_ignore_ascii_case(name));
        let bytes = match found {
            Some((bytes, _)) => *bytes,
            None if unit.is_empty() => 1,
            None => return Err(EXPECTED.to_owned()),
        };
        let bytes = number.checked_mul(bytes).ok_or("this is too large; leave the option out for no limit")?;
        Ok(bytes)
    }

    fn write(&self) -> Result<Given, String> {
        let bytes = *self;
        match SIZES.iter().rev().find(|(unit, _)| bytes > 0 && bytes % unit == 0) {
            Some((unit, name)) if *unit > 1 => Ok(Given::Text(format!("{} {name}", bytes / unit))),
            _ => Ok(Given::Number(bytes)),
        }
    }
}

impl Value for u32 {
    fn read(given: Given) -> Result<Self, String> {
        const EXPECTED: &str = "expected permissions as a text of octal digits, such as \"640\"";
        let text = match given {
            Given::Text(text) => text,
            // YAML reads `0640` as a number with a fraction.
            Given::Number(_) | Given::OtherNumber(_) => {
                return Err("some formats read a number as decimal; write the octal digits as a text, such as \"640\""
                    .to_owned());
            }
            _ => return Err(EXPECTED.to_owned()),
        };
        let digits = text.strip_prefix("0o").unwrap_or(&text);
        let octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = octal.then(|| u32::from_str_radix(digits, 8).ok()).flatten();
        mode.ok_or_else(|| EXPECTED.to_owned())
    }

    fn write(&self) -> Result<Given, String> {
        Ok(Given::Text(format!("{self:03o}")))
    }
}

impl<T: Value> Value for Option<T> {
    fn read(given: Given) -> Result<Self, String> {
        T::read(given).map(Some)
    }

    fn write(&self) -> Result<Given, String> {
        self.as_ref().map_or(Ok(Given::Nothing), T::write)
    }
}

impl Value for usize {
    fn read(given: Given) -> Result<Self, String> {
        let number = match given {
            Given::Number(number) => usize::try_from(number).ok(),
            Given::Text(text) => number_and_unit(&text)
                .filter(|(_, unit)| unit.is_empty())
                .map(|(number, _)| number)
                .and_then(|number| usize::try_from(number).ok()),
            _ => None,
        };
        number.ok_or_else(|| "expected a whole number".to_owned())
    }

    fn write(&self) -> Result<Given, String> {
        Ok(Given::Number(*self as u64))
    }
}

impl Value for bool {
    fn read(given: Given) -> Result<Self, String> {
        match given {
            Given::Flag(flag) => Ok(flag),
            Given::Text(text) if text == "true" => Ok(true),
            Given::Text(text) if text == "false" => Ok(false),
            _ => Err("expected true or false".to_owned()),
        }
    }

    fn write(&self) -> Result<Given, String> {
        Ok(Given::Flag(*self))
    }
}

impl Value for String {
    fn read(given: Given) -> Result<Self, String> {
        match given {
            Given::Text(text) => Ok(text),
            Given::Flag(_) | Given::Number(_) | Given::OtherNumber(_) => {
                Err("expected a text; put it in quotes".to_owned())
            }
            _ => Err("expected a text".to_owned()),
        }
    }

    fn write(&self) -> Result<Given, String> {
        Ok(Given::Text(self.clone()))
    }
}

/// A name, or a list of names.
impl Value for Vec<String> {
    fn read(given: Given) -> Result<Self, String> {
        match given {
            Given::List(list) => {
                let names: Result<_, _> = list.into_iter().map(String::read).collect();
                names.map_err(|_| "expected a name, or a list of names".to_owned())
            }
            Given::Text(name) => Ok(vec![name]),
            _ => Err("expected a name, or a list of names".to_owned()),
        }
    }

    fn write(&self) -> Result<Given, String> {
        match self.as_slice() {
            [name] => name.write(),
            names => Ok(Given::List(names.iter().map(|name| Given::Text(name.clone())).collect())),
        }
    }
}

/// The kinds that are texts everywhere: `Display` writes them, and `FromStr` reads them.
trait Spelled: Display + FromStr<Err = crate::ParseError> {
    const EXPECTED: &'static str;
}

impl Spelled for Rotation {
    const EXPECTED: &'static str = "expected a text such as \"daily at 04:00\"";
}

impl Spelled for Zone {
    const EXPECTED: &'static str = "expected a text such as \"UTC\" or \"+05:30\"";
}

impl Spelled for Compression {
    const EXPECTED: &'static str = "expected \"gzip\" or \"zstd\"";
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Spelled for WhenFull {
    const EXPECTED: &'static str = "expected \"write\" or \"drop\"";
}

/// A level by its name, in upper or lower case. `FromStr` also reads numbers, which say nothing to a reader.
#[cfg(any(target_os = "linux", target_os = "android"))]
impl Value for Level {
    fn read(given: Given) -> Result<Self, String> {
        let text = if let Given::Text(text) = given { text } else { String::new() };
        let level = LEVELS.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text.trim()));
        level.ok_or_else(|| "expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\"".to_owned())
    }

    fn write(&self) -> Result<Given, String> {
        Ok(Given::Text(self.as_str().to_ascii_lowercase()))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Value for PathBuf {
    fn read(given: Given) -> Result<Self, String> {
        match String::read(given)? {
            text if text.is_empty() => Err("expected a directory".to_owned()),
            text => Ok(text.into()),
        }
    }

    fn write(&self) -> Result<Given, String> {
        let text = self.to_str().ok_or_else(|| format!("{self:?}: the path is not UTF-8"))?;
        Ok(Given::Text(text.to_owned()))
    }
}

impl<T: Spelled> Value for T {
    fn read(given: Given) -> Result<Self, String> {
        match given {
            Given::Text(text) => text.parse().map_err(|error: crate::ParseError| error.reason().to_owned()),
            _ => Err(T::EXPECTED.to_owned()),
        }
    }

    fn write(&self) -> Result<Given, String> {
        let text = self.to_string();
        match text.parse::<T>() {
            Ok(_) => Ok(Given::Text(text)),
            Err(error) => Err(format!("{text:?}: {}", error.reason())),
        }
    }
}

/// A number of digits, and what follows.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}
