//! Replacing one finished file by its archive. `compress` says which file, and when.
//!
//! The archive is made without a name and without a claim on the plain file, so a late line need not wait. Then the
//! plain file is claimed, as for pruning:
//!
//! * If the plain file is as it was when the work began, the archive gets its name, and the plain file loses its own.
//! * If the plain file has changed, the archive is given up. Nobody has seen any of it.
//! * If the plain file has gone when it is to lose its name, the archive loses its own again. The lines are where the
//!   plain file was moved to.
//!
//! So whatever has an archive's name is whole. A plain file and its archive are both there only if a process was killed
//! between the two steps, or a late line has made the plain file anew. [`Rest`] tells these cases apart.

use crate::names::archive::archives_of;
use crate::sys::{self, Claim, Directory, FileId, FinishedFile, OwnFile, Priority, Unnamed};
use crate::time::clock::Clock;
use crate::upkeep::compression::{Compression, kind_of};
use crate::upkeep::frugal::Frugal;
use crate::upkeep::rest::{CHUNK, Rest, modified};
use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// What became of a plain file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Archived {
    Done,
    /// Somebody has the file open to write to, or has written to it meanwhile, or needs it.
    NotYet,
    /// The file was not there any more, or is something else now.
    Gone,
}

/// Replaces a plain file by its archive, unless somebody holds it or it is `needed`.
///
/// Meanwhile somebody may move the directory away, or mount another one over it. All steps are taken in the directory
/// that was there at the beginning.
pub(super) fn archive(
    plain: &Path,
    kind: Compression,
    priority: Priority,
    clock: &Clock,
    is_our_turn: impl Fn() -> bool,
    needed: impl Fn(FileId) -> bool,
) -> io::Result<Archived> {
    // 1. Look: is the file there, and does nobody write to it?
    let Some(directory) = Directory::of(plain)? else { return Ok(Archived::Gone) };
    let plain = &*directory.reach(plain);
    let file = match FinishedFile::open(plain) {
        // A file server holds a lease of its own.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Archived::NotYet),
        opened => opened?,
    };
    let Some(file) = file else { return Ok(Archived::Gone) };
    let before = file.file().metadata()?;
    let original = Original { plain, file, before, needed };
    if original.file.is_held()? || (original.needed)(original.file.id()) {
        return Ok(Archived::NotYet);
    }
    // 2. Make the archive, without its name. This is the only step at a low priority: an opener may wait for the
    // others.
    original.wait_for_next_tick();
    let Original { file, before, .. } = &original;
    let making = || {
        let target = Target::choose(&directory, plain, file.file(), before, kind)?;
        make(&directory, file.file(), before, target, clock)
    };
    let made = match sys::at_priority(priority, "log-compression", making)? {
        Err(_) if original.is_gone()? => return Ok(Archived::Gone),
        made => made?,
    };
    if !made.complete {
        return Ok(Archived::NotYet);
    }
    // 3. Give the archive its name.
    let Made { target, archive, old, .. } = made;
    let published = archive.as_ref().map(|archive| archive.file().id());
    if let Err(archived) = original.publish(archive, old.as_ref(), &target)? {
        return Ok(archived);
    }
    // 4. Remove the plain file, unless a late line has come. The archive's name must be on the disk before.
    let removed = directory.sync().and_then(|()| original.remove());
    let fails = removed.is_err() && original.is_gone().unwrap_or(true);
    if fails || matches!(removed, Ok(Archived::Done)) {
        return removed;
    }
    // 5. Or take the archive back, because lines would be there twice, or come back. That is so if a late line has
    // come, if somebody has moved the plain file away or removed it, or if the directory is a sticky one of another
    // owner. The archive may go: as long as the turn is ours, nobody has removed the plain file for the sake of the
    // archive.
    if let Some(published) = published.filter(|_| is_our_turn()) {
        take_back(&target, published, old.as_ref(), clock)?;
        directory.sync()?;
    }
    removed
}

/// No tick of the kernel's clock lasts longer (`time(7)`: 100 ticks a second or more).
const TICK: Duration = Duration::from_millis(20);

/// A plain file, as it was when the work with it began.
struct Original<'a, N> {
    plain: &'a Path,
    file: FinishedFile,
    before: Metadata,
    needed: N,
}

impl<N: Fn(FileId) -> bool> Original<'_, N> {
    /// Whether the file is not there any more, perhaps with its directory. If so, that is why a step has failed
    /// (ENOENT; on ext4 also EPERM).
    fn is_gone(&self) -> io::Result<bool> {
        Ok(!self.file.is_at(self.plain)?)
    }

    /// Waits until the tick of the kernel's clock in which the file was made is over. So the archive is the younger one
    /// by its time of birth, also if the file has just been made.
    fn wait_for_next_tick(&self) {
        let age = |born| SystemTime::now().duration_since(born).ok();
        if self.before.created().ok().and_then(age).is_some_and(|age| age < TICK) {
            thread::sleep(TICK);
        }
    }

    /// A claim on the file, if the file is as it was. Nobody can write to the file as long as the claim is held.
    fn claim(&self) -> io::Result<Result<Claim<'_>, Archived>> {
        let Some(claim) = self.file.claim()? else { return Ok(Err(Archived::NotYet)) };
        if self.is_gone()? {
            return Ok(Err(Archived::Gone));
        }
        let changed = differ(&self.file.file().metadata()?, &self.before) || (self.needed)(self.file.id());
        Ok(if changed { Err(Archived::NotYet) } else { Ok(claim) })
    }

    /// Gives the archive its name, if all is as it was. `archive`: `None` if the old archive holds everything.
    fn publish(&self, archive: Option<Unnamed>, old: Option<&Old>, target: &Path) -> io::Result<Result<(), Archived>> {
        let _claim = match self.claim()? {
            Err(archived) => return Ok(Err(archived)),
            Ok(claim) => claim,
        };
        if !is_as_before(target, old)? {
            return Ok(Err(Archived::NotYet));
        }
        let named = match archive {
            None => Ok(()),
            Some(archive) if old.is_none() => archive.publish(target),
            Some(archive) => archive.replace(target),
        };
        match named {
            // Somebody has just made a file of that name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Err(Archived::NotYet)),
            Err(_) if self.is_gone()? => Ok(Err(Archived::Gone)),
            named => named.map(Ok),
        }
    }

    /// Removes the plain file, if the file is as it was.
    fn remove(&self) -> io::Result<Archived> {
        match self.claim()? {
            Ok(_claim) => remove(self.plain, &self.file),
            Err(archived) => Ok(archived),
        }
    }
}

/// Removes the plain file, whose archive is there.
fn remove(plain: &Path, file: &FinishedFile) -> io::Result<Archived> {
    match sys::unlink(plain) {
        // Somebody has just moved the file away. If it has no name left, it was removed: a file server that is asked
        // twice can answer so to its own removal.
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.file().status()?.links > 0 => Ok(Archived::Gone),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(Archived::Done),
    }
}

/// Puts back under the archive's name what was there before the archive was published.
fn take_back(target: &Path, published: FileId, old: Option<&Old>, clock: &Clock) -> io::Result<()> {
    if sys::identity_of(target) != Some(published) {
        return Ok(());
    }
    let Some(old) = old else { return sys::unlink(target) };
    let copy = Unnamed::create(target, clock.now())?;
    io::copy(&mut old.file.reader(), &mut copy.file())?;
    copy.file().with(|copy| take_after(copy, &old.found, None))?;
    copy.file().with(File::sync_all)?;
    copy.replace(target)
}

/// An archive that is there already, and what it was like at the first look.
#[derive(Debug)]
struct Old {
    file: OwnFile,
    found: Metadata,
}

/// Whether the archive's name still leads to the old archive, or to nothing, and nobody has changed the old archive.
fn is_as_before(target: &Path, old: Option<&Old>) -> io::Result<bool> {
    if sys::identity_of(target) != old.map(|old| old.file.id()) {
        return Ok(false);
    }
    old.map_or(Ok(true), |old| Ok(!differ(&old.file.metadata()?, &old.found)))
}

/// The archive that a plain file goes into. It can be of another kind than the wanted one: a program can be killed
/// between the two steps, and started again with another kind.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    kind: Compression,
    old: Option<Old>,
    rest: Rest,
}

impl Target {
    /// The first of these: an archive that the plain file begins with, an old archive of the wanted kind, an old
    /// archive of another kind, a new archive of the wanted kind.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "zstd")),
        allow(unreachable_code, reason = "without a kind there is nothing to choose")
    )]
    fn choose(
        directory: &Directory,
        path: &Path,
        plain: &OwnFile,
        before: &Metadata,
        wanted: Compression,
    ) -> io::Result<Self> {
        let own = wanted.archive_of(path);
        let mut chosen = None;
        for archive in archives_of(path) {
            // Something that is no file and has the name of another kind of archive is none.
            if archive != own && !archive.symlink_metadata().is_ok_and(|found| found.is_file()) {
                continue;
            }
            let Some(file) = sys::open_to_read(&archive)? else { continue };
            let old = Old { found: file.metadata()?, file };
            let unreadable = |error| unreadable(&directory.told(&archive), &error);
            let kind = kind_of(&archive).map_err(unreadable)?;
            let rest = Rest::find(&old.file, &old.found, plain, before, kind).map_err(unreadable)?;
            let is_wanted = archive == own || chosen.is_none();
            let target = Self { path: archive, kind, old: Some(old), rest };
            match rest {
                Rest::Nothing | Rest::Grown { .. } => return Ok(target),
                Rest::Apart { .. } if is_wanted => chosen = Some(target),
                Rest::Apart { .. } => {}
            }
        }
        let rest = Rest::Apart { behind: 0, torn: false };
        Ok(chosen.unwrap_or(Self { path: own, kind: wanted, old: None, rest }))
    }
}

/// An archive that waits for its name.
#[derive(Debug)]
struct Made {
    target: PathBuf,
    /// `None`: the old archive holds everything.
    archive: Option<Unnamed>,
    /// What had the archive's name before.
    old: Option<Old>,
    /// All of the plain file is in the archive.
    complete: bool,
}

fn make(directory: &Directory, plain: &OwnFile, before: &Metadata, target: Target, clock: &Clock) -> io::Result<Made> {
    let Target { path: target, kind, old, rest } = target;
    let (kept, torn) = match rest {
        Rest::Nothing => return Ok(Made { target, archive: None, old, complete: true }),
        Rest::Grown { behind, torn } | Rest::Apart { behind, torn } => (behind, torn),
    };
    let archive = Unnamed::create(&target, clock.now())?;
    let mut output = BufWriter::with_capacity(CHUNK, Frugal::new(archive.file())?);
    if let Some(old) = &old {
        let copied = io::copy(&mut BufReader::with_capacity(CHUNK, old.file.reader().take(kept)), &mut output)?;
        if copied != kept {
            return Err(unreadable(&directory.told(&target), &io::ErrorKind::UnexpectedEof.into()));
        }
    }
    if torn {
        // A killed writer has left a piece of a line. Nothing must be glued to it.
        kind.compress(&mut &b"\n"[..], &mut output)?;
    }
    let length = kind.compress(&mut BufReader::with_capacity(CHUNK, plain.reader()), &mut output)?;
    output.flush()?;
    drop(output);
    archive.file().with(|archive| take_after(archive, before, old.as_ref().map(|old| &old.found)))?;
    // This comes before the plain file goes: after a power failure one of the two must be there.
    archive.file().with(File::sync_all)?;
    Ok(Made { target, archive: Some(archive), old, complete: length == before.len() })
}

fn unreadable(archive: &Path, error: &io::Error) -> io::Error {
    let text = format!("the archive {} cannot be read and is left as it is; move it away ({error})", archive.display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Whether somebody has written to a file, or has changed its rights.
fn differ(now: &Metadata, before: &Metadata) -> bool {
    let rights = |file: &Metadata| (file.mode(), file.uid(), file.gid());
    now.len() != before.len() || modified(now) != modified(before) || rights(now) != rights(before)
}

/// Gives an archive the owner, the permissions and the times of its plain file. If there is an old archive, the new one
/// has the old one's owner and group, because an administrator may have given it to somebody. Only those who may read
/// both files may read the new archive.
fn take_after(archive: &File, plain: &Metadata, old: Option<&Metadata>) -> io::Result<()> {
    let own = archive.metadata()?;
    let (mut uid, mut gid, mut mode) = (plain.uid(), plain.gid(), plain.mode() & 0o777);
    if let Some(old) = old {
        mode &= old.mode();
        // An owner can give himself every right. Somebody who may not read the plain file could have made the old
        // archive to get at the lines.
        let may_read = old.uid() == uid || plain.mode() & 0o004 != 0;
        uid = if may_read { old.uid() } else { own.uid() };
        if old.gid() != gid {
            // To the plain file, this group is everybody.
            mode &= !0o070 | (plain.mode() & 0o007) << 3;
            gid = old.gid();
        }
    }
    if (own.uid(), own.gid()) != (uid, gid)
        && fchown(archive, Some(uid), Some(gid)).is_err()
        && own.gid() != gid
        && fchown(archive, None, Some(gid)).is_err()
    {
        // The archive stays with another group, which gets no more rights than everybody.
        mode &= !0o070 | (mode & 0o007) << 3;
    }
    archive.set_permissions(Permissions::from_mode(mode))?;
    archive.set_times(FileTimes::new().set_accessed(plain.accessed()?).set_modified(plain.modified()?))
}
