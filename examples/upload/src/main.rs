//! Workers that log together, and whose finished log files go to an object store.
//!
//! ```text
//! export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... AWS_REGION=eu-central-1
//! cargo run --release -p upload -- --to s3://my-logs --logs logs
//! ```
//!
//! The part that a program of your own needs is `store.rs`, and the few lines of [`run`] that build the appender.
//! `docs/object-storage.md` explains the options, and what becomes of the files when the store is away.

mod file;
mod journal;
mod name;
mod options;
mod store;
mod workers;

use crate::journal::Journal;
use crate::name::Template;
use crate::options::{Compress, Options};
use crate::store::{Outcome, Target};
use clap::Parser;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tracing::Level;
use tracing_prefork::{Appender, Builder, Compression, Period};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upload: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    // HTTPS by `ring`. An error says that this was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let hook = Hook::new(&options)?;
    if options.check {
        hook.target.check().map_err(|error| error as Box<dyn Error>)?;
        println!("{} can be reached and listed", options.to);
        return Ok(());
    }

    let signals = workers::block_signals()?;
    let journal = hook.journal.clone();
    let logs = appender(&options)
        .try_on_finished(move |finished, period| hook.call(finished, period)) // in all processes, by the fork
        .build(&options.logs)?;
    // What the store's client has to say about an upload would go into the next file to upload: warnings are enough.
    let quiet = ["h2", "hyper", "hyper_util", "object_store", "reqwest", "rustls"].map(|name| (name, Level::WARN));
    let levels = Targets::new().with_default(Level::INFO).with_targets(quiet);
    tracing_subscriber::registry().with(levels).with(logs.layer().json().flatten_event(true)).init();

    workers::run(&options, &journal, &logs, &signals)?;
    // The file of the current period, too. Each worker has closed: this is the last process.
    logs.close()?;
    Ok(())
}

fn appender(options: &Options) -> Builder {
    let mut builder = Appender::builder()
        .rotation(options.rotation)
        .filename_prefix(&options.app)
        .filename_suffix("log")
        .max_log_files(options.keep)
        .lock_writes(options.lock_writes)
        .max_file_bytes(options.max_file_bytes);
    if let Some(tag) = &options.tag {
        builder = builder.tag(tag);
    }
    if let Some(since) = options.since {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(since);
        let speed = options.speed;
        builder = builder.clock(move || since + since.elapsed().unwrap_or_default() * speed);
    }
    match options.compress {
        Compress::Gzip => builder.compress(Compression::Gzip),
        Compress::Zstd => builder.compress(Compression::Zstd),
        Compress::None => builder,
    }
}

/// What is done with a finished file.
struct Hook {
    target: Target,
    template: Template,
    app: String,
    host: String,
    journal: Journal,
}

impl Hook {
    fn new(options: &Options) -> Result<Self, Box<dyn Error>> {
        let retry_for = Duration::from_secs(options.retry_for);
        let host = match &options.host {
            Some(host) => host.clone(),
            None => nix::unistd::gethostname()?.to_string_lossy().into_owned(),
        };
        Ok(Self {
            target: Target::parse(&options.to, retry_for, options.part_bytes)
                .map_err(|error| format!("--to {error}"))?,
            template: Template::parse(&options.name).map_err(|error| format!("--name {}: {error}", options.name))?,
            app: options.app.clone(),
            host,
            journal: Journal::new(options.journal.as_deref()),
        })
    }

    fn call(&self, finished: &Path, period: Period) -> Result<(), Box<dyn Error + Send + Sync>> {
        let file = finished.file_name().and_then(|name| name.to_str()).ok_or("a file name that is not UTF-8")?;
        let name = self.template.name(&self.target.above, &self.app, &self.host, file, period.start);
        self.journal.begins()?;
        let outcome = self.target.send(finished, &name);
        self.journal.ends(matches!(outcome, Ok(Outcome::WasThere(_))))?;
        outcome.map(drop)
    }
}
