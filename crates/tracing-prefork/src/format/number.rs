//! Numbers, as `{:?}` and `serde_json` print them.

use crate::format::line::Line;
use std::fmt::Write;

#[inline]
pub(super) fn push_integer(line: &mut Line, number: impl itoa::Integer) {
    line.push(itoa::Buffer::new().format(number));
}

/// Appends a number as `{:?}` prints it.
///
/// `zmij` and `ryu` are faster, and print another last digit if two texts of the same length are equally near to the
/// number: 612.6900024414062 for 612.6900024414063, which is what `{:?}` prints.
pub(super) fn push_float(line: &mut Line, number: f64) {
    let _ = write!(line, "{number:?}");
}

/// Appends a number as `serde_json` prints it.
pub(super) fn push_json_float(line: &mut Line, number: f64) {
    if number.is_finite() {
        line.push(zmij::Buffer::new().format_finite(number));
    } else {
        line.push("null");
    }
}
