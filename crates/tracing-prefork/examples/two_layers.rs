//! One log call, three places: all events as text, errors as JSON in files of their own, and the console in colours.
//!
//! ```text
//! cargo run --example two_layers -- /tmp/logs
//! ls /tmp/logs # app.2026-11-21.log, errors.2026-11-21.json
//! ```
//!
//! Each file has an appender of its own, so each has its own limits. The processes fork after `init()`, and all write
//! both files.
//!
//! Two things need care. A filter such as `LevelFilter::ERROR` hides the spans of other levels from its layer, and an
//! error would not say which request has failed. `from_level` filters events alone. And `tracing_subscriber` formats
//! the fields of a span once for all layers that have the same field formatter, and the first of these layers decides
//! about colours. So the plain layer has a field formatter of its own. `logs.layer()`, which the JSON file uses, always
//! has one.
//!
//! Each layer reads the clock for itself. So the text and the JSON of one event can differ by some microseconds, and at
//! midnight they can stand in files of different days. The guide shows two small layers that give both one time ("Two
//! appenders in one program").

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::process;

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use tracing::{Level, Metadata};
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::filter::{FilterFn, LevelFilter, Targets, filter_fn};
use tracing_subscriber::{field::MakeExt, fmt, fmt::format, prelude::*};

const WORKERS: u32 = 3;
const REQUESTS: u32 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args_os().nth(1).ok_or("usage: two_layers DIRECTORY")?;
    let daily =
        |prefix, suffix| Appender::builder().rotation(Rotation::DAILY).filename_prefix(prefix).filename_suffix(suffix);
    let all = daily("app", "log").max_log_files(14).build(&directory)?;
    let errors = daily("errors", "json").max_log_files(90).build(&directory)?;

    let is_terminal = io::stderr().is_terminal() || env::var_os("CLICOLOR_FORCE").is_some();
    let console = fmt::layer().with_writer(io::stderr).with_ansi(is_terminal).with_filter(from_level(Level::WARN));
    let fields = format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?}"),
        name => write!(writer, "{name}={value:?}"),
    });
    let text = fmt::layer()
        .with_ansi(false)
        .with_timer(all.timer()) // the time of the line also chooses its file
        .with_writer(all)
        .fmt_fields(fields.delimited(" "))
        .with_filter(Targets::new().with_default(LevelFilter::INFO).with_target("two_layers::db", LevelFilter::DEBUG));
    let json = errors.layer().json().with_filter(from_level(Level::ERROR));
    tracing_subscriber::registry().with(console).with(text).with(json).init();

    let mut workers = Vec::new();
    for worker in 1..=WORKERS {
        // SAFETY: the parent has one thread.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => workers.push(child),
            ForkResult::Child => {
                serve(worker);
                process::exit(0);
            }
        }
    }
    for worker in workers {
        waitpid(worker, None)?;
    }
    tracing::info!("all workers have ended");
    Ok(())
}

/// Lets events of this level and of more serious ones pass, and the spans around them.
fn from_level(level: Level) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(move |metadata| metadata.is_span() || *metadata.level() <= level)
}

/// Requests, of which each tenth fails.
fn serve(worker: u32) {
    for request in 0..REQUESTS {
        let _request = tracing::info_span!("request", worker, request, path = "/hello").entered();
        tracing::debug!(target: "two_layers::db", rows = request, "asked");
        tracing::debug!("in no file");
        if request % 10 == 9 {
            tracing::error!(status = 500, "failed");
        } else {
            tracing::info!(status = 200, "answered");
        }
    }
}
