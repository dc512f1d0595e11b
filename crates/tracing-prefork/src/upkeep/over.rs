//! [`Over`]: which files of a pattern are over, and so finished as soon as nobody holds them.

use crate::names::pattern::Place;
use crate::names::tag::TagId;

/// The files of a pattern, at a second.
#[derive(Debug)]
pub(crate) struct Over {
    /// In their order.
    places: Vec<Place>,
    now: i64,
    /// The current files of this tag count as over, too: the process that does the job is about to end, and nobody has
    /// them.
    closing: Option<Closing>,
}

/// Whose current files count as over: those of a tag, or of a pattern without tags.
pub(crate) type Closing = Option<TagId>;

impl Over {
    /// `places`: those of all files and archives, in their order.
    pub(crate) fn new(places: impl IntoIterator<Item = Place>, now: i64, closing: Option<Closing>) -> Self {
        let mut places: Vec<_> = places.into_iter().collect();
        places.dedup();
        Self { places, now, closing }
    }

    /// Whether a file is over: its period has ended, or the period's next file has begun.
    pub(crate) fn has(&self, place: Place) -> bool {
        let next = self.places.partition_point(|other| other.order() <= place.order());
        let followed = || self.places.get(next).is_some_and(|next| next.is_in_row_of(place));
        let is_closed = self.closing == Some(place.tag);
        place.span.end <= self.now || place.span.start <= self.now && (is_closed || followed())
    }

    /// The oldest of the `n` newest files that are over. `None`: there are fewer.
    fn oldest_of_newest(&self, n: usize) -> Option<Place> {
        let mut over = self.places.iter().rev().filter(|place| self.has(**place));
        over.nth(n.checked_sub(1)?).copied()
    }

    /// Which files are among the `n` newest that are over. With tags, the order within a period is that of the tags.
    pub(crate) fn newest(&self, n: usize) -> impl Fn(Place) -> bool + use<> {
        let (oldest, all) = (self.oldest_of_newest(n), n > 0);
        move |place| oldest.map_or(all, |oldest| place.order() >= oldest.order())
    }
}

#[cfg(test)]
mod tests {
    use crate::names::pattern::Place;
    use crate::time::calendar::Span;
    use crate::upkeep::over::Over;

    #[test]
    fn a_file_is_over_after_its_period_or_when_the_next_is_there() {
        // Two periods of ten seconds with two files each, and a third with one.
        let place = |start, index| Place { tag: None, span: Span { start, end: start + 10 }, index };
        let all = [place(0, 0), place(0, 1), place(10, 0), place(10, 1), place(20, 0)];
        let over = |now, closing: bool| Over::new(all, now, closing.then_some(None));
        for (now, closing, expected) in [
            (0, false, [true, false, false, false, false]),
            (0, true, [true, true, false, false, false]),
            (10, false, [true, true, true, false, false]),
            (19, true, [true, true, true, true, false]),
            (20, false, [true, true, true, true, false]),
            (20, true, [true; 5]),
        ] {
            assert_eq!(all.map(|place| over(now, closing).has(place)), expected, "at {now}, closing: {closing}");
        }
        let newest = |n| {
            let (over, newest) = (over(20, false), over(20, false).newest(n));
            all.map(|place| over.has(place) && newest(place))
        };
        assert_eq!(newest(0), [false; 5]);
        assert_eq!(newest(1), [false, false, false, true, false]);
        assert_eq!(newest(3), [false, true, true, true, false]);
        assert_eq!(newest(9), [true, true, true, true, false]);
    }
}
