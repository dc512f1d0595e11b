//! `prefork-log verify`: finds what writers do wrong, as often as they do it, and nothing else.

use crate::support::{Logs, START, gzip, stamp, text, zstd};
use harness::bad::{Habit, Simple};
use harness::checker::{Checker, Demands, Keeps};
use harness::clock::{Clock, Ticking};
use harness::ledger::{Ledger, Word};
use harness::line::{Pen, Sizes, Way};
use harness::load::{Ground, Load};
use harness::pattern::{Pattern, Unit};
use harness::report::{Allows, Counts};
use harness::zone::Zone;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tracing_prefork::{Appender, Compression, Rotation};
use tracing_subscriber::layer::SubscriberExt;

/// A line of the harness: the checksum has eight digits.
const WHOLE: &str = r"^\S+Z \|\d+\.\d+\.\d+ d \d+ \S+ [0-9a-f]{8}$";
const SECONDLY: [&str; 6] = ["--rotate", "secondly", "--prefix", "app", "--suffix", "log"];

/// The status and the sum that `verify --json` prints.
fn sum(ended: &Output) -> (Option<i32>, serde_json::Value) {
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    (ended.status.code(), report["sum"].clone())
}

/// The counts that are not zero, but for those of good lines.
fn wrong(sum: &serde_json::Value) -> Vec<(String, u64)> {
    let good = ["lines", "bytes", "with_timestamp", "slightly_late", "latest_by_micros"];
    let counts = sum.as_object().expect("an object").iter();
    let counts = counts.map(|(name, count)| (name.clone(), count.as_u64().expect("a number")));
    counts.filter(|(name, count)| *count > 0 && !good.contains(&&**name)).collect()
}

/// A directory that simple writers write, and the record of what they have written.
struct Desk {
    home: TempDir,
    ground: Ground,
}

impl Desk {
    fn new(members: usize) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir(home.path().join("logs")).expect("made");
        let (prefix, suffix) = ("app".to_owned(), "log".to_owned());
        let pattern = Pattern { prefix, suffix, unit: Unit::Secondly, date: None, zone: Zone::UTC };
        let ledger = Ledger::create(&home.path().join("ledger"), members, 1, 8192).expect("made");
        let ticking = Ticking::Standing(START * 1_000_000_000);
        Clock::start(ticking, &ledger);
        let load = Load { rollovers: 0, lines: 0, ways: &[Way::Direct], sizes: Sizes::Moderate, rest: Duration::ZERO };
        let clock = Clock::new(ticking, ledger);
        Self { home, ground: Ground { ledger, clock, ticking, pattern, load, share: 0 } }
    }

    fn logs(&self) -> PathBuf {
        self.home.path().join("logs")
    }

    fn writers(&self, habit: Habit) -> Vec<Simple> {
        let Ground { ledger, clock, ref pattern, .. } = self.ground;
        let writer = || Simple::new(self.logs(), pattern.clone(), habit, clock, ledger);
        (0..ledger.members()).map(|_| writer()).collect()
    }

    /// `lines` lines of each member in turn, one every 90 ms.
    fn write(&self, habit: Habit, lines: u64) {
        let writers = self.writers(habit);
        let mut pen = Pen::new(Sizes::Moderate);
        for line in 0..lines {
            self.ground.clock.set(START * 1_000_000_000 + 100_000_000 + line * 90_000_000);
            for (process, writer) in writers.iter().enumerate() {
                assert!(self.ground.write_line(writer, self.ground.ledger.thread(process, 0), &mut pen));
            }
        }
    }

    /// `lines` lines of each member, all at the same time.
    fn write_at_once(&self, habit: Habit, lines: u64) {
        std::thread::scope(|scope| {
            for (process, writer) in self.writers(habit).into_iter().enumerate() {
                scope.spawn(move || {
                    let mut pen = Pen::new(Sizes::Short);
                    for _ in 0..lines {
                        assert!(self.ground.write_line(&writer, self.ground.ledger.thread(process, 0), &mut pen));
                    }
                });
            }
        });
    }

    fn check(&self) -> Counts {
        let checker = Checker {
            ledger: self.ground.ledger,
            pattern: &self.ground.pattern,
            keeps: Keeps::All,
            demands: Demands::default(),
            forward: true,
            slack: 0,
            delay: 0,
            orphans: HashSet::new(),
            others: Vec::new(),
            deeds: Vec::new(),
            attic: self.home.path().join("attic"),
            allows: Allows::default(),
        };
        checker.check(&self.logs()).expect("readable").counts
    }

    fn verify(&self, arguments: &[&str]) -> (Option<i32>, Vec<(String, u64)>) {
        let mut command = crate::support::program();
        command.arg("verify").arg(self.logs()).args(SECONDLY).args(["--json", "--tolerance", "0s"]).args(arguments);
        let (status, sum) = sum(&command.output().expect("it starts"));
        (status, wrong(&sum))
    }

    fn wronged(&self) -> u64 {
        self.ground.ledger.get(Word::Wronged)
    }
}

/// What the checker and `verify` find where 3 processes have written lines with that habit.
#[track_caller]
fn compare(habit: Habit, lines: u64, arguments: &[&str], name: &str, count: impl Fn(&Counts) -> u64) {
    let desk = Desk::new(3);
    desk.write(habit, lines);
    let counts = desk.check();
    assert_eq!((counts.lines, counts.wrong()), (3 * lines, count(&counts)), "{counts}");
    assert!(count(&counts) >= 12 && count(&counts) == desk.wronged(), "{counts}");
    assert_eq!(desk.verify(arguments), (Some(1), vec![(name.to_owned(), count(&counts))]));
}

#[test]
fn nothing_is_wrong_with_right_writers() {
    let desk = Desk::new(3);
    desk.write(Habit::Right, 5000);
    assert_eq!(desk.check().wrong(), 0);
    for arguments in [&[][..], &["--strict", "--line", WHOLE, "--crc32"], &["--jobs", "1"]] {
        assert_eq!(desk.verify(arguments), (Some(0), vec![]));
    }
}

#[test]
fn each_misplaced_line_is_found() {
    compare(Habit::Misplaces, 5000, &[], "misplaced", |counts| counts.misplaced);
}

#[test]
fn each_line_that_was_held_back_is_found() {
    compare(Habit::Reorders, 4999, &[], "out_of_order", |counts| counts.out_of_order);
}

/// Without a checksum a line without its last byte is as good as any other, unless somebody says how lines end.
#[test]
fn each_damaged_line_is_found_by_what_a_line_looks_like() {
    compare(Habit::Damages, 5000, &["--line", WHOLE], "torn", |counts| counts.torn);
    compare(Habit::Damages, 5000, &["--crc32"], "torn", |counts| counts.torn);
}

#[test]
fn each_line_that_was_written_twice_is_found_if_that_is_a_fault() {
    compare(Habit::Duplicates, 5000, &["--strict"], "repeated", |counts| counts.duplicated);
}

/// Nothing in the files shows them.
#[test]
fn lost_lines_are_not_seen() {
    let desk = Desk::new(3);
    desk.write(Habit::Loses, 5000);
    assert_eq!(desk.check().lost, 15);
    assert_eq!(desk.verify(&["--strict", "--line", WHOLE, "--crc32"]), (Some(0), vec![]));
}

#[test]
fn each_torn_line_and_each_piece_is_found() {
    let desk = Desk::new(4);
    desk.write_at_once(Habit::Tears, 2000);
    let counts = desk.check();
    assert!(counts.torn > 100, "{counts}");
    let counted = |found: Vec<(String, u64)>| {
        let of = |name: &str| found.iter().find(|(found, _)| found == name).map_or(0, |(_, count)| *count);
        assert_eq!(of("torn") + of("pieces"), found.iter().map(|(_, count)| count).sum::<u64>(), "{found:?}");
        (of("torn"), of("pieces"))
    };
    let (torn, pieces) = counted(desk.verify(&["--crc32"]).1);
    println!("{torn} torn lines, {pieces} pieces; the checker: {counts}");
    assert_eq!(torn + pieces, counts.torn + counts.fragments, "{torn} torn, {pieces} pieces; {counts}");
}

/// `verify --json` in a directory of hourly files.
fn verify(logs: &Logs, arguments: &[&str]) -> (Option<i32>, Vec<(String, u64)>) {
    let (status, sum) = sum(&logs.run("verify", &[&["--json"], arguments].concat()));
    (status, wrong(&sum))
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> Vec<(String, u64)> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

#[test]
fn each_json_line_that_is_not_whole_is_torn() {
    let logs = Logs::of(&["app"]);
    let line = |at: u64| format!("{{\"timestamp\":\"{}\",\"message\":\"a: {{}} {at}\"}}\n", stamp(at));
    logs.write("app.2026-11-21-08.log", [line(0), line(1), line(1)].concat().as_bytes());
    assert_eq!(verify(&logs, &[]), (Some(0), counts([("repeated", 1)])));
    let cut = &line(2)[..line(2).len() - 3];
    logs.append("app.2026-11-21-08.log", format!("{cut}\n{cut}{}{}", line(3), line(4)).as_bytes());
    // The end of a line, and a whole line with something behind it.
    logs.append("app.2026-11-21-08.log", format!("ssage\":\"x\"}}\n{}x\n", line(5).trim_end()).as_bytes());
    assert_eq!(verify(&logs, &[]), (Some(1), counts([("pieces", 1), ("repeated", 1), ("torn", 3)])));
}

#[test]
fn lines_that_are_glued_are_told_from_messages_with_times() {
    let logs = Logs::of(&["app"]);
    let line = |at: u64, text: &str| format!("{}  INFO {text}\n", stamp(at));
    let good = [
        line(0, "expires at 2026-11-21T09:00:00.000000Z, or later"),
        line(1, "token{until=2026-11-21T09:00:00.000000Z}: made"),
        line(2, "\"2026-11-21T09:00:00.000000Z\" \u{e4}"),
        line(3, "of 2026"),
    ];
    logs.write("app.2026-11-21-08.log", good.concat().as_bytes());
    assert_eq!(verify(&logs, &[]), (Some(0), vec![]));
    for cut in ["half", "half ", "half="] {
        logs.append(
            "app.2026-11-21-08.log",
            format!("{}{}", line(4, cut).trim_end_matches('\n'), line(5, "x")).as_bytes(),
        );
    }
    assert_eq!(verify(&logs, &[]), (Some(1), counts([("torn", 3)])));
}

#[test]
fn messages_of_several_lines_and_headers_are_no_pieces() {
    let logs = Logs::of(&["app"]);
    let text = format!("time,level\n{} INFO panic\n   at main\n   at start\n\n{} INFO x\n", stamp(0), stamp(1));
    logs.write("app.2026-11-21-08.log", text.as_bytes());
    assert_eq!(verify(&logs, &[]), (Some(1), counts([("empty", 1), ("pieces", 3)])));
    assert_eq!(verify(&logs, &["--header", "1"]), (Some(1), counts([("empty", 1), ("headers", 1), ("pieces", 2)])));
    let both = ["--header", "1", "--multi-line"];
    assert_eq!(verify(&logs, &both), (Some(0), counts([("empty", 1), ("further", 2), ("headers", 1)])));
    logs.write("app.2026-11-21-08.log", b"no timestamps\nat all\n");
    assert_eq!(verify(&logs, &[]), (Some(0), counts([("without_timestamp", 2)])));
}

#[test]
fn bytes_that_belong_in_no_log_are_found() {
    let logs = Logs::of(&["app"]);
    let line = |at: u64, text: &[u8]| [stamp(at).as_bytes(), b" ", text, b"\n"].concat();
    let lines = [line(0, b"x"), line(1, b"\0\0"), line(2, b"\xff"), line(3, "\u{20ac}".as_bytes()), line(4, b"cut")];
    let lines = lines.concat();
    logs.write("app.2026-11-21-08.log", lines.trim_ascii_end());
    let found = counts([("invalid_utf8", 1), ("nul", 1), ("unterminated", 1)]);
    assert_eq!(verify(&logs, &[]), (Some(1), found));
    let ended = logs.run("verify", &["--examples", "1"]);
    let told = text(ended.stdout);
    assert!(
        told.contains("app.2026-11-21-08.log: 1 without a newline at the end, 1 with NUL bytes, 1 not UTF-8"),
        "{told}"
    );
    assert!(told.contains("byte 30: a NUL byte: 2026-11-21T08:00:00.000001Z \\0\\0"), "{told}");
}

#[test]
fn a_line_that_is_being_written_is_no_fault() {
    let home = tempfile::tempdir().expect("a directory");
    let logs = tracing_prefork::rolling::never(home.path(), "app.log");
    std::io::Write::write_all(&mut &logs, b"2026-11-21T08:00:00Z whole\n").expect("written");
    fs::OpenOptions::new()
        .append(true)
        .open(logs.path())
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"2026-11-21T08:00:01Z ha"))
        .expect("written");
    let ended = crate::support::program().arg("verify").arg(home.path()).arg("--json").output().expect("it starts");
    let (status, sum) = sum(&ended);
    assert_eq!((status, wrong(&sum)), (Some(0), vec![]));
}

#[test]
fn archives_are_read_member_by_member() {
    let logs = Logs::of(&["app"]);
    let line = |at: u64| format!("{} INFO x\n", stamp(at));
    let (early, late) = (line(0) + &line(20_000_000), line(1));
    for (ending, pack) in [("gz", gzip as fn(&[u8]) -> Vec<u8>), ("zst", zstd)] {
        let name = format!("app.2026-11-21-08.log.{ending}");
        // Late lines are a member of their own, and may be earlier.
        logs.write(&name, &[pack(early.as_bytes()), pack(late.as_bytes())].concat());
        assert_eq!(verify(&logs, &[]), (Some(0), vec![]));
        logs.write(&name, &pack((early.clone() + &late).as_bytes()));
        assert_eq!(verify(&logs, &[]), (Some(1), counts([("out_of_order", 1)])));
        assert_eq!(verify(&logs, &["--tolerance", "30s"]), (Some(0), vec![]));
        let whole = pack(early.as_bytes());
        logs.write(&name, &[&whole[..], &whole[..whole.len() - 3]].concat());
        let (status, found) = verify(&logs, &[]);
        assert_eq!((status, found.contains(&("damaged".to_owned(), 1))), (Some(1), true), "{found:?}");
        logs.write(&name, b"");
        assert_eq!(verify(&logs, &[]).0, Some(1));
        fs::remove_file(logs.path().join(name)).expect("removed");
    }
}

#[test]
fn verify_says_what_is_wrong_with_its_arguments() {
    let logs = Logs::of(&["app"]);
    for (arguments, told) in [
        (&["--line", "("][..], "unclosed group"),
        (&["--tolerance", "soon"], "soon"),
        (&["--jobs", "0"], "--jobs"),
        (&["--prefix", "other"], "--rotate daily"),
    ] {
        let ended = logs.run("verify", arguments);
        let text = text(ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{text}");
        assert!(text.contains(told), "{text}");
    }
}

const DIRECTORY: &str = "PREFORK_LOG_TEST_DIRECTORY";
const LINES: &str = "PREFORK_LOG_TEST_LINES";

/// Not a test of its own: a process that logs, started by the tests below.
#[test]
#[ignore = "it logs for other tests"]
fn a_logger() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let lines: u64 = std::env::var(LINES).expect("set").parse().expect("a number");
    // Without it, two processes may log the same line in the same microsecond: `verify` calls such a line repeated.
    let process = std::process::id();
    let logs = Appender::builder()
        .rotation(Rotation::SECONDLY)
        .filename_prefix("app")
        .filename_suffix("log")
        .max_file_bytes(8 << 20)
        .compress(Compression::Gzip)
        .build(directory)
        .expect("built");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logs.layer()), || {
        for number in 0..lines {
            tracing::info!(process, number, path = "/api/v1/orders", "answered in {} ms", number % 900);
        }
    });
}

/// 8 processes log so many lines, and nothing is wrong with them.
fn verify_good(lines: u64) {
    let home = tempfile::tempdir().expect("a directory");
    let logger = || {
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.args(["--exact", "verify::a_logger", "--ignored"]);
        command.env(DIRECTORY, home.path()).env(LINES, (lines / 8).to_string()).stdout(std::process::Stdio::null());
        command.spawn().expect("it starts")
    };
    let loggers: Vec<_> = (0..8).map(|_| logger()).collect();
    assert!(loggers.into_iter().all(|mut logger| logger.wait().expect("it ends").success()));
    let begin = Instant::now();
    let mut command = crate::support::program();
    let ended = command.arg("verify").arg(home.path()).args(["--strict", "--json"]).output().expect("it starts");
    let took = begin.elapsed();
    let (status, sum) = sum(&ended);
    assert_eq!((status, wrong(&sum), sum["lines"].as_u64()), (Some(0), vec![], Some(lines)));
    println!("{lines} lines of 8 processes, {} bytes: no fault, {took:?}; {sum}", sum["bytes"]);
}

#[test]
fn nothing_is_wrong_with_what_eight_processes_log() {
    verify_good(80_000);
}

#[test]
#[ignore = "10 000 000 lines, for the figure"]
fn nothing_is_wrong_with_ten_million_lines() {
    verify_good(10_000_000);
}
