//! Attacks on `on_finished`: hooks that do odd things, processes that end at the wrong moment, damaged records,
//! directories that cannot be read.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

pub(crate) fn make_old(path: &Path, hours: u64) {
    let when = SystemTime::now() - Duration::from_secs(hours * 3600);
    File::options().write(true).open(path).and_then(|file| file.set_modified(when)).expect("set");
}
