//! [`Builder::build`]: checks the options and puts an appender together.

use crate::builder::checks;
use crate::builder::options::Builder;
use crate::builder::writing::sink;
use crate::names::agreement::Agreement;
use crate::names::date_format::DateFormat;
use crate::names::hidden::Hidden;
use crate::names::ownership::{self, Findings};
use crate::names::pattern::{Parts, Pattern};
use crate::names::presence::Presence;
use crate::names::record::Names;
use crate::names::site::Site;
use crate::process::Process;
use crate::report::{Operation, Reporter};
use crate::ring::pending::Rings;
use crate::sys::{self, ForkWiped, Mode, Remote, WriteMode};
use crate::time::calendar::{Calendar, Shown};
use crate::time::clock::Moment;
use crate::time::times;
use crate::time::zone::Offsets;
use crate::upkeep::prune::Limits;
use crate::upkeep::{self, Upkeep};
use crate::write::log::Log;
use crate::write::size_limit::SizeLimit;
use crate::write::slots::Slots;
use crate::{Appender, BuildError};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Builder {
    /// Builds the appender: makes the directory if it is not there, opens the current file, renews the links and
    /// prunes.
    ///
    /// A relative directory is made absolute now, so a later `chdir` changes nothing. An empty path is the current
    /// directory, as in tracing-appender.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] names the option and its value, or the path and the system's answer. No log file was removed or
    /// overwritten.
    ///
    /// If another appender in the directory has names that could be taken for this one's, that is an error, too
    /// ([`BuildError::Names`]). A hidden record beside the files says which names are in use.
    pub fn build(mut self, directory: impl AsRef<Path>) -> Result<Appender, BuildError> {
        // This comes before any file is opened, even the data of a zone. If it fails, `Process::new` fails below.
        let _ = sys::watch_forks();
        // 1. The options, before a log file is opened.
        let Checked { mode, directory_mode, limits, min_log_files, now, named } = self.check(directory.as_ref())?;
        let Named { mut pattern, names, agreement, path } = named;
        let mut header = self.header.take();
        if let (Some(header), Some(max)) = (&mut header, self.max_file_bytes) {
            checks::header(header, max, pattern.period_at(now.secs))?;
        }

        // 2. The directory, and whose files are whose there.
        let open = |error| BuildError::Open { path: path.clone(), error };
        let process = Arc::new(Process::new().map_err(open)?);
        sys::make_directories(pattern.directory(), directory_mode, self.clock.now())
            .map_err(|error| checks::no_directory(pattern.directory(), error))?;
        let creation = sys::Creation::empty(mode, self.clock.now());
        let settle = |names| ownership::settle(&mut pattern, names, creation, now.secs);
        let (presence, findings) = names.map(settle).transpose()?.unzip();

        // 3. The rooms, from the lowest to the highest.
        let write_mode = if self.locks_writes() { WriteMode::Locked } else { WriteMode::Unlocked };
        let buffering = self.wanted_buffering();
        let size_limit = self.max_file_bytes.map(SizeLimit::new);
        let made = Made { pattern, presence, agreement, process, mode, directory_mode, limits, min_log_files };
        let (site, upkeep) = self.site_and_upkeep(made, false).map_err(open)?;
        let log = Arc::new(Log {
            id: times::new_id(),
            upkeep,
            header,
            size_limit,
            slots: Slots::new(write_mode, site.process.clone()).map_err(open)?,
            state: ForkWiped::new().map_err(open)?,
            site,
        });

        // 4. The first file, and what was found on the way.
        log.start(now.secs).map_err(open)?;
        report_findings(&log.site, findings, write_mode);
        Ok(Appender::of(Arc::new(sink(log, buffering).map_err(open)?)))
    }

    /// Puts together the two rooms that an appender and an inspector have in common. `waits_for_others`: files also
    /// wait for the hook of other processes.
    pub(super) fn site_and_upkeep(self, made: Made, waits_for_others: bool) -> io::Result<(Arc<Site>, Arc<Upkeep>)> {
        let Made { pattern, presence, agreement, process, mode, directory_mode, limits, min_log_files } = made;
        let rings = Rings::new(self.ring_directory(), &pattern);
        let reporter = Arc::new(Reporter::new(self.on_error, process.clone())?);
        let (clock, turns) = (self.clock, ForkWiped::new()?);
        let site =
            Arc::new(Site { pattern, presence, agreement, clock, mode, directory_mode, process, reporter, turns });
        site.clock.report_to(&site.reporter, site.directory());
        let options = upkeep::Options {
            limits,
            min_log_files,
            compression: self.compression,
            keep_uncompressed: self.keep_uncompressed,
            priority: self.priority,
            hook: self.hook,
            waits_for_others,
            links: self.links,
            rings,
        };
        let upkeep = Upkeep::new(site.clone(), options)?;
        Ok((site, Arc::new(upkeep)))
    }

    /// Checks the options, and opens nothing but the data of a zone.
    pub(super) fn check(&self, directory: &Path) -> Result<Checked, BuildError> {
        self.rotation.check()?;
        let offsets = Offsets::resolve(&self.zone)?;
        let mode = self.file_mode.map(checks::file_mode).transpose()?;
        let directory_mode = self.directory_mode.map(checks::directory_mode).transpose()?;
        let directory_mode = directory_mode.or(mode.map(sys::mode_of_directories));
        let (limits, min_log_files) = self.limits()?;
        let now = self.clock.moment();
        let named = self.names_and_pattern(directory, offsets, now)?;
        Ok(Checked { mode, directory_mode, limits, min_log_files, now, named })
    }

    /// The limits of what is kept, and how many files stay on a full disk.
    fn limits(&self) -> Result<(Limits, Option<NonZeroUsize>), BuildError> {
        checks::zeros(self.max_log_files, self.min_log_files, self.max_file_bytes)?;
        let limits = Limits {
            files: self.max_log_files.and_then(NonZeroUsize::new),
            age: self.max_age,
            bytes: self.max_total_bytes,
            spare: self.max_file_bytes.unwrap_or(0),
        };
        let min_log_files = self.min_log_files.and_then(NonZeroUsize::new);
        checks::limits(&limits, min_log_files, self.max_file_bytes)?;
        Ok((limits, min_log_files))
    }

    /// What the files are called.
    fn names_and_pattern(&self, directory: &Path, offsets: Offsets, now: Moment) -> Result<Named, BuildError> {
        // 1. The date, and the periods that it must tell apart.
        let date = match &self.date_format {
            None => self.rotation.date_format().and_then(|own| DateFormat::new(own).ok()),
            Some(custom) => Some(checks::custom_format(custom, &self.rotation)?),
        };
        let shown = date.as_ref().map_or_else(Shown::default, |date| date.shown);
        let calendar = Calendar::new(&self.rotation, offsets, shown);
        if let (Some(value), Some(date)) = (&self.date_format, &date) {
            let check = checks::tells_periods_apart(date, &calendar, now.secs);
            check.map_err(|reason| BuildError::DateFormat { value: value.clone(), reason })?;
        }
        // 2. The parts of a name. Without a date, a prefix and a suffix, the names change each day.
        let has_fixed_names = date.is_some() || self.prefix.is_some() || self.suffix.is_some();
        let prefix = checks::name_part("filename_prefix", self.prefix.clone())?.or_else(|| {
            // The one file is named by the day of the build, as in tracing-appender.
            (date.is_none() && self.suffix.is_none()).then(|| checks::day(now, calendar.offsets()))
        });
        let suffix = checks::name_part("filename_suffix", self.suffix.clone())?;
        // 3. The pattern, and whether its names can be used.
        let directory = checks::absolute(directory)?;
        let numbered = self.max_file_bytes.is_some();
        let tags = checks::tags(self.tag.as_deref(), self.per_process, prefix.as_deref(), date.is_some())?;
        let parts = Parts { prefix: prefix.as_deref(), tags, date, suffix: suffix.as_deref() };
        let mut pattern = Pattern::new(directory, parts, calendar, numbered);
        pattern.archives = self.compression.is_some();
        let path = checks::usable_name(&pattern, now)?;
        checks::tells_numbers_and_archives(&pattern, prefix.as_deref(), suffix.as_deref(), now)?;
        for (index, link) in self.links.iter().enumerate() {
            checks::link_name(link, &self.links[..index], &pattern)?;
        }
        // 4. What the record of names is to say.
        let names = has_fixed_names.then(|| Names {
            prefix,
            suffix,
            date_format: self.date_format.clone(),
            rotation: self.rotation.to_string(),
            zone: self.zone.to_string(),
            tags: tags.are_used(),
            numbered,
            archives: pattern.archives,
            foreign: Default::default(),
        });
        let settings = |_: &Names| Agreement::new(pattern.hidden(Hidden::Settings), self.shared_settings(&pattern));
        let agreement = names.as_ref().map(settings);
        Ok(Named { pattern, names, agreement, path })
    }
}

/// Reports what was found on the way: files of others, processes with other options, and a file system that may not
/// append atomically.
fn report_findings(site: &Site, findings: Option<Findings>, write_mode: WriteMode) {
    findings.into_iter().flatten().for_each(|(path, error)| site.report(Operation::Names, &path, error));
    site.look_at_settings();
    if write_mode == WriteMode::Unlocked {
        report_remote_file_system(site);
    }
}

fn report_remote_file_system(site: &Site) {
    let text = match sys::remote_file_system(site.directory()) {
        None => return,
        Some(Remote::Network(name)) => {
            format!(
                "it is a network file system ({name}), which does not append atomically: lines of processes on several \
                     machines can be torn"
            )
        }
        Some(Remote::UserSpace) => {
            "a program or a host serves it (FUSE, virtiofs), and it may not append atomically: lines of processes on \
             several machines, or through several mounts, can be torn"
                .to_owned()
        }
    };
    site.report(Operation::FileSystem, site.directory(), io::Error::other(text));
}

/// What the site and the upkeep are made of, beside the options that need no check.
pub(super) struct Made {
    pub(super) pattern: Pattern,
    pub(super) presence: Option<Presence>,
    pub(super) agreement: Option<Agreement>,
    pub(super) process: Arc<Process>,
    pub(super) mode: Option<Mode>,
    pub(super) directory_mode: Option<Mode>,
    pub(super) limits: Limits,
    pub(super) min_log_files: Option<NonZeroUsize>,
}

/// What the options make.
pub(super) struct Checked {
    pub(super) mode: Option<Mode>,
    pub(super) directory_mode: Option<Mode>,
    pub(super) limits: Limits,
    pub(super) min_log_files: Option<NonZeroUsize>,
    pub(super) now: Moment,
    pub(super) named: Named,
}

pub(super) struct Named {
    pub(super) pattern: Pattern,
    /// `None`: the names change each day.
    pub(super) names: Option<Names>,
    /// `None`: the names change each day.
    agreement: Option<Agreement>,
    /// The path of the first file.
    pub(super) path: PathBuf,
}
