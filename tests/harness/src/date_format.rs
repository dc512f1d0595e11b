//! How a date stands in a file's name, written and read without the library under test.

use crate::stamp::Stamp;

/// Down to the second; a longer unit has the beginning of it.
const DASHED: &str = "%Y-%m-%d-%H-%M-%S";

/// What the library writes by itself: the year, and so many parts of two digits after it.
#[must_use]
pub fn dashed(parts: usize) -> &'static str {
    &DASHED[..2 + 3 * parts]
}

/// Whether it shows the offset from UTC.
#[must_use]
pub fn shows_offset(format: &str) -> bool {
    format.contains("%z")
}

/// The date of a stamp. Of strftime it knows `%Y`, `%m`, `%d`, `%H`, `%M`, `%S` and `%z`.
#[must_use]
pub fn write(format: &str, stamp: &Stamp) -> String {
    let mut text = String::new();
    let mut rest = format.chars();
    while let Some(character) = rest.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        text += &match rest.next() {
            Some('Y') => format!("{:04}", stamp.year),
            Some('m') => format!("{:02}", stamp.month),
            Some('d') => format!("{:02}", stamp.day),
            Some('H') => format!("{:02}", stamp.hour),
            Some('M') => format!("{:02}", stamp.minute),
            Some('S') => format!("{:02}", stamp.second),
            Some('z') => {
                let minutes = stamp.offset.abs() / 60;
                let sign = if stamp.offset < 0 { '-' } else { '+' };
                format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
            }
            _ => String::new(),
        };
    }
    text
}

/// The stamp that a text was written from: what it does not show is that of the first instant. `None` unless there is
/// such a date.
#[must_use]
pub fn read(format: &str, text: &str) -> Option<Stamp> {
    let mut stamp = Stamp { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, nanos: 0, offset: 0 };
    let (mut rest, mut format) = (text, format.chars());
    while let Some(character) = format.next() {
        if character != '%' {
            rest = rest.strip_prefix(character)?;
            continue;
        }
        let field = format.next()?;
        if field == 'z' {
            let east = rest.strip_prefix('+');
            rest = east.or_else(|| rest.strip_prefix('-'))?;
            let seconds = digits(&mut rest, 2)? * 3600 + digits(&mut rest, 2)? * 60;
            stamp.offset = if east.is_some() { seconds as i32 } else { -(seconds as i32) };
            continue;
        }
        let number = digits(&mut rest, if field == 'Y' { 4 } else { 2 })?;
        match field {
            'Y' => stamp.year = number.into(),
            'm' => stamp.month = number,
            'd' => stamp.day = number,
            'H' => stamp.hour = number,
            'M' => stamp.minute = number,
            'S' => stamp.second = number,
            _ => return None,
        }
    }
    let mut whole = Vec::new();
    stamp.write_to(&mut whole);
    Stamp::parse(&whole).filter(|_| rest.is_empty())
}

/// Takes a number of so many digits off the front.
fn digits(rest: &mut &str, count: usize) -> Option<u32> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    head.bytes().all(|byte| byte.is_ascii_digit()).then(|| head.parse().ok())?
}
