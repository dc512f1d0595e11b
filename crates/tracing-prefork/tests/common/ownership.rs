//! Files of others with names like ours: two patterns in one directory, and what was there before.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tracing_prefork::{BuildError, Builder, Rotation};

use super::{Hand, NOW, all_names, builder, says};

pub(crate) fn never() -> Builder {
    Hand::at(NOW).builder()
}

/// Gives files of a directory the times of their last lines, in minutes before now.
pub(crate) fn age(directory: &Path, ages: &[(&str, u64)]) {
    for (name, minutes) in ages {
        let file = File::options().append(true).open(directory.join(name)).expect("opens");
        file.set_modified(SystemTime::now() - Duration::from_secs(60 * minutes)).expect("set");
    }
}

/// The hidden records of names in a directory.
pub(crate) fn records(directory: &Path) -> Vec<String> {
    all_names(directory).into_iter().filter(|name| name.ends_with(".names")).collect()
}

#[track_caller]
pub(crate) fn refused(builder: Builder, directory: &Path, parts: &[&str]) {
    let before = all_names(directory);
    let error = builder.build(directory).expect_err("refused");
    assert!(matches!(error, BuildError::Names { .. }), "{error:?}");
    says(&error.to_string(), parts);
    assert_eq!(all_names(directory), before, "something was left behind by: {error}");
}

/// `app.20261121.log`: the file of that day, or one with that number.
pub(crate) fn dated() -> Builder {
    builder().date_format("%Y%m%d")
}

pub(crate) fn numbered() -> Builder {
    never().max_file_bytes(1000)
}

/// `app.20261121.14.log`: the file of that hour, or the fifteenth of the day.
pub(crate) fn hours(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::HOURLY).date_format("%Y%m%d.%H")
}
