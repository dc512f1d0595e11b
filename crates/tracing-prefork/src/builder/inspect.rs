//! [`Builder::inspect`] and [`Builder::discover`]: the files of a pattern, without an appender.

use crate::builder::build::{Checked, Made, Named};
use crate::builder::options::Builder;
use crate::names::ownership;
use crate::names::record::{Names, records};
use crate::process::Process;
use crate::sys::{self, ForkWiped, WriteMode};
use crate::time::times;
use crate::write::log::Log;
use crate::write::size_limit::SizeLimit;
use crate::write::slots::Slots;
use crate::{BuildError, LogFiles};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

impl Builder {
    /// The files of this pattern in a directory, for a program that looks at log files, removes or compresses them, and
    /// logs nothing itself: an administrator's command, a page that shows the files. No file is made, and the directory
    /// neither.
    ///
    /// The files are those that an appender with these options would take for its own. Files with a number
    /// ([`max_file_bytes`](Self::max_file_bytes)) and archives ([`compress`](Self::compress)) are among them if these
    /// options say so, or if the processes that log do.
    ///
    /// # Errors
    ///
    /// If an option cannot be used, as for [`build`](Self::build).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// let daily = || Appender::builder().rotation(Rotation::DAILY).filename_prefix("app").max_log_files(14);
    /// let logs = daily().build(directory.path())?;
    ///
    /// // In another program:
    /// let files = daily().inspect(directory.path())?;
    /// for file in files.list()? {
    ///     println!("{} {} bytes", file.path.display(), file.bytes);
    /// }
    /// println!("pruning would remove {} files", files.to_prune()?.len());
    /// println!("pruning has removed {} files", files.prune()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn inspect(mut self, directory: impl AsRef<Path>) -> Result<LogFiles, BuildError> {
        let _ = sys::watch_forks();
        let Checked { mode, directory_mode, limits, min_log_files, now, named } = self.check(directory.as_ref())?;
        let Named { mut pattern, names, path, .. } = named;
        let open = |error| BuildError::Open { path: path.clone(), error };
        if let Some(names) = names {
            ownership::look(&mut pattern, names, now.secs);
        }
        let process = Arc::new(Process::new().map_err(open)?);
        process.start();
        let (presence, agreement, zone) = (None, None, self.zone.clone());
        let made = Made { pattern, presence, agreement, process, mode, directory_mode, limits, min_log_files };
        let (header, max_file_bytes) = (self.header.take(), self.max_file_bytes);
        let (site, upkeep) = self.site_and_upkeep(made, true).map_err(open)?;
        // The limit of the processes that log is not known. Lines that are recovered go to the last file.
        let max_file_bytes = max_file_bytes.or(site.pattern.is_numbered().then_some(u64::MAX / 2));
        let log = Log {
            id: times::new_id(),
            upkeep,
            header,
            size_limit: max_file_bytes.map(SizeLimit::new),
            slots: Slots::new(WriteMode::Locked, site.process.clone()).map_err(open)?,
            state: ForkWiped::new().map_err(open)?,
            site,
        };
        Ok(LogFiles::of(Arc::new(log), zone))
    }

    /// A builder for each pattern that is known in a directory, with the options that make its file names: rotation,
    /// zone, prefix, suffix and date format. So an administrator's command need not be told what a program calls its
    /// files. A pattern with tags is one pattern, whatever the tags are; its builder has
    /// [`per_process`](Self::per_process). The order is that of the prefixes and suffixes.
    ///
    /// A pattern is known by the hidden record of names that each appender makes beside its files, and that stays there
    /// when the program has ended. Limits, compression and the hook are not in the record.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read. The error names it.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// use tracing_prefork::Builder;
    ///
    /// for pattern in Builder::discover(directory.path())? {
    ///     let files = pattern.inspect(directory.path())?;
    ///     println!("{}: {} files", files.pattern(), files.list()?.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn discover(directory: impl AsRef<Path>) -> io::Result<Vec<Self>> {
        let directory = directory.as_ref();
        let unreadable = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot read the log directory {}: {error}", directory.display()))
        };
        sys::entries(directory).map_err(unreadable)?;
        // Records of the same names differ in the rotation or the zone. The one in use counts, or else the last one.
        let mut known = BTreeMap::new();
        for record in records(directory) {
            let Some(names) = Names::read(&record) else { continue };
            let Some(builder) = Self::of_names(&names, directory) else { continue };
            let stem = record.file_stem().map(|stem| Path::new(stem).with_extension("")).unwrap_or_default();
            let written = record.symlink_metadata().and_then(|found| found.modified()).ok();
            let rank = (sys::is_held(&record), written);
            let key = (names.prefix.clone(), names.suffix.clone(), stem);
            match known.get(&key) {
                Some((other, _)) if *other >= rank => {}
                _ => drop(known.insert(key, (rank, builder))),
            }
        }
        Ok(known.into_values().map(|(_, builder)| builder).collect())
    }

    /// `None`: a later version has made the names, or the record is damaged: no appender has such names. A zone that
    /// this machine does not know is for [`inspect`](Self::inspect) to tell.
    fn of_names(names: &Names, directory: &Path) -> Option<Self> {
        let zone = names.zone.parse().ok()?;
        let builder = Self {
            rotation: names.rotation.parse().ok()?,
            prefix: names.prefix.clone(),
            suffix: names.suffix.clone(),
            // Any tag is one of the family.
            per_process: names.tags,
            date_format: names.date_format.clone(),
            ..Self::default()
        };
        builder.check(directory).is_ok().then(|| Self { zone, ..builder })
    }
}
