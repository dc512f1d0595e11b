//! The catalogue: every scenario that the harness can play.

use crate::attacks;
use crate::chaos;
use crate::cutter;
use crate::faults;
use crate::links;
use crate::scenario::{Built, START, Scenario};
use crate::sizes;
use harness::clock::Ticking;
use harness::line::{Sizes, Way};
use harness::pattern::Unit;
use harness::process::Birth;
use harness::zone::Zone;

/// 2024-01-01T00:00:00Z.
const YEAR: u64 = 1_704_067_200_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// All scenarios, in the order in which `list` shows them.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = vec![
        Scenario::plain("built-before-fork", "the parent builds the appender, 32 children inherit it"),
        built_after_fork("built-after-fork", "32 children of one parent each build their own", Birth::Fork),
        built_after_fork("executed", "32 processes execute the program again and build their own", Birth::Exec),
        nothing_pruned(),
        pruned(),
        build_at_once(),
        paused("paused", "one process after the other is stopped across two boundaries", 1),
        paused("paused-threads", "the same with four threads in each process", 4),
        paused_pruned(),
        directories(),
        directories_pruned(),
        paused_directories(),
        busy("busy-fork", "700 children forked while four threads of the parent log", Birth::Fork),
        busy("busy-daemon", "the same through daemonizing double forks", Birth::Daemon),
        busy("busy-clone", "the same through raw clone(2)", Birth::Clone).on_the_systems_clock(),
        busy_local(),
        foreign(),
        foreign_without_suffix(),
        boundaries(),
        steps(),
        crossing_directories(),
        crossing_directories_pruned(),
        crossing("crossing-hourly-east", Unit::Hourly, 3600, 19_800),
        crossing("crossing-daily-west", Unit::Daily, 86_400, -12_600),
    ];
    let crossings = [
        ("crossing-hourly", Unit::Hourly, 3600),
        ("crossing-daily", Unit::Daily, 86_400),
        ("crossing-weekly", Unit::Weekly, 604_800),
        ("crossing-monthly", Unit::Monthly, 2_629_800),
    ];
    all.extend(crossings.map(|(name, unit, seconds)| crossing(name, unit, seconds, 0)));
    let (forth, back) = changes();
    all.extend([
        crossing_dst("crossing-dst-forth", Unit::Hourly, 3600, forth),
        crossing_dst("crossing-dst-back", Unit::Hourly, 3600, back),
        crossing_dst("crossing-dst-forth-daily", Unit::Daily, 86_400, forth),
        crossing_dst("crossing-dst-back-daily", Unit::Daily, 86_400, back),
        crossing_dst_back_offset(back),
    ]);
    all.extend(sizes::all());
    all.extend(attacks::all());
    all.extend(cutter::all());
    all.push(chaos::scenario(0));
    all
}

fn built_after_fork(name: &'static str, about: &'static str, birth: Birth) -> Scenario {
    let mut scenario = Scenario::plain(name, about);
    scenario.start.built = Built::AfterFork;
    scenario.start.birth = birth;
    scenario
}

fn nothing_pruned() -> Scenario {
    let about = "as built-before-fork, with a link and a max_log_files that nothing in the run reaches";
    unpruned("nothing-pruned", about).on_the_systems_clock()
}

fn unpruned(name: &'static str, about: &'static str) -> Scenario {
    let mut scenario = Scenario::plain(name, about);
    scenario.setup.max_log_files = Some(10_000);
    scenario.setup.latest_symlink = Some("app.log");
    scenario
}

fn pruned() -> Scenario {
    let about = "max_log_files(5): five files are left, and no line of these is missing";
    let mut scenario = Scenario::plain("pruned", about);
    scenario.setup.max_log_files = Some(5);
    scenario.setup.latest_hard_link = Some("app.latest");
    scenario.prunes = true;
    scenario
}

fn build_at_once() -> Scenario {
    let about = "64 processes build at the same moment, with a link and retention";
    let mut scenario = built_after_fork("build-at-once", about, Birth::Fork);
    scenario.start.processes = 64;
    scenario.setup.max_log_files = Some(10_000);
    scenario.setup.latest_symlink = Some("app.log");
    scenario
}

fn paused(name: &'static str, about: &'static str, threads: usize) -> Scenario {
    let mut scenario = Scenario::plain(name, about);
    scenario.start.processes = 6;
    scenario.start.threads = threads;
    scenario.faults = Some(faults::pause_across_two_boundaries);
    scenario
}

fn paused_pruned() -> Scenario {
    let about = "processes stopped across two boundaries, with max_log_files(2): their files must not go";
    let mut scenario = paused("paused-pruned", about, 2);
    scenario.setup.max_log_files = Some(2);
    scenario.prunes = true;
    scenario
}

fn directories() -> Scenario {
    let about = "files stand in a directory for each minute, below those of day, month and year";
    let mut scenario = unpruned("directories", about);
    scenario.setup.pattern.prefix = String::new();
    scenario.setup.pattern.date = Some("%Y/%m/%d/%H-%M/app-%S");
    scenario
}

fn directories_pruned() -> Scenario {
    let about = "each file in a directory of its own, with max_log_files(3) and both links: directories come and go";
    let mut scenario = directories();
    (scenario.name, scenario.about) = ("directories-pruned", about);
    scenario.setup.pattern.date = Some("%Y-%m-%d/%H-%M/%S/app");
    scenario.setup.max_log_files = Some(3);
    scenario.setup.latest_hard_link = Some("app.latest");
    scenario.prunes = true;
    scenario
}

fn paused_directories() -> Scenario {
    let mut scenario = paused_pruned();
    (scenario.name, scenario.about) = ("paused-directories", "the same with each file in a directory of its own");
    scenario.setup.pattern.prefix = String::new();
    scenario.setup.pattern.date = Some("%Y-%m-%d/%H-%M/%S/app");
    scenario
}

fn busy(name: &'static str, about: &'static str, birth: Birth) -> Scenario {
    let mut scenario = Scenario::plain(name, about);
    scenario.start.birth = birth;
    scenario.start.processes = 200;
    scenario.start.visitors = 500;
    scenario.start.busy = 4;
    scenario.load.lines = 40_000;
    // Time for 700 births, one after the other.
    scenario.load.rollovers = 100;
    // So that children find housekeeping to do as well, and under way when they are forked.
    scenario.setup.max_log_files = Some(10_000);
    scenario.setup.latest_symlink = Some("app.log");
    if birth == Birth::Clone {
        // Events are formatted on the heap, whose lock another thread may hold.
        scenario.load.ways = &[Way::Direct];
    }
    if birth == Birth::Daemon {
        // The grandchildren have another umask.
        scenario.setup.file_mode = Some(0o664);
    }
    scenario
}

fn busy_local() -> Scenario {
    let about = "200 such children in local time live on past 8 minutes and a change of the clocks";
    let mut scenario = busy("busy-local", about, Birth::Fork);
    scenario.start.visitors = 0;
    scenario.start.stay = true;
    scenario.setup.pattern.zone = Zone::new_york();
    scenario.setup.pattern.unit = Unit::Minutely;
    // A minute takes a second: in the eight that follow the change, each of 204 threads has its turn on a busy machine.
    // The change is three hours away until all children are there.
    scenario.ticking = Ticking::Running(changes().0 - 10_800 * SECOND, 60);
    scenario.load.rollovers = 10;
    scenario.faults = Some(faults::change_the_clocks_for_all);
    scenario.load.lines = 8000;
    scenario.load.sizes = Sizes::Short;
    scenario
}

fn foreign() -> Scenario {
    let about = "max_log_files(2) beside files, a directory and a link with names like log files'";
    let mut scenario = Scenario::plain("foreign-files", about);
    scenario.start.processes = 4;
    scenario.setup.max_log_files = Some(2);
    scenario.prunes = true;
    scenario.prepare = Some(links::plant);
    scenario.inspect = Some(links::missing);
    scenario.others = links::FOREIGN;
    scenario
}

fn foreign_without_suffix() -> Scenario {
    let mut scenario = foreign();
    scenario.name = "foreign-files-daily";
    scenario.about = "the same for daily files without a suffix, on an injected clock";
    scenario.setup.pattern.prefix = "app.log".to_owned();
    scenario.setup.pattern.suffix = String::new();
    scenario.setup.pattern.unit = Unit::Daily;
    injected(scenario, 86_400)
}

fn boundaries() -> Scenario {
    let about = "an injected clock stands 1 ns before each boundary, on it, and 1 ns after it";
    let mut scenario = Scenario::plain("exact-boundaries", about);
    scenario.start.processes = 8;
    scenario.start.threads = 2;
    scenario.ticking = Ticking::Standing(START);
    scenario.faults = Some(faults::stand_around_boundaries);
    scenario.load.sizes = Sizes::Moderate;
    scenario
}

fn steps() -> Scenario {
    let mut scenario = boundaries();
    scenario.name = "clock-steps";
    scenario.about = "an injected clock steps forth and back by up to five periods";
    scenario.faults = Some(faults::step_back_and_forth);
    scenario.forward = false;
    scenario
}

fn crossing(name: &'static str, unit: Unit, seconds: u64, offset: i32) -> Scenario {
    let about = "8 processes cross a boundary every 40 ms, by an injected clock that runs fast";
    let mut scenario = Scenario::plain(name, about);
    scenario.start.processes = 8;
    scenario.setup.pattern.unit = unit;
    scenario.setup.pattern.zone = Zone::Fixed(offset);
    // More than are asked for: the clock does not wait for processes that the machine keeps waiting.
    scenario.load.rollovers = 30;
    injected(scenario, seconds)
}

fn crossing_directories() -> Scenario {
    let mut scenario = crossing("crossing-directories", Unit::Hourly, 3600, 0);
    scenario.about = "the same with a directory for each day, below those of month and year";
    scenario.setup.pattern.date = Some("%Y/%m/%d-%H");
    scenario.setup.latest_symlink = Some("latest");
    scenario
}

fn crossing_directories_pruned() -> Scenario {
    let mut scenario = crossing("crossing-directories-pruned", Unit::Daily, 86_400, 0);
    scenario.about = "a day each 40 ms in a directory of its own, with max_log_files(2) and both links, 16 processes";
    scenario.start.processes = 16;
    scenario.setup.pattern.prefix = String::new();
    scenario.setup.pattern.date = Some("%Y/%m/%d/app");
    scenario.setup.max_log_files = Some(2);
    scenario.setup.latest_symlink = Some("latest");
    scenario.setup.latest_hard_link = Some("latest.log");
    scenario.prunes = true;
    scenario
}

/// When New York's clocks were put forth and back in 2024.
fn changes() -> (u64, u64) {
    let zone = Zone::new_york();
    let forth = zone.next_change(YEAR);
    (forth, zone.next_change(forth))
}

fn crossing_dst(name: &'static str, unit: Unit, seconds: u64, change: u64) -> Scenario {
    let mut scenario = crossing(name, unit, seconds, 0);
    scenario.about = "8 processes in local time cross a boundary every 100 ms, and a change of New York's clocks";
    scenario.setup.pattern.zone = Zone::new_york();
    // Ten boundaries before the change, sixteen after it, and four more for a busy machine.
    scenario.load.rollovers = 30;
    scenario.ticking = Ticking::Running(change - seconds * SECOND * 21 / 2, seconds * 10);
    scenario
}

fn crossing_dst_back_offset(change: u64) -> Scenario {
    let mut scenario = crossing_dst("crossing-dst-back-offset", Unit::Hourly, 3600, change);
    scenario.about = "the same with the offset in the names: each pass of the repeated hour has a file of its own";
    scenario.setup.pattern.date = Some("%Y-%m-%d-%H%z");
    scenario
}

/// With a clock that takes 40 ms for a period of so many seconds, and as many lines as fit.
fn injected(mut scenario: Scenario, seconds: u64) -> Scenario {
    scenario.ticking = Ticking::Running(START, seconds * 25);
    scenario.load.lines = 0;
    scenario.load.sizes = Sizes::Moderate;
    scenario
}
