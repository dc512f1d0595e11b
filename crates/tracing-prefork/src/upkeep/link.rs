//! The link to the latest file. It is renewed in one step, and only ever led forward in time.

use crate::names::listing;
use crate::names::pattern::{Pattern, Place};
use crate::names::site::Site;
use crate::names::tag::Tag;
use crate::sys::{self, FileId, LogPath, parse_hidden, unique_hidden};
use crate::time::clock::{AHEAD, Clock, FIRST, Moment};
use crate::upkeep::age::{self, is_left_behind};
use crate::upkeep::copy;
use crate::upkeep::link_note;
use crate::upkeep::link_target::{Next, PutBack, To};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind::NotFound;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

/// A hard link that seems to lead to none of the files is looked at this often before that is believed.
const LOOKS: usize = 5;

/// A link beside the files that leads to the latest of them.
#[derive(Debug)]
pub(crate) struct Link {
    kind: Kind,
    /// The name as it was given. With tags, the link of a tag has the tag before the last dot of this name.
    option: String,
    /// The file that this process has led a hard link to, mixed into one number; 0 for none yet. By this the link is
    /// known to be ours when the file's own name is gone.
    led: AtomicU64,
    /// The fingerprint of what had the link's name at the last look; 0 for nothing.
    seen: AtomicU64,
    /// The start of the period that this process last wanted the link to lead to.
    wanted: AtomicI64,
    /// What becomes of temporary names in the directory: `UNKNOWN`, `GOES` or `STAYS`.
    temporary: AtomicU8,
    /// The second in which this process last looked for temporary names that others had left.
    swept: AtomicI64,
}

const UNKNOWN: u8 = 0;
/// Temporary names can be removed.
const GOES: u8 = 1;
/// A temporary name stays for good.
const STAYS: u8 = 2;

/// Seconds between two looks for temporary names that killed processes have left.
const SWEEP: i64 = 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Relative, so that it survives a move of the directory and is right in a container.
    Symbolic,
    /// Followed by `tail -F` without polling.
    Hard,
}

impl Link {
    pub(crate) fn new(kind: Kind, option: String) -> Self {
        Self {
            kind,
            option,
            led: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            wanted: AtomicI64::new(i64::MIN),
            temporary: AtomicU8::new(UNKNOWN),
            swept: AtomicI64::new(i64::MIN),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The name as it was given.
    pub(crate) fn option(&self) -> &str {
        &self.option
    }

    /// The parts of the name around the tag.
    fn parts(&self) -> (&str, &str) {
        let end = self.option.rfind('.').filter(|dot| *dot > 0).unwrap_or(self.option.len());
        self.option.split_at(end)
    }

    /// The name of the link of a tag. Allocates nothing.
    fn write_name(&self, tag: Option<Tag>, into: &mut impl Write) -> io::Result<()> {
        let (before, after) = self.parts();
        into.write_all(before.as_bytes())?;
        if let Some(tag) = tag {
            write!(into, ".{}", tag.as_str())?;
        }
        into.write_all(after.as_bytes())
    }

    /// The name of the link of a tag, or of a pattern without tags.
    pub(crate) fn name(&self, tag: Option<Tag>) -> String {
        let (before, after) = self.parts();
        tag.map_or_else(|| self.option.clone(), |tag| format!("{before}.{}{after}", tag.as_str()))
    }

    /// The tag whose link has this name.
    pub(crate) fn tag_of(&self, name: &str) -> Option<Tag> {
        let (before, after) = self.parts();
        Tag::new(name.strip_prefix(before)?.strip_prefix('.')?.strip_suffix(after)?).ok()
    }

    /// The path of the link of this process.
    fn path(&self, pattern: &Pattern) -> PathBuf {
        pattern.directory().join(self.name(pattern.own_tag()))
    }

    /// Whether somebody has removed or replaced the link since it was renewed last.
    pub(crate) fn has_changed(&self, pattern: &Pattern) -> bool {
        fingerprint(&self.path(pattern)) != self.seen.load(Relaxed)
    }

    /// [Leads](Self::lead) the link to a file, and remembers what has its name then.
    pub(crate) fn renew(&self, site: &Site, to: To) -> io::Result<()> {
        let renewed = self.lead(site, to);
        self.seen.store(fingerprint(&self.path(&site.pattern)), Relaxed);
        renewed
    }

    /// Leads the link to a file, unless the link leads to this file or a later one already.
    ///
    /// There is no lock. A process that is stopped between the look and the rename can lead the link back in time. So
    /// each process that has renamed looks at the clock again, and at the directory if the period is over by then.
    fn lead(&self, site: &Site, To { at, index, put_back }: To) -> io::Result<()> {
        let Site { pattern, clock, .. } = site;
        let (path, tag) = (self.path(pattern), pattern.own_tag_id());
        let mut place = Place { tag, span: pattern.calendar().span(at), index };
        let mut target = pattern.path_at(at, index)?;
        let mut tries = 1;
        loop {
            // 1. Does the link lead there, or further, already?
            let now = clock.exact_second();
            let there = self.leads_to(&path, site, now)?;
            if there.is_some_and(|there| self.is_right(there, place, now, put_back)) {
                return Ok(());
            }
            // 2. Replace it. The link is right if the period is not over yet.
            self.wanted.store(place.span.start, Relaxed);
            let replaced = self.replace(&path, &target, clock.now());
            if replaced.is_ok() {
                self.note(&path, site);
                if place.span.contains(clock.exact_second()) {
                    return Ok(());
                }
            }
            // 3. Else look what to do next.
            let failed = replaced.as_ref().err().map(io::Error::kind);
            let later = newest(pattern, clock)?.filter(|newest| newest.order() > place.order());
            let has_ended = || is_free(target.as_path()) || !place.span.contains(clock.exact_second());
            match Next::decide(later, failed, tries < LOOKS, has_ended) {
                Next::LeadTo(later) => {
                    (place, target) = (later, pattern.path_at(later.span.start.max(FIRST), later.index)?);
                }
                Next::TryAgain => tries += 1,
                Next::Leave => return Ok(()),
                Next::Answer => return replaced,
            }
        }
    }

    /// Whether a link may stay as it is: it leads to `there`, which is `place` or a later file, and not too far ahead.
    ///
    /// | `put_back` | this process wanted the link to lead so far | how far in the future the file may begin |
    /// |---|---|---|
    /// | `FarAhead` | | an hour |
    /// | `Own` | yes | not at all |
    /// | `Own` | no | without a bound |
    /// | `None` | | without a bound |
    fn is_right(&self, there: Place, place: Place, now: i64, put_back: PutBack) -> bool {
        if there.order() == place.order() {
            self.wanted.store(place.span.start, Relaxed);
        }
        let is_own = there.span.start <= self.wanted.load(Relaxed);
        let ahead = match (put_back, is_own) {
            (PutBack::FarAhead, _) => AHEAD,
            (PutBack::Own, true) => 0,
            (PutBack::Own, false) | (PutBack::None, _) => i64::MAX,
        };
        there.order() >= place.order() && there.span.start <= now.saturating_add(ahead)
    }

    /// Which file the link leads to now. `None`: none of this process's tag. An error if something else has the link's
    /// name, which is not ours to replace.
    fn leads_to(&self, path: &Path, site: &Site, now: i64) -> io::Result<Option<Place>> {
        for _ in 0..LOOKS {
            let found = match fs::symlink_metadata(path) {
                Err(error) if error.kind() == NotFound => return Ok(None),
                found => found?,
            };
            match self.kind {
                Kind::Symbolic if found.is_symlink() => return symbolic_target(path, &site.pattern, now),
                Kind::Hard if found.is_file() => {
                    let files = listing::list(&site.pattern, now)?.found;
                    let place = files.iter().find_map(|file| file.place.filter(|_| file.inode == found.ino()));
                    if place.is_some() || self.is_ours(path, site) || copy::is_one(path, &found, &files) {
                        return Ok(place.filter(|place| place.tag == site.pattern.own_tag_id()));
                    }
                    // Or somebody has renewed the link between the two looks, and pruned the file that it led to.
                }
                _ => break,
            }
        }
        Err(not_ours())
    }

    /// Whether a hard link leads to the file that this process has led it to, or the process that led such links last.
    fn is_ours(&self, path: &Path, site: &Site) -> bool {
        let is_noted = |id| link_note::tells_of(&own_note(&site.pattern), site.creation(), id);
        sys::identity_of(path).is_some_and(|id| mixed(id) == self.led.load(Relaxed) || is_noted(id))
    }

    /// Notes where a hard link leads, unless another process has renewed the link meanwhile. Without a note, a process
    /// that is started later knows the link only as long as the link's file has its own name.
    fn note(&self, path: &Path, site: &Site) {
        let led = |id: &FileId| self.is_hard() && mixed(*id) == self.led.load(Relaxed);
        let is_log = |id: FileId| {
            let files = listing::list(&site.pattern, site.clock.exact_second()).unwrap_or_default().found;
            files.iter().any(|file| file.place.is_some() && file.inode == id.inode)
        };
        let Some(mut id) = sys::identity_of(path).filter(led) else { return };
        for _ in 0..LOOKS {
            let noted = link_note::write(&own_note(&site.pattern), site.creation(), id);
            match sys::identity_of(path) {
                // Another process has renewed the link. Its note may have come before ours, and be overwritten.
                Some(found) if noted.is_ok() && found != id && is_log(found) => id = found,
                _ => return,
            }
        }
    }

    pub(crate) fn is_hard(&self) -> bool {
        self.kind == Kind::Hard
    }

    /// Whether this is a hard link, and another name of that file. Allocates nothing, because a child of a raw `clone`
    /// asks too.
    pub(crate) fn is_name_of(&self, pattern: &Pattern, id: FileId) -> bool {
        let path = || {
            let mut path = LogPath::in_directory(pattern.directory())?;
            self.write_name(pattern.own_tag(), &mut path).map(|()| path)
        };
        self.is_hard() && path().is_ok_and(|path| sys::identity_at(&path).is_ok_and(|found| found == Some(id)))
    }

    /// Whether this is a symbolic link to the file of that name, or a hard link to the file itself.
    pub(crate) fn leads_to_file(&self, pattern: &Pattern, name: &str, id: FileId) -> bool {
        match self.kind {
            Kind::Symbolic => fs::read_link(self.path(pattern)).is_ok_and(|to| to == Path::new(name)),
            Kind::Hard => self.is_name_of(pattern, id),
        }
    }

    /// Removes the link, whose file is gone.
    pub(crate) fn remove(&self, pattern: &Pattern) -> io::Result<()> {
        match sys::unlink(&self.path(pattern)) {
            Err(error) if error.kind() == NotFound => Ok(()),
            removed => removed,
        }
    }

    fn replace(&self, path: &Path, target: &LogPath, now: SystemTime) -> io::Result<()> {
        // Keeps the file until the link is there. Then whoever prunes sees the link.
        let _held = if self.is_hard() { sys::hold(target)? } else { None };
        if is_free(path) {
            match self.make(path, target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
        if self.is_stuck(path, now) {
            return Err(stuck());
        }
        let hidden = unique_hidden(path, now);
        self.make(&hidden, target)?;
        let renamed = fs::rename(&hidden, path);
        // If both names lead to one file already, rename(2) does nothing and leaves the hidden one.
        self.temporary.store(if remove(&hidden) { GOES } else { STAYS }, Relaxed);
        renamed
    }

    fn make(&self, path: &Path, target: &LogPath) -> io::Result<()> {
        match self.kind {
            Kind::Symbolic => symlink(OsStr::from_bytes(target.file_name()), path),
            Kind::Hard => {
                fs::hard_link(target.as_path(), path)?;
                self.led.store(sys::identity_of(path).map_or(0, mixed), Relaxed);
                Ok(())
            }
        }
    }

    /// Whether temporary names stay for good, as in a directory to which names can only be added (`chattr +a`). Then at
    /// most one temporary name is made, and a program that is started again makes none.
    fn is_stuck(&self, path: &Path, now: SystemTime) -> bool {
        let second = Moment::from(now).secs;
        let is_swept = (0..SWEEP).contains(&second.saturating_sub(self.swept.load(Relaxed)));
        if !is_swept && self.temporary.load(Relaxed) != STAYS {
            self.swept.store(second, Relaxed);
            let all_go = self.sweep(path, now);
            // It may be known already: this process has removed a name of its own.
            let _ = self.temporary.compare_exchange(UNKNOWN, if all_go { GOES } else { STAYS }, Relaxed, Relaxed);
        }
        self.temporary.load(Relaxed) == STAYS
    }

    /// Removes the temporary names that killed processes have left. `false`: one of them stays.
    fn sweep(&self, path: &Path, now: SystemTime) -> bool {
        let Some(directory) = path.parent() else { return true };
        let is_left = |name: &OsStr| {
            let parsed = name.to_str().and_then(|name| parse_hidden(name, now));
            parsed.is_some_and(|(name, age)| path.ends_with(name) && is_left_behind(age))
        };
        let names = sys::entries(directory).into_iter().flatten().map(|entry| entry.name);
        let mut left = names.filter(|name| is_left(name));
        left.all(|name| remove(&directory.join(name)))
    }
}

/// Which file a symbolic link leads to. A link that leads elsewhere, or to a file of another pattern, is replaced.
fn symbolic_target(path: &Path, pattern: &Pattern, now: i64) -> io::Result<Option<Place>> {
    match fs::read_link(path) {
        Err(error) if error.kind() == NotFound => Ok(None),
        target => {
            let place = target?.to_str().and_then(|name| pattern.place_of_name(name, now));
            Ok(place.filter(|place| place.tag == pattern.own_tag_id()))
        }
    }
}

fn own_note(pattern: &Pattern) -> PathBuf {
    pattern.link_note(pattern.own_tag())
}

/// Removes a name. `false`: it stays.
fn remove(name: &Path) -> bool {
    fs::remove_file(name).map_or_else(|error| error.kind() == NotFound, |()| true)
}

fn is_free(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == NotFound)
}

fn stuck() -> io::Error {
    let text =
        "the directory lets no name be removed or replaced (chattr +a?), so a temporary name would stay for good";
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// The fingerprint of a directory entry, to notice that something else has its name: the kind, the inode, and the time
/// at which a symbolic link was made, because a new link can get a removed link's inode. 0 for nothing.
fn fingerprint(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else { return 0 };
    let made = if found.is_symlink() { found.ctime().wrapping_mul(1_000_000_000) + found.ctime_nsec() } else { 0 };
    found.ino().rotate_left(16) ^ u64::from(found.mode() >> 12) ^ made as u64
}

fn mixed(id: FileId) -> u64 {
    id.inode.rotate_left(40) ^ id.birth
}

fn not_ours() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "something else has the link's name; move it away")
}

/// The newest file of this process's tag that is there. Files of the future do not count.
fn newest(pattern: &Pattern, clock: &Clock) -> io::Result<Option<Place>> {
    let found = match listing::list(pattern, clock.exact_second()) {
        // Whoever looks at the current file makes the directory again.
        Err(error) if error.kind() == NotFound => return Ok(None),
        listing => listing?.found,
    };
    let own = pattern.own_tag_id();
    let places = found.into_iter().filter_map(|file| file.place).filter(|place| place.tag == own);
    // The clock is read again: if it goes fast, others may have begun further files meanwhile.
    let now = clock.exact_second();
    Ok(places.filter(|place| !age::is_of_future(place.span, now)).max_by_key(|place| place.order()))
}
