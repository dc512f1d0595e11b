//! [`SpanTimes`]: for how long a span was entered, and for how long it was not.

use std::fmt;
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) struct SpanTimes {
    /// In nanoseconds.
    pub(super) idle: u64,
    pub(super) busy: u64,
    last: Instant,
    /// How many times the span is entered at this moment.
    entered: u64,
}

impl SpanTimes {
    pub(super) fn begin() -> Self {
        Self { idle: 0, busy: 0, last: Instant::now(), entered: 0 }
    }

    pub(super) fn enter(&mut self) {
        if self.entered == 0 {
            self.idle += self.lap();
        }
        self.entered += 1;
    }

    pub(super) fn exit(&mut self) {
        self.entered = self.entered.saturating_sub(1);
        if self.entered == 0 {
            self.busy += self.lap();
        }
    }

    /// The times of a span that is closed now.
    pub(super) fn end(mut self) -> Self {
        self.idle += self.lap();
        self
    }

    fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let passed = now.duration_since(std::mem::replace(&mut self.last, now));
        passed.as_nanos() as u64
    }
}

/// Nanoseconds as `fmt` prints them: `1.23µs`.
pub(super) struct Nanos(pub(super) u64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut time = self.0 as f64;
        for unit in ["ns", "µs", "ms", "s"] {
            match time {
                ..10.0 => return write!(f, "{time:.2}{unit}"),
                ..100.0 => return write!(f, "{time:.1}{unit}"),
                ..1000.0 => return write!(f, "{time:.0}{unit}"),
                _ => time /= 1000.0,
            }
        }
        write!(f, "{:.0}s", time * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Nanos;

    #[test]
    fn nanoseconds_have_three_digits_and_a_unit() {
        let table = [
            (1, "1.00ns"),
            (12, "12.0ns"),
            (123, "123ns"),
            (1_234, "1.23µs"),
            (12_345, "12.3µs"),
            (123_456, "123µs"),
            (1_234_567, "1.23ms"),
            (12_345_678, "12.3ms"),
            (123_456_789, "123ms"),
            (1_234_567_890, "1.23s"),
            (12_345_678_901, "12.3s"),
            (123_456_789_012, "123s"),
            (1_234_567_890_123, "1235s"),
        ];
        for (nanos, text) in table {
            assert_eq!(Nanos(nanos).to_string(), text);
        }
    }
}
