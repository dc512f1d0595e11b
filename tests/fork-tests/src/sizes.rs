//! The catalogue of runs whose files are bounded, compressed and begin with a line of their own, while workers are
//! killed and others started all the time.
//!
//! Short by themselves. Two minutes of the one that has it all:
//!
//! ```text
//! fork-tests run sizes-gzip-pruned --rollovers 120 --trials 1200 --max-file-bytes 1048576 --max-total-bytes 67108864
//! ```

use std::time::Duration;

use crate::killer;
use crate::scenario::{Built, Scenario};
use harness::line::Sizes;
use harness::pattern::Archive;
use harness::report::Allows;

/// All of them, in the order in which `list` shows them.
#[must_use]
pub fn all() -> Vec<Scenario> {
    vec![
        sizes("sizes", "files of 256 KiB, 16 processes that are killed and started all the time: nothing is lost"),
        locked(),
        threads(
            sizes("sizes", ""),
            "sizes-threads",
            "4 threads each and 32 KiB, with a file every few milliseconds: no file is too large, lines in order",
        ),
        threads(locked(), "sizes-threads-locked", "the same under lock_writes"),
        headers(),
        pruned("sizes-pruned", "the same with max_total_bytes(2 MiB): what is left has no gap", None),
        gzip(),
        pruned("sizes-gzip-pruned", "with gzip and max_total_bytes(2 MiB)", Some(Archive::Gzip)),
        pruned("sizes-zstd-pruned", "with zstd and max_total_bytes(2 MiB)", Some(Archive::Zstd)),
        stopped(),
    ]
}

fn sizes(name: &'static str, about: &'static str) -> Scenario {
    let mut scenario = Scenario::plain(name, about).on_the_systems_clock();
    scenario.setup.max_file_bytes = Some(256 << 10);
    scenario.start.processes = 16;
    scenario.start.built = Built::AfterFork;
    scenario.start.stay = true;
    scenario.start.replacements = 30;
    scenario.faults = Some(killer::kill_all_the_time);
    scenario.load.rollovers = 2;
    scenario.load.lines = 0;
    scenario.load.sizes = Sizes::Between(120, 4096);
    // Some thousand lines a second, so that one processor can compress them.
    scenario.load.rest = Duration::from_millis(8);
    scenario.allows = Allows { fragments: true, glued: true, ..Allows::default() };
    scenario
}

fn locked() -> Scenario {
    let mut scenario =
        sizes("sizes-locked", "the same under lock_writes: no file is larger than it may be, and no line is glued");
    scenario.setup.lock_writes = true;
    scenario.allows.glued = false;
    scenario
}

/// While one thread opens the next file the others find the full one closed.
fn threads(mut scenario: Scenario, name: &'static str, about: &'static str) -> Scenario {
    (scenario.name, scenario.about) = (name, about);
    scenario.setup.max_file_bytes = Some(32 << 10);
    scenario.start.threads = 4;
    scenario
}

fn headers() -> Scenario {
    let mut scenario = sizes("headers", "the same with a header and gzip: each file begins with it");
    scenario.setup.header = true;
    scenario.setup.compress = Some(Archive::Gzip);
    scenario
}

fn gzip() -> Scenario {
    let mut scenario = sizes("sizes-gzip", "with gzip, and nothing is removed: nothing is lost");
    scenario.setup.compress = Some(Archive::Gzip);
    scenario.setup.latest_symlink = Some("app.log");
    scenario
}

fn pruned(name: &'static str, about: &'static str, archive: Option<Archive>) -> Scenario {
    let mut scenario = sizes(name, about);
    scenario.setup.compress = archive;
    scenario.setup.max_total_bytes = Some(2 << 20);
    scenario.setup.latest_symlink = Some("app.log");
    scenario.prunes = true;
    scenario
}

fn stopped() -> Scenario {
    let mut scenario = gzip();
    scenario.name = "sizes-gzip-stopped";
    scenario.about = "as sizes-gzip, and one process after the other is stopped for longer than a period";
    scenario.faults = Some(killer::kill_and_stop_all_the_time);
    scenario
}
