//! A service whose one log file is rotated by logrotate, which sends SIGHUP when it has renamed it.
//!
//! ```text
//! cargo run --example reopen_on_sighup -- /tmp/logs &
//! mv /tmp/logs/service.log /tmp/logs/service.log.1 && kill -HUP $!
//! ```
//!
//! Without the signal the new file would be there within a second of the next event; with it, it is there at once.

use std::env;
use std::error::Error;
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;
use tracing_prefork::Appender;
use tracing_subscriber::{filter::LevelFilter, prelude::*};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args_os().nth(1).ok_or("usage: reopen_on_sighup DIRECTORY")?;
    let logs = Appender::builder().filename_prefix("service").filename_suffix("log").build(directory)?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();

    let mut signals = Signals::new([SIGHUP])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            match logs.reopen() {
                Ok(()) => tracing::info!("log file reopened"),
                Err(error) => tracing::error!(%error, "log file not reopened"),
            }
        }
    });

    for number in 0_u64.. {
        tracing::info!(number, "at work");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
