//! [`Stamps`]: the timestamps at the beginning of a file's lines.
//!
//! A timestamp is RFC 3339 with `T`, in any precision and with any offset, as the library's timer prints it:
//! `2026-11-21T08:33:01.123456Z`. It stands within the first 256 bytes of a line, as the library looks for it.

use memchr::memchr_iter;

/// Instants are nanoseconds since 1970. Those before 1678 and after 2261 are the first and the last instant.
pub(crate) type Nanos = i64;

pub(crate) const SECOND: Nanos = 1_000_000_000;

/// The first bytes of a line, in which a timestamp is searched for.
const SEARCHED: usize = 256;

/// The length of `2026-11-21T08:33:01Z`. No timestamp is shorter.
const SHORTEST: usize = 20;

/// A timestamp in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Nanos,
    /// Where it begins and ends in the line.
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

impl Stamp {
    /// The timestamp that `text` begins with.
    #[inline]
    pub(crate) fn at_start_of(text: &[u8]) -> Option<Self> {
        let head: &[u8; SHORTEST] = text.first_chunk()?;
        let signs = head[4] == b'-' && head[7] == b'-' && head[10] == b'T' && head[13] == b':' && head[16] == b':';
        if !signs {
            return None;
        }
        let year = number(head, 0)? * 100 + number(head, 2)?;
        let (month, day) = (number(head, 5)?, number(head, 8)?);
        let (hour, minute, second) = (number(head, 11)?, number(head, 14)?, number(head, 17)?);
        // 60: a leap second.
        let real = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        if !real {
            return None;
        }
        let (mut nanos, mut end) = (0, 19);
        if head[19] == b'.' {
            let mut scale = SECOND / 10;
            end = 20;
            while let Some(digit) = text.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
                nanos += Nanos::from(digit) * scale;
                scale /= 10;
                end += 1;
            }
        }
        let east = match text.get(end)? {
            b'Z' => {
                end += 1;
                0
            }
            sign @ (b'+' | b'-') => {
                let offset: &[u8; 5] = text.get(end + 1..)?.first_chunk()?;
                let seconds = (number(offset, 0)? * 60 + number(offset, 3)?) * 60;
                if offset[2] != b':' {
                    return None;
                }
                end += 6;
                if *sign == b'+' { seconds } else { -seconds }
            }
            _ => return None,
        };
        let seconds = day_number(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - east;
        Some(Self { at: seconds.saturating_mul(SECOND).saturating_add(nanos), begin: 0, end })
    }

    /// The first timestamp in the first bytes of a line.
    fn first_in(line: &[u8]) -> Option<Self> {
        let head = &line[..line.len().min(SEARCHED)];
        let begins = memchr_iter(b'T', head).filter_map(|place| place.checked_sub(10));
        begins.filter_map(|begin| Some(Self::at_start_of(&line[begin..])?.moved(begin))).next()
    }

    fn moved(self, by: usize) -> Self {
        Self { begin: self.begin + by, end: self.end + by, ..self }
    }
}

/// Two digits.
#[inline]
fn number(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
#[inline]
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March here, so that the leap day is the last of it.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days - 719_468
}

/// Where the lines of a file have their timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// No line with a timestamp has been seen.
    #[default]
    Unknown,
    /// At the beginning. So a timestamp that stands elsewhere in a line is part of a message.
    Beginning,
    /// Within the first 256 bytes, as in JSON.
    Within,
}

/// Reads the timestamps of the lines of a file, one line after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamps {
    pub(crate) style: Style,
    /// Where the last line had its timestamp.
    begin: usize,
}

impl Stamps {
    /// The timestamp of a line, if the line has one where the file's lines have it.
    #[inline]
    pub(crate) fn of(&mut self, line: &[u8]) -> Option<Stamp> {
        match self.style {
            Style::Beginning => Stamp::at_start_of(line),
            Style::Within => {
                let usual = line.get(self.begin..).and_then(Stamp::at_start_of);
                // It is the first one only if no other stands before it.
                let usual = usual.filter(|_| !has_earlier(&line[..self.begin]));
                usual.map(|stamp| stamp.moved(self.begin)).or_else(|| self.search(line))
            }
            Style::Unknown => self.search(line),
        }
    }

    fn search(&mut self, line: &[u8]) -> Option<Stamp> {
        let found = Stamp::first_in(line)?;
        self.begin = found.begin;
        self.style = if found.begin == 0 { Style::Beginning } else { Style::Within };
        Some(found)
    }
}

fn has_earlier(head: &[u8]) -> bool {
    head.len() >= SHORTEST && Stamp::first_in(head).is_some()
}

#[cfg(test)]
mod tests {
    use super::{SECOND, Stamp, Stamps};

    fn at(text: &str) -> Option<i64> {
        Stamp::at_start_of(text.as_bytes()).map(|stamp| stamp.at)
    }

    #[test]
    fn a_timestamp_is_read_in_any_precision_and_offset() {
        let second = 1_795_249_981 * SECOND;
        for (text, nanos) in [
            ("2026-11-21T08:33:01Z", 0),
            ("2026-11-21T08:33:01.5Z rest", SECOND / 2),
            ("2026-11-21T08:33:01.123456Z", 123_456_000),
            ("2026-11-21T08:33:01.123456789Z", 123_456_789),
            ("2026-11-21T08:33:01.1234567891Z", 123_456_789),
            ("2026-11-21T14:03:01.123456789+05:30", 123_456_789),
            ("2026-11-21T03:33:01-05:00", 0),
        ] {
            assert_eq!(at(text), Some(second + nanos), "{text}");
        }
        for text in ["", "2026-11-21", "2026-11-21T08:33:01", "2026-13-21T08:33:01Z", "2026-11-21T08:33:01+0530"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn a_timestamp_in_a_message_is_none_of_the_line() {
        let mut stamps = Stamps::default();
        assert!(stamps.of(b"{\"timestamp\":\"2026-11-21T08:33:01Z\"}").is_some_and(|stamp| stamp.begin == 14));
        assert!(stamps.of(b"{\"time\":\"2026-11-21T08:33:01Z\"}").is_some_and(|stamp| stamp.begin == 9));
        let mut stamps = Stamps::default();
        assert!(stamps.of(b"2026-11-21T08:33:01Z begins").is_some());
        assert!(stamps.of(b"  at 2026-11-21T08:33:01Z").is_none());
    }
}
