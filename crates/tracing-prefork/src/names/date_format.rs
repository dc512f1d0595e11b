//! How the date stands in a file's name: from a label to a text, and back.

use crate::time::calendar::Shown;
use std::io;
use std::num::NonZeroU8;
use time::format_description::{self, OwnedFormatItem};
use time::parsing::Parsed;
use time::{Date, OffsetDateTime, Time, UtcOffset, Weekday};

/// The format of a date, made ready at build.
#[derive(Clone, Debug)]
pub(crate) struct DateFormat {
    items: OwnedFormatItem,
    pub(crate) shown: Shown,
    /// The number of slashes in the text: how many directories it goes through.
    pub(crate) depth: usize,
    /// The formats of the text before each slash. Empty if a slash stands within an item of the format.
    directories: Vec<OwnedFormatItem>,
}

impl DateFormat {
    /// Reads a strftime pattern if the text has a `%`, else a format description of the crate `time`.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let read: fn(&str) -> _ = if text.contains('%') {
            format_description::parse_strftime_owned
        } else if text.contains('[') {
            format_description::parse_owned::<2>
        } else {
            return Err("expected a strftime pattern such as %Y-%m-%d, or one such as [year]-[month]-[day]".to_owned());
        };
        let items = read(text).map_err(|error| error.to_string())?;
        let format = Self { shown: Shown::default(), depth: 0, directories: Vec::new(), items };
        let text_at = |label, offset| format.text(label, offset).map_err(|error| error.to_string());
        let sample = text_at(0, 0)?;
        // A Unix timestamp depends on the offset, and so does an offset that is written out.
        let shown = Shown { offset: sample != text_at(0, 3661)?, minute: sample != text_at(60, 0)? };
        if sample.split('/').any(|part| matches!(part, "" | "." | "..")) || sample.contains(char::is_control) {
            return Err(format!(
                "{sample:?} is not a path below the log directory; leave out control characters, `.`, `..`, and \
                 slashes at an end or beside each other"
            ));
        }
        let depth = sample.matches('/').count();
        let mut directories: Vec<_> = text.match_indices('/').filter_map(|(at, _)| read(&text[..at]).ok()).collect();
        if directories.len() != depth {
            directories.clear();
        }
        Ok(Self { shown, depth, directories, ..format })
    }

    /// Whether texts can go through a directory: for `%Y/%m/%d`, through `2026/11`, not through `lost+found`.
    pub(crate) fn leads_through(&self, directory: &str) -> bool {
        let fits = |items| Parsed::new().parse_item(directory.as_bytes(), items).is_ok_and(<[u8]>::is_empty);
        self.directories.get(directory.matches('/').count()).is_none_or(fits)
    }

    /// Writes the date of a label, which is a local time in seconds, at an offset in seconds east of UTC. Allocates
    /// nothing.
    pub(crate) fn write(&self, label: i64, offset: i32, into: &mut impl io::Write) -> io::Result<()> {
        let local = OffsetDateTime::from_unix_timestamp(label).map_err(io::Error::other)?;
        let offset = UtcOffset::from_whole_seconds(offset).map_err(io::Error::other)?;
        local.replace_offset(offset).format_into(into, &self.items).map_err(io::Error::other).map(drop)
    }

    pub(crate) fn text(&self, label: i64, offset: i32) -> io::Result<String> {
        let mut text = Vec::new();
        self.write(label, offset, &mut text)?;
        String::from_utf8(text).map_err(io::Error::other)
    }

    /// The label that `text` was written from, and the offset if the text shows one.
    pub(crate) fn read(&self, text: &str) -> Option<(i64, Option<i32>)> {
        let mut parsed = self.parse(text)?;
        if parsed.hour_24().is_none() && parsed.hour_12().is_none() {
            parsed.set_hour_24(0)?;
        }
        let (date, time) = (date(parsed)?, Time::try_from(parsed).ok()?);
        let offset = self.shown.offset.then(|| UtcOffset::try_from(parsed).ok()).flatten();
        Some((date.with_time(time).assume_utc().unix_timestamp(), offset.map(UtcOffset::whole_seconds)))
    }

    fn parse(&self, text: &str) -> Option<Parsed> {
        let mut parsed = Parsed::new();
        parsed.parse_item(text.as_bytes(), &self.items).ok()?.is_empty().then_some(parsed)
    }

    /// Whether the text names an ISO week and no day of it.
    pub(crate) fn names_iso_weeks(&self) -> bool {
        let parsed = self.text(0, 0).ok().and_then(|text| self.parse(&text));
        parsed.is_some_and(|parsed| Date::try_from(parsed).is_err() && monday(parsed).is_some())
    }

    /// Why no label can be read from a text that this format has written.
    fn lacks(&self, text: &str) -> &'static str {
        let Some(parsed) = self.parse(text) else { return "nobody can tell where one part ends and the next begins" };
        match () {
            () if parsed.iso_week_number().is_some() && parsed.year().is_some() => {
                "the year of an ISO week is %G or [year base:iso_week], because a week can have days of two years"
            }
            () if parsed.year().or(parsed.iso_year()).is_none() => "it shows no year of four digits",
            () if parsed.month().is_none() && parsed.ordinal().is_none() && parsed.iso_year().is_none() => {
                "it shows no month"
            }
            () if parsed.hour_12().is_some() && parsed.hour_12_is_pm().is_none() => "it does not show AM or PM",
            () => "it needs a year of four digits, and all units down to the rotation's",
        }
    }

    /// Checks that the text of a label leads back to the label. The error says what is missing.
    pub(crate) fn check(&self, label: i64, offset: i32) -> Result<(), String> {
        // 1. Write the label and read it back.
        let text = self.text(label, offset).map_err(|error| error.to_string())?;
        let shown = self.shown.offset.then_some(offset);
        let read = match self.read(&text) {
            Some(read) if read == (label, shown) => return Ok(()),
            None => {
                return Err(format!("no date can be read back from {text:?}: {}", self.lacks(&text)));
            }
            Some((read, _)) => read,
        };
        // 2. What differs?
        let parts = |label| OffsetDateTime::from_unix_timestamp(label).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (is, reads) = (parts(label), parts(read));
        let missing = match () {
            () if is.date() != reads.date() => "day",
            () if is.hour() != reads.hour() => "hour",
            () if is.minute() != reads.minute() => "minute",
            () if is.second() != reads.second() => "second",
            () => "offset with hours and minutes",
        };
        Err(format!("it shows no {missing}, so that several periods would share the file {text:?}; add the {missing}"))
    }
}

/// The date of a label.
fn date(mut parsed: Parsed) -> Option<Date> {
    // 1. The text shows the day.
    if let Ok(date) = Date::try_from(parsed) {
        return Some(date);
    }
    // 2. An ISO week is named by its Monday. If the text shows a month, the month must be that of the Monday.
    let fits = |monday: &Date| parsed.month().is_none_or(|month| month == monday.month());
    if let Some(monday) = monday(parsed).filter(fits) {
        return Some(monday);
    }
    // 3. A month is named without a day.
    parsed.set_day(NonZeroU8::MIN)?;
    Date::try_from(parsed).ok()
}

/// The Monday of the ISO week that a text shows.
fn monday(parsed: Parsed) -> Option<Date> {
    Date::from_iso_week_date(parsed.iso_year()?, parsed.iso_week_number()?.get(), Weekday::Monday).ok()
}
