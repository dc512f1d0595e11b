//! The command line.

use crate::cat::Cat;
use crate::completions::Completions;
use crate::failure::Failure;
use crate::jobs::{Compress, HandOver, Prune};
use crate::ls::Ls;
use crate::man::Man;
use crate::pipe::Pipe;
use crate::recover::Recover;
use crate::serve::options::Serve;
use crate::verify::Verify;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Writes, lists, checks, prints, prunes and recovers rolling log files that many processes share.
#[derive(Debug, Parser)]
#[command(name = "prefork-log", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  something went wrong, which standard error says
  2  the command line or the settings are wrong; nothing was done";

#[derive(Debug, Subcommand)]
enum Command {
    Pipe(Box<Pipe>),
    Serve(Box<Serve>),
    Ls(Ls),
    Cat(Cat),
    Verify(Verify),
    Prune(Prune),
    Compress(Compress),
    HandOver(HandOver),
    Recover(Recover),
    Completions(Completions),
    Man(Man),
}

impl Cli {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        match &self.command {
            Command::Pipe(pipe) => pipe.run(),
            Command::Serve(serve) => serve.run(),
            Command::Ls(ls) => ls.run(),
            Command::Cat(cat) => Ok(cat.run()),
            Command::Verify(verify) => Ok(verify.run()),
            Command::Prune(prune) => prune.run(),
            Command::Compress(compress) => compress.run(),
            Command::HandOver(hand_over) => hand_over.run(),
            Command::Recover(recover) => recover.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}
