//! Loggers that write files, side by side in one run. Writes `docs/performance.md` and its pictures:
//!
//! ```text
//! cargo run --release --manifest-path benches/performance/Cargo.toml -- page --docs docs --readme README.md
//! ```
//!
//! Each measurement is a process of its own, or several, which log the same event with two fields: the number of their
//! thread and the number of the event. Afterwards every line is looked for in the files.
//!
//! With `server` instead of `page` it writes `docs/performance-server.md`: an axum server under load, with each logger.

mod busy_disk;
mod chart;
#[path = "../../src/counted.rs"]
mod counted;
mod events;
mod latency;
mod lines;
mod load;
mod log_peers;
mod loggers;
#[path = "../../src/machine.rs"]
mod machine;
mod ours;
mod page;
mod percentiles;
mod rounds;
mod server;
mod summary;
mod tracing_peers;
mod versions;
mod worker;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(version, about = "Loggers that write files, side by side in one run")]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Measures everything, and writes the page and its pictures.
    Page(page::Arguments),
    /// Measures a server under load, and writes its page and its pictures.
    Server(server::Arguments),
    /// Prints the loggers.
    List,
    /// A process of a measurement: started by this program itself.
    #[command(hide = true)]
    Worker(worker::Arguments),
    /// The server of a measurement: started by this program itself.
    #[command(hide = true)]
    Serve(server::ServeArguments),
    /// The process that keeps the disk busy: started by this program itself.
    #[command(hide = true)]
    DiskFiller(busy_disk::Arguments),
}

fn run() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().mode {
        Mode::Page(arguments) => page::write(&arguments),
        Mode::Server(arguments) => server::write(&arguments),
        Mode::List => {
            for logger in loggers::ALL {
                println!("{:<34}{}", logger.name, logger.about);
            }
            Ok(())
        }
        Mode::Worker(arguments) => worker::work(&arguments),
        Mode::Serve(arguments) => server::serve(&arguments),
        Mode::DiskFiller(arguments) => busy_disk::fill(&arguments),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("performance: {error}");
            ExitCode::FAILURE
        }
    }
}
