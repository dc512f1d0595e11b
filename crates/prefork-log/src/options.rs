//! The options that the commands share: which files, what is kept, and how files are made. Each is an option of the
//! library, and is read and checked by the library's [`Settings`].

use crate::failure::Failure;
use crate::settings_file;
use clap::Args;
use std::path::{Path, PathBuf};
use tracing_prefork::{Builder, Compression, LogFiles, Rotation, Settings, WhenFull, Zone};

/// The value of an option of the library, as the library reads it.
pub(crate) fn value_of(option: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync {
    move |text: &str| match Settings::default().set(option, text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.reason().to_owned()),
    }
}

/// Which files: the directory, and what their names are made of.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Which files")]
pub(crate) struct Names {
    /// The directory of the log files
    #[arg(value_name = "LOGS")]
    pub(crate) directory: PathBuf,
    /// Read options from FILE: `.toml`, `.yaml`, `.yml` or `.json`, with the names of the library's options. The
    /// options of the command line come first
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// How often a file begins: `daily`, `6 hours`, `monday`, `daily at 04:00`; `never` without this option
    #[arg(long = "rotate", visible_alias = "rotation", value_name = "ROTATION", value_parser = value_of("rotation"))]
    rotation: Option<String>,
    /// The zone of the file names, the boundaries and the stamps, and of times on the command line: `UTC`, `local`,
    /// `+05:30`, `Asia/Shanghai`
    #[arg(long, value_name = "ZONE", value_parser = value_of("zone"), allow_hyphen_values = true)]
    zone: Option<String>,
    /// The text before the date: `app` in `app.2026-11-21.log`
    #[arg(long = "prefix", visible_alias = "filename-prefix", value_name = "TEXT")]
    filename_prefix: Option<String>,
    /// The text after the date: `log` in `app.2026-11-21.log`
    #[arg(long = "suffix", visible_alias = "filename-suffix", value_name = "TEXT")]
    filename_suffix: Option<String>,
    /// The date in the names, as a strftime pattern: `%Y%m%d`
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<String>,
}

/// What is kept.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What is kept")]
pub(crate) struct Keeping {
    /// Keep N files, the current one included, and remove the older ones
    #[arg(long = "keep", visible_alias = "max-log-files", value_name = "N", value_parser = value_of("max_log_files"))]
    max_log_files: Option<String>,
    /// Remove files whose period and whose last line are older: `30 days`, `12h`
    #[arg(long, value_name = "AGE", value_parser = value_of("max_age"))]
    max_age: Option<String>,
    /// Remove the oldest files until all together have at most SIZE: `10 GB`, `512 MiB`
    #[arg(long, value_name = "SIZE", value_parser = value_of("max_total_bytes"))]
    max_total_bytes: Option<String>,
    /// On a full disk, remove the oldest files, but keep N
    #[arg(long, value_name = "N", value_parser = value_of("min_log_files"))]
    min_log_files: Option<String>,
}

/// How finished files are compressed.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How finished files are compressed")]
pub(crate) struct Compressing {
    /// Compress finished files: `gzip` or `zstd`
    #[arg(long, value_name = "KIND", value_parser = value_of("compress"))]
    compress: Option<String>,
    /// Leave the N newest finished files plain
    #[arg(long, value_name = "N", value_parser = value_of("keep_uncompressed"))]
    keep_uncompressed: Option<String>,
    /// Whether compressing runs at the lowest priority: `true` or `false`
    #[arg(long, value_name = "BOOL", value_parser = value_of("background_priority"))]
    background_priority: Option<String>,
}

/// How files are made and written.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How files are made")]
pub(crate) struct Making {
    /// Write to files of this tag: `web` in `app.web.2026-11-21.log`
    #[arg(long, value_name = "TEXT", value_parser = value_of("tag"))]
    tag: Option<String>,
    /// Write to files of this process alone: its id is in the names
    #[arg(long)]
    per_process: bool,
    /// Begin another file when the current one has SIZE: `app.2026-11-21.1.log`
    #[arg(long, value_name = "SIZE", value_parser = value_of("max_file_bytes"))]
    max_file_bytes: Option<String>,
    /// Keep a symbolic link of this name to the latest file; may be given several times
    #[arg(long, value_name = "NAME")]
    latest_symlink: Vec<String>,
    /// Keep a hard link of this name to the latest file; may be given several times
    #[arg(long, value_name = "NAME")]
    latest_hard_link: Vec<String>,
    /// The exact permissions of new files, in octal: `640`
    #[arg(long, value_name = "MODE", value_parser = value_of("file_mode"))]
    file_mode: Option<String>,
    /// The exact permissions of new directories, in octal: `2750`
    #[arg(long, value_name = "MODE", value_parser = value_of("directory_mode"))]
    directory_mode: Option<String>,
    /// Take a lock around each write: no line is glued to the piece that a killed writer has left
    #[arg(long)]
    lock_writes: bool,
}

/// Whether and how `pipe` buffers lines.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How lines are buffered")]
pub(crate) struct Buffers {
    /// Put lines into a ring, from which a thread writes them to the files: a busy disk keeps nobody waiting. The ring
    /// outlives this program: see `prefork-log recover`
    #[arg(long)]
    buffered: bool,
    /// How much the ring holds: `8 MiB`; 1 MiB without this option
    #[arg(long, value_name = "SIZE", value_parser = value_of("ring_bytes"), requires = "buffered")]
    ring_bytes: Option<String>,
    /// How long a line waits in the ring at most: `50 ms`; 10 ms without this option
    #[arg(long, value_name = "TIME", value_parser = value_of("max_delay"), requires = "buffered")]
    max_delay: Option<String>,
    /// The directory of the ring, if not that of the files: as a rule one in /dev/shm
    #[arg(long, value_name = "DIR", value_parser = value_of("ring_directory"))]
    ring_directory: Option<String>,
}

/// Where rings are looked for.
#[derive(Debug, Default, Args)]
pub(crate) struct RingDirectory {
    /// The directory of the rings, if the programs have another one than that of the files
    #[arg(long, value_name = "DIR", value_parser = value_of("ring_directory"))]
    ring_directory: Option<String>,
}

/// What `pipe` and `serve` write: which files, what is kept, and how files are made.
#[derive(Debug, Args)]
pub(crate) struct Written {
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    compressing: Compressing,
    #[command(flatten)]
    making: Making,
}

impl Written {
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = self.names.settings()?;
        self.keeping.add_to(&mut settings)?;
        self.compressing.add_to(&mut settings)?;
        self.making.add_to(&mut settings)?;
        Ok(settings)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.names.directory()
    }
}

impl Names {
    /// The settings of the file, if one is given, and then the options of the command line.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.settings {
            Some(path) => settings_file::read(path)?,
            None => Settings::default(),
        };
        set(&mut settings, "rotation", self.rotation.as_ref())?;
        set(&mut settings, "zone", self.zone.as_ref())?;
        set(&mut settings, "filename_prefix", self.filename_prefix.as_ref())?;
        set(&mut settings, "filename_suffix", self.filename_suffix.as_ref())?;
        set(&mut settings, "date_format", self.date_format.as_ref())?;
        Ok(settings)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The zone of times without an offset: that of the options, or that of the patterns, if all have the same one.
    pub(crate) fn zone_of(&self, patterns: &[LogFiles]) -> Result<Zone, Failure> {
        if let Some(given) = self.settings()?.zone {
            return Ok(given);
        }
        let mut zones = patterns.iter().map(LogFiles::zone);
        let first = zones.next();
        Ok(first.filter(|first| zones.all(|zone| zone == *first)).cloned().unwrap_or_default())
    }

    /// The files of each pattern that is meant. If the options say when files begin, these are one pattern without tags
    /// and one with tags. Otherwise these are the patterns that the hidden records of the directory know, if they have
    /// the prefix and the suffix. `complete` adds what no setting is.
    ///
    /// # Errors
    ///
    /// No pattern is known, the directory cannot be read, or an option is wrong.
    pub(crate) fn patterns(
        &self,
        settings: Settings,
        complete: impl Fn(Builder) -> Builder,
    ) -> Result<Vec<LogFiles>, Failure> {
        let known = self.patterns_so_far(settings, complete)?;
        if known.is_empty() { Err(self.nothing_known()) } else { Ok(known) }
    }

    /// The same, where no pattern may be known yet.
    pub(crate) fn patterns_so_far(
        &self,
        settings: Settings,
        complete: impl Fn(Builder) -> Builder,
    ) -> Result<Vec<LogFiles>, Failure> {
        let inspect = |builder: Builder| complete(builder).inspect(&self.directory).map_err(Failure::from);
        if self.settings.is_some() || self.rotation.is_some() || self.date_format.is_some() {
            return named(settings).into_iter().map(|settings| inspect(Builder::from(settings))).collect();
        }
        let known = Builder::discover(&self.directory).map_err(|error| Failure::at_work(error.to_string()))?;
        let limits = without_names(settings);
        let known = known.into_iter().map(|known| inspect(known.settings(limits.clone())));
        let wanted = |files: &Result<LogFiles, _>| {
            files.as_ref().map_or(true, |files| self.has_prefix_and_suffix(&files.pattern()))
        };
        known.filter(wanted).collect()
    }

    /// Whether a pattern such as `app.DATE.log`, `app.TAG.DATE.log` or `app.log` has the prefix and the suffix.
    fn has_prefix_and_suffix(&self, pattern: &str) -> bool {
        let has_date = pattern.split('.').any(|part| part == "DATE");
        let follows_prefix = |rest: &str| {
            rest.is_empty()
                || rest.starts_with(".DATE")
                || rest.starts_with(".TAG")
                || !has_date && rest.starts_with('.')
        };
        let begins = |prefix: &String| pattern.strip_prefix(&**prefix).is_some_and(follows_prefix);
        let ends = |suffix: &String| {
            pattern.strip_suffix(&**suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.filename_prefix.as_ref().is_none_or(begins) && self.filename_suffix.as_ref().is_none_or(ends)
    }

    pub(crate) fn nothing_known(&self) -> Failure {
        let named = self.filename_prefix.is_some() || self.filename_suffix.is_some();
        Failure::usage(format!(
            "no log files are known in {}: it has no hidden record of names{}; say what the names are made of, for \
             example --prefix app --suffix log --rotate daily",
            self.directory.display(),
            if named { " with that prefix and suffix" } else { "" }
        ))
    }
}

/// No file is larger than this. A pattern with a limit of size has numbered files.
const NUMBERED: u64 = u64::MAX / 2;

/// The settings of the pattern that the options name, without tags and with tags. Numbers and archives are looked for,
/// whoever made them, as far as the limits allow.
fn named(mut settings: Settings) -> Vec<Settings> {
    settings.compress = settings.compress.or(Some(Compression::Gzip));
    if settings.max_total_bytes.is_none() {
        settings.max_file_bytes = settings.max_file_bytes.or(Some(NUMBERED));
    }
    let mut with_tags = settings.clone();
    with_tags.per_process = Some(true);
    let has_tags = settings.tag.is_some() || settings.per_process == Some(true);
    let has_rotation = settings.rotation.is_some_and(|rotation| rotation != Rotation::NEVER);
    let may_have_tags = !has_tags && has_rotation && settings.filename_prefix.is_some();
    if may_have_tags { vec![settings, with_tags] } else { vec![settings] }
}

/// What the settings say of a pattern whose names are known.
fn without_names(settings: Settings) -> Settings {
    let mut limits = settings;
    let names = Settings::default();
    (limits.filename_prefix, limits.filename_suffix) = (names.filename_prefix, names.filename_suffix);
    (limits.rotation, limits.zone) = (names.rotation, names.zone);
    limits
}

impl Keeping {
    pub(crate) fn add_to(&self, settings: &mut Settings) -> Result<(), Failure> {
        set(settings, "max_log_files", self.max_log_files.as_ref())?;
        set(settings, "max_age", self.max_age.as_ref())?;
        set(settings, "max_total_bytes", self.max_total_bytes.as_ref())?;
        set(settings, "min_log_files", self.min_log_files.as_ref())
    }
}

impl Compressing {
    pub(crate) fn add_to(&self, settings: &mut Settings) -> Result<(), Failure> {
        set(settings, "compress", self.compress.as_ref())?;
        set(settings, "keep_uncompressed", self.keep_uncompressed.as_ref())?;
        set(settings, "background_priority", self.background_priority.as_ref())
    }
}

impl Making {
    pub(crate) fn add_to(&self, settings: &mut Settings) -> Result<(), Failure> {
        set(settings, "tag", self.tag.as_ref())?;
        if self.per_process {
            settings.per_process = Some(true);
        }
        set(settings, "max_file_bytes", self.max_file_bytes.as_ref())?;
        set(settings, "file_mode", self.file_mode.as_ref())?;
        set(settings, "directory_mode", self.directory_mode.as_ref())?;
        if self.lock_writes {
            settings.lock_writes = Some(true);
        }
        for (given, links) in [
            (&self.latest_symlink, &mut settings.latest_symlink),
            (&self.latest_hard_link, &mut settings.latest_hard_link),
        ] {
            if !given.is_empty() {
                links.clone_from(given);
            }
        }
        Ok(())
    }
}

impl Buffers {
    pub(crate) fn add_to(&self, settings: &mut Settings) -> Result<(), Failure> {
        if self.buffered {
            settings.buffered = Some(true);
        }
        set(settings, "ring_bytes", self.ring_bytes.as_ref())?;
        set(settings, "max_delay", self.max_delay.as_ref())?;
        set(settings, "ring_directory", self.ring_directory.as_ref())?;
        // Lines that the ring has no room for are treated as `--when-full` says, and no line has a level.
        (settings.when_ring_full, settings.flush_level) = (Some(WhenFull::Write), None);
        Ok(())
    }
}

impl RingDirectory {
    pub(crate) fn add_to(&self, settings: &mut Settings) -> Result<(), Failure> {
        set(settings, "ring_directory", self.ring_directory.as_ref())
    }
}

/// Sets an option of the library, if it is given.
pub(crate) fn set(settings: &mut Settings, option: &str, text: Option<&String>) -> Result<(), Failure> {
    match text {
        Some(text) => settings.set(option, text).map_err(|error| Failure::usage(error.to_string())),
        None => Ok(()),
    }
}
