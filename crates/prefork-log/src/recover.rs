//! `prefork-log recover`: the lines that killed processes have left in their rings go to the log files.

use crate::failure::Failure;
use crate::options::{Names, RingDirectory};
use crate::rings::count;
use clap::Args;
use std::io::{self, Write};
use std::process::ExitCode;
use tracing_prefork::{LogFiles, Ring, RingState};

/// Write the lines that killed processes have left in their rings
///
/// A program that buffers its lines puts them into a ring: a hidden file, which outlives the program. The next process
/// that starts, or rolls over, writes what a killed one has left. This command does the same where no process is left.
/// Each line goes to the file of its time, once, and the ring is removed. The rings of programs that run are left
/// alone.
///
/// Run it as the user of the programs, or as root. A file that has to be made again belongs to the user of this
/// command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  prefork-log recover /var/log/app --dry-run
  prefork-log recover /var/log/app
  prefork-log recover /var/log/app --prefix app --ring-directory /dev/shm/app")]
pub(crate) struct Recover {
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    rings: RingDirectory,
    /// Print which rings have been left, and how many lines are in them, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Recover {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut settings = self.names.settings()?;
        self.rings.add_to(&mut settings)?;
        // What goes wrong is told below, once for each ring.
        let patterns = self.names.patterns(settings, |builder| builder.on_error(|_| ()))?;
        let mut failed = Vec::new();
        for files in &patterns {
            let rings = files.rings()?;
            failed.extend(rings.iter().filter_map(why_not));
            let told = if self.dry_run { print_left(&rings) } else { recover(files, &rings, &mut failed) };
            told.map_err(|error| Failure::at_work(error.to_string()))?;
        }
        if failed.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Failure::at_work(failed.join("\nprefork-log: "))) }
    }
}

fn recover(files: &LogFiles, before: &[Ring], failed: &mut Vec<String>) -> io::Result<()> {
    let lines = match files.recover() {
        Ok(lines) => lines,
        Err(error) => {
            // A ring that others see as bad, or as another user's, has been told.
            if failed.is_empty() {
                failed.push(error.to_string());
            }
            let after = files.rings().unwrap_or_default();
            waiting(before).saturating_sub(waiting(&after))
        }
    };
    writeln!(io::stdout(), "{}: {} recovered", files.pattern(), count(lines, "line"))
}

/// The lines of the rings whose process has ended.
fn waiting(rings: &[Ring]) -> u64 {
    rings.iter().filter(|ring| ring.state == RingState::Left).map(|ring| ring.lines).sum()
}

fn print_left(rings: &[Ring]) -> io::Result<()> {
    for ring in rings.iter().filter(|ring| ring.state == RingState::Left) {
        let process = ring.process.unwrap_or_default();
        writeln!(io::stdout(), "{}: {} of process {process}", ring.path.display(), count(ring.lines, "line"))?;
    }
    Ok(())
}

/// Why a ring cannot be recovered.
fn why_not(ring: &Ring) -> Option<String> {
    match ring.state {
        RingState::InUse | RingState::Left => None,
        _ => Some(format!("{}: {}", ring.path.display(), ring.state)),
    }
}
