//! [`Followed`]: a place whose new lines are printed.
//!
//! A plain file is read through a descriptor that stays open, so nothing is lost if the file is compressed or removed.
//! A late line makes the plain file anew. Then the new one is read after the old one.
//!
//! All text of a place, in the order in which it was written, is one text: first that of the archive, then that of the
//! plain file, which becomes the end of the archive later. [`Followed`] counts how much of this text it has read. So
//! when a new archive is there, its rest is what was not seen while it was plain.

use super::batch::Batch;
use super::lines::LineTimes;
use super::tail::{Tail, last_newline};
use crate::cat::Ended;
use crate::cat::lines::Progress;
use crate::cat::merge::Room;
use crate::cat::output::Output;
use crate::logs::content::Content;
use crate::logs::descriptors::FileId;
use crate::logs::listing::nanos;
use crate::logs::place::{Found, Place, is_younger};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// The bytes that are read of a file at once.
const PIECE: usize = 256 << 10;

/// A piece of a line at the end of a file whose period is over is printed after this time. Its writer was killed.
const CUT: Duration = Duration::from_secs(10);

/// A file stays open until its period has been over for so long.
const RECENT: Duration = Duration::from_secs(60);

/// A place, and how far it has been read.
pub(super) struct Followed {
    place: Place,
    /// The plain files, in the order in which they were made. As a rule there is one.
    tails: VecDeque<Tail>,
    /// How much of the place's text has been read.
    text: Text,
    /// The archive that was looked at last: its identity and size.
    archive: Option<(FileId, u64)>,
    lines: LineTimes,
    changed: Instant,
    /// Not looked at before.
    is_new: bool,
    /// A newline was printed behind the text that was read last, and the text has none.
    is_cut: bool,
}

/// How much of a place's text has been read.
#[derive(Clone, Copy, Debug)]
enum Text {
    Bytes(u64),
    /// So many bytes behind the text of the archive's first `compressed` bytes, which were not read.
    Behind {
        compressed: u64,
        bytes: u64,
    },
}

impl Followed {
    /// A place that has just been found. All of it is new.
    pub(super) fn new(place: Place) -> Self {
        let lines = LineTimes::of(&place);
        let (tails, text, archive) = (VecDeque::new(), Text::Bytes(0), None);
        Self { place, tails, text, archive, lines, changed: Instant::now(), is_new: true, is_cut: false }
    }

    /// A place whose text is old, but for what comes from now on.
    pub(super) fn from_end(place: &Place) -> io::Result<Self> {
        let mut followed = Self { is_new: false, ..Self::new(place.clone()) };
        let files = place.open()?;
        let mut behind = None;
        for archive in &files.archives {
            behind = Some(archive.bytes);
            followed.archive = Some((archive.id, archive.bytes));
        }
        let mut bytes = 0;
        if let Some(plain) = files.plain {
            let at = last_newline(&plain.file)?;
            bytes = at.saturating_sub(plain.skip);
            let file = Some(plain.file).filter(|_| !followed.has_been_over(RECENT));
            followed.tails.push_back(Tail::new(file, plain.id, at));
        }
        followed.text = behind.map_or(Text::Bytes(bytes), |compressed| Text::Behind { compressed, bytes });
        Ok(followed)
    }

    /// A place that was read so far.
    pub(super) fn after(place: Place, progress: Progress) -> Self {
        let plain = progress.plain.map_or(0, |(_, at, skip)| at.saturating_sub(skip));
        let mut followed = Self::new(place);
        followed.text = Text::Bytes(progress.archived + plain);
        followed.archive = progress.archive;
        followed.is_new = false;
        followed.is_cut = progress.is_cut;
        if let Some((id, at, _)) = progress.plain {
            // It is opened by the first look, or it has become a part of the archive, whose rest is read then.
            followed.tails.push_back(Tail::new(None, id, at));
        }
        followed
    }

    pub(super) fn plain(&self) -> &Path {
        &self.place.plain
    }

    pub(super) fn is_open(&self) -> bool {
        self.tails.iter().any(|tail| tail.file.is_some())
    }

    pub(super) fn changed(&self) -> Instant {
        self.changed
    }

    /// Closes the file until it grows.
    pub(super) fn close(&mut self) {
        let is_idle = self.has_been_over(RECENT) && self.changed.elapsed() > CUT;
        if let [tail] = self.tails.make_contiguous()
            && tail.piece.is_empty()
            && is_idle
        {
            tail.file = None;
        }
    }

    /// Nothing is there any more, and all was read.
    pub(super) fn is_gone(&self) -> bool {
        !self.is_open() && !self.place.plain.exists() && !self.place.archives().iter().any(|path| path.exists())
    }

    /// Finds out which files the place has now. New text of archives is read, new plain files are opened.
    pub(super) fn look(
        &mut self,
        batch: &mut Batch,
        output: &mut Output,
        room: &Room,
    ) -> Result<io::Result<()>, Ended> {
        if std::mem::take(&mut self.is_new) {
            return self.look_first(batch, output, room);
        }
        // The plain file first: if it is not there any more, the archive has all of it.
        let plain = match self.plain_now() {
            Ok(plain) => plain,
            Err(error) => return Ok(Err(error)),
        };
        let archive = match self.new_archive() {
            Ok(archive) => archive,
            Err(error) => return Ok(Err(error)),
        };
        let is_new = |plain: &Found| !self.tails.iter().any(|tail| tail.id == plain.id);
        let mut read = Ok(());
        if let Some(archive) = archive {
            let is_whole = match &plain {
                Plain::Gone => true,
                // It is known: its text becomes a part of an archive later, or it already is.
                Plain::Same => false,
                Plain::Found(plain) => is_new(plain) && is_younger(&plain.file, &archive.file).unwrap_or_default(),
            };
            if is_whole {
                read = self.read_archive(archive, batch, output, room)?;
            }
        }
        if let Plain::Found(plain) = plain {
            match self.tails.iter_mut().find(|tail| tail.id == plain.id) {
                Some(tail) => tail.file = Some(plain.file),
                None => {
                    let (id, file) = (plain.id, Some(plain.file));
                    self.tails.push_back(Tail::new(file, id, 0));
                }
            }
        }
        Ok(read)
    }

    fn look_first(&mut self, batch: &mut Batch, output: &mut Output, room: &Room) -> Result<io::Result<()>, Ended> {
        let files = match self.place.open() {
            Ok(files) => files,
            Err(error) => return Ok(Err(error)),
        };
        let mut read = Ok(());
        for archive in files.archives {
            read = read.and(self.read_archive(archive, batch, output, room)?);
        }
        if let Some(plain) = files.plain {
            let tail = Tail::new(Some(plain.file), plain.id, plain.skip);
            self.tails.push_back(tail);
        }
        Ok(read)
    }

    /// What has the name of the plain file.
    fn plain_now(&self) -> io::Result<Plain> {
        let found = match fs::metadata(&self.place.plain) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Plain::Gone),
            found => found?,
        };
        let id = (found.dev(), found.ino());
        let known = self.tails.iter().find(|tail| tail.id == id);
        if known.is_some_and(|tail| tail.file.is_some() || found.len() == tail.at && self.has_been_over(RECENT)) {
            return Ok(Plain::Same);
        }
        Ok(Found::open(&self.place.plain)?.map_or(Plain::Gone, Plain::Found))
    }

    /// The archive, if it is another one than before.
    fn new_archive(&self) -> io::Result<Option<Found>> {
        for path in self.place.archives() {
            let Ok(found) = fs::metadata(&path) else { continue };
            if self.archive != Some(((found.dev(), found.ino()), found.len())) {
                return Found::open(&path);
            }
        }
        Ok(None)
    }

    /// Reads what is new in an archive that has all text of the place.
    fn read_archive(
        &mut self,
        archive: Found,
        batch: &mut Batch,
        output: &mut Output,
        room: &Room,
    ) -> Result<io::Result<()>, Ended> {
        // What was plain before comes first. Nobody writes to it any more.
        let mut piece = Vec::new();
        while let Some(mut tail) = self.tails.pop_front() {
            tail.until = u64::MAX;
            loop {
                let is_full = match self.read_tail(&mut tail, batch) {
                    Ok(is_full) => is_full,
                    Err(error) => {
                        room.tell(&self.place.plain, &error);
                        false
                    }
                };
                if !is_full {
                    break;
                }
                batch.print(output).map_err(Ended::Output)?;
            }
            piece = tail.piece;
            if !self.tails.is_empty() && !piece.is_empty() {
                self.lines.take(&std::mem::take(&mut piece), batch);
            }
        }
        self.archive = Some((archive.id, archive.bytes));
        match self.read_rest(&archive, piece, batch, output)? {
            Ok(()) => Ok(Ok(())),
            Err(error) => {
                room.tell(&archive.path, &error);
                Ok(Ok(()))
            }
        }
    }

    /// Reads the text of an archive behind what has been read. `piece`: the beginning of a line that was read before.
    fn read_rest(
        &mut self,
        archive: &Found,
        mut piece: Vec<u8>,
        batch: &mut Batch,
        output: &mut Output,
    ) -> Result<io::Result<()>, Ended> {
        let read = (|| {
            let known = match self.text {
                Text::Bytes(bytes) => bytes,
                Text::Behind { compressed, bytes } => length(archive, compressed)? + bytes,
            };
            self.text = Text::Bytes(known);
            let mut content = archive.content(64 << 10)?;
            io::copy(&mut (&mut content).take(known), &mut io::sink())?;
            Ok(content)
        })();
        let mut content: Content = match read {
            Ok(content) => content,
            Err(error) => return Ok(Err(error)),
        };
        let mut text = vec![0; PIECE];
        let failure = loop {
            let read = match content.read(&mut text) {
                Ok(0) => break None,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Some(error),
            };
            self.count(read as u64);
            self.changed = Instant::now();
            // Whoever compressed the file has put a newline behind a piece of a line. So has this program.
            let begin = usize::from(std::mem::take(&mut self.is_cut) && text[0] == b'\n');
            self.lines.take_all(&text[begin..read], &mut piece, batch);
            if batch.is_full() {
                batch.print(output).map_err(Ended::Output)?;
            }
        };
        if !piece.is_empty() {
            self.lines.take(&piece, batch);
            self.is_cut = true;
        }
        Ok(failure.map_or(Ok(()), Err))
    }

    fn count(&mut self, more: u64) {
        match &mut self.text {
            Text::Bytes(bytes) | Text::Behind { bytes, .. } => *bytes += more,
        }
    }

    /// Notes how long the plain files are. The next [`read`](Self::read) reads so far.
    pub(super) fn note_ends(&mut self) {
        for tail in self.tails.iter_mut().rev() {
            let end = tail.file.as_ref().and_then(|file| file.metadata().ok()).map(|found| found.len());
            tail.until = end.unwrap_or(tail.at);
        }
    }

    /// Reads what has come in the plain files. Whether there is more.
    pub(super) fn read(&mut self, batch: &mut Batch) -> bool {
        for number in 0..self.tails.len() {
            let Some(mut tail) = self.tails.remove(number) else { break };
            // An error shows again when the file is opened anew.
            let is_full = self.read_tail(&mut tail, batch).unwrap_or_default();
            let is_cut = !tail.piece.is_empty() && self.has_been_over(CUT) && self.changed.elapsed() > CUT;
            if is_cut {
                self.lines.take(&std::mem::take(&mut tail.piece), batch);
            }
            self.tails.insert(number, tail);
            if is_full {
                return true;
            }
        }
        self.drop_finished(batch);
        false
    }

    /// Lets go of plain files that nobody writes to any more: they have no name, or another file has had their name
    /// for some time. They were read to the end.
    fn drop_finished(&mut self, batch: &mut Batch) {
        let Self { tails, lines, changed, .. } = self;
        let (last, is_idle) = (tails.back().map(|tail| tail.id), changed.elapsed() > CUT);
        tails.retain_mut(|tail| {
            let Some(Ok(found)) = tail.file.as_ref().map(File::metadata) else { return true };
            let is_over = found.nlink() == 0 || Some(tail.id) != last && is_idle;
            let is_finished = is_over && found.len() <= tail.at;
            if is_finished && !tail.piece.is_empty() {
                lines.take(&std::mem::take(&mut tail.piece), batch);
            }
            !is_finished
        });
    }

    fn has_been_over(&self, since: Duration) -> bool {
        SystemTime::now().checked_sub(since).is_some_and(|before| nanos(before) >= self.place.end)
    }

    /// Whether there is more.
    fn read_tail(&mut self, tail: &mut Tail, batch: &mut Batch) -> io::Result<bool> {
        let Some(file) = &tail.file else { return Ok(false) };
        let mut text = [0; 32 << 10];
        loop {
            let most = text.len().min(usize::try_from(tail.until.saturating_sub(tail.at)).unwrap_or(text.len()));
            if batch.is_full() && most > 0 {
                return Ok(true);
            }
            let read = file.read_at(&mut text[..most], tail.at)?;
            if read == 0 {
                return Ok(false);
            }
            tail.at += read as u64;
            match &mut self.text {
                Text::Bytes(bytes) | Text::Behind { bytes, .. } => *bytes += read as u64,
            }
            self.changed = Instant::now();
            self.lines.take_all(&text[..read], &mut tail.piece, batch);
        }
    }
}

/// What has the name of a plain file.
enum Plain {
    Gone,
    /// It is known, and nothing need be done.
    Same,
    Found(Found),
}

/// The length of the text that the first bytes of an archive have.
fn length(archive: &Found, compressed: u64) -> io::Result<u64> {
    let mut content = Content::first(&archive.path, archive.file.try_clone()?, compressed)?;
    io::copy(&mut content, &mut io::sink())
}
