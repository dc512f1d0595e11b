//! [`Tag`]: the part of a file's name that tells writers apart. [`Tags`]: whether a pattern's names have one.

use crate::names::hidden::fnv;
use std::fmt;
use std::io::Write;
use std::num::NonZeroU64;
use std::process;

/// The bytes of the longest tag. Names of Kubernetes pods and of hosts have 63 bytes at most (RFC 1123).
const LONGEST: usize = 64;

/// A tag, on the stack, so that a child of a raw `clone` can open its file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    /// Zeros behind the text.
    bytes: [u8; LONGEST],
    length: u8,
}

impl Tag {
    /// A tag, or why the text is none. A tag has no dot, because the dot behind it ends it.
    pub(crate) fn new(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("it is empty; give a name, or leave the option out");
        }
        if text.len() > LONGEST {
            return Err("it is longer than 64 bytes; shorten it");
        }
        if text.contains('.') {
            return Err("it contains a dot, which would end it; write `-` or `_` instead");
        }
        if text.contains('/') {
            return Err("it contains a `/`; give the directory to `build`");
        }
        if text.contains(|character: char| character.is_control()) {
            return Err("it contains a control character; leave the character out");
        }
        let mut bytes = [0; LONGEST];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length: text.len() as u8 })
    }

    /// The id of this process. `process::id` asks the kernel each time, so a forked child gets its own.
    fn of_process() -> Self {
        let (mut bytes, mut length) = ([0; LONGEST], 0);
        let mut rest = &mut bytes[..];
        if write!(rest, "{}", process::id()).is_ok() {
            length = (LONGEST - rest.len()) as u8;
        }
        Self { bytes, length }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The tag at the beginning of a text, which the end of the text or a dot ends, and the text from there on.
    pub(crate) fn split(text: &str) -> Option<(Self, &str)> {
        let (tag, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
        Some((Self::new(tag).ok()?, rest))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Tells the tags of files apart in eight bytes: a hash. A [`Tag`] is too large to be in each list of files, and on the
/// stack of an event that renews a link. Of 20 000 tags two have the same hash once in 10^11 directories; their files
/// count as one row then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TagId(NonZeroU64);

impl Tag {
    pub(crate) fn id(&self) -> TagId {
        TagId(NonZeroU64::new(fnv(self.as_str())).unwrap_or(NonZeroU64::MAX))
    }
}

/// Whether the names of a pattern have a tag. All tags of a pattern are one family: its jobs go over all their files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    None,
    /// The files of this process have this tag.
    Given(Tag),
    /// The tag is the id of the process.
    OfProcess,
}

impl Tags {
    /// The tag of the files that this process writes.
    pub(crate) fn own(self) -> Option<Tag> {
        match self {
            Self::None => None,
            Self::Given(tag) => Some(tag),
            Self::OfProcess => Some(Tag::of_process()),
        }
    }

    pub(crate) fn are_used(self) -> bool {
        self != Self::None
    }

    /// A tag as long as those of this process ever are.
    pub(crate) fn longest(self) -> Option<Tag> {
        match self {
            Self::OfProcess => Tag::new("4294967295").ok(),
            other => other.own(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ends_at_a_dot_or_at_the_end() {
        let split = |text| Tag::split(text).map(|(tag, rest)| (tag.as_str().to_owned(), rest));
        assert_eq!(split("worker-3.2026-11-21"), Some(("worker-3".to_owned(), ".2026-11-21")));
        assert_eq!(split("main_master"), Some(("main_master".to_owned(), "")));
        assert_eq!(split(".2026-11-21"), None);
        assert_eq!(split("a/b.2026"), None);
        assert_eq!(split(&"x".repeat(65)), None);
        assert_eq!(Tag::of_process().as_str(), process::id().to_string());
    }

    #[test]
    fn tags_that_begin_alike_are_told_apart() {
        let tag = |text: &str| Tag::new(text).expect("a tag");
        for (one, other) in [("123", "1234"), ("main", "main_master"), ("1", "11")] {
            assert_ne!(tag(one), tag(other));
            assert_ne!(tag(one).id(), tag(other).id());
        }
        let ids: std::collections::BTreeSet<_> = (0..100_000).map(|pid| tag(&pid.to_string()).id()).collect();
        assert_eq!(ids.len(), 100_000);
    }
}
