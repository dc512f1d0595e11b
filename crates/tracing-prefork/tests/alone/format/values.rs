//! Values of every kind that a field can have.

use super::draws::Draws;
use std::error::Error;
use std::fmt;
use std::num::{NonZeroU32, Wrapping};
use tracing::field::{Empty, Value, debug, display};

/// What the values of a place may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    /// Panic, or return an error, in the middle of their text.
    pub(super) failures: bool,
    /// Log an event while they are printed.
    pub(super) events: bool,
    /// Be numbers of many digits. `fmt` reads the fields of a span's JSON back, and changes the last digit of some.
    pub(super) long_floats: bool,
}

pub(super) fn value(draws: &mut Draws, allowed: Allowed) -> Box<dyn Value> {
    match draws.below(22) {
        0 => Box::new(draws.bits() as i64),
        1 => Box::new(draws.below(1000) as i32 - 500),
        2 => Box::new(draws.bits()),
        3 => Box::new(draws.below(1000) as u8),
        4 => Box::new(i128::from(draws.bits() as i64) << draws.below(64)),
        5 => Box::new(u128::from(draws.bits()) << draws.below(64)),
        6 if allowed.long_floats => Box::new(draws.float()),
        7 if allowed.long_floats => Box::new(draws.float() as f32),
        6..8 => Box::new(draws.short_float()),
        8 => Box::new(draws.one_in(2)),
        9..12 => Box::new(draws.text()),
        12 => Box::new(draws.text().into_bytes().into_boxed_slice()),
        13 => Box::new(display(Odd::draw(draws, allowed))),
        14 => Box::new(debug(Odd::draw(draws, allowed))),
        15 => Box::new(debug((draws.text(), Some(draws.below(9)), ["a"; 2]))),
        16 => Box::new(Failed::chain(draws)),
        17 => Box::new(Wrapping(draws.bits())),
        18 => Box::new(NonZeroU32::MIN),
        19 => Box::new(Some(draws.below(10)).filter(|number| *number < 5)),
        20 => Box::new(Empty),
        _ => Box::new(draws.below(100_000)),
    }
}

/// What happens in the middle of a text.
#[derive(Clone, Copy, Debug)]
enum Turn {
    None,
    Panics,
    ReturnsAnError,
    Logs,
}

/// Prints pieces of a text, one by one, and does something between them.
pub(super) struct Odd {
    before: String,
    turn: Turn,
    after: String,
}

impl Odd {
    fn draw(draws: &mut Draws, allowed: Allowed) -> Self {
        let turn = match draws.below(12) {
            0 if allowed.failures => Turn::Panics,
            1 if allowed.failures => Turn::ReturnsAnError,
            2..4 if allowed.events => Turn::Logs,
            _ => Turn::None,
        };
        Self { before: draws.text(), turn, after: draws.text() }
    }
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.before)?;
        match self.turn {
            Turn::None => {}
            Turn::Panics => panic!("a Display that panics"),
            Turn::ReturnsAnError => return Err(fmt::Error),
            Turn::Logs => {
                tracing::warn!(target: "inner", length = self.after.len(), inner = %self.after, "logged inside")
            }
        }
        write!(f, "{:>8}|{:<4}|{:.3}", self.after.len(), "ab", 1.0 / 3.0)?;
        f.pad(&self.after)
    }
}

impl fmt::Debug for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Odd").field("before", &self.before).field("text", &format_args!("{self}")).finish()
    }
}

/// An error with causes.
#[derive(Debug)]
struct Failed {
    text: String,
    source: Option<Box<Failed>>,
}

impl Failed {
    fn chain(draws: &mut Draws) -> Box<dyn Error> {
        let mut failed = Self { text: draws.text(), source: None };
        for _ in 0..draws.below(4) {
            failed = Self { text: draws.text(), source: Some(Box::new(failed)) };
        }
        Box::new(failed)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed: {}", self.text)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn Error + 'static))
    }
}
