//! [`ParseError`]: why a text could not be read as an option.

use std::fmt;

/// Why a text could not be read as a [`Rotation`](crate::Rotation), a [`Zone`](crate::Zone) or the value of another
/// option.
///
/// ```
/// use tracing_prefork::Rotation;
///
/// let error = "dayly".parse::<Rotation>().unwrap_err();
/// assert_eq!(error.value(), "dayly");
/// assert!(error.to_string().starts_with("rotation \"dayly\": expected"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub(super) what: What,
    pub(super) value: String,
    pub(super) reason: String,
}

/// What a text was to be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Rotation,
    Zone,
    /// The value of an option of this name.
    Option(&'static str),
}

impl ParseError {
    pub(crate) fn new(what: What, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { what, value: value.into(), reason: reason.into() }
    }

    /// The text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong with the text, and what was expected.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Rotation => "rotation",
            What::Zone => "zone",
            What::Option(name) => name,
        };
        write!(f, "{what} {:?}: {}", self.value, self.reason)
    }
}

impl std::error::Error for ParseError {}
