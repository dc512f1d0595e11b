//! A service whose filter changes while it runs: by a line on standard input, or by signals.
//!
//! ```text
//! cargo run --example reload -- /tmp/logs
//! ```
//!
//! | what | does |
//! |---|---|
//! | a line such as `debug`, or `info,reload::db=debug` | sets the filter |
//! | SIGUSR1 | everything is logged, until SIGUSR2 |
//! | SIGUSR2 | the filter is again what it was before SIGUSR1 |
//! | SIGHUP | the files are opened anew |
//!
//! The filter is one of the process. A server that forks starts the thread below in each worker, and sends the signal
//! to each of them. An event takes the lock of `reload` to read. Do not fork while another thread changes the filter:
//! the child could find that lock taken, and would wait for ever.

use std::env;
use std::error::Error;
use std::io;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Registry, prelude::*, reload};

type Filter = reload::Handle<Targets, Registry>;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args_os().nth(1).ok_or("usage: reload DIRECTORY")?;
    let logs = Appender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("app")
        .filename_suffix("log")
        .max_log_files(14)
        .build(directory)?;
    let levels: Targets = env::var("RUST_LOG").as_deref().unwrap_or("info").parse()?;
    let (filter, handle) = reload::Layer::new(levels);
    tracing_subscriber::registry().with(filter).with(logs.layer()).init();

    let mut signals = Signals::new([SIGHUP, SIGUSR1, SIGUSR2])?;
    let by_signal = handle.clone();
    thread::spawn(move || {
        let mut before = None;
        for signal in signals.forever() {
            let done = match signal {
                SIGHUP => logs.reopen().map_err(Into::into).map(|()| "files opened anew".to_owned()),
                SIGUSR1 => {
                    before = before.take().or_else(|| by_signal.clone_current());
                    set(&by_signal, Targets::new().with_default(LevelFilter::TRACE))
                }
                _ => before.take().map_or(Ok("filter stays".to_owned()), |filter| set(&by_signal, filter)),
            };
            tell(done);
        }
    });
    thread::spawn(move || {
        // The end of standard input ends this thread, and not the service.
        for line in io::stdin().lines().map_while(Result::ok) {
            tell(line.parse().map_err(Into::into).and_then(|filter| set(&handle, filter)));
        }
    });

    for number in 0_u64.. {
        tracing::trace!(target: "reload::db", number, "asked");
        tracing::debug!(number, "details");
        tracing::info!(number, "at work");
        if number % 10 == 9 {
            tracing::warn!(number, "slow");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Sets the filter. From here on each event goes by it.
fn set(handle: &Filter, filter: Targets) -> Result<String, Box<dyn Error>> {
    let text = format!("filter is {filter}");
    handle.reload(filter)?;
    Ok(text)
}

fn tell(done: Result<String, Box<dyn Error>>) {
    match done {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("nothing has changed: {error}"),
    }
}
