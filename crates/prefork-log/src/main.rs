//! `prefork-log`: writes, lists, checks, prints, prunes and recovers rolling log files that many processes share.

mod cat;
mod cli;
mod completions;
mod failure;
mod jobs;
mod logs;
mod ls;
mod man;
mod openers;
mod options;
mod pipe;
mod recover;
mod rings;
mod serve;
mod settings_file;
mod verify;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::Cli::parse().run().unwrap_or_else(|failure| {
        eprintln!("prefork-log: {failure}");
        failure.exit_code()
    })
}
