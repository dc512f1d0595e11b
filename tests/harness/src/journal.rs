//! What somebody does to the log files and to the clock from outside, and when: the checker must know it to tell what
//! was lost by the writers from what was taken from them.
//!
//! The files themselves go into the attic, a directory beside the log directory: those that are moved away at once, the
//! content of those that are deleted when the run is over, by way of a descriptor that was opened before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::ledger::{Ledger, State, Word};
use crate::watch;

/// One thing that was done. Instants are the run's time, in nanoseconds since 1970: what its clock shows, as long as
/// that is not stepped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The files in this room of the attic were deleted, the last of them by this instant.
    Deleted(u64, usize),
    /// The files in this room of the attic were moved there, the last of them by this instant.
    Moved(u64, usize),
    /// This file was cut to nothing by this instant.
    Truncated(u64, String),
    /// From the first instant to the second, files could not be opened.
    Obstructed(u64, u64),
    /// From the first instant to the second, the clock was stepped: it is so many nanoseconds from the run's time since
    /// then.
    Stepped(u64, u64, i64),
}

/// Where the deeds are noted, by the process that does them.
#[derive(Debug)]
pub struct Journal {
    list: File,
    attic: PathBuf,
    rooms: usize,
    /// Files that have been deleted, and what to call their content.
    deleted: Vec<(File, PathBuf)>,
}

impl Journal {
    /// An empty one in this file, with this directory as its attic.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn create(list: &Path, attic: PathBuf) -> io::Result<Self> {
        let list = OpenOptions::new().create_new(true).append(true).open(list)?;
        Ok(Self { list, attic, rooms: 0, deleted: Vec::new() })
    }

    /// A new room of the attic.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn room(&mut self) -> io::Result<(usize, PathBuf)> {
        self.rooms += 1;
        let path = room(&self.attic, self.rooms);
        fs::create_dir_all(&path)?;
        Ok((self.rooms, path))
    }

    /// Notes what was done.
    ///
    /// # Errors
    ///
    /// When it cannot be written down.
    pub fn note(&mut self, deed: &Deed) -> io::Result<()> {
        let line = match deed {
            Deed::Deleted(at, room) => format!("deleted {at} {room}\n"),
            Deed::Moved(at, room) => format!("moved {at} {room}\n"),
            Deed::Truncated(at, name) => format!("truncated {at} {name}\n"),
            Deed::Obstructed(from, to) => format!("obstructed {from} {to}\n"),
            Deed::Stepped(from, to, offset) => format!("stepped {from} {to} {offset}\n"),
        };
        self.list.write_all(line.as_bytes())
    }

    /// Deletes a log file of this name and remembers it; its content goes into this room of the attic. `false`: it was
    /// not there.
    ///
    /// # Errors
    ///
    /// When it cannot be deleted.
    pub fn delete(&mut self, directory: &Path, name: &Path, room: &Path) -> io::Result<bool> {
        let file = &directory.join(name);
        let open = match File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            open => open?,
        };
        fs::remove_file(file)?;
        let mut place = room.join(name);
        // A directory that is being emptied gets new files of the same name.
        for more in 1.. {
            if self.deleted.iter().all(|(_, taken)| *taken != place) {
                break;
            }
            place = room.join(more.to_string()).join(name);
        }
        self.deleted.push((open, place));
        Ok(true)
    }

    /// Ends the run, waits until nobody writes any more, and puts what was deleted into the attic.
    ///
    /// # Errors
    ///
    /// When it cannot be copied.
    pub fn close(self, ledger: &Ledger) -> io::Result<()> {
        ledger.set(Word::Stop, 1);
        let writes = |process| matches!(ledger.member(process).state(), State::Waiting | State::Working);
        while (0..ledger.members()).any(writes) {
            // This process has started some of them itself.
            watch::note_deaths(ledger);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        for (mut file, place) in self.deleted {
            fs::create_dir_all(place.parent().unwrap_or(&place))?;
            io::copy(&mut file, &mut File::create_new(place)?)?;
        }
        Ok(())
    }
}

/// A room of the attic.
#[must_use]
pub fn room(attic: &Path, number: usize) -> PathBuf {
    attic.join(number.to_string())
}

/// The deeds of a run; none where nobody did anything.
#[must_use]
pub fn deeds(list: &Path) -> Vec<Deed> {
    let text = fs::read_to_string(list).unwrap_or_default();
    let deed = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (what, at, more) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        Some(match what {
            "deleted" => Deed::Deleted(at, more.parse().ok()?),
            "moved" => Deed::Moved(at, more.parse().ok()?),
            "truncated" => Deed::Truncated(at, more.to_owned()),
            "obstructed" => Deed::Obstructed(at, more.parse().ok()?),
            "stepped" => {
                let (to, offset) = more.split_once(' ')?;
                Deed::Stepped(at, to.parse().ok()?, offset.parse().ok()?)
            }
            _ => return None,
        })
    };
    text.lines().filter_map(deed).collect()
}
