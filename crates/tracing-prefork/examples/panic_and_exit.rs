//! The last lines of a process, in each of the ways in which a process ends, with and without `buffered`.
//!
//! ```text
//! cargo run --example panic_and_exit -- /tmp/logs buffered panic
//! cargo run --example panic_and_exit -- /tmp/logs buffered kill
//! cargo run --example panic_and_exit -- /tmp/logs recover
//! ```
//!
//! | the process ends by | `direct` | `buffered` |
//! |---|---|---|
//! | `return` of `main`, `exit` | each line is in its file when its call returns | the process writes its last lines at its end (`atexit(3)`) |
//! | `panic` of `main` | the same | the same |
//! | `panic_abort`: a panic that cannot unwind, as with `panic = "abort"` | the same | the event of the panic hook writes the lines up to its own, because of `flush_level` |
//! | `abort`, `_exit`, `kill` | the same | the lines stay in the ring, and the next process that starts or rolls over writes them: here `recover` |
//!
//! No line is lost in any of these rows, and none comes twice.
//!
//! The delay of a minute is for this example: with it one sees who writes the lines. The default is 10 ms.

use std::env;
use std::error::Error;
use std::fs;
use std::panic;
use std::process;
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{Signal, raise};
#[cfg(any(target_os = "linux", target_os = "android"))]
use tracing::Level;
#[cfg(any(target_os = "linux", target_os = "android"))]
use tracing_prefork::Buffering;
use tracing_prefork::{Appender, Builder, Rotation};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

const USAGE: &str = "usage: panic_and_exit DIRECTORY direct|buffered return|exit|panic|panic_abort|abort|_exit|kill
       panic_and_exit DIRECTORY recover";

/// The last thing of `main`, which a panic of the main thread drops, and `exit` does not.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        tracing::info!("the last value is dropped");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let builder = || Appender::builder().rotation(Rotation::DAILY).filename_prefix("app").filename_suffix("log");
    match arguments[..] {
        [directory, "direct", end] => log_and_end(builder(), directory, end),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [directory, "buffered", end] => {
            // The event of a panic is an ERROR, and so in its file before anything else happens.
            let buffering = Buffering::default().max_delay(Duration::from_secs(60)).flush_level(Level::ERROR);
            log_and_end(builder().buffered(buffering), directory, end)
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [directory, "recover"] => {
            // Any process that builds the appender does the same. `prefork-log recover` does it by hand.
            let files = builder().inspect(directory)?;
            for ring in files.rings()? {
                println!("process {:?}: {} lines, {}", ring.process, ring.lines, ring.state);
            }
            println!("{} lines recovered", files.recover()?);
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

fn log_and_end(builder: Builder, directory: &str, end: &str) -> Result<(), Box<dyn Error>> {
    let logs = builder.build(directory)?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();
    log_panics();
    let _last = Last;
    tracing::info!("the process begins");
    // The thread of a buffered appender writes the first event at once. Then it waits for the delay.
    while fs::metadata(logs.path())?.len() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    for number in 0..100 {
        tracing::info!(number, "at work");
    }
    match end {
        "return" => Ok(()),
        "exit" => process::exit(3),
        "panic" => panic!("no more work"),
        "panic_abort" => cannot_unwind(),
        "abort" => process::abort(),
        // SAFETY: `_exit` has no conditions.
        "_exit" => unsafe { libc::_exit(4) },
        "kill" => Ok(raise(Signal::SIGKILL)?),
        _ => Err(USAGE.into()),
    }
}

/// A panic does not leave a function of C: it aborts the process.
extern "C" fn cannot_unwind() -> ! {
    panic!("no more work")
}

/// Each panic is an event. The earlier hook comes after, and writes to standard error as ever.
fn log_panics() {
    let earlier = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let reason = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no text");
        tracing::error!(reason, place = panic.location().map(tracing::field::display), "panic");
        earlier(panic);
    }));
}
