//! [`Head`]: the first page of a ring's file. It says whose ring it is, and how far its lines are in their files.

use crate::names::tag::Tag;
use crate::ring::layout::{HEAD, Layout};
use crate::ring::note::{Note, WORDS};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What each ring begins with.
const MAGIC: u64 = u64::from_le_bytes(*b"prefork\n");
const VERSION: u64 = 1;

/// The words of the head that never change.
const FIXED: usize = 11;
const TAG: usize = FIXED;
const TAG_WORDS: usize = 8;

/// The word that says which line comes into a file next.
pub(crate) const NEXT: usize = 128;
/// The word that says which of the two notes counts: the one of its parity.
pub(crate) const TURN: usize = 136;
/// The two notes.
pub(crate) const NOTES: [usize; 2] = [144, 152];

/// Whose ring it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The boot of the machine. Zero: unknown.
    pub(crate) boot: u128,
    /// Stands for the names of the pattern.
    pub(crate) pattern: u64,
    /// The number in the name of the ring.
    pub(crate) id: u64,
    pub(crate) process: u32,
    /// When the ring was made.
    pub(crate) made: SystemTime,
    /// The tag in the names of the files.
    pub(crate) tag: Option<Tag>,
}

impl Owner {
    /// The first words of the head.
    pub(crate) fn words(&self, layout: Layout) -> [u64; FIXED + TAG_WORDS] {
        let mut words = [0; FIXED + TAG_WORDS];
        let made = self.made.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let text = self.tag.as_ref().map_or("", Tag::as_str).as_bytes();
        words[..FIXED].copy_from_slice(&[
            MAGIC,
            VERSION,
            (self.boot >> 64) as u64,
            self.boot as u64,
            self.pattern,
            self.id,
            layout.entries as u64,
            layout.bytes as u64,
            u64::from(self.process),
            made,
            text.len() as u64,
        ]);
        for (word, bytes) in words[TAG..].iter_mut().zip(text.chunks(8)) {
            let mut filled = [0; 8];
            filled[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(filled);
        }
        words
    }
}

/// The head of a ring, as somebody else reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) owner: Owner,
    pub(crate) layout: Layout,
    /// The index of the line that comes into a file next.
    pub(crate) next: u64,
    pub(crate) turn: u64,
    pub(crate) note: Option<Note>,
}

impl Head {
    /// Reads a head, or says why nothing in the file can be relied on.
    pub(crate) fn read(page: &[u8; HEAD]) -> Result<Self, String> {
        let word = |index: usize| {
            let bytes = page.get(8 * index..8 * index + 8).and_then(|bytes| bytes.try_into().ok());
            u64::from_ne_bytes(bytes.unwrap_or_default())
        };
        if word(0) != MAGIC {
            return Err("it is no ring, or one of a machine with another order of bytes".to_owned());
        }
        if word(1) != VERSION {
            return Err(format!("its layout has version {}, and this program knows version {VERSION}", word(1)));
        }
        let layout = Layout::checked(word(6), word(7))
            .ok_or_else(|| format!("it says that it has {} entries and {} bytes: no ring has", word(6), word(7)))?;
        let tag = read_tag(word(10), &std::array::from_fn(|index| word(TAG + index)))?;
        let owner = Owner {
            boot: u128::from(word(2)) << 64 | u128::from(word(3)),
            pattern: word(4),
            id: word(5),
            process: u32::try_from(word(8)).map_err(|_| format!("{} is no process id of an owner", word(8)))?,
            made: UNIX_EPOCH + Duration::from_secs(word(9).min(1 << 40)),
            tag,
        };
        let turn = word(TURN);
        let note = Note::read(std::array::from_fn::<_, WORDS, _>(|index| word(NOTES[turn as usize & 1] + index)))?;
        Ok(Self { owner, layout, next: word(NEXT), turn, note })
    }

    /// The note, if its lines are not known to be in their file.
    pub(crate) fn pending(&self) -> Option<Note> {
        self.note.filter(|note| note.next > self.next)
    }
}

fn read_tag(length: u64, words: &[u64; TAG_WORDS]) -> Result<Option<Tag>, &'static str> {
    if length == 0 {
        return Ok(None);
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let text = usize::try_from(length).ok().and_then(|length| bytes.get(..length));
    let text = text.and_then(|text| std::str::from_utf8(text).ok()).ok_or("its tag is no text")?;
    Tag::new(text).map(Some)
}
