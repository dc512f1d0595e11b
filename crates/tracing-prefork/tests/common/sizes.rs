//! How large files become, and what is kept of them: `max_file_bytes`, `max_total_bytes`, `max_age`, `files`.

use std::fs;
use std::path::Path;
use tracing_prefork::Appender;

use super::{Hand, NOW};

/// All lines of all files, in the order of the files.
pub(crate) fn lines(logs: &Appender) -> Vec<String> {
    let files = logs.files().expect("listed").into_iter();
    let text: String = files.map(|file| fs::read_to_string(file.path).expect("read")).collect();
    text.lines().map(str::to_owned).collect()
}

/// Files of the three days before [`NOW`], of 1000 bytes each.
pub(crate) fn three_old_files(directory: &Path) -> Hand {
    for day in 18..21 {
        fs::write(directory.join(format!("app.2026-11-{day}.log")), "x".repeat(1000)).expect("written");
    }
    Hand::at(NOW)
}
