//! Checks of the options. `build` calls them before it opens anything.

use crate::BuildError;
use crate::names::archive::{LONGEST_ENDING, plain_name};
use crate::names::date_format::DateFormat;
use crate::names::pattern::{LAST_INDEX, Pattern};
use crate::names::tag::{Tag, Tags};
use crate::sys::Mode;
use crate::time::calendar::{Calendar, Period};
use crate::time::clock::{self, Moment};
use crate::time::rotation::{Rotation, Weekday};
use crate::time::zone::Offsets;
use crate::upkeep::link::{Kind, Link};
use crate::upkeep::prune::Limits;
use crate::write::header::Header;
use std::io;
use std::num::NonZeroUsize;
use std::path::{self, Path, PathBuf};

const ISO_WEEKS: &str =
    "ISO weeks begin on Monday; give Rotation::weekly_on(Weekday::Monday), or a format with the day";

/// The date format that the user has given.
pub(crate) fn custom_format(value: &str, rotation: &Rotation) -> Result<DateFormat, BuildError> {
    let format = match rotation.date_format() {
        None => Err("a file that never rolls over has no date; leave date_format out, or give a rotation".to_owned()),
        Some(_) => DateFormat::new(value).and_then(|format| match rotation.weekday_of_weeks() {
            Some(day) if day != Weekday::Monday && format.names_iso_weeks() => Err(ISO_WEEKS.to_owned()),
            _ => Ok(format),
        }),
    };
    format.map_err(|reason| BuildError::DateFormat { value: value.to_owned(), reason })
}

/// Checks that a format tells periods apart, with the next hundred periods, with ten instants of each of the next
/// hundred days, and with ten instants of each of the next hundred years.
pub(crate) fn tells_periods_apart(date: &DateFormat, calendar: &Calendar, now: i64) -> Result<(), String> {
    // No event has a later time (`Moment`).
    let check = |at| {
        if at > clock::LAST {
            return Ok(());
        }
        let (label, offset) = calendar.label_and_offset(at);
        date.check(label, offset)
    };
    let mut at = now;
    for _ in 0..100 {
        check(at)?;
        at = calendar.span(at.min(clock::LAST)).end;
    }
    // Neither step is a whole number of minutes, so all minutes and seconds come up.
    (0..1000).try_for_each(|step| check(now + step * 8_641))?;
    (0..1000).try_for_each(|step| check(now + step * 3_155_693))
}

/// The day of `now`, for the name of the one file that has nothing else in its name.
pub(crate) fn day(now: Moment, offsets: &Offsets) -> String {
    let local = now.secs + i64::from(offsets.segment(now.secs).offset);
    let day = DateFormat::new("[year]-[month]-[day]").ok();
    day.and_then(|day| day.text(local, 0).ok()).unwrap_or_default()
}

/// The directory as an absolute path. An empty path is the current directory.
pub(crate) fn absolute(directory: &Path) -> Result<PathBuf, BuildError> {
    let named = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    path::absolute(named).map_err(|error| BuildError::Directory { path: directory.to_owned(), error })
}

/// Why a directory could not be made. If something else is in the way, the error names it.
pub(crate) fn no_directory(directory: &Path, error: io::Error) -> BuildError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return BuildError::Directory { path: directory.to_owned(), error };
    }
    let found = directory.ancestors().find_map(|path| Some((path, path.symlink_metadata().ok()?.file_type())));
    let text = found.filter(|(path, _)| !path.is_dir()).map(|(path, found)| {
        let name = if path == directory { "it".to_owned() } else { path.display().to_string() };
        let (what, remedy) = match () {
            () if found.is_file() => ("is a file", "give another directory, or move the file away"),
            () if path.exists() => ("is no directory", "give another directory"),
            () if found.is_symlink() => {
                ("is a symbolic link that leads nowhere", "remove the link, or make its target")
            }
            () => ("is no directory", "give another directory"),
        };
        io::Error::new(io::ErrorKind::NotADirectory, format!("{name} {what}; {remedy}"))
    });
    BuildError::Directory { path: directory.to_owned(), error: text.unwrap_or(error) }
}

/// The owner must be able to read and write.
pub(crate) fn file_mode(mode: u32) -> Result<Mode, BuildError> {
    if mode & !0o777 != 0 || mode & 0o600 != 0o600 {
        return Err(BuildError::FileMode { mode });
    }
    Ok(Mode::from_bits_truncate(mode as _))
}

pub(crate) fn directory_mode(mode: u32) -> Result<Mode, BuildError> {
    if mode & !0o7777 != 0 || mode & 0o700 != 0o700 {
        return Err(BuildError::DirectoryMode { mode });
    }
    Ok(Mode::from_bits_truncate(mode as _))
}

/// The first line of this period's file must leave room for another line. The lines of later files are checked when
/// those files are made.
pub(crate) fn header(header: &mut Header, max_file_bytes: u64, period: Period) -> Result<(), BuildError> {
    // A panic of the user's code counts as no line here. It is reported when the file is made.
    let length = header.of(period).map_or(0, |line| line.len() as u64);
    if length >= max_file_bytes {
        return Err(BuildError::Header { length, max_file_bytes });
    }
    header.limit = max_file_bytes;
    Ok(())
}

/// Refuses limits of zero, each by its name. A zero comes from an environment variable that is not set.
pub(crate) fn zeros(
    max_log_files: Option<usize>,
    min_log_files: Option<usize>,
    max_file_bytes: Option<u64>,
) -> Result<(), BuildError> {
    let (option, reason) = if max_log_files == Some(0) {
        ("max_log_files", "the current file is always kept; give 1 or more, or leave the option out to keep all")
    } else if min_log_files == Some(0) {
        (
            "min_log_files",
            "the current file always stays; give 1 or more, or leave the option out, so that no file goes for a line",
        )
    } else if max_file_bytes == Some(0) {
        (
            "max_file_bytes",
            "a file holds at least one line; give the bytes of a file, or leave the option out for one file a period",
        )
    } else {
        return Ok(());
    };
    Err(BuildError::Limit { value: format!("{option}(0)"), reason })
}

/// Refuses limits that nobody means: those that keep nothing, or that contradict each other.
pub(crate) fn limits(
    limits: &Limits,
    least: Option<NonZeroUsize>,
    max_file_bytes: Option<u64>,
) -> Result<(), BuildError> {
    let error = |value: String, reason| Err(BuildError::Limit { value, reason });
    match (limits.age, limits.bytes, max_file_bytes) {
        (_, Some(0), _) => error(
            "max_total_bytes(0)".to_owned(),
            "each file but the current one would be removed; give the bytes to keep, or leave the option out to keep \
             all",
        ),
        (Some(age), _, _) if age.as_secs() == 0 => error(
            format!("max_age({})", if age.is_zero() { "0".to_owned() } else { format!("{age:?}") }),
            "each file would be removed as soon as its period is over; give a second at least, or leave the option out \
             to keep all",
        ),
        (_, Some(total), Some(file)) if total < file => error(
            format!("max_total_bytes({total}) below max_file_bytes({file})"),
            "the current file alone may be larger than all files together; raise the one or lower the other",
        ),
        _ => match (least, limits.files) {
            (Some(least), Some(most)) if least > most => error(
                format!("min_log_files({least}) above max_log_files({most})"),
                "the directory never has so many files; raise the one or lower the other",
            ),
            _ => Ok(()),
        },
    }
}

/// A name must not have a number, or the ending of an archive, where the appender adds one: nobody could tell the two
/// apart.
pub(crate) fn tells_numbers_and_archives(
    pattern: &Pattern,
    prefix: Option<&str>,
    suffix: Option<&str>,
    now: Moment,
) -> Result<(), BuildError> {
    let refuse = |option, value: &str, reason| Err(BuildError::FileName { option, value: value.to_owned(), reason });
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let ends = |text: &str| [text.split('.').next(), text.rsplit('.').next()].into_iter().flatten().any(is_number);
    if let Some(suffix) = suffix.filter(|suffix| pattern.is_numbered() && ends(suffix)) {
        return refuse("filename_suffix", suffix, "with max_file_bytes, it must not begin or end with a number");
    }
    // If a date follows the prefix, the number stands behind the date.
    let dotted = |text: &str| text.rsplit_once('.').is_some_and(|(_, last)| is_number(last));
    if let Some(prefix) = prefix.filter(|prefix| pattern.is_numbered() && !pattern.has_date() && dotted(prefix)) {
        return refuse("filename_prefix", prefix, "with max_file_bytes, it must not end with a dot and a number");
    }
    let path = pattern.path_at(now.secs, 0).ok();
    let name = path.as_ref().map_or("".into(), |path| String::from_utf8_lossy(path.file_name()));
    match plain_name(&name).filter(|_| pattern.archives) {
        Some(_) => refuse("file name", &name, "with compress, it must not end in .gz or .zst, as archives do"),
        None => Ok(()),
    }
}

/// A prefix, a suffix or a link's name must be usable as a part of a file's name.
pub(crate) fn name_part(option: &'static str, value: Option<String>) -> Result<Option<String>, BuildError> {
    let Some(value) = value else { return Ok(None) };
    let reason = if value.contains('/') {
        "it contains a `/`; give the directory to `build`"
    } else if value.contains(|character: char| character.is_control()) {
        "it contains a control character; leave the character out"
    } else if option == "filename_suffix" && value.starts_with('.') {
        "it begins with a dot, and the dot before a suffix is added; leave the dot out"
    } else {
        return Ok(Some(value));
    };
    Err(BuildError::FileName { option, value, reason })
}

/// The tag of the files, if they are to have one.
pub(crate) fn tags(
    tag: Option<&str>,
    per_process: bool,
    prefix: Option<&str>,
    has_date: bool,
) -> Result<Tags, BuildError> {
    let refuse = |option, value: &str, reason| Err(BuildError::FileName { option, value: value.to_owned(), reason });
    let tags = match (tag, per_process) {
        (None, false) => return Ok(Tags::None),
        (Some(tag), true) => return refuse("tag", tag, "with per_process, the process id is the tag; leave one out"),
        (None, true) => Tags::OfProcess,
        (Some(text), false) => match Tag::new(text) {
            Ok(tag) => Tags::Given(tag),
            Err(reason) => return refuse("tag", text, reason),
        },
    };
    let (option, value) = tag.map_or(("per_process", "true"), |tag| ("tag", tag));
    if prefix.is_none() {
        return refuse(
            option,
            value,
            "it needs filename_prefix: without a prefix, any file could be one of the family",
        );
    }
    if !has_date {
        return refuse(option, value, "it needs a rotation: without a date, any file could be one of the family");
    }
    Ok(tags)
}

/// The whole name must be one that a file can have. Returns the path of the first file.
pub(crate) fn usable_name(pattern: &Pattern, now: Moment) -> Result<PathBuf, BuildError> {
    let too_long = |_| BuildError::Directory {
        path: pattern.directory().to_owned(),
        error: io::Error::new(io::ErrorKind::InvalidInput, "the paths of its files are too long; shorten it"),
    };
    let index = if pattern.is_numbered() { LAST_INDEX } else { 0 };
    let path = pattern.longest_path_at(now.secs, index).map_err(too_long)?;
    let name = String::from_utf8_lossy(path.file_name()).into_owned();
    let longest = name.split('/').map(str::len).max().unwrap_or(0);
    let ending = if pattern.archives { LONGEST_ENDING } else { 0 };
    let reason = if name == "." || name == ".." {
        "this is a directory's name; give another prefix or suffix"
    } else if longest + ending + HIDDEN > NAME_MAX {
        "it is too long: a file's name has 255 bytes at most, and temporary names take 40 of these; shorten it"
    } else {
        let first = pattern.path_at(now.secs, 0).map_err(too_long)?;
        return Ok(first.as_path().to_owned());
    };
    Err(BuildError::FileName { option: "file name", value: name, reason })
}

/// The longest name in each current file system.
const NAME_MAX: usize = 255;
/// The bytes that `sys::unique_hidden` puts around a name.
const HIDDEN: usize = 40;

/// A link's name must not be the name of anything else of the appender.
pub(crate) fn link_name(link: &Link, others: &[Link], pattern: &Pattern) -> Result<(), BuildError> {
    let option = match link.kind() {
        Kind::Symbolic => "latest_symlink",
        Kind::Hard => "latest_hard_link",
    };
    let name = link.option().to_owned();
    if name.contains('/') {
        let reason = "it contains a `/`; give a name alone, since the link stands in the directory of `build`";
        return Err(BuildError::FileName { option, value: name, reason });
    }
    let _ = name_part(option, Some(name))?;
    let name = link.name(pattern.longest_tag());
    let reason = if pattern.place_of_name(&name, 0).is_some() {
        "this is the name of a log file; give the link another name"
    } else if pattern.place_of_archive(&name, 0).is_some() {
        "this is the name of an archive; give the link another name"
    } else if pattern.is_hidden(&name) {
        "this is the name of a lock file; give the link another name"
    } else if name == "." || name == ".." || name.len() + HIDDEN > NAME_MAX {
        "no file can have this name; give another, of 215 bytes at most"
    } else if others.iter().any(|other| other.option() == link.option()) {
        "another link has this name; give each link a name of its own"
    } else {
        return Ok(());
    };
    Err(BuildError::FileName { option, value: name, reason })
}
