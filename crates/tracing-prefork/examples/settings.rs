//! A program whose administrator sets the options of the log files in the program's own configuration file.
//!
//! ```text
//! cargo run --features serde --example settings -- service.toml
//! ```
//!
//! The file:
//!
//! ```toml
//! name = "Anna"
//! directory = "/tmp/logs"
//! levels = "info"
//!
//! [log]
//! rotation = "daily at 04:00"
//! filename_prefix = "service"
//! filename_suffix = "log"
//! max_age = "30 days"
//! file_mode = "640"
//! ```
//!
//! A key that is no option, or a value that says nothing, ends the program with status 2. The message names the
//! key and what is expected. A variable such as `SERVICE_LOG_MAX_LOG_FILES` overrules the file.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use tracing_prefork::{BuildError, Builder, Settings};
use tracing_subscriber::{filter::Targets, prelude::*};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    name: String,
    directory: PathBuf,
    #[serde(default = "info")]
    levels: String,
    // A field of its own, because `serde(flatten)` would accept unknown keys.
    #[serde(default)]
    log: Settings,
}

fn info() -> String {
    "info".to_owned()
}

fn main() -> ExitCode {
    let Some(file) = env::args_os().nth(1) else {
        eprintln!("usage: settings FILE");
        return ExitCode::from(2);
    };
    let (configuration, levels) = match read(Path::new(&file)) {
        Ok(read) => read,
        Err(error) => return failed(&file.to_string_lossy(), &*error, 2),
    };
    let logs = Builder::from(configuration.log)
        .on_error(|error| eprintln!("{error}")) // what only code can say
        .build(configuration.directory);
    let logs = match logs {
        Ok(logs) => logs,
        // What the system refuses today it may allow tomorrow. All other errors are errors of the file.
        Err(error @ (BuildError::Directory { .. } | BuildError::Open { .. })) => return failed("log", &error, 1),
        Err(error) => return failed(&file.to_string_lossy(), &error, 2),
    };
    tracing_subscriber::registry().with(levels).with(logs.layer()).init();
    tracing::info!(name = configuration.name, "hello");
    println!("{}", logs.path().display());
    ExitCode::SUCCESS
}

fn failed(what: &str, error: &dyn Error, status: u8) -> ExitCode {
    eprintln!("{what}: {error}");
    ExitCode::from(status)
}

fn read(file: &Path) -> Result<(Configuration, Targets), Box<dyn Error>> {
    let mut configuration: Configuration = toml::from_str(&fs::read_to_string(file)?)?;
    for name in Settings::NAMES {
        let variable = format!("SERVICE_LOG_{}", name.to_uppercase());
        if let Ok(text) = env::var(&variable) {
            configuration.log.set(name, &text).map_err(|error| format!("{variable}: {error}"))?;
        }
    }
    let levels = configuration.levels.parse().map_err(|error| format!("levels: {error}"))?;
    Ok((configuration, levels))
}
