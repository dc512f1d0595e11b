//! [`Builder`]: the options of an appender, checked when it is built. [`BuildError`]: what was wrong with them.

use crate::Appender;
use crate::appender::Inner;
use crate::clock::{Clock, Moment};
use crate::latest::{Kind, Link};
use crate::name::Pattern;
use crate::report::{Error, Hook, Reporter};
use crate::rotation::{Calendar, Rotation};
use crate::slots::Slots;
use crate::sys::Mode;
use crate::zone::{Offsets, Zone};
use std::fmt;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;
use time::format_description::{self, OwnedFormatItem};

/// Options for an [`Appender`], from [`Appender::builder`].
///
/// | option | default |
/// |---|---|
/// | [`rotation`](Self::rotation) | [`Rotation::NEVER`]; without prefix and suffix, its one file is named by the day of the build, as in tracing-appender |
/// | [`zone`](Self::zone) | [`Zone::Utc`] |
/// | [`filename_prefix`](Self::filename_prefix), [`filename_suffix`](Self::filename_suffix) | none |
/// | [`max_log_files`](Self::max_log_files) | all are kept |
/// | [`latest_symlink`](Self::latest_symlink), [`latest_hard_link`](Self::latest_hard_link) | none |
/// | [`file_mode`](Self::file_mode) | 0666 less the umask |
/// | [`on_error`](Self::on_error) | a line on standard error |
/// | [`clock`](Self::clock) | the system's |
///
/// ```
/// use tracing_prefork::{Appender, Rotation};
///
/// # let directory = tempfile::tempdir()?;
/// let logs = Appender::builder()
///     .rotation(Rotation::HOURLY)
///     .filename_prefix("app")
///     .filename_suffix("log") // app.2026-11-21-08.log
///     .max_log_files(48)
///     .latest_symlink("app.log")
///     .build(directory.path())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is opened before `build`"]
#[derive(Debug)]
pub struct Builder {
    rotation: Rotation,
    zone: Zone,
    prefix: Option<String>,
    suffix: Option<String>,
    max_log_files: Option<usize>,
    links: Vec<Link>,
    file_mode: Option<u32>,
    clock: Clock,
    on_error: OnError,
}

#[derive(Default)]
struct OnError(Option<Hook>);

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "hook" } else { "standard error" })
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            rotation: Rotation::NEVER,
            zone: Zone::Utc,
            prefix: None,
            suffix: None,
            max_log_files: None,
            links: Vec::new(),
            file_mode: None,
            clock: Clock::default(),
            on_error: OnError::default(),
        }
    }
}

impl Builder {
    /// How often a new file begins.
    pub fn rotation(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// The time zone of file names, boundaries and the timer.
    pub fn zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// What stands before the date: `app` in `app.2026-11-21.log`.
    pub fn filename_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..self }
    }

    /// What stands after the date: `log` in `app.2026-11-21.log`. The dot is added.
    pub fn filename_suffix(self, suffix: impl Into<String>) -> Self {
        Self { suffix: Some(suffix.into()), ..self }
    }

    /// Keeps this many files, the current one included, and removes older ones: at build and after each rollover.
    ///
    /// Only regular files go whose whole name is one that this appender gives, never one of the current or of a later
    /// period, and never one that a process still has open to write to: that one goes a few seconds later, or,
    /// if an idle process holds it, 24 hours after its period and its last line.
    pub fn max_log_files(self, n: usize) -> Self {
        Self { max_log_files: Some(n), ..self }
    }

    /// Keeps a symbolic link of this name in the directory, which leads to the latest file.
    ///
    /// It is renewed in one step (`rename(2)`) and never led back in time. A symbolic link that has the name is taken for it,
    /// wherever it leads; anything else is left alone and reported. Called again with another name, it adds another link.
    pub fn latest_symlink(mut self, name: impl Into<String>) -> Self {
        self.links.push(Link::new(Kind::Symbolic, name.into()));
        self
    }

    /// The same with a hard link, which `tail -F` follows without polling: through a symbolic link it looks once a second,
    /// and misses files of a shorter period. Leave the name out of a log shipper's glob, or it reads every line twice. A file that
    /// has the name is taken for the link only if it is one of the log files; so when somebody has removed all of those by hand
    /// while no process ran, remove the link too.
    pub fn latest_hard_link(mut self, name: impl Into<String>) -> Self {
        self.links.push(Link::new(Kind::Hard, name.into()));
        self
    }

    /// The permissions of new files, exactly, whatever the umask: `0o660` for two users who share a group.
    ///
    /// A file has them from the moment it exists. The owner must be able to read and write.
    pub fn file_mode(self, mode: u32) -> Self {
        Self { file_mode: Some(mode), ..self }
    }

    /// Is told of failures, at most once a minute for each [`Operation`](crate::Operation); the others are counted. Without it
    /// they are written to standard error, a line each.
    ///
    /// Called on the thread that met the failure, in each process for itself, and perhaps during `build`, before there is a
    /// subscriber. It may log: what fails then is counted and not reported.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// static FAILURES: AtomicU64 = AtomicU64::new(0);
    /// let builder = tracing_prefork::Appender::builder().on_error(|error| {
    ///     FAILURES.fetch_add(1 + error.suppressed(), Relaxed);
    /// });
    /// # let _ = builder;
    /// ```
    pub fn on_error(self, hook: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self { on_error: OnError(Some(Box::new(hook))), ..self }
    }

    /// Reads the time from `clock` instead of the system: for tests, which need not wait for midnight then.
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: Clock::custom(clock), ..self }
    }

    /// Makes the directory if need be, opens the current file, renews the link and prunes.
    ///
    /// A relative directory is made absolute now, so that a later `chdir` changes nothing.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that names the option and its value, or the path and what the system said. Nothing has been
    /// removed or overwritten then.
    pub fn build(self, directory: impl AsRef<Path>) -> Result<Appender, BuildError> {
        let offsets = Offsets::resolve(&self.zone)?;
        let mode = self.file_mode.map(file_mode).transpose()?;
        let max_log_files =
            self.max_log_files.map(|n| NonZeroUsize::new(n).ok_or(BuildError::NoLogFiles)).transpose()?;
        let now = Moment::from(self.clock.now());

        let calendar = Calendar::new(&self.rotation, offsets);
        let date = self.rotation.date_format().map(parse_format);
        let prefix = name_part("filename_prefix", self.prefix)?.or_else(|| {
            // tracing-appender dates this one file by the day on which it is built.
            (date.is_none() && self.suffix.is_none()).then(|| day(now, calendar.offsets()))
        });
        let suffix = name_part("filename_suffix", self.suffix)?;
        let directory = absolute(directory.as_ref())?;
        let pattern = Pattern::new(directory, prefix.as_deref(), suffix.as_deref(), date, calendar);
        let path = usable_name(&pattern, now)?;
        for (index, link) in self.links.iter().enumerate() {
            link_name(link, &self.links[..index], &pattern)?;
        }

        fs::create_dir_all(pattern.directory())
            .map_err(|source| BuildError::Directory { path: pattern.directory().to_owned(), source })?;
        let open = |source| BuildError::Open { path: path.clone(), source };
        static LAST_ID: AtomicU64 = AtomicU64::new(0);
        let inner = Arc::new(Inner {
            id: LAST_ID.fetch_add(1, Relaxed) + 1,
            pattern,
            clock: self.clock,
            mode,
            max_log_files,
            links: self.links,
            reporter: Reporter::new(self.on_error.0),
            slots: Slots::new().map_err(open)?,
        });
        inner.start(now.secs).map_err(open)?;
        Ok(Appender::new(inner))
    }
}

/// The formats are `Rotation`'s own, so this never shows the empty one.
fn parse_format(format: &'static str) -> OwnedFormatItem {
    format_description::parse_owned::<2>(format).unwrap_or(OwnedFormatItem::Compound(Box::new([])))
}

fn day(now: Moment, offsets: &Offsets) -> String {
    let local = now.secs + i64::from(offsets.segment(now.secs).offset);
    let date = time::OffsetDateTime::from_unix_timestamp(local).ok();
    date.and_then(|date| date.format(&parse_format("[year]-[month]-[day]")).ok()).unwrap_or_default()
}

fn absolute(directory: &Path) -> Result<PathBuf, BuildError> {
    let named = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    path::absolute(named).map_err(|source| BuildError::Directory { path: directory.to_owned(), source })
}

fn file_mode(mode: u32) -> Result<Mode, BuildError> {
    if mode & !0o777 != 0 || mode & 0o600 != 0o600 {
        return Err(BuildError::FileMode { mode });
    }
    Ok(Mode::from_bits_truncate(mode as _))
}

/// A prefix or a suffix becomes a part of a file's name.
fn name_part(option: &'static str, value: Option<String>) -> Result<Option<String>, BuildError> {
    let Some(value) = value else { return Ok(None) };
    let reason = if value.is_empty() {
        "it is empty; leave the option out instead"
    } else if value.contains('/') {
        "it contains a `/`; the directory is an argument of `build`, and all names are in it"
    } else if value.contains(|character: char| character.is_control()) {
        "it contains a control character"
    } else {
        return Ok(Some(value));
    };
    Err(BuildError::FileName { option, value, reason })
}

/// The whole name must be one that a file can have.
fn usable_name(pattern: &Pattern, now: Moment) -> Result<PathBuf, BuildError> {
    let too_long = |source| BuildError::Directory { path: pattern.directory().to_owned(), source };
    let path = pattern.path_at(now.secs).map_err(too_long)?;
    let name = String::from_utf8_lossy(path.file_name()).into_owned();
    let reason = if name == "." || name == ".." {
        "this is a directory's name"
    } else if name.len() + HIDDEN > NAME_MAX {
        "a file's name has 255 bytes at most, some of which are kept for temporary names"
    } else {
        return Ok(path.as_path().to_owned());
    };
    Err(BuildError::FileName { option: "file name", value: name, reason })
}

/// `NAME_MAX` of every current file system, and what `sys::unique_hidden` puts around a name.
const NAME_MAX: usize = 255;
const HIDDEN: usize = 40;

fn link_name(link: &Link, others: &[Link], pattern: &Pattern) -> Result<(), BuildError> {
    let option = match link.kind() {
        Kind::Symbolic => "latest_symlink",
        Kind::Hard => "latest_hard_link",
    };
    let name = name_part(option, Some(link.name().to_owned()))?.unwrap_or_default();
    let reason = if pattern.span_of_name(&name).is_some() {
        "this is the name of a log file"
    } else if pattern.hidden("lock").ends_with(&name) {
        "this is the name of the lock file"
    } else if name == "." || name == ".." || name.len() + HIDDEN > NAME_MAX {
        "no file can have this name"
    } else if others.iter().any(|other| other.name() == name) {
        "another link has this name"
    } else {
        return Ok(());
    };
    Err(BuildError::FileName { option, value: name, reason })
}

/// Why an appender could not be built, or a text not be read as an option. No file has been overwritten or removed; the
/// directory may have been made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A prefix, a suffix, a link's name or the name that they make cannot be a file's.
    #[non_exhaustive]
    FileName {
        /// The option that it was given to.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `max_log_files(0)`: the current file is always kept.
    NoLogFiles,
    /// The permissions are not such that the owner can read and write, or more than permissions.
    #[non_exhaustive]
    FileMode {
        /// What was given.
        mode: u32,
    },
    /// A text that names no rotation.
    #[non_exhaustive]
    Rotation {
        /// What was given.
        value: String,
    },
    /// A zone that there is not.
    #[non_exhaustive]
    Zone {
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The directory could not be made, or its path is too long.
    #[non_exhaustive]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The current file could not be opened, or is something else than a regular file.
    #[non_exhaustive]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileName { option, value, reason } => write!(f, "{option} {value:?}: {reason}"),
            Self::NoLogFiles => f.write_str("max_log_files(0): the current file is always kept; the least is 1"),
            Self::FileMode { mode } => {
                write!(
                    f,
                    "file_mode({mode:#o}, in decimal {mode}): expected permissions of 0o777 at most that let the owner read and write (0o600)"
                )
            }
            Self::Rotation { value } => {
                write!(f, "rotation {value:?}: expected never, secondly, minutely, hourly, daily, weekly or monthly")
            }
            Self::Zone { value, reason } => write!(f, "zone {value:?}: {reason}"),
            Self::Directory { path, source } => {
                write!(f, "cannot create the log directory {}: {source}", path.display())
            }
            Self::Open { path, source } => {
                let hint = if source.raw_os_error() == Some(ELOOP) {
                    " (it is a symbolic link, which is not followed)"
                } else {
                    ""
                };
                write!(f, "cannot open the log file {}: {source}{hint}", path.display())
            }
        }
    }
}

const ELOOP: i32 = nix::errno::Errno::ELOOP as i32;

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Directory { source, .. } | Self::Open { source, .. } => Some(source),
            _ => None,
        }
    }
}
