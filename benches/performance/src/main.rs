//! Loggers that write files, side by side in one run. Writes `docs/performance.md` and its pictures:
//!
//! ```text
//! cargo run --release --manifest-path benches/performance/Cargo.toml -- page --docs docs
//! ```
//!
//! Each measurement is a process of its own, or several, which log the same event with two fields: the number of their
//! thread and the number of the event. Afterwards every line is looked for in the files.
//!
//! With `server` instead of `page` it writes `docs/performance-server.md`: an axum server under load, with each logger.

mod chart;
#[path = "../../src/counted.rs"]
mod counted;
mod events;
mod lines;
mod load;
mod log_peers;
mod loggers;
#[path = "../../src/machine.rs"]
mod machine;
mod ours;
mod page;
#[path = "../../src/percentiles.rs"]
mod percentiles;
mod rounds;
mod server;
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
