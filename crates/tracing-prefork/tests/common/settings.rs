//! Processes that disagree about the options of one pattern.

use std::path::Path;
use tracing_prefork::{Appender, Builder, Operation};

use super::Told;

/// The hidden file in which the settings of daily files stand.
pub(crate) const SETTINGS: &str = ".app.DATE.log.d10ea686.settings";

/// What was told of other options. Processes whose clocks are set by hand also tell of files of the future.
pub(crate) fn disagreements(told: &Told) -> Vec<String> {
    let told = told.lock().expect("unpoisoned");
    told.iter().filter(|(operation, _)| *operation == Operation::Settings).map(|(_, text)| text.clone()).collect()
}

/// Whether a process that builds now is told of other options at work in the directory. It ends at once.
pub(crate) fn somebody_disagrees(directory: &Path, builder: Builder) -> bool {
    let (told, builder) = super::telling(builder);
    let built: Appender = builder.build(directory).expect("builds");
    drop(built);
    !disagreements(&told).is_empty()
}

/// What was told of anything but other options.
pub(crate) fn other_reports(told: &Told) -> Vec<(Operation, String)> {
    let told = told.lock().expect("unpoisoned");
    told.iter().filter(|(operation, _)| *operation != Operation::Settings).cloned().collect()
}
