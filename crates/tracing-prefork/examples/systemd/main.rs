//! A service of systemd with several instances, which share a socket and write their log files together.
//!
//! ```text
//! cargo build --example systemd && systemd-socket-activate -l 3000 target/debug/examples/systemd /tmp/logs one
//! ```
//!
//! `app@.service` and `app.socket` beside this file are the units. systemd binds the socket once and hands it to each
//! instance, so a connection waits in the socket while an instance is killed and started again.
//!
//! | systemd gives | this program |
//! |---|---|
//! | `LISTEN_FDS`, `LISTEN_PID` (`sd_listen_fds(3)`) | takes the socket, which is descriptor 3 |
//! | `NOTIFY_SOCKET` (`sd_notify(3)`) | says `READY=1` when it serves, and `STOPPING=1` at SIGTERM |
//! | `User=`, `UMask=` | differ between instances; `file_mode(0o660)` gives the files one exact mode |
//!
//! A request is a line. The answer is the line again, with the name of the instance and its process id.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::process;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

/// The first descriptor that systemd hands over (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Held while a request is answered.
static BUSY: Mutex<()> = Mutex::new(());

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [directory, instance] = &arguments[..] else { return Err("usage: systemd DIRECTORY INSTANCE".into()) };
    let listener = inherited()?;
    let logs = Appender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("app")
        .filename_suffix("log")
        .max_log_files(14)
        .file_mode(0o660) // the instances' users have a group in common
        .latest_symlink("latest.log")
        .build(directory)?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();
    let _instance = tracing::info_span!("instance", name = instance, pid = process::id()).entered();

    let mut signals = Signals::new([SIGTERM])?;
    let span = tracing::Span::current();
    thread::spawn(move || {
        signals.forever().next();
        let _instance = span.enter();
        // The request in hand is answered first.
        let _busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        let told = notify("STOPPING=1");
        tracing::info!(told = told.is_ok(), "the instance ends");
        process::exit(0);
    });

    tracing::info!("the instance serves");
    notify("READY=1")?;
    for connection in listener.incoming() {
        // A connection that breaks is no reason to end.
        if let Err(error) = connection.and_then(|connection| answer(connection, instance)) {
            tracing::warn!(%error, "connection");
        }
    }
    Ok(())
}

/// The socket that systemd has bound for this very process.
fn inherited() -> Result<TcpListener, Box<dyn Error>> {
    let number = |name| env::var(name).ok().and_then(|text: String| text.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(process::id()) || number("LISTEN_FDS") != Some(1) {
        return Err("no socket from systemd: LISTEN_PID and LISTEN_FDS do not name one for this process".into());
    }
    // SAFETY: the variables say that the descriptor is there, and nothing else in this program has it.
    Ok(unsafe { TcpListener::from_raw_fd(FIRST) })
}

/// Answers the requests of a connection, one after the other.
fn answer(connection: TcpStream, instance: &str) -> io::Result<()> {
    // A client that says nothing must not keep this instance from the others.
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    for line in BufReader::new(&connection).lines() {
        let request = line?;
        let _busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the answer: who has an answer has a line in the log.
        tracing::info!(request, "answered");
        writeln!(&connection, "{request} from {instance} in process {}", process::id())?;
    }
    Ok(())
}

/// Tells the service manager, if there is one.
fn notify(state: &str) -> io::Result<()> {
    let Some(address) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let socket = UnixDatagram::unbound()?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.to_str().and_then(|address| address.strip_prefix('@')) {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(state.as_bytes(), &address).map(drop);
    }
    socket.send_to(state.as_bytes(), address).map(drop)
}
