//! The catalogue of what befalls writers on their worst day: full disks, kills, files that somebody takes away, limits.

use std::time::Duration;

use crate::disk::Disk;
use crate::filler;
use crate::killer;
use crate::limits;
use crate::outside;
use crate::scenario::{Built, START, Scenario};
use harness::clock::Ticking;
use harness::line::{Sizes, Way};
use harness::pattern::Unit;
use harness::report::Allows;

/// All scenarios of attacks, in the order in which `list` shows them.
#[must_use]
pub fn all() -> Vec<Scenario> {
    vec![
        full("full-ext4", Disk::Ext4),
        full("full-xfs", Disk::Xfs),
        full("full-btrfs", Disk::Btrfs),
        full("full-btrfs-quota", Disk::BtrfsQuota),
        full("full-tmpfs", Disk::Tmpfs),
        full_files(),
        killed(),
        killed_at_rollovers(),
        ended(),
        outside("deleted", "the current file is deleted, again and again", outside::delete_the_file),
        outside("moved", "the current file is moved away, again and again", outside::move_the_file),
        outside("truncated", "the current file is cut to nothing, again and again", outside::truncate_the_file),
        in_the_way(),
        outside("directory-deleted", "the log directory is deleted", outside::delete_the_directory),
        outside("directory-moved", "the log directory is moved away", outside::move_the_directory),
        directory_closed(),
        link_replaced(),
        mounted_over(),
        frozen(),
        no_descriptors(),
        privileges_dropped(),
        signals(),
        two_users(),
        forks_at_rollovers(),
        oldest_go(),
        lock_closed(),
    ]
}

/// Four processes and their parent, which write until the faults have done their work.
fn attack(name: &'static str, about: &'static str) -> Scenario {
    let mut scenario = Scenario::plain(name, about).on_the_systems_clock();
    scenario.start.processes = 4;
    scenario.start.stay = true;
    scenario.load.lines = 0;
    scenario.load.sizes = Sizes::About(120);
    scenario.load.rest = Duration::from_micros(500);
    scenario.allows.errors = true;
    scenario
}

fn full(name: &'static str, disk: Disk) -> Scenario {
    let mut scenario = attack(name, "a small disk runs full and has room again, while four processes write on");
    scenario.disk = disk;
    scenario.setup.pattern.unit = Unit::Daily;
    scenario.faults = Some(filler::fill_and_free);
    scenario.trials = 12;
    // Where bytes are never written in place, to end a fragment takes room, which there is not. And a lock is not
    // waited for as long as btrfs may take for a write to a full disk.
    let glued = matches!(disk, Disk::Btrfs | Disk::BtrfsQuota);
    scenario.allows = Allows { refused: true, fragments: true, late: true, errors: true, glued };
    scenario
}

fn full_files() -> Scenario {
    let about = "files that may not grow beyond 256 KiB (RLIMIT_FSIZE), and a new one every 40 ms";
    let mut scenario = full("full-files", Disk::Host);
    scenario.about = about;
    scenario.setup.pattern.unit = Unit::Hourly;
    scenario.ticking = Ticking::Running(START, 3600 * 25);
    scenario.load.rollovers = 100;
    scenario.load.rest = Duration::from_micros(200);
    scenario.start.stay = false;
    scenario.before = Some(limits::limit_file_size);
    scenario.faults = None;
    scenario
}

fn killed() -> Scenario {
    let mut scenario = attack("killed", "one of eight processes after the other is killed in the middle of a line");
    scenario.start.processes = 8;
    scenario.start.built = Built::AfterFork;
    scenario.start.replacements = 2000;
    scenario.faults = Some(killer::kill_while_writing);
    scenario.load.rest = Duration::from_millis(1);
    scenario.allows = Allows { fragments: true, ..Allows::default() };
    scenario
}

fn killed_at_rollovers() -> Scenario {
    let about = "processes are killed in the first moments of a period, while they roll over, link and prune";
    let mut scenario = killed();
    (scenario.name, scenario.about) = ("killed-at-rollovers", about);
    scenario.faults = Some(killer::kill_at_boundaries);
    scenario.start.replacements = 500;
    scenario.setup.pattern.unit = Unit::Hourly;
    scenario.ticking = Ticking::Running(START, 3600 * 25);
    scenario.setup.max_log_files = Some(5);
    scenario.setup.latest_symlink = Some("app.log");
    scenario.prunes = true;
    scenario
}

fn ended() -> Scenario {
    let about = "one process after the other comes to an ordinary end while its four threads log";
    let mut scenario = killed();
    (scenario.name, scenario.about) = ("ended", about);
    scenario.start.processes = 2;
    scenario.start.threads = 4;
    scenario.start.replacements = 200;
    scenario.load.sizes = Sizes::About(20_000);
    scenario.load.rest = Duration::from_millis(2);
    scenario.within = Some(limits::end_when_told);
    scenario.faults = Some(killer::end_while_writing);
    scenario
}

/// On a clock that runs 20 times as fast, so that writers have looked twenty times in a second.
fn outside(name: &'static str, about: &'static str, faults: fn(&crate::run::Stage)) -> Scenario {
    let mut scenario = attack(name, about);
    scenario.setup.pattern.unit = Unit::Minutely;
    scenario.ticking = Ticking::Running(START, 20);
    scenario.faults = Some(faults);
    scenario.trials = 200;
    scenario.load.rest = Duration::from_millis(1);
    scenario.load.ways = &[Way::Layer, Way::Fmt, Way::Direct];
    scenario
}

fn in_the_way() -> Scenario {
    let about = "the current file is moved away and a directory put in its place, and taken away again";
    let mut scenario = outside("directory-in-the-way", about, outside::put_a_directory_in_the_way);
    scenario.trials = 20;
    scenario.allows.late = true;
    scenario
}

fn directory_closed() -> Scenario {
    let about = "the directory may not be written for more than a period, by users that are not root";
    let mut scenario = outside("directory-closed", about, outside::close_the_directory);
    scenario.ticking = Ticking::Running(START, 60);
    scenario.before = Some(limits::drop_privileges);
    scenario.trials = 10;
    scenario.allows.late = true;
    scenario
}

fn mounted_over() -> Scenario {
    let about = "another file system is mounted over the log directory and goes again, as a volume that comes late";
    let mut scenario = outside("mounted-over", about, outside::mount_over_the_directory);
    scenario.disk = Disk::Covered;
    scenario.trials = 50;
    // What was written before and after it is in one file.
    scenario.forward = false;
    scenario
}

fn frozen() -> Scenario {
    let about = "the file system is frozen for a part of a second, as for a snapshot; to be made read-only it refuses";
    let mut scenario = outside("frozen", about, outside::freeze_the_disk);
    scenario.disk = Disk::Ext4;
    scenario.trials = 10;
    scenario.load.rest = Duration::from_millis(2);
    scenario
}

fn link_replaced() -> Scenario {
    let about = "the link to the latest file is deleted, or a file, a directory, another link put in its place";
    let mut scenario = outside("link-replaced", about, outside::replace_the_link);
    scenario.trials = 60;
    scenario.setup.latest_symlink = Some("app.log");
    scenario
}

fn no_descriptors() -> Scenario {
    let about = "no process is given another descriptor for more than a period (EMFILE), again and again";
    let mut scenario = directory_closed();
    (scenario.name, scenario.about) = ("no-descriptors", about);
    scenario.before = None;
    scenario.faults = Some(outside::withhold_descriptors);
    scenario
}

fn privileges_dropped() -> Scenario {
    let about = "children of a root that built the appender become a user who may neither create nor open log files";
    let mut scenario = directory_closed();
    (scenario.name, scenario.about) = ("privileges-dropped", about);
    scenario.before = None;
    scenario.within = Some(limits::become_nobody);
    scenario.faults = Some(outside::leave_them_alone);
    scenario.trials = 3;
    scenario.needs_root = true;
    scenario
}

fn signals() -> Scenario {
    let about = "every process is sent thousands of signals, whose handler interrupts system calls";
    let mut scenario = outside("signals", about, outside::send_signals);
    scenario.ticking = Ticking::Running(START, 3600);
    scenario.before = Some(limits::handle_signals);
    scenario.trials = 20_000;
    scenario.load.rest = Duration::from_micros(200);
    scenario.allows = Allows::default();
    scenario
}

fn two_users() -> Scenario {
    let about = "processes of two users share the directory through a group, with file_mode(0o660) and the umask 077";
    let mut scenario = Scenario::plain("two-users", about);
    scenario.start.processes = 8;
    scenario.start.built = Built::AfterFork;
    scenario.before = Some(limits::share_with_group);
    scenario.within = Some(limits::become_one_of_two);
    scenario.setup.file_mode = Some(0o660);
    scenario.setup.max_log_files = Some(5);
    scenario.setup.latest_symlink = Some("app.log");
    scenario.prunes = true;
    scenario.setup.pattern.unit = Unit::Hourly;
    scenario.ticking = Ticking::Running(START, 3600 * 10);
    scenario.load.rollovers = 60;
    scenario.load.lines = 20_000;
    scenario.load.sizes = Sizes::Moderate;
    scenario.needs_root = true;
    scenario
}

fn forks_at_rollovers() -> Scenario {
    let about = "1000 children are forked in the moments in which the threads of their parent roll over";
    let mut scenario = Scenario::plain("forks-at-rollovers", about);
    scenario.start.processes = 0;
    scenario.start.visitors = 1000;
    scenario.start.busy = 4;
    scenario.start.at_rollovers = true;
    scenario.setup.max_log_files = Some(10_000);
    scenario.setup.latest_symlink = Some("app.log");
    scenario.setup.pattern.unit = Unit::Hourly;
    scenario.ticking = Ticking::Running(START, 3600 * 20);
    scenario.load.rollovers = 400;
    scenario.load.lines = 20_000;
    scenario.load.rest = Duration::from_millis(1);
    scenario.load.sizes = Sizes::Short;
    scenario
}

fn oldest_go() -> Scenario {
    let about = "a disk of 16 MiB and min_log_files(3): the oldest files go, and no line is refused";
    let mut scenario = attack("oldest-go", about);
    scenario.start.stay = false;
    scenario.disk = Disk::Tmpfs;
    scenario.setup.pattern.unit = Unit::Hourly;
    scenario.ticking = Ticking::Running(START, 3600 * 2);
    scenario.load.rollovers = 40;
    scenario.load.sizes = Sizes::About(1000);
    scenario.load.rest = Duration::from_millis(5);
    scenario.setup.min_log_files = Some(3);
    scenario.prunes = true;
    // A write that falls short is tried again on a new line when there is room.
    scenario.allows.fragments = true;
    scenario
}

fn lock_closed() -> Scenario {
    let about =
        "a directory has the name of the lock file, so that nobody can prune: that is reported, and no line suffers";
    let mut scenario = Scenario::plain("lock-closed", about);
    scenario.start.processes = 4;
    scenario.setup.pattern.unit = Unit::Hourly;
    scenario.setup.max_log_files = Some(2);
    scenario.ticking = Ticking::Running(START, 3600 * 10);
    scenario.load.rollovers = 40;
    scenario.load.lines = 20_000;
    scenario.load.sizes = Sizes::Short;
    scenario.prepare = Some(|directory| std::fs::create_dir(directory.join(LOCK)));
    scenario.others = &[LOCK];
    scenario.allows.errors = true;
    scenario
}

/// What processes lock that prune.
const LOCK: &str = ".app.DATE.log.a21a4a3f.lock";
