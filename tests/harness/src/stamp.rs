//! An RFC 3339 timestamp and the calendar behind it, computed without the library under test.

use std::io::Write;

const DAY: i64 = 86_400;

/// A civil date and time with its offset from UTC, as text shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The year, 1970 or later.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// Nanoseconds of the second.
    pub nanos: u32,
    /// Seconds east of UTC.
    pub offset: i32,
}

impl Stamp {
    /// The stamp of an instant, in nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn at(nanos: u64, offset: i32) -> Self {
        let seconds = (nanos / 1_000_000_000) as i64 + i64::from(offset);
        let (year, month, day) = date_of_day(seconds.div_euclid(DAY));
        let rest = seconds.rem_euclid(DAY) as u32;
        Self {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanos: (nanos % 1_000_000_000) as u32,
            offset,
        }
    }

    /// Reads `2026-11-21T08:33:01.123456Z`, with six to nine decimals, or with `+05:30` for `Z`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let number = |from: usize, to: usize| -> Option<u32> {
            let digits = text.get(from..to)?;
            digits
                .iter()
                .try_fold(0_u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
        };
        let sign = |at: usize, byte: u8| (text.get(at) == Some(&byte)).then_some(());
        for (at, byte) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.')] {
            sign(at, byte)?;
        }
        let decimals = text[20..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(6..=9).contains(&decimals) {
            return None;
        }
        let zone = 20 + decimals;
        let offset = match (text.get(zone)?, text.len() - zone) {
            (b'Z', 1) => 0,
            (east @ (b'+' | b'-'), 6) => {
                sign(zone + 3, b':')?;
                let seconds = number(zone + 1, zone + 3)? * 3600 + number(zone + 4, zone + 6)? * 60;
                if *east == b'+' { seconds as i32 } else { -(seconds as i32) }
            }
            _ => return None,
        };
        let stamp = Self {
            year: i64::from(number(0, 4)?),
            month: number(5, 7)?,
            day: number(8, 10)?,
            hour: number(11, 13)?,
            minute: number(14, 16)?,
            second: number(17, 19)?,
            nanos: number(20, zone)? * 10_u32.pow(9 - decimals as u32),
            offset,
        };
        let real = (1..=12).contains(&stamp.month)
            && (stamp.year, stamp.month, stamp.day) == date_of_day(stamp.day_number())
            && stamp.hour < 24
            && stamp.minute < 60
            && stamp.second < 60;
        real.then_some(stamp)
    }

    /// Appends the stamp with nine decimals to `out`; allocates nothing while `out` has room.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let Self { year, month, day, hour, minute, second, nanos, .. } = *self;
        let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}");
        if self.offset == 0 {
            out.push(b'Z');
        } else {
            let sign = if self.offset < 0 { '-' } else { '+' };
            let minutes = self.offset.unsigned_abs() / 60;
            let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
    }

    /// The instant, in nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn instant(&self) -> u64 {
        let seconds = self.day_number() * DAY + i64::from(self.hour * 3600 + self.minute * 60 + self.second)
            - i64::from(self.offset);
        seconds as u64 * 1_000_000_000 + u64::from(self.nanos)
    }

    /// Days from 1970-01-01 to this date.
    #[must_use]
    pub fn day_number(&self) -> i64 {
        day_of_date(self.year, self.month, self.day)
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
#[must_use]
pub fn day_of_date(year: i64, month: u32, day: u32) -> i64 {
    // The year begins in March here, so that the leap day is the last of it.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = (153 * i64::from(month) + 2) / 5 + i64::from(day) - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days - 719_468
}

/// The year, month and day of a day number from 1970-01-01.
#[must_use]
pub fn date_of_day(number: i64) -> (i64, u32, u32) {
    let days = number + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * march + 2) / 5 + 1) as u32;
    let month = if march < 10 { march + 3 } else { march - 9 } as u32;
    (era * 400 + year + i64::from(month <= 2), month, day)
}
