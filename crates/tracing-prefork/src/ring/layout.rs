//! [`Layout`]: what stands where in the file of a ring.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 4096 | the [head](crate::ring::head), which changes with each batch |
//! | 8 for each entry | the [entries](crate::ring::entries) |
//! | 8 for each entry | the seconds of the lines |
//! | `bytes` | the lines, one behind the other, round and round |

/// The bytes of the head: a page.
pub(crate) const HEAD: usize = 4096;

/// The bytes of the smallest and of the largest ring's lines.
pub(crate) const LEAST: usize = 64 << 10;
pub(crate) const MOST: usize = 1 << 30;

/// A ring has an entry for so many bytes of lines.
const BYTES_OF_ENTRY: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// A power of two.
    pub(crate) entries: usize,
    /// A power of two.
    pub(crate) bytes: usize,
}

impl Layout {
    /// A ring for at least so many bytes of lines, as far as a ring can be.
    pub(crate) fn of(ring_bytes: usize) -> Self {
        let bytes = ring_bytes.clamp(LEAST, MOST).next_power_of_two();
        Self { entries: bytes / BYTES_OF_ENTRY, bytes }
    }

    /// What the head of a file says. `None`: no ring is laid out so.
    pub(crate) fn checked(entries: u64, bytes: u64) -> Option<Self> {
        let bytes = usize::try_from(bytes).ok().filter(|bytes| (LEAST..=MOST).contains(bytes))?;
        let layout = Self::of(bytes);
        (layout.bytes == bytes && layout.entries as u64 == entries).then_some(layout)
    }

    pub(crate) fn seconds(self) -> usize {
        HEAD + 8 * self.entries
    }

    pub(crate) fn lines(self) -> usize {
        HEAD + 16 * self.entries
    }

    /// The bytes of the file.
    pub(crate) fn size(self) -> usize {
        self.lines() + self.bytes
    }

    /// The longest line that goes through the ring. A longer one goes straight to its file.
    pub(crate) fn longest(self) -> usize {
        self.bytes / 4
    }
}
