//! [`Live`]: the ring of this process.

use crate::names::site::Site;
use crate::ring::entries::{Entries, Freed, Next, Refused, Tail};
use crate::ring::head::Owner;
use crate::ring::layout::{HEAD, Layout};
use crate::ring::marks::Marks;
use crate::ring::note::{Batch, Note};
use crate::ring::pending::Rings;
use crate::sys::{self, Bell, RingMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

#[derive(Debug)]
pub(crate) struct Live {
    map: RingMap,
    layout: Layout,
    tail: Tail,
    freed: Freed,
    pub(crate) path: PathBuf,
    pub(crate) id: u64,
    /// No line comes any more.
    has_ended: AtomicBool,
    /// Wakes the flusher.
    pub(crate) bell: Bell,
}

/// What came of a line that was to go into the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is there.
    Yes,
    /// It is there, and more than half of the ring is in use.
    NearlyFull,
    Full,
    /// The ring has been ended.
    Sealed,
    /// Its thread was kept from running for a second, or this is a child that was forked in the middle.
    GivenUp,
}

impl Live {
    /// Makes a ring, with its file.
    pub(crate) fn create(site: &Site, rings: &Rings, ring_bytes: usize) -> io::Result<Self> {
        let (layout, id) = (Layout::of(ring_bytes), sys::random());
        let path = rings.path_of(&site.pattern, id);
        let expected = rings.expected();
        let owner = Owner {
            boot: expected.boot,
            pattern: expected.pattern,
            id,
            process: std::process::id(),
            made: site.clock.now(),
            tag: site.pattern.own_tag(),
        };
        let words = owner.words(layout);
        let prepare = |map: &RingMap| {
            map.words(0, words.len()).iter().zip(words).for_each(|(word, value)| word.store(value, Release));
        };
        rings.cells.hold(site.creation())?;
        let map = sys::create_ring(&path, site.creation(), (layout.size(), layout.bytes), prepare)?;
        Ok(Self {
            map,
            layout,
            tail: Tail::new(),
            freed: Freed::new(),
            path,
            id,
            has_ended: AtomicBool::new(false),
            bell: Bell::default(),
        })
    }

    pub(crate) fn longest(&self) -> usize {
        self.layout.longest()
    }

    #[inline(always)]
    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries {
            words: self.map.words(HEAD, self.layout.entries),
            seconds: self.map.signed_words(self.layout.seconds(), self.layout.entries),
            bytes: self.layout.bytes as u32,
            tail: &self.tail,
            freed: &self.freed,
        }
    }

    /// Whether the file has its name still. Others find the lines by that name.
    pub(crate) fn has_name(&self) -> bool {
        sys::identity_of(&self.path) == Some(self.map.file())
    }

    /// Removes the file, whose lines are all in the log.
    pub(crate) fn remove(&self) {
        if self.has_name() {
            let _ = sys::unlink(&self.path);
        }
    }

    /// Whether this process was forked by a signal handler while its thread was using the ring. The ring is the
    /// parent's, and so are its lines.
    pub(crate) fn is_of_parent(&self) -> bool {
        self.map.is_of_parent()
    }

    /// From now on no line comes. `false`: somebody else has changed the ring.
    pub(crate) fn end(&self) -> bool {
        let is_sealed = self.entries().seal().is_some();
        self.has_ended.store(is_sealed, Release);
        is_sealed
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Acquire)
    }

    /// Puts a line in. It has at most [`longest`](Self::longest) bytes.
    #[inline(always)]
    pub(crate) fn push(&self, line: &[u8], second: i64) -> Pushed {
        let entries = self.entries();
        let reserved = match entries.reserve(line.len() as u32) {
            Ok(reserved) => reserved,
            Err(Refused::Full) => return Pushed::Full,
            Err(Refused::Sealed) => return Pushed::Sealed,
        };
        self.map.write(self.place(reserved.begin), line);
        match (entries.publish(reserved, second), entries.is_half_full(&reserved)) {
            (false, _) => Pushed::GivenUp,
            (true, false) => Pushed::Yes,
            (true, true) => Pushed::NearlyFull,
        }
    }

    #[inline(always)]
    fn place(&self, place: u32) -> usize {
        place as usize & (self.layout.bytes - 1)
    }

    /// The index of the line that comes into a file next.
    pub(crate) fn next(&self) -> u64 {
        self.marks().next()
    }

    /// Notes that the lines before that index are in their files.
    pub(crate) fn set_next(&self, index: u64) {
        self.marks().set_next(index);
    }

    pub(crate) fn set_note(&self, note: Option<Note>) {
        self.marks().set_note(note);
    }

    fn marks(&self) -> Marks<'_> {
        Marks { words: self.map.words(0, HEAD / 8) }
    }

    /// Whether a line is there, or is being copied, that is not known to be in a file.
    pub(crate) fn has_lines(&self) -> bool {
        self.entries().look(self.next()) != Next::End
    }

    /// The lines of a batch.
    pub(crate) fn text(&self, batch: &Batch) -> &[u8] {
        self.map.read(self.place(batch.begin), batch.length())
    }
}
