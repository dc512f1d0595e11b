//! `prefork-log serve`: receives lines from many processes on Unix sockets, and writes the files.
//!
//! One thread does all of it. It reads from whoever has sent something, writes what it has read, acknowledges, and
//! reads again. So it reads no faster than it writes, and a client that sends faster waits.

mod batch;
mod connection;
mod journal;
mod listener;
pub(crate) mod options;
mod peer;
mod server;
mod signals;
mod socket_file;
mod tell;

use crate::failure::Failure;
use journal::{Clients, Journal};
use listener::Listeners;
use options::Serve;
use server::Server;
use signals::Signals;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use tracing_prefork::Builder;

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let failed = |error: io::Error| Failure::at_work(error.to_string());
        let settings = self.written.settings()?;
        if settings.buffered == Some(true) {
            let text = "buffered true: serve acknowledges a line when the line is in its file; leave buffered out here";
            return Err(Failure::usage(text));
        }
        // Before any other thread: the signals of a process are blocked in all of its threads.
        let signals = Signals::new().map_err(|errno| failed(errno.into()))?;
        let limit = server::raise_limit(self.sockets.max_connections);
        let listeners = Listeners::open(&self.sockets).map_err(failed)?;
        // Before the files are opened: that begins to compress them, and to remove them.
        let mut clients = Clients::new(limit);
        let journal = self.sockets.journal_path().map(|path| open_journal(&path, &mut clients));
        let journal = journal.transpose().map_err(failed)?;
        let files = Builder::from(settings).on_error(tell::appender).build(self.written.directory())?;
        let mut server =
            Server::new(&self.sockets, limit, files, listeners, signals, (clients, journal)).map_err(failed)?;
        // Without systemd these two do nothing.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        server.serve().map_err(failed)?;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        Ok(if server.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn open_journal(path: &Path, clients: &mut Clients) -> io::Result<Journal> {
    let told =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot open the journal {}: {error}", path.display()));
    Journal::open(path, clients).map_err(told)
}
