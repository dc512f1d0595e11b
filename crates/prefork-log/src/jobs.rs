//! `prefork-log prune`, `compress` and `hand-over`: the jobs that the processes do by themselves, by hand.

use crate::failure::Failure;
use crate::options::{Keeping, Names, set, value_of};
use clap::Args;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use tracing_prefork::{Builder, Error, LogFile, LogFiles};

/// Remove the files that the limits do not keep
///
/// Files that a process has open stay, and so does the current file. Where the processes hand finished files over, a
/// file waits for that, as a rule for a day at most.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  prefork-log prune /var/log/app --keep 14 --dry-run
  prefork-log prune /var/log/app --prefix app --max-age '30 days' --max-total-bytes '10 GB'")]
pub(crate) struct Prune {
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    keeping: Keeping,
    /// Print the names of the files, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Compress the finished files
///
/// A file is finished if its period is over, or its next file has begun, and no process has it open. An archive appears
/// whole or not at all.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  prefork-log compress /var/log/app --dry-run
  prefork-log compress /var/log/app --prefix app --with zstd --keep-uncompressed 1")]
pub(crate) struct Compress {
    #[command(flatten)]
    names: Names,
    /// How: `gzip` or `zstd`
    #[arg(long, value_name = "KIND", default_value = "gzip", value_parser = value_of("compress"))]
    with: String,
    /// Leave the N newest finished files plain
    #[arg(long, value_name = "N", value_parser = value_of("keep_uncompressed"))]
    keep_uncompressed: Option<String>,
    /// Whether compressing runs at the lowest priority, which can take long on a busy machine: `true` or `false`
    #[arg(long, value_name = "BOOL", value_parser = value_of("background_priority"))]
    background_priority: Option<String>,
    /// Print the names of the files, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Run a command for each finished file
///
/// The command runs once for each file that was not handed over before, by this command or by a program's own hook. A
/// command that ends with another status than 0 has failed: the file stays, and the next `hand-over` tries again. A
/// hidden record beside the files says what was handed over. The command may remove the file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  prefork-log hand-over /var/log/app --dry-run -- true
  prefork-log hand-over /var/log/app -- aws s3 cp {} s3://logs/$(hostname)/
  prefork-log hand-over /var/log/app --prefix app -- sh -c 'scp \"$1\" backup:$(hostname)/ && rm \"$1\"' sh {}

All machines give their files the same names. So the name of the machine is a part of the place that a file goes to.")]
pub(crate) struct HandOver {
    #[command(flatten)]
    names: Names,
    /// Print the names of the files, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The command. `{}` in an argument is the path of the file; without it, the path is the last argument
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Prune {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut settings = self.names.settings()?;
        self.keeping.add_to(&mut settings)?;
        let limits = (settings.max_log_files, settings.max_age, settings.max_total_bytes);
        if limits == (None, None, None) {
            return Err(Failure::usage("nothing says what is kept; give --keep, --max-age or --max-total-bytes"));
        }
        let patterns = self.names.patterns(settings, |builder| builder)?;
        do_job(&patterns, self.dry_run, "removed", LogFiles::to_prune, LogFiles::prune)
    }
}

impl Compress {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut settings = self.names.settings()?;
        set(&mut settings, "compress", Some(&self.with))?;
        set(&mut settings, "keep_uncompressed", self.keep_uncompressed.as_ref())?;
        set(&mut settings, "background_priority", self.background_priority.as_ref())?;
        let patterns = self.names.patterns(settings, |builder| builder)?;
        do_job(&patterns, self.dry_run, "compressed", LogFiles::to_compress, LogFiles::compress)
    }
}

impl HandOver {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let with_hook = |builder: Builder| {
            let command = self.command.clone();
            builder.try_on_finished(move |path, _| run_for(&command, path))
        };
        let patterns = self.names.patterns(self.names.settings()?, with_hook)?;
        do_job(&patterns, self.dry_run, "handed over", LogFiles::to_hand_over, LogFiles::hand_over)
    }
}

/// Does a job for each pattern and says how many files it has done, or only prints their names.
fn do_job(
    patterns: &[LogFiles],
    dry_run: bool,
    done: &str,
    would: impl Fn(&LogFiles) -> Result<Vec<LogFile>, Error>,
    job: impl Fn(&LogFiles) -> Result<usize, Error>,
) -> Result<ExitCode, Failure> {
    let told = |told: io::Result<()>| told.map_err(|error| Failure::at_work(error.to_string()));
    let mut failed = Vec::new();
    for files in patterns {
        if dry_run {
            for file in would(files)? {
                told(writeln!(io::stdout(), "{}", file.path.display()))?;
            }
            continue;
        }
        match job(files) {
            Ok(count) => {
                let files_done = if count == 1 { "file" } else { "files" };
                told(writeln!(io::stdout(), "{}: {count} {files_done} {done}", files.pattern()))?;
            }
            Err(error) => failed.push(error.to_string()),
        }
    }
    if failed.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Failure::at_work(failed.join("\nprefork-log: "))) }
}

/// Runs the command of a hand-over for a file.
fn run_for(command: &[OsString], path: &Path) -> io::Result<()> {
    let arguments: Vec<_> = command.iter().map(|argument| with_path(argument, path)).collect();
    let has_path = arguments.iter().zip(command).any(|(argument, given)| argument != given);
    let Some((program, arguments)) = arguments.split_first() else { return Ok(()) };
    let last = Some(path.as_os_str()).filter(|_| !has_path);
    let ended = Command::new(program).args(arguments).args(last).status().map_err(|error| {
        io::Error::new(error.kind(), format!("{} cannot be run: {error}", program.to_string_lossy()))
    })?;
    if ended.success() { Ok(()) } else { Err(io::Error::other(format!("{}: {ended}", program.to_string_lossy()))) }
}

/// An argument with the path in the place of each `{}`. An argument that is not UTF-8 stays as it is.
fn with_path(argument: &OsStr, path: &Path) -> OsString {
    let Some(text) = argument.to_str().filter(|text| text.contains("{}")) else { return argument.to_owned() };
    let mut parts = text.split("{}");
    let mut with_path = OsString::from(parts.next().unwrap_or_default());
    for part in parts {
        with_path.push(path);
        with_path.push(part);
    }
    with_path
}
