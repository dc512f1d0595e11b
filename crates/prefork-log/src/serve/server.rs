//! [`Server`]: the loop that reads, writes and acknowledges.

use super::batch::{self, Batch};
use super::connection::{Connection, End, Got, ROOM};
use super::journal::{Client, Clients, Journal};
use super::listener::{Carries, Listeners};
use super::options::Sockets;
use super::peer::{Allowed, Peer};
use super::signals::{Signals, Wish};
use super::tell::{Kind, Tell};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{SockFlag, accept4};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use tracing_prefork::Appender;
use tracing_prefork::protocol::LineTime;

/// In one round, so many packets of one client are read at most, and so many clients are let in.
const PACKETS_A_ROUND: usize = 64;
const ACCEPTED_A_ROUND: usize = 64;

/// Lines whose rest has not come take so many bytes at most, of all clients together.
const MOST_WAITING: usize = 64 << 20;

/// A client that has sent nothing for so long gives its place to a new one, if there is no other place.
const SILENCE: Duration = Duration::from_secs(1);

/// Descriptors for the files and for this program itself.
const OWN_DESCRIPTORS: usize = 64;

/// Milliseconds between two tries to write to a full disk, or to tell a client that does not read.
const PAUSE: u8 = 100;

/// At the end, clients that go on sending are read for so long.
const LAST_READS: Duration = Duration::from_millis(200);

const SIGNALS: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Server {
    files: Appender,
    allowed: Allowed,
    max_connections: usize,
    max_per_process: usize,
    epoll: Epoll,
    signals: Signals,
    /// The events of a listener have its place as their number, those of a connection the connection's own.
    listeners: Option<Listeners>,
    connections: HashMap<u64, Connection>,
    last: u64,
    batch: Batch,
    /// Connections whose lines are in the batch, or that were not told of the last ones.
    to_tell: Vec<u64>,
    waiting: usize,
    /// The last line of each client.
    clients: Clients,
    /// `None`: there is none, or it cannot be written.
    journal: Option<Journal>,
    ends: bool,
    /// It is to end, and cannot write. Nothing is acknowledged any more.
    gave_up: bool,
    tell: Tell,
    resent: u64,
    buffer: Vec<u8>,
}

/// Raises the limit on descriptors as far as this process may. Returns how many connections there can be.
pub(crate) fn raise_limit(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let needed = (wanted + OWN_DESCRIPTORS) as u64;
    let limit = needed.clamp(soft.min(hard), hard);
    let limit = if setrlimit(Resource::RLIMIT_NOFILE, limit, hard).is_ok() { limit } else { soft };
    wanted.min(usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OWN_DESCRIPTORS)).max(1)
}

impl Server {
    /// `known`: the lines that the receiver before has written, and the journal that says so.
    pub(crate) fn new(
        options: &Sockets,
        max_connections: usize,
        files: Appender,
        listeners: Listeners,
        signals: Signals,
        (clients, journal): (Clients, Option<Journal>),
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS))?;
        for (number, listener) in (0..).zip(&listeners.all) {
            epoll.add(&listener.socket, EpollEvent::new(EpollFlags::EPOLLIN, number))?;
        }
        Ok(Self {
            files,
            allowed: Allowed::new(&options.allow_uid, &options.allow_gid),
            max_connections,
            max_per_process: options.max_per_process,
            epoll,
            signals,
            last: listeners.all.len() as u64,
            listeners: Some(listeners),
            connections: HashMap::new(),
            batch: Batch::default(),
            to_tell: Vec::new(),
            waiting: 0,
            clients,
            journal,
            ends: false,
            gave_up: false,
            tell: Tell::default(),
            resent: 0,
            buffer: vec![0; ROOM],
        })
    }

    /// Serves until a signal says otherwise.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        while !self.ends {
            let timeout = if self.to_tell.is_empty() { EpollTimeout::NONE } else { EpollTimeout::from(PAUSE) };
            self.round(timeout)?;
        }
        Ok(())
    }

    /// Reads what is there still, writes it, and says so. Nobody new is let in.
    /// `false`: it could not be written.
    pub(crate) fn finish(&mut self) -> bool {
        self.listeners = None;
        let began = Instant::now();
        while began.elapsed() < LAST_READS && self.round(EpollTimeout::ZERO).is_ok_and(|read| read > 0) {}
        let rests: Vec<_> = self.connections.values_mut().filter_map(Connection::rest).collect();
        for rest in rests {
            self.add(batch::now(), &rest, None);
        }
        self.write();
        if self.resent > 0 {
            eprintln!("prefork-log: {} lines were sent again by their clients", self.resent);
        }
        !self.gave_up
    }

    /// Waits for something to read, reads it, writes it and tells the clients. Returns how many clients were read.
    fn round(&mut self, timeout: EpollTimeout) -> io::Result<usize> {
        let mut events = [EpollEvent::empty(); 256];
        let found = match self.epoll.wait(&mut events, timeout) {
            Ok(found) => found,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        let mut read = 0;
        for event in events.iter().take(found) {
            match event.data() {
                SIGNALS => self.heed_signals(),
                number if self.connections.contains_key(&number) => {
                    read += 1;
                    self.read(number);
                }
                number => self.accept(number as usize),
            }
        }
        self.write();
        Ok(read)
    }

    fn heed_signals(&mut self) {
        while let Some(wish) = self.signals.next() {
            match wish {
                Wish::End => self.ends = true,
                Wish::Reopen => {
                    if let Err(error) = self.files.reopen() {
                        self.tell.say(Kind::NotWritten, &error.to_string());
                    }
                }
            }
        }
    }

    fn accept(&mut self, listener: usize) {
        for _ in 0..ACCEPTED_A_ROUND {
            let Some(listener) = self.listeners.as_ref().and_then(|listeners| listeners.all.get(listener)) else {
                return;
            };
            let carries = listener.carries;
            match accept4(&listener.socket, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK) {
                Ok(socket) => {
                    if let Ok(peer) = Peer::of(&socket) {
                        self.let_in(Connection::new(socket, peer, carries));
                    }
                }
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR | Errno::ECONNABORTED) => {}
                Err(errno) => {
                    self.tell.say(Kind::Accept, &format!("cannot accept a connection: {errno}"));
                    // The listener stays ready. Without a pause this would go on at once.
                    std::thread::sleep(Duration::from_millis(10));
                    return;
                }
            }
        }
    }

    fn let_in(&mut self, connection: Connection) {
        let peer = connection.peer;
        if !self.allowed.allows(peer) {
            let text = format!("it may not send; if it should, give --allow-uid {}", peer.uid);
            return self.tell.peer(Kind::Refused, peer, &text);
        }
        let of_process = self.connections.values().filter(|other| other.peer.pid == peer.pid && peer.pid != 0).count();
        if of_process >= self.max_per_process {
            let text = format!("it has {of_process} connections already, see --max-per-process");
            return self.tell.peer(Kind::TooMany, peer, &text);
        }
        if self.connections.len() >= self.max_connections && !self.make_place() {
            let text = format!("there are {} connections already, see --max-connections", self.connections.len());
            return self.tell.peer(Kind::TooMany, peer, &text);
        }
        self.last += 1;
        if self.epoll.add(&connection.socket, EpollEvent::new(EpollFlags::EPOLLIN, self.last)).is_ok() {
            self.connections.insert(self.last, connection);
        }
    }

    /// Ends the oldest connection that has sent nothing. `false`: there is none.
    fn make_place(&mut self) -> bool {
        let silent = self.connections.iter().filter(|(_, other)| !other.heard && other.since.elapsed() > SILENCE);
        let Some((&number, other)) = silent.min_by_key(|(_, other)| other.since) else { return false };
        self.tell.peer(Kind::Silent, other.peer, "it has sent nothing, and gives its place to another");
        self.end(number);
        true
    }

    /// Reads from one client, with a bound.
    fn read(&mut self, number: u64) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..PACKETS_A_ROUND {
            let Some(connection) = self.connections.get(&number) else { break };
            let end = match connection.read(&mut buffer) {
                Got::Nothing => break,
                Got::End(end) => end,
                Got::Bytes(bytes) => match self.take(number, bytes) {
                    Ok(()) => continue,
                    Err(end) => end,
                },
            };
            self.ended(number, &end);
            break;
        }
        self.buffer = buffer;
    }

    /// Takes what a client has sent.
    fn take(&mut self, number: u64, bytes: &[u8]) -> Result<(), End> {
        let Some(mut connection) = self.connections.remove(&number) else { return Ok(()) };
        self.waiting -= connection.waiting();
        let taken = match connection.carries {
            Carries::Packets => {
                let mut wrong_time = false;
                let now = batch::now();
                let user = connection.peer.uid;
                let taken = connection.packet(bytes, &mut |(client, number), time, text| {
                    let checked = batch::checked_time(time, now);
                    wrong_time |= checked.is_none();
                    self.add(checked.unwrap_or(now), text, Some(((user, client), number)));
                });
                if wrong_time {
                    let text =
                        "a line's time is more than an hour ahead or 30 days ago; it has the time of its receipt";
                    self.tell.peer(Kind::WrongTime, connection.peer, text);
                }
                taken.map(|resent| self.resent += resent)
            }
            Carries::Lines => connection.part(bytes, &mut |lines| self.add(batch::now(), lines, None)),
        };
        self.waiting += connection.waiting();
        let is_to_tell = connection.has_ack() && !self.to_tell.contains(&number);
        self.connections.insert(number, connection);
        if is_to_tell {
            self.to_tell.push(number);
        }
        if self.waiting > MOST_WAITING {
            self.end_the_largest();
        }
        if self.batch.is_full() {
            self.write();
        }
        taken
    }

    /// Adds lines to the batch. Those of another period go to the files first.
    fn add(&mut self, time: LineTime, text: &[u8], from: Option<(Client, u64)>) {
        if !self.batch.takes(time.0) && !self.write_batch() {
            return;
        }
        // Only now: the journal shall not say of a line that it was taken before the line is in the batch. A line that
        // is there already is acknowledged once more, and not written.
        if from.is_none_or(|(client, number)| self.clients.is_new(client, number)) {
            self.batch.add(&self.files, time, text, from);
        }
    }

    fn ended(&mut self, number: u64, end: &End) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let peer = connection.peer;
        match end {
            End::Closed => {
                if let Some(rest) = connection.rest() {
                    self.add(batch::now(), &rest, None);
                }
            }
            End::Malformed(why) => self.tell.peer(Kind::Malformed, peer, &format!("{why}; its connection is closed")),
            End::TooLong => self.tell.peer(
                Kind::TooLong,
                peer,
                "a line is longer than 1 MiB, or unfinished lines take too much memory; the line is dropped, and its \
                 connection is closed",
            ),
        }
        // The lines before are in the files before the client learns that it is not served.
        self.write();
        self.end(number);
    }

    /// Ends the connection with the most bytes of a line whose rest has not come.
    fn end_the_largest(&mut self) {
        let largest = self.connections.iter().max_by_key(|(_, connection)| connection.waiting());
        if let Some(number) = largest.map(|(number, _)| *number) {
            self.ended(number, &End::TooLong);
        }
    }

    fn end(&mut self, number: u64) {
        if let Some(connection) = self.connections.remove(&number) {
            self.waiting -= connection.waiting();
        }
    }

    /// Writes the batch, and tells the clients whose lines are in the files.
    fn write(&mut self) {
        if !self.write_batch() {
            return;
        }
        let connections = &mut self.connections;
        self.to_tell.retain(|number| connections.get_mut(number).is_some_and(|connection| !connection.acknowledge()));
    }

    fn try_to_write(&mut self) -> io::Result<()> {
        let Self { batch, files, journal, clients, tell, .. } = self;
        batch.write(files, &mut |batch, path| {
            let noted = journal.as_mut().map_or(Ok(()), |journal| journal.note(batch, path, clients));
            if let Err(error) = noted {
                let text = "cannot write the journal; lines may come twice if this program is killed";
                tell.say(Kind::Journal, &format!("{text}: {error}"));
            }
        })
    }

    /// Writes the batch. As long as it cannot be written, nothing is read: each client keeps its lines. `false`: this
    /// program is to end, and the lines are not written.
    fn write_batch(&mut self) -> bool {
        loop {
            if self.gave_up {
                return false;
            }
            let Err(error) = self.try_to_write() else { return true };
            let (lines, path) = (self.batch.lines(), self.files.path());
            let text = format!(
                "cannot write to {}: {error}; {lines} lines wait here, and clients keep theirs; the next try follows",
                path.display()
            );
            self.tell.say(Kind::NotWritten, &text);
            if self.ends {
                eprintln!("prefork-log: ends with {lines} lines that could not be written; SocketWriters keep theirs");
                self.gave_up = true;
                return false;
            }
            let mut signals = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut signals, PollTimeout::from(PAUSE));
            self.heed_signals();
        }
    }
}
