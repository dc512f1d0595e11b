//! The queue of a ring, its head, and what becomes of it when its process is killed, as they are in the library.

#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../../crates/tracing-prefork/src/ring/dead.rs"]
pub(crate) mod dead;
#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../../crates/tracing-prefork/src/ring/entries.rs"]
pub(crate) mod entries;
#[path = "../../../../crates/tracing-prefork/src/ring/finish.rs"]
pub(crate) mod finish;
#[path = "../../../../crates/tracing-prefork/src/ring/head.rs"]
pub(crate) mod head;
#[path = "../../../../crates/tracing-prefork/src/ring/marks.rs"]
pub(crate) mod marks;
#[path = "../../../../crates/tracing-prefork/src/ring/matching.rs"]
pub(crate) mod matching;
#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../../crates/tracing-prefork/src/ring/note.rs"]
pub(crate) mod note;

mod kills;
mod queue;
mod sleep;

pub(crate) mod layout {
    //! A ring of 8 entries and 64 bytes of lines.

    pub(crate) const HEAD: usize = 4096;
    pub(crate) const ENTRIES: usize = 8;
    pub(crate) const BYTES: usize = 64;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Layout {
        pub(crate) entries: usize,
        pub(crate) bytes: usize,
    }

    impl Layout {
        pub(crate) fn checked(entries: u64, bytes: u64) -> Option<Self> {
            let is_known = (entries, bytes) == (ENTRIES as u64, BYTES as u64);
            is_known.then_some(Self { entries: ENTRIES, bytes: BYTES })
        }

        pub(crate) fn seconds(self) -> usize {
            HEAD + 8 * self.entries
        }

        pub(crate) fn lines(self) -> usize {
            HEAD + 16 * self.entries
        }

        pub(crate) fn size(self) -> usize {
            self.lines() + self.bytes
        }
    }
}
