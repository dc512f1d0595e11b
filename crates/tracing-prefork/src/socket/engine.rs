//! [`Engine`]: what all handles of a `SocketWriter` share, and the path of one event.

use crate::Appender;
use crate::event::readings::reading_in;
use crate::process::Process;
use crate::report::{Operation, Reporter};
use crate::socket::protocol::MAX_LINE;
use crate::socket::ring::{Pushed, Ring};
use crate::socket::stats::{Counts, SocketStats};
use crate::sys::socket::Address;
use crate::sys::{self, Descriptor, ForkWiped, Turn, fork_wiped};
use crate::time::clock::Moment;
use crate::time::times::Times;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, fence};
use std::time::{Duration, Instant};

/// A thread that waits looks around at least this often.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) path: PathBuf,
    pub(super) address: Address,
    pub(super) options: Options,
    pub(super) fallback: Option<Appender>,
    pub(super) ring: Ring,
    /// It is inherited through a fork, and closed by the child.
    pub(super) connection: Descriptor,
    pub(super) state: ForkWiped<State>,
    pub(super) counts: ForkWiped<Counts>,
    pub(super) process: Arc<Process>,
    pub(super) reporter: Arc<Reporter>,
    pub(super) times: Arc<Times>,
    pub(super) made: Instant,
    /// The last handle was dropped.
    pub(super) ended: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Options {
    pub(super) patience: Duration,
    pub(super) server_uid: Option<u32>,
}

fork_wiped! {
    /// All zero: no event yet.
    #[derive(Debug)]
    pub(super) struct State {
        /// Connecting, sending, receiving acknowledgements, writing the ring to the files.
        pub(super) consume: Turn,
        /// The number of this process; 0 until it sends.
        pub(super) client: AtomicU64,
        pub(super) connected: AtomicBool,
        /// Something was acknowledged through this connection.
        pub(super) was_heard: AtomicBool,
        /// The last try to connect has failed.
        pub(super) nobody: AtomicBool,
        /// When to try again, and since when the tries fail, in milliseconds since the build.
        pub(super) retry_at: AtomicU64,
        pub(super) failing_since: AtomicU64,
        /// The tries that have failed since then.
        pub(super) failures: AtomicU32,
        /// A line has waited in vain, and the ring has not moved since.
        pub(super) stuck: AtomicBool,
        /// There is a thread that works in the background.
        pub(super) worker: AtomicBool,
        /// When to try again to start the thread, in milliseconds since the build.
        pub(super) worker_retry_at: AtomicU64,
    }
}

impl Engine {
    /// The path of an event. Its time is the reading of the timer that the line shows, else when it `began`, else now.
    pub(super) fn put_event(self: &Arc<Self>, line: &[u8], began: Option<Moment>) -> io::Result<()> {
        let shown = reading_in(line, self.times.id).map(|secs| Moment { secs, nanos: 0 });
        let time = shown.or(began).unwrap_or_else(|| self.times.clock.moment());
        self.put(line, time)
    }

    /// Takes the line of an event at that time.
    pub(super) fn put(self: &Arc<Self>, line: &[u8], time: Moment) -> io::Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        if !self.process.has_started() {
            self.begin_in_child();
        }
        // 1. Nobody listens, and all earlier lines are in the files.
        if let Some(files) = self.files_for_now() {
            return self.write_directly(files, line, time);
        }
        if line.len() > MAX_LINE.min(self.ring.longest()) {
            return self.put_too_long(line, time);
        }
        // 2. The line outlives the receiver from here on.
        match self.ring.push(line, (time.secs, time.nanos)) {
            Pushed::Yes => {}
            Pushed::ByParent => return Ok(()),
            Pushed::Full => self.wait_for_room(line, time)?,
            Pushed::Refused(error) => return self.write_or_drop(line, time, error),
        }
        // 3. Hand it to the kernel, as a rule.
        self.serve(!self.state.worker.load(Relaxed));
        self.keep_worker();
        Ok(())
    }

    #[cold]
    fn begin_in_child(&self) {
        if let Some(_turn) = self.state.consume.try_take() {
            self.look_at_fork();
        }
    }

    /// The files of the fallback, if this process is to write to them: nobody listens, and no line waits. In a child of
    /// a raw `clone` too, where a long line could not leave the ring without an allocation.
    fn files_for_now(&self) -> Option<&Appender> {
        let (files, state) = (self.fallback.as_ref()?, &*self.state);
        if self.process.is_bare() && self.ring.is_empty() {
            return Some(files);
        }
        if state.nobody.load(Acquire) && self.milliseconds() >= state.retry_at.load(Relaxed) {
            self.serve(false);
        }
        (state.nobody.load(Acquire) && self.ring.is_empty()).then_some(files)
    }

    fn write_directly(&self, files: &Appender, line: &[u8], time: Moment) -> io::Result<()> {
        let written = files.write_at(time.into(), line);
        let counter = if written.is_ok() { &self.counts.written_directly } else { &self.counts.dropped };
        counter.fetch_add(1, Relaxed);
        written
    }

    /// Brings the lines on their way, as far as that needs no waiting, unless another thread is doing so. That thread
    /// looks again when it is done.
    pub(super) fn serve(&self, acks: bool) {
        fence(SeqCst);
        while let Some(turn) = self.state.consume.try_take() {
            let all_sent = self.step(acks);
            drop(turn);
            fence(SeqCst);
            if !all_sent || !self.ring.has_unsent() {
                return;
            }
        }
    }

    /// Waits until the ring takes the line, with a bound. After a wait in vain no other line waits, until the ring has
    /// moved.
    #[cold]
    fn wait_for_room(self: &Arc<Self>, line: &[u8], time: Moment) -> io::Result<()> {
        let began = Instant::now();
        loop {
            self.serve(true);
            if let Some(files) = self.files_for_now() {
                return self.write_directly(files, line, time);
            }
            match self.ring.push(line, (time.secs, time.nanos)) {
                Pushed::Yes | Pushed::ByParent => return Ok(()),
                Pushed::Full => {}
                Pushed::Refused(error) => return self.write_or_drop(line, time, error),
            }
            self.keep_worker();
            let left = self.options.patience.saturating_sub(began.elapsed());
            if left.is_zero() || self.state.stuck.load(Relaxed) {
                break;
            }
            self.wait(left.min(LOOK));
        }
        self.state.stuck.store(true, Relaxed);
        let text = "ring_bytes are full of lines that the receiver has not written; look whether it runs, and whether \
                    its disk is full";
        self.write_or_drop(line, time, self.error(io::ErrorKind::TimedOut, text))
    }

    #[cold]
    fn put_too_long(self: &Arc<Self>, line: &[u8], time: Moment) -> io::Result<()> {
        // The thread's earlier lines come first, if they can.
        if self.fallback.is_some() {
            let _ = self.wait_until_empty(self.options.patience);
        }
        let text = "the line is longer than 1 MiB, or than ring_bytes";
        self.write_or_drop(line, time, self.error(io::ErrorKind::InvalidInput, text))
    }

    /// A line that the ring does not take goes to the files of the fallback, before earlier lines perhaps. Without a
    /// fallback it is refused.
    #[cold]
    fn write_or_drop(&self, line: &[u8], time: Moment, error: io::Error) -> io::Result<()> {
        match &self.fallback {
            Some(files) => self.write_directly(files, line, time),
            None => Err(self.refuse(line.len(), error)),
        }
    }

    /// Counts and reports a line that is refused.
    pub(super) fn refuse(&self, bytes: usize, error: io::Error) -> io::Error {
        self.lost(1, bytes);
        let kind = error.kind();
        self.reporter.report(Operation::Socket, &self.path, error);
        if self.process.may_allocate() {
            io::Error::new(kind, format!("the receiver at {} does not take the line", self.path.display()))
        } else {
            kind.into()
        }
    }

    pub(super) fn lost(&self, lines: u64, bytes: usize) {
        self.counts.dropped.fetch_add(lines, Relaxed);
        let counters = self.reporter.counters();
        counters.lines_lost.fetch_add(lines, Relaxed);
        counters.bytes_lost.fetch_add(bytes as u64, Relaxed);
    }

    fn error(&self, kind: io::ErrorKind, text: &'static str) -> io::Error {
        if self.process.may_allocate() { io::Error::new(kind, text) } else { kind.into() }
    }

    /// Waits for an acknowledgement, or for room to send. Without a connection, for the next try to connect.
    pub(super) fn wait(&self, bound: Duration) {
        if self.state.connected.load(Relaxed) {
            return sys::socket::wait(&self.connection, self.ring.has_unsent(), bound);
        }
        let left = self.state.retry_at.load(Relaxed).saturating_sub(self.milliseconds());
        std::thread::sleep(bound.min(Duration::from_millis(left.max(1))));
    }

    /// Waits until all lines are in the files. `false`: they are not after that time.
    pub(super) fn wait_until_empty(&self, bound: Duration) -> bool {
        let began = Instant::now();
        loop {
            self.serve(true);
            if self.ring.is_empty() {
                return true;
            }
            let left = bound.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            self.wait(left.min(LOOK));
        }
    }

    /// Returns when all lines are in the files.
    pub(super) fn flush(&self) -> io::Result<()> {
        if self.wait_until_empty(self.options.patience) {
            return Ok(());
        }
        let text = format!(
            "the receiver at {} has not written all lines in {:?}; they stay in memory and are sent again",
            self.path.display(),
            self.options.patience
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }

    pub(super) fn milliseconds(&self) -> u64 {
        self.made.elapsed().as_millis() as u64
    }

    pub(super) fn stats(&self) -> SocketStats {
        self.counts.stats()
    }
}
