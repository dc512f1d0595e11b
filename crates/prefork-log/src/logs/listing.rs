//! [`Row`]: the files of one pattern and one tag, in the order in which they were written.

use crate::logs::place::{Place, plain_path};
use crate::logs::stamp::Nanos;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing_prefork::{LogFile, LogFiles};

/// The files of one pattern and one tag, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: RowKey,
    pub(crate) places: Vec<Place>,
}

/// The pattern as people read it, and the tag. Rows are in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowKey {
    pub(crate) pattern: String,
    pub(crate) tag: Option<String>,
}

/// The rows of a pattern that are there now.
pub(crate) fn rows(files: &LogFiles, tags: &[String]) -> Result<Vec<Row>, tracing_prefork::Error> {
    // A file that becomes an archive while the directory is read can be missing from one listing.
    let mut rows: BTreeMap<Option<String>, BTreeMap<(Nanos, u32), Place>> = BTreeMap::new();
    for listing in [files.list()?, files.list()?] {
        for file in listing {
            let tag = file.tag.clone();
            if tags.is_empty() || tags.iter().any(|wanted| tag.as_deref().unwrap_or_default() == wanted) {
                let place = place(&file);
                let places = rows.entry(tag).or_default();
                let known = places.entry((place.start, place.index)).or_insert_with(|| place.clone());
                known.open |= place.open;
                known.bytes = known.bytes.max(place.bytes);
            }
        }
    }
    let pattern = files.pattern();
    let row = |(tag, places): (_, BTreeMap<_, Place>)| Row {
        key: RowKey { pattern: pattern.clone(), tag },
        places: places.into_values().collect(),
    };
    Ok(rows.into_iter().map(row).collect())
}

fn place(file: &LogFile) -> Place {
    Place {
        plain: plain_path(&file.path, file.compressed),
        start: nanos(file.period.start),
        end: file.period.end.map_or(Nanos::MAX, nanos),
        index: file.index,
        open: file.open,
        bytes: file.bytes,
    }
}

/// Nanoseconds since 1970.
pub(crate) fn nanos(time: SystemTime) -> Nanos {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Nanos::try_from(after.as_nanos()).unwrap_or(Nanos::MAX),
        Err(before) => Nanos::try_from(before.duration().as_nanos()).map_or(Nanos::MIN, |before| -before),
    }
}
