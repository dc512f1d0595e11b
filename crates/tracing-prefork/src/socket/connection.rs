//! What the thread that has the turn to consume does: connects, receives acknowledgements, sends, and writes to the
//! files of the fallback while nobody listens.

use crate::process::Fork;
use crate::report::Operation;
use crate::socket::engine::Engine;
use crate::socket::protocol::{self, ACK_BYTES, LINE_HEAD, MAX_PACKET};
use crate::socket::ring::Record;
use crate::sys;
use crate::sys::socket::{Answer, connect, receive_packet, send_packet};
use crate::time::clock::Moment;
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::SystemTime;

/// Packets up to this length are made on the stack.
const SHORT_PACKET: usize = 2048;

/// After a try to connect in vain, milliseconds until the next one: twice as many after each, up to the second number.
const FIRST_RETRY: u64 = 5;
const LONGEST_RETRY: u64 = 1000;

/// Milliseconds for which nobody has listened when that is reported. A receiver that is started again takes less.
const REPORTED_AFTER: u64 = 1000;

/// So many errors of a connection are passed over while acknowledgements are read that came before its end. The kernel
/// tells the end first.
const ERRORS_PASSED_OVER: u32 = 3;

impl Engine {
    /// Brings the lines on their way, as far as that needs no waiting. `false`: the receiver takes no more now, or
    /// nobody listens.
    pub(super) fn step(&self, acks: bool) -> bool {
        self.look_at_fork();
        // The second time is for a connection that has ended.
        for _ in 0..2 {
            if !self.state.connected.load(Relaxed) && !self.try_connect() {
                self.write_to_files();
                return false;
            }
            let received = if acks || self.ring.is_half_full() { self.receive_acks() } else { Ok(()) };
            match received.and_then(|()| self.send_all()) {
                Ok(all_sent) => return all_sent,
                Err(_) => self.lose(),
            }
        }
        false
    }

    /// In a forked child, at its first event: closes the child's copy of its parent's connection.
    pub(super) fn look_at_fork(&self) {
        if self.process.has_started() {
            return;
        }
        match self.process.look_at_fork() {
            Some(Fork::Bare) if sys::shares_descriptors() => self.connection.disown(),
            Some(_) => self.connection.release(),
            None => {}
        }
    }

    fn try_connect(&self) -> bool {
        let (state, now) = (&*self.state, self.milliseconds());
        if state.nobody.load(Relaxed) && now < state.retry_at.load(Relaxed) {
            return false;
        }
        match connect(&self.address).and_then(|(file, user)| self.check_user(user).map(|()| file)) {
            Ok(file) => {
                self.connection.install(file);
                self.ring.rewind();
                self.counts.connections.fetch_add(1, Relaxed);
                state.was_heard.store(false, Relaxed);
                state.connected.store(true, Relaxed);
                state.nobody.store(false, Release);
                true
            }
            Err(error) => {
                self.failed(now, error);
                false
            }
        }
    }

    /// Nobody is there. The next try comes later.
    fn failed(&self, now: u64, error: io::Error) {
        let state = &*self.state;
        let failures = state.failures.fetch_add(1, Relaxed);
        if failures == 0 {
            state.failing_since.store(now, Relaxed);
        }
        let pause = (FIRST_RETRY << failures.min(16)).min(LONGEST_RETRY);
        state.retry_at.store(now + pause, Relaxed);
        state.nobody.store(true, Release);
        let was_never_there = self.counts.connections.load(Relaxed) == 0;
        if was_never_there || now >= state.failing_since.load(Relaxed) + REPORTED_AFTER {
            self.reporter.report(Operation::Socket, &self.path, explained(error));
        }
    }

    /// A socket may have been planted by another user, in a directory that others may write to.
    fn check_user(&self, user: u32) -> io::Result<()> {
        if user == 0 || user == sys::socket::user() || self.options.server_uid == Some(user) {
            return Ok(());
        }
        let text = format!("the receiver's user is {user}; if that is right, give server_uid({user})");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }

    /// A connection has ended. If nothing was acknowledged through it, the receiver may refuse this process: the next
    /// try comes later.
    fn lose(&self) {
        self.state.connected.store(false, Relaxed);
        self.connection.release();
        self.ring.rewind();
        if let Some(files) = &self.fallback {
            files.others_have_written();
        }
        if !self.state.was_heard.load(Relaxed) {
            let text = "the receiver has closed the connection; see what it says on its standard error";
            self.failed(self.milliseconds(), io::Error::new(io::ErrorKind::ConnectionReset, text));
        }
    }

    /// Frees the lines that the receiver has written.
    fn receive_acks(&self) -> io::Result<()> {
        let (mut ack, mut errors) = ([0; ACK_BYTES + 1], 0);
        loop {
            match receive_packet(&self.connection, &mut ack) {
                Answer::Done(length) => {
                    let number = ack.get(..length).and_then(protocol::decode_ack);
                    let freed = number.map_or(0, |number| self.ring.acknowledge(number));
                    if freed > 0 {
                        self.counts.acknowledged.fetch_add(freed, Relaxed);
                        self.state.was_heard.store(true, Relaxed);
                        self.state.failures.store(0, Relaxed);
                        self.state.stuck.store(false, Relaxed);
                    }
                }
                Answer::NotNow | Answer::TooLarge => return Ok(()),
                Answer::Closed(error) => {
                    errors += 1;
                    if errors == ERRORS_PASSED_OVER {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Sends what was not sent. `Ok(false)`: the receiver takes no more now.
    fn send_all(&self) -> io::Result<bool> {
        let Some(next) = self.ring.next() else { return Ok(true) };
        let (mut short, mut long, client) = ([0; SHORT_PACKET], Vec::new(), self.client());
        let is_long = protocol::HEAD + LINE_HEAD + next.length > SHORT_PACKET;
        let wants_long = (is_long || self.ring.is_half_full()) && self.process.may_allocate();
        if wants_long && long.try_reserve_exact(MAX_PACKET).is_ok() {
            long.resize(MAX_PACKET, 0);
        }
        let mut packet = if long.is_empty() { &mut short[..] } else { &mut long[..] };
        while let Some(made) = self.ring.make_packet(client, packet) {
            match send_packet(&self.connection, &packet[..made.bytes]) {
                Answer::Done(_) => {
                    self.ring.was_sent(made);
                    self.counts.sent.fetch_add(made.lines, Relaxed);
                    if made.resent {
                        self.counts.resent.fetch_add(made.lines, Relaxed);
                    }
                }
                Answer::NotNow => return Ok(false),
                // A small `net.core.wmem_default`.
                Answer::TooLarge if packet.len() > SHORT_PACKET => packet = &mut packet[..SHORT_PACKET],
                Answer::TooLarge => return Err(io::ErrorKind::InvalidInput.into()),
                Answer::Closed(error) => {
                    // The acknowledgements that came before the end.
                    let _ = self.receive_acks();
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// The number by which the receiver knows this process again. Containers may have equal process ids: the clock
    /// tells them apart.
    fn client(&self) -> u64 {
        let known = self.state.client.load(Relaxed);
        if known != 0 {
            return known;
        }
        let ((secs, nanos), process) = (sys::now(), u64::from(std::process::id()));
        let client = (secs as u64).wrapping_mul(1_000_000_000).wrapping_add(nanos.into()) ^ process << 40;
        let client = client.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        self.state.client.store(client, Relaxed);
        client
    }

    /// While nobody listens: writes the lines of the ring to the files, in their order.
    fn write_to_files(&self) {
        let Some(files) = self.fallback.as_ref().filter(|_| self.state.nobody.load(Acquire)) else { return };
        let mut long = Vec::new();
        while let Some(record) = self.ring.oldest() {
            let mut short = [0; SHORT_PACKET];
            let line = match short.get_mut(..record.length) {
                Some(line) => line,
                None if !self.process.may_allocate() || long.try_reserve(record.length).is_err() => return,
                None => {
                    long.resize(record.length, 0);
                    &mut long[..record.length]
                }
            };
            self.ring.copy_out(record, 0, line);
            if files.write_at(time_of(record), line).is_err() {
                // The appender has counted and reported it. The line stays.
                return;
            }
            self.ring.free_oldest(record);
            self.counts.written_directly.fetch_add(1, Relaxed);
            self.counts.resent.fetch_add(record.was_sent.into(), Relaxed);
            self.state.stuck.store(false, Relaxed);
        }
    }
}

fn time_of(record: Record) -> SystemTime {
    let (secs, nanos) = record.time;
    Moment { secs, nanos }.into()
}

/// What to do if nobody can be reached.
fn explained(error: io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket; start `prefork-log serve`",
        io::ErrorKind::ConnectionRefused => "nobody listens there; start `prefork-log serve`",
        io::ErrorKind::WouldBlock => "the receiver does not accept connections; look whether it runs",
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_some() => {
            "this user may not write to the socket; see the option --socket-mode of `prefork-log serve`"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}: {remedy}"))
}
