//! [`Pattern`]: the names of an appender's files, from an instant to a name, and from a name to its period.
//!
//! Both directions are strict. A name belongs to the pattern only if the name of its period is the very same text. So
//! `app.conf`, `app.log.bak` or `app.log.2026-13-45` never count as ours.

use crate::names::archive::{ENDINGS, plain_name};
use crate::names::date_format::DateFormat;
use crate::names::foreign::Foreign;
use crate::names::hidden::{Hidden, HiddenNames, hash, middle};
use crate::names::tag::{Tag, TagId, Tags};
use crate::sys::{LogPath, Replaced};
use crate::time::calendar::{Calendar, Period, Span};
use crate::time::clock::{self, system_time};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use time::Date;

/// Which file of a pattern: the tag, the period, and with `max_file_bytes` which of the period's files, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) tag: Option<TagId>,
    pub(crate) span: Span,
    pub(crate) index: u32,
}

impl Place {
    /// Sorts the files of a tag in the order in which they are written. The files of one row stand together.
    pub(crate) fn order(self) -> (i64, Option<TagId>, u32) {
        (self.span.start, self.tag, self.index)
    }

    /// Whether two files are in one row: the numbered files of a period, of one tag.
    pub(crate) fn is_in_row_of(self, other: Self) -> bool {
        (self.tag, self.span) == (other.tag, other.span)
    }
}

/// The highest number that a file of a period has: nine digits. A file with this number has no successor and takes all
/// further lines.
pub(crate) const LAST_INDEX: u32 = 999_999_999;

/// The number in a file's name. `parse` alone would take a `+` and leading zeros.
fn read_index(digits: &str) -> Option<u32> {
    let strict = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|index| strict && *index <= LAST_INDEX)
}

/// The parts of a file's name.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) prefix: Option<&'a str>,
    pub(crate) tags: Tags,
    pub(crate) date: Option<DateFormat>,
    pub(crate) suffix: Option<&'a str>,
}

/// What an appender calls its files.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Absolute.
    directory: PathBuf,
    /// The text before the tag and the date, with the dot.
    before: String,
    tags: Tags,
    /// The text behind the date, with the dot.
    after: String,
    date: Option<DateFormat>,
    calendar: Calendar,
    hidden: HiddenNames,
    /// A period may have several files.
    numbered: bool,
    /// Archives of the files are ours too.
    pub(crate) archives: bool,
    /// Foreign files: names that fit and are somebody else's (`ownership`).
    foreign: Replaced<Foreign>,
    /// The record of names, if there is one. Processes that hold another record belong to another program.
    pub(crate) record: Option<PathBuf>,
}

impl Pattern {
    /// `{prefix}.{tag}.{date}.{suffix}`, without the parts that are not there and their dots.
    pub(crate) fn new(directory: PathBuf, parts: Parts<'_>, calendar: Calendar, numbered: bool) -> Self {
        let Parts { prefix, tags, date, suffix } = parts;
        let dotted = |suffix: Option<&str>| suffix.map(|suffix| format!(".{suffix}")).unwrap_or_default();
        let (before, after) = match (prefix, suffix, date.is_some() || tags.are_used()) {
            (Some(prefix), suffix, false) => (prefix.to_owned(), dotted(suffix)),
            (None, suffix, false) => (suffix.unwrap_or_default().to_owned(), String::new()),
            (prefix, suffix, true) => (prefix.map(|prefix| format!("{prefix}.")).unwrap_or_default(), dotted(suffix)),
        };
        let hidden = HiddenNames::new(&before, tags.are_used(), date.as_ref(), &after);
        let (archives, foreign, record) = (false, Replaced::new(Foreign::default()), None);
        Self { directory, before, tags, after, date, calendar, hidden, numbered, archives, foreign, record }
    }

    /// Other processes number the files of a period, or make archives of files.
    pub(crate) fn has_also(&mut self, numbered: bool, archives: bool) {
        self.numbered |= numbered;
        self.archives |= archives;
    }

    /// The foreign files.
    pub(crate) fn foreign(&self) -> &Foreign {
        self.foreign.get()
    }

    /// Another directory may take the place of ours while other threads read names.
    pub(crate) fn set_foreign(&self, foreign: Foreign) {
        if foreign != *self.foreign() {
            self.foreign.replace(foreign);
        }
    }

    fn is_foreign(&self, name: &str) -> bool {
        self.foreign().names.contains(name)
    }

    /// Whether the file with this number in the period of `at` is foreign. Allocates nothing.
    pub(crate) fn is_foreign_at(&self, at: i64, index: u32) -> bool {
        let is_foreign = |path: LogPath| std::str::from_utf8(path.file_name()).is_ok_and(|name| self.is_foreign(name));
        !self.foreign().names.is_empty() && self.path_at(at, index).is_ok_and(is_foreign)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Whether a period may have several files.
    pub(crate) fn is_numbered(&self) -> bool {
        self.numbered
    }

    pub(crate) fn has_date(&self) -> bool {
        self.date.is_some()
    }

    /// The number of directories below the log directory that a name goes through.
    pub(crate) fn depth(&self) -> usize {
        self.date.as_ref().map_or(0, |date| date.depth)
    }

    /// Whether the names have a tag.
    pub(crate) fn has_tags(&self) -> bool {
        self.tags.are_used()
    }

    /// The tag of the files that this process writes.
    pub(crate) fn own_tag(&self) -> Option<Tag> {
        self.tags.own()
    }

    pub(crate) fn own_tag_id(&self) -> Option<TagId> {
        self.own_tag().map(|tag| tag.id())
    }

    /// The tag in the name of a file or of an archive.
    pub(crate) fn tag_in(&self, name: &str) -> Option<Tag> {
        self.behind_tag(name)?.0
    }

    pub(crate) fn longest_tag(&self) -> Option<Tag> {
        self.tags.longest()
    }

    /// Whether names can go through a directory below the log directory.
    pub(crate) fn leads_through(&self, directory: &str) -> bool {
        let date = self.behind_tag(directory).filter(|_| directory.matches('/').count() < self.depth());
        self.date.as_ref().zip(date).is_some_and(|(format, (_, date))| format.leads_through(date))
    }

    /// The path of a file of the period of `at` (seconds since 1970). Allocates nothing, so that a child of a raw
    /// `clone` can open its file although another thread held the allocator's lock.
    pub(crate) fn path_at(&self, at: i64, index: u32) -> io::Result<LogPath> {
        self.path_of(self.own_tag(), at, index)
    }

    /// The same with the longest tag that this process can have.
    pub(crate) fn longest_path_at(&self, at: i64, index: u32) -> io::Result<LogPath> {
        self.path_of(self.longest_tag(), at, index)
    }

    /// The same for a file of any tag.
    pub(crate) fn path_of(&self, tag: Option<Tag>, at: i64, index: u32) -> io::Result<LogPath> {
        let (label, offset) = self.calendar.label_and_offset(at);
        let mut path = LogPath::in_directory(&self.directory)?;
        path.write_all(self.before.as_bytes())?;
        if let Some(tag) = tag {
            path.write_all(tag.as_str().as_bytes())?;
        }
        if let Some(date) = &self.date {
            if tag.is_some() {
                path.write_all(b".")?;
            }
            date.write(label, offset, &mut path)?;
        }
        if index > 0 {
            write!(path, ".{index}")?;
        }
        path.write_all(self.after.as_bytes())?;
        Ok(path)
    }

    /// The place of the file called `name`, if that is a name of this pattern. If two periods share the name, because
    /// the zone has set its clock back, it is the last period that has begun by `now`.
    pub(crate) fn place_of_name(&self, name: &str, now: i64) -> Option<Place> {
        if self.is_foreign(name) {
            return None;
        }
        let (tag, text) = self.behind_tag(name.strip_suffix(&*self.after)?)?;
        let id = tag.map(|tag| tag.id());
        let whole = self.span_of_date(text, now).map(|span| Place { tag: id, span, index: 0 });
        let place = whole.or_else(|| {
            let (date, index) = text.rsplit_once('.').filter(|_| self.numbered)?;
            Some(Place { tag: id, span: self.span_of_date(date, now)?, index: read_index(index)? })
        })?;
        // The name of the place must be the very same text.
        (self.path_of(tag, place.span.start.max(clock::FIRST), place.index).ok()?.file_name() == name.as_bytes())
            .then_some(place)
    }

    /// The tag of a name, and the text behind the tag and its dot.
    fn behind_tag<'a>(&self, name: &'a str) -> Option<(Option<Tag>, &'a str)> {
        let text = name.strip_prefix(&*self.before)?;
        if !self.has_tags() {
            return Some((None, text));
        }
        let (tag, rest) = Tag::split(text)?;
        Some((Some(tag), if self.has_date() { rest.strip_prefix('.')? } else { rest }))
    }

    fn span_of_date(&self, text: &str, now: i64) -> Option<Span> {
        let Some(date) = &self.date else {
            return text.is_empty().then(|| self.calendar.span(0));
        };
        let (label, offset) = date.read(text)?;
        // No event has a time outside these bounds (`Moment`), so no file of ours has.
        let ours = |span: &Span| clock::FIRST < span.end && span.start <= clock::LAST;
        self.calendar.span_of_label(label, offset, now).filter(ours)
    }

    /// The place of the file whose archive is called `name`.
    pub(crate) fn place_of_archive(&self, name: &str, now: i64) -> Option<Place> {
        let archives = self.archives && !self.is_foreign(name);
        archives.then(|| plain_name(name))?.and_then(|plain| self.place_of_name(plain, now))
    }

    /// The number of the file called `name`, and whether it is the file itself and not its archive. The period's first
    /// file is called `first`. Both names are in the directory `above`, relative to the log directory. Reads no date,
    /// so that a large directory is searched quickly.
    pub(crate) fn index_of_name(&self, above: &str, first: &str, name: &str) -> Option<(u32, bool)> {
        if !self.foreign().names.is_empty() && self.is_foreign(&format!("{above}{name}")) {
            return None;
        }
        let before = first.strip_suffix(&*self.after)?;
        let index = |name: &str| match name.strip_prefix(before)?.strip_suffix(&*self.after)? {
            "" => Some(0),
            number => read_index(number.strip_prefix('.')?),
        };
        let plain = index(name).map(|index| (index, true));
        plain.or_else(|| Some((index(plain_name(name).filter(|_| self.archives)?)?, false)))
    }

    /// The number of the next file. Numbers of foreign files are passed over.
    pub(crate) fn next_index(&self, at: i64, index: u32) -> u32 {
        let mut following = index.saturating_add(1)..LAST_INDEX;
        following.find(|index| !self.is_foreign_at(at, *index)).unwrap_or(LAST_INDEX)
    }

    /// How this pattern reads a name: its tag, the label of its period, its number, and whether it is a file and not an
    /// archive. If two patterns read a name alike, they mean the same file.
    pub(crate) fn reading(&self, name: &str) -> Option<(Option<TagId>, i64, u32, bool)> {
        let plain = self.place_of_name(name, clock::LAST).map(|place| (place, true));
        let (place, is_plain) = plain.or_else(|| Some((self.place_of_archive(name, clock::LAST)?, false)))?;
        let label = self
            .date
            .as_ref()
            .map_or(i64::MIN, |_| self.calendar.label_and_offset(place.span.start.max(clock::FIRST)).0);
        Some((place.tag, label, place.index, is_plain))
    }

    /// The names of the first files of 366 instants, which show whether two patterns meet. The instants are the same at
    /// each build. There is one on each day of a leap year, at changing hours, minutes and seconds, so that each value
    /// of each part of a date comes up.
    ///
    /// Numbers and archives need no samples. Two patterns that both read a name with a number also both read the name
    /// without that number. If only one of the patterns reads a number there, the name is a first file of the other
    /// pattern. The same holds for the endings of archives. A tag can look like the number of another pattern, so one
    /// of the tags here is a number. A tag can also be a part of the other pattern's prefix: `app.api.web.log` is of
    /// the tag `api`, and of the tag `web` of a program with the prefix `app.api`.
    pub(crate) fn samples(&self, other: &Self) -> impl Iterator<Item = String> {
        let instant = |day: u16| {
            // The leap years of the century.
            let date = Date::from_ordinal_date(2000 + i32::from(day % 25) * 4, day + 1).unwrap_or(Date::MIN);
            let (hour, minute, second) = (i64::from(day % 24), i64::from(day % 60), i64::from(day / 6 % 60));
            date.midnight().assume_utc().unix_timestamp() + hour * 3600 + minute * 60 + second
        };
        let days = if self.date.is_some() { 0..366 } else { 0..1 };
        let in_prefix = other.before.strip_prefix(&*self.before).and_then(Tag::split).map(|(tag, _)| tag);
        let tags = [Tag::new("1").ok(), self.own_tag(), in_prefix].into_iter().flatten().map(Some).collect();
        let tags = if self.has_tags() { tags } else { vec![None] };
        let paths =
            days.flat_map(move |day| tags.clone().into_iter().map(move |tag| self.path_of(tag, instant(day), 0)));
        paths.filter_map(Result::ok).filter_map(|path| std::str::from_utf8(path.file_name()).ok().map(str::to_owned))
    }

    /// What may stand behind a name: nothing, or the ending of an archive.
    fn endings(&self) -> Vec<&'static str> {
        let archives = if self.archives { &ENDINGS[..] } else { &[] };
        [""].into_iter().chain(archives.iter().copied()).collect()
    }

    /// Whether a name can belong to both patterns, as far as the text around the dates tells.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        let begin = self.before.starts_with(&*other.before) || other.before.starts_with(&*self.before);
        let ends = |pattern: &Self| {
            pattern.endings().into_iter().map(|ending| format!("{}{ending}", pattern.after)).collect::<Vec<_>>()
        };
        let (own, others) = (ends(self), ends(other));
        begin && own.iter().any(|end| others.iter().any(|other| end.ends_with(&**other) || other.ends_with(&**end)))
    }

    /// The period of `at`, as users see it.
    pub(crate) fn period_at(&self, at: i64) -> Period {
        let Span { start, end } = self.calendar.span(at);
        Period { start: system_time(start.max(clock::FIRST)), end: (end != i64::MAX).then(|| system_time(end)) }
    }

    /// The names for people: `app.DATE.log`, with a tag `app.TAG.DATE.log`.
    pub(crate) fn readable(&self) -> String {
        format!("{}{}{}", self.before, middle(self.has_tags(), self.has_date()), self.after)
    }

    /// The path of a hidden file of the pattern: `.app.DATE.log.d10ea686.lock`.
    pub(crate) fn hidden(&self, hidden: Hidden) -> PathBuf {
        self.directory.join(self.hidden.of(hidden))
    }

    /// The path of the note of the file that the hard links of a tag were led to last. Each tag has its own.
    pub(crate) fn link_note(&self, tag: Option<Tag>) -> PathBuf {
        self.hidden(tag.map_or(Hidden::LinkNote, |tag| Hidden::LinkNoteOfTag(hash(tag.as_str()))))
    }

    /// Whether a name is that of a hidden file of the pattern.
    pub(crate) fn is_hidden(&self, name: &str) -> bool {
        self.hidden.contain(name)
    }
}
