//! [`Journal`]: what a receiver that was killed had written, and not acknowledged.
//!
//! Before each write to a log file, the journal gets the text of the write, the file with its size, and the number of
//! the last line of each client. The next receiver compares the log file with that: it finds out which of the lines
//! are there, and does not write them again when their clients send them again.
//!
//! The journal lies in the kernel's page cache, which survives the receiver, but not the machine. So do the clients.
//! It has two places, which are written in turn. A place that was not written to its end is known by its checksum; then
//! the write to the log file had not begun, and the other place is the right one.

use super::batch::Batch;
use nix::fcntl::{Flock, FlockArg, OFlag};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"prefork1";
/// The bytes from one place to the other. A batch has a line more than 256 KiB at most.
const PLACE: u64 = 8 << 20;
/// Magic, checksum, length.
const HEAD: usize = 8 + 4 + 8;

/// A client: its user, and the number that it sends.
pub(crate) type Client = (u32, u64);

/// The number of the last line that was taken from a client, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    number: u64,
    turn: u64,
}

/// The last lines of clients. It is bounded: the clients that have sent nothing for the longest time are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    last: HashMap<Client, Last>,
    most: usize,
    turn: u64,
}

impl Clients {
    pub(crate) fn new(most: usize) -> Self {
        Self { last: HashMap::new(), most, turn: 0 }
    }

    /// Whether the line is a new one. Notes it.
    pub(crate) fn is_new(&mut self, client: Client, number: u64) -> bool {
        self.turn += 1;
        let last = Last { number, turn: self.turn };
        if let Some(known) = self.last.get_mut(&client) {
            let is_new = number > known.number;
            known.turn = self.turn;
            known.number = known.number.max(number);
            return is_new;
        }
        if self.last.len() >= 2 * self.most {
            let mut turns: Vec<_> = self.last.values().map(|last| last.turn).collect();
            let (_, &mut middle, _) = turns.select_nth_unstable(self.most);
            self.last.retain(|_, last| last.turn > middle);
        }
        self.last.insert(client, last);
        true
    }
}

#[derive(Debug)]
pub(crate) struct Journal {
    file: Flock<File>,
    count: u64,
    bytes: Vec<u8>,
}

impl Journal {
    /// Opens the journal, and finds out what the receiver before has written.
    pub(crate) fn open(path: &Path, clients: &mut Clients) -> io::Result<Self> {
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(flags);
        let file = options.open(path)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
        let places = [0, 1].map(|place| read_place(&file, place));
        let latest = places.into_iter().flatten().max_by_key(|place| place.count);
        let count = latest.as_ref().map_or(0, |place| place.count);
        if let Some(latest) = latest {
            latest.settle(clients);
        }
        Ok(Self { file, count, bytes: Vec::new() })
    }

    /// Notes what is about to be written to the end of that log file.
    pub(crate) fn note(&mut self, batch: &Batch, path: &Path, clients: &Clients) -> io::Result<()> {
        let size = path.metadata().map_or(0, |found| found.len());
        self.count += 1;
        let Self { bytes, count, .. } = self;
        bytes.clear();
        bytes.resize(HEAD, 0);
        let mut put = |number: u64| bytes.extend_from_slice(&number.to_le_bytes());
        let name = path.as_os_str().as_bytes();
        for number in [*count, size, name.len() as u64, clients.last.len() as u64, batch.entries().len() as u64] {
            put(number);
        }
        for (&(user, client), last) in &clients.last {
            [u64::from(user), client, last.number].into_iter().for_each(&mut put);
        }
        for entry in batch.entries() {
            let (user, client) = entry.client;
            [u64::from(user), client, entry.number, entry.end as u64].into_iter().for_each(&mut put);
        }
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(batch.text());
        let (checksum, length) = (crc32fast::hash(&bytes[HEAD..]), (bytes.len() - HEAD) as u64);
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes[12..HEAD].copy_from_slice(&length.to_le_bytes());
        if bytes.len() as u64 > PLACE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all_at(bytes, *count % 2 * PLACE)
    }
}

/// What stands in one place of a journal.
#[derive(Debug, Default)]
struct Place {
    count: u64,
    size: u64,
    path: PathBuf,
    clients: Vec<(Client, u64)>,
    /// Client, number, and where in the text the line ends.
    entries: Vec<(Client, u64, u64)>,
    text: Vec<u8>,
}

fn read_place(file: &File, place: u64) -> Option<Place> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, place * PLACE).ok()?;
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let length = number(&head[12..]).filter(|length| *length < PLACE && head[..8] == MAGIC)?;
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut bytes, place * PLACE + HEAD as u64).ok()?;
    if crc32fast::hash(&bytes).to_le_bytes() != head[8..12] {
        return None;
    }
    let mut words = bytes.chunks_exact(8).map(|word| number(word).unwrap_or_default());
    let mut next = || words.next();
    let (count, size, name, clients, entries) = (next()?, next()?, next()?, next()?, next()?);
    let client = |user: u64, client: u64| (u32::try_from(user).unwrap_or(u32::MAX), client);
    let mut found = Place { count, size, ..Place::default() };
    for _ in 0..clients {
        found.clients.push((client(next()?, next()?), next()?));
    }
    for _ in 0..entries {
        found.entries.push((client(next()?, next()?), next()?, next()?));
    }
    let rest = bytes.get(8 * (5 + 3 * found.clients.len() + 4 * found.entries.len())..)?;
    let (name, text) = rest.split_at_checked(usize::try_from(name).ok()?)?;
    found.path = PathBuf::from(std::ffi::OsString::from_vec(name.to_vec()));
    found.text = text.to_vec();
    Some(found)
}

impl Place {
    /// Notes the last line of each client that is in the log files.
    fn settle(&self, clients: &mut Clients) {
        for &(client, number) in &self.clients {
            clients.is_new(client, number);
        }
        // Of the clients whose lines were about to be written, first what was written before, and then what is there.
        let written = self.written();
        for &(client, number, _) in self.entries.iter().rev() {
            clients.last.insert(client, Last { number: number.saturating_sub(1), turn: clients.turn });
        }
        for &(client, number, end) in &self.entries {
            // A line that lacks its newline alone is there: whoever opens the file ends it.
            if end <= written + 1 {
                clients.is_new(client, number);
            }
        }
    }

    /// How many bytes of the text are in the log file.
    fn written(&self) -> u64 {
        let read = || -> io::Result<Vec<u8>> {
            let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(&self.path)?;
            let length = file.metadata()?.len().saturating_sub(self.size).min(self.text.len() as u64);
            let mut found = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact_at(&mut found, self.size)?;
            Ok(found)
        };
        // If the file is not there any more, or another process has written to it in between, the lines count as not
        // written: to have them twice is better than to lose them.
        let found = read().unwrap_or_default();
        found.iter().zip(&self.text).take_while(|(found, written)| found == written).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{Clients, Journal};
    use crate::serve::batch::Batch;
    use std::fs;
    use tracing_prefork::Appender;

    const ONE: (u32, u64) = (1, 1);
    const TWO: (u32, u64) = (1, 2);

    #[test]
    fn a_line_that_is_in_the_file_is_known_and_another_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let (journal, log) = (directory.path().join("journal"), directory.path().join("app"));
        let files = Appender::builder().filename_prefix("app").build(directory.path()).expect("builds");
        let mut clients = Clients::new(10);
        let mut batch = Batch::default();
        for (client, number, text) in [(ONE, 7, "one\n"), (TWO, 3, "two\nlines\n"), (ONE, 8, "three\n")] {
            assert!(clients.is_new(client, number));
            batch.add(&files, (5, 0), text.as_bytes(), Some((client, number)));
        }
        fs::write(&log, "before\n").expect("written");
        let mut open = Journal::open(&journal, &mut Clients::new(10)).expect("opens");
        open.note(&batch, &log, &clients).expect("written");
        drop(open);
        // Killed when so many bytes were written: the last lines that are there.
        for (written, one, two) in
            [(0, 6, 2), (2, 6, 2), (3, 7, 2), (12, 7, 2), (13, 7, 3), (18, 7, 3), (19, 8, 3), (20, 8, 3)]
        {
            fs::write(&log, [b"before\n", &batch.text()[..written]].concat()).expect("written");
            let mut found = Clients::new(10);
            drop(Journal::open(&journal, &mut found).expect("opens"));
            assert_eq!((found.last[&ONE].number, found.last[&TWO].number), (one, two), "{written} bytes");
        }
        // Somebody else has written in between, or the file is gone: nothing is taken for written.
        fs::write(&log, "before\nothers\n").expect("written");
        let mut found = Clients::new(10);
        drop(Journal::open(&journal, &mut found).expect("opens"));
        assert_eq!(found.last[&ONE].number, 6);
    }

    #[test]
    fn a_place_that_was_not_written_to_its_end_does_not_count() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, log) = (directory.path().join("journal"), directory.path().join("app"));
        let mut journal = Journal::open(&path, &mut Clients::new(10)).expect("opens");
        let mut clients = Clients::new(10);
        for number in 1..=2 {
            clients.is_new(ONE, number);
            journal.note(&Batch::default(), &log, &clients).expect("written");
        }
        drop(journal);
        let whole = fs::read(&path).expect("readable");
        let mut cut = whole.clone();
        cut[60] ^= 1;
        for (bytes, number) in [(whole, 2), (cut, 1)] {
            fs::write(&path, bytes).expect("written");
            let mut found = Clients::new(10);
            drop(Journal::open(&path, &mut found).expect("opens"));
            assert_eq!(found.last[&ONE].number, number);
        }
    }

    #[test]
    fn the_clients_that_were_silent_the_longest_are_forgotten() {
        let mut clients = Clients::new(10);
        for client in 0..1000 {
            assert!(clients.is_new((0, client), 1));
            assert!(clients.is_new((0, 0), client + 2));
            assert!(clients.last.len() <= 20);
        }
        assert!(!clients.is_new((0, 999), 1) && !clients.is_new((0, 0), 1));
    }
}
