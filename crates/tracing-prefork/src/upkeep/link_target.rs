//! Where a link is to lead, and what to do when that may have changed meanwhile.

use crate::names::pattern::Place;
use std::io::ErrorKind::{self, NotFound, ResourceBusy};

/// Where a link is to lead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct To {
    /// A second of the file's period.
    pub(crate) at: i64,
    /// Which of that period's files.
    pub(crate) index: u32,
    pub(crate) put_back: PutBack,
}

/// Which links to a file of the future are led back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutBack {
    None,
    /// Links that lead further ahead than clocks differ. Others stay: another process may be first at a boundary.
    FarAhead,
    /// Links that this process wanted to lead there, before its clock was set back.
    Own,
}

/// What to do after an attempt to replace a link, if the link may not be right yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The link is to lead to this later file.
    LeadTo(Place),
    TryAgain,
    /// Whoever makes the next file leads the link there.
    Leave,
    /// The caller gets the result of the attempt.
    Answer,
}

impl Next {
    /// `has_ended`: the file that the link was to lead to is gone, or its period is over.
    ///
    /// | there is a later file | replacing failed with | the file has ended | next |
    /// |---|---|---|---|
    /// | yes: the file may be pruned | | | lead to the later file |
    /// | no | ENOENT, and a try is left: the temporary name was taken for one of a killed process | | try again |
    /// | no | ENOENT, and no try is left; or EBUSY | yes | leave |
    /// | no | ENOENT, and no try is left; or EBUSY | no | answer |
    /// | no | anything else, or nothing | | answer |
    ///
    /// A file has ended early if it was compressed, or removed by somebody whose clock is ahead.
    pub(super) fn decide(
        later: Option<Place>,
        failed: Option<ErrorKind>,
        try_left: bool,
        has_ended: impl Fn() -> bool,
    ) -> Self {
        match (later, failed) {
            (Some(later), _) => Self::LeadTo(later),
            (None, Some(NotFound)) if try_left => Self::TryAgain,
            (None, Some(NotFound | ResourceBusy)) if has_ended() => Self::Leave,
            (None, _) => Self::Answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::names::pattern::Place;
    use crate::time::calendar::Span;
    use crate::upkeep::link_target::Next;
    use std::io::ErrorKind::{NotFound, PermissionDenied, ResourceBusy};

    #[test]
    fn four_answers_decide_what_follows_an_attempt_at_a_link() {
        let later = Place { tag: None, span: Span { start: 0, end: 1 }, index: 0 };
        for (is_later, failed, try_left, has_ended, next) in [
            (true, None, true, false, Next::LeadTo(later)),
            (true, Some(NotFound), true, true, Next::LeadTo(later)),
            (true, Some(PermissionDenied), false, false, Next::LeadTo(later)),
            (false, Some(NotFound), true, true, Next::TryAgain),
            (false, Some(NotFound), true, false, Next::TryAgain),
            (false, Some(NotFound), false, true, Next::Leave),
            (false, Some(NotFound), false, false, Next::Answer),
            (false, Some(ResourceBusy), true, true, Next::Leave),
            (false, Some(ResourceBusy), true, false, Next::Answer),
            (false, Some(PermissionDenied), true, true, Next::Answer),
            (false, None, true, true, Next::Answer),
        ] {
            let decided = Next::decide(is_later.then_some(later), failed, try_left, || has_ended);
            assert_eq!(decided, next, "later: {is_later}, failed: {failed:?}, left: {try_left}, ended: {has_ended}");
        }
    }
}
