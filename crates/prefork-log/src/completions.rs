//! `prefork-log completions`: what a shell needs to complete a command line.

use crate::cli::Cli;
use crate::failure::Failure;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::{self, Write};
use std::process::ExitCode;

/// Print the completions for a shell
///
/// They are made from the definition of the command line itself.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  prefork-log completions bash > /usr/share/bash-completion/completions/prefork-log
  prefork-log completions fish > ~/.config/fish/completions/prefork-log.fish";

impl Completions {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "prefork-log", &mut script);
        let printed = io::stdout().write_all(&script);
        printed.map_err(|error| Failure::at_work(format!("standard output: {error}")))?;
        Ok(ExitCode::SUCCESS)
    }
}
