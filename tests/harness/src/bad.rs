//! Writers that are simple: one that is right, and others that are wrong on purpose, so that the
//! checker has something to find. Those count what they do wrong in the ledger.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::signal::Signal;

use crate::clock::Clock;
use crate::ledger::{Ledger, Word};
use crate::line::{Way, parse};
use crate::pattern::{Key, Pattern};
use crate::process::signal;
use crate::writer::{Text, Writer};

/// What a simple writer does with each thousandth line, or with all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Habit {
    /// Nothing wrong: opens the file that the line's own stamp names and appends in one write.
    Right,
    /// Acknowledges each thousandth line without writing it.
    Loses,
    /// Writes each thousandth line twice.
    Duplicates,
    /// Writes every line in two pieces: torn where several processes do it. Not counted.
    Tears,
    /// Writes each thousandth line into the file of the period before.
    Misplaces,
    /// Holds each thousandth line back until after the next one.
    Reorders,
    /// Appends in one write, but under a lock: a child forked while another thread holds it hangs.
    Locks,
    /// Removes each thousandth line's file just before it writes to it.
    Removes,
    /// Kills its own process after 500 lines, before the next one is written.
    Dies,
    /// Keeps the file of a period open whatever becomes of it.
    Keeps,
    /// Acknowledges lines that did not fit.
    Swallows,
    /// Leaves out the last byte of each thousandth line but one: the checksum's last digit.
    Damages,
}

/// A simple writer; it knows nothing of layers and takes whole lines only.
#[derive(Debug)]
pub struct Simple {
    directory: PathBuf,
    pattern: Pattern,
    habit: Habit,
    clock: Clock,
    ledger: Ledger,
    count: AtomicU64,
    held: Mutex<Option<Vec<u8>>>,
    kept: Mutex<Option<(Key, File)>>,
}

impl Simple {
    /// A writer of that habit.
    #[must_use]
    pub fn new(directory: PathBuf, pattern: Pattern, habit: Habit, clock: Clock, ledger: Ledger) -> Self {
        let (count, held, kept) = (AtomicU64::new(0), Mutex::new(None), Mutex::new(None));
        Self { directory, pattern, habit, clock, ledger, count, held, kept }
    }

    /// The file of the line, or of the period before it.
    fn open(&self, line: &[u8], before: bool) -> io::Result<File> {
        let stamp = parse(line.trim_ascii_end()).map(|line| line.stamp.instant());
        let mut at = stamp.unwrap_or_else(|| self.clock.now());
        if before {
            let end = self.pattern.next_boundary(at);
            at -= self.pattern.next_boundary(end) - end;
        }
        let name = self.pattern.name(self.pattern.key_at(at));
        let path = self.directory.join(name);
        let open = || OpenOptions::new().append(true).create(true).open(&path);
        // Somebody may have moved the directory away, or deleted it, and may do so again.
        for _ in 0..10 {
            match open() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let _ = std::fs::create_dir_all(path.parent().unwrap_or(&self.directory));
                }
                opened => return opened,
            }
        }
        open()
    }

    fn wrong(&self) {
        self.ledger.word(Word::Wronged).fetch_add(1, Ordering::Relaxed);
    }
}

impl Writer for Simple {
    fn put(&self, _: Way, text: Text<'_>) -> io::Result<()> {
        let Text::Line(line) = text else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let turn = self.count.fetch_add(1, Ordering::Relaxed) % 1000 == 999;
        match self.habit {
            Habit::Tears => {
                let mut file = self.open(line, false)?;
                let (head, tail) = line.split_at(line.len() / 2);
                file.write_all(head)?;
                std::thread::sleep(Duration::from_micros(10));
                file.write_all(tail)
            }
            Habit::Loses if turn => {
                self.wrong();
                Ok(())
            }
            Habit::Duplicates if turn => {
                self.wrong();
                self.open(line, false)?.write_all(line)?;
                self.open(line, false)?.write_all(line)
            }
            Habit::Misplaces if turn => {
                self.wrong();
                self.open(line, true)?.write_all(line)
            }
            Habit::Damages if turn => {
                self.wrong();
                let mut damaged = line[..line.len() - 2].to_vec();
                damaged.push(b'\n');
                self.open(line, false)?.write_all(&damaged)
            }
            Habit::Reorders if turn => {
                self.wrong();
                *self.held.lock().map_err(|_| io::ErrorKind::Other)? = Some(line.to_vec());
                Ok(())
            }
            Habit::Removes if turn => {
                self.wrong();
                let mut file = self.open(line, false)?;
                let name = self.pattern.name(self.pattern.key_at(self.clock.now()));
                // Another process may have been faster.
                let _ = std::fs::remove_file(self.directory.join(name));
                std::thread::sleep(Duration::from_millis(30));
                file.write_all(line)
            }
            Habit::Dies if self.count.load(Ordering::Relaxed) > 500 => {
                self.wrong();
                signal(std::process::id() as i32, Signal::SIGKILL);
                Err(io::ErrorKind::Other.into())
            }
            Habit::Locks => {
                let _held = self.held.lock().map_err(|_| io::ErrorKind::Other)?;
                std::thread::sleep(Duration::from_micros(200));
                self.open(line, false)?.write_all(line)
            }
            Habit::Keeps => {
                let mut kept = self.kept.lock().map_err(|_| io::ErrorKind::Other)?;
                let key = parse(line.trim_ascii_end()).map_or(0, |line| self.pattern.key(&line.stamp));
                let (_, file) = match kept.take() {
                    Some(same) if same.0 == key => kept.insert(same),
                    _ => kept.insert((key, self.open(line, false)?)),
                };
                file.write_all(line)
            }
            Habit::Swallows => {
                if self.open(line, false)?.write_all(line).is_err() {
                    self.wrong();
                }
                Ok(())
            }
            // Only here and above: a lock that a thread holds while another one forks stays locked in the child.
            Habit::Reorders => {
                self.open(line, false)?.write_all(line)?;
                let held = self.held.lock().map_err(|_| io::ErrorKind::Other)?.take();
                held.map_or(Ok(()), |held| self.open(&held, false)?.write_all(&held))
            }
            _ => self.open(line, false)?.write_all(line),
        }
    }
}
