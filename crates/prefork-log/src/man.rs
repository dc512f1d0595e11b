//! `prefork-log man`: the manual pages.

use crate::cli::Cli;
use crate::failure::Failure;
use clap::{Args, CommandFactory};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Print the manual page, or write a page for each command
///
/// The pages are made from the definition of the command line itself.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// Write the pages of all commands into this directory
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  prefork-log man > prefork-log.1
  prefork-log man /usr/local/share/man/man1    # prefork-log.1, prefork-log-pipe.1, ...";

impl Man {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        match &self.directory {
            Some(directory) => {
                let written =
                    fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
                written.map_err(|error| Failure::at_work(format!("{}: {error}", directory.display())))?;
            }
            None => {
                let printed = clap_mangen::Man::new(Cli::command()).render(&mut io::stdout());
                printed.map_err(|error| Failure::at_work(format!("standard output: {error}")))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
