//! `cat -f`: prints the lines that come.
//!
//! Lines that come together are printed in the order of time. A line is printed when its newline is there. Each line is
//! printed once, also if its file is compressed, removed or begun anew meanwhile: see [`followed`].

mod batch;
mod followed;
mod lines;
mod tail;
mod wake;

use super::lines::Window;
use super::merge::{Read, Room};
use super::output::Output;
use super::{Ended, Selection};
use crate::logs::listing::{Row, RowKey};
use crate::logs::place::Place;
use crate::logs::stamp::Nanos;
use batch::Batch;
use followed::Followed;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wake::Wake;

/// How long lines are gathered, so that they are printed in the order of time.
const GATHERING: Duration = Duration::from_millis(20);

/// The directory is listed at least so often.
const LISTING: Duration = Duration::from_secs(1);

/// Idle files beyond this number are closed.
const MOST_OPEN: usize = 128;

/// Which place: the row, the beginning of the period, and the number in it.
type Key = (RowKey, Nanos, u32);

/// The places that are followed.
pub(super) struct Follow<'a> {
    selection: &'a Selection,
    window: Window,
    room: &'a Room,
    places: BTreeMap<Key, Followed>,
    /// The files whose error was told.
    told: BTreeSet<PathBuf>,
}

impl<'a> Follow<'a> {
    /// Follows what is there now, from its end on. Lines that are printed by somebody else are told to
    /// [`has_read`](Self::has_read).
    pub(super) fn new(selection: &'a Selection, window: Window, room: &'a Room, rows: &[Row], all: bool) -> Self {
        let mut places = BTreeMap::new();
        // A place that is about to be read needs no second look.
        for (row, place) in rows.iter().filter(|_| !all).flat_map(|row| row.places.iter().map(move |it| (row, it))) {
            match Followed::from_end(place) {
                Ok(followed) => drop(places.insert(key(&row.key, place), followed)),
                Err(error) => room.tell(&place.plain, &error),
            }
        }
        Self { selection, window, room, places, told: BTreeSet::new() }
    }

    /// Goes on where these places were read to.
    pub(super) fn has_read(&mut self, read: Vec<Read>) {
        for (row, place, progress) in read {
            self.places.insert(key(&row, &place), Followed::after(place, progress));
        }
    }

    /// Prints what comes, until a signal ends the program.
    pub(super) fn run(mut self, output: &mut Output) -> Result<(), Ended> {
        let mut wake = Wake::new(self.selection.names.directory(), output.file()).map_err(Ended::Refused)?;
        let mut listed: Option<Instant> = None;
        let mut batch = Batch::new(self.window);
        while !wake.is_told_to_end() {
            let lists = wake.is_changed() || listed.is_none_or(|listed| listed.elapsed() >= LISTING);
            if lists {
                wake.forget_changes();
                self.look(&mut batch, output)?;
                self.places.values().for_each(|place| wake.watch_beside(place.plain()));
                listed = Some(Instant::now());
            }
            self.read(&mut batch, output).and_then(|()| output.flush()).map_err(Ended::Output)?;
            wake.wait(GATHERING).map_err(Ended::Output)?;
        }
        Ok(())
    }

    /// Prints what has come in the files that are open.
    ///
    /// Whoever writes a line to a later file has written the lines before it to earlier files. So the ends of later
    /// files are noted first, and all that belongs before these ends is printed with it or before it.
    fn read(&mut self, batch: &mut Batch, output: &mut Output) -> io::Result<()> {
        self.places.values_mut().rev().for_each(Followed::note_ends);
        for place in self.places.values_mut() {
            while place.read(batch) {
                batch.print(output)?;
            }
        }
        batch.print(output)
    }

    /// Lists the directory: which places are new, and which have other files than before?
    fn look(&mut self, batch: &mut Batch, output: &mut Output) -> Result<(), Ended> {
        // The directory may be away for a moment.
        let Ok(rows) = self.selection.rows() else { return Ok(()) };
        let mut there = BTreeSet::new();
        for row in &rows {
            for place in row.places.iter().filter(|place| self.window.overlaps(place)) {
                let key = key(&row.key, place);
                let followed = self.places.entry(key.clone()).or_insert_with(|| Followed::new(place.clone()));
                there.insert(key);
                match followed.look(batch, output, self.room)? {
                    Err(error) if self.told.insert(place.plain.clone()) => self.room.tell(&place.plain, &error),
                    _ => {}
                }
            }
        }
        for (_, place) in self.places.iter_mut().filter(|(key, _)| !there.contains(*key)) {
            // A place that was just removed.
            let _ = place.look(batch, output, self.room)?;
        }
        self.places.retain(|key, place| there.contains(key) || !place.is_gone());
        let mut idle: Vec<_> = self.places.values_mut().filter(|place| place.is_open()).collect();
        let surplus = idle.len().saturating_sub(MOST_OPEN);
        idle.sort_by_key(|place| place.changed());
        idle.into_iter().take(surplus).for_each(Followed::close);
        Ok(())
    }
}

fn key(row: &RowKey, place: &Place) -> Key {
    (row.clone(), place.start, place.index)
}
