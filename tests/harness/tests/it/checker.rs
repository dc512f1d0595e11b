//! The checker finds what writers do wrong on purpose, as often as they do it, and nothing else.

use harness::bad::{Habit, Simple};
use harness::checker::{Checker, Demands, Keeps};
use harness::clock::{Clock, Ticking};
use harness::journal;
use harness::ledger::{Ledger, Thread, Word};
use harness::line::{Id, Pen, Sizes, Way};
use harness::load::{Ground, Load};
use harness::pattern::{Archive, Pattern, Unit};
use harness::report::{Allows, Counts};
use harness::stamp::Stamp;
use harness::zone::Zone;
use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// 2026-11-21T08:33:01Z.
pub(crate) const START: u64 = 1_795_249_981_000_000_000;

/// A log directory and a record, without any process.
pub(crate) struct Desk {
    pub(crate) home: tempfile::TempDir,
    pub(crate) ground: Ground,
}

impl Desk {
    pub(crate) fn new(members: usize) -> Self {
        let (prefix, suffix) = ("app".to_owned(), "log".to_owned());
        Self::of(Pattern { prefix, suffix, unit: Unit::Secondly, date: None, zone: Zone::UTC }, members)
    }

    /// With each file in a directory of its own.
    pub(crate) fn in_directories(members: usize) -> Self {
        let mut desk = Self::new(members);
        desk.ground.pattern.date = Some("%Y-%m-%d/%H-%M/%S");
        desk
    }

    pub(crate) fn of(pattern: Pattern, members: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("logs")).unwrap();
        let ledger = Ledger::create(&home.path().join("ledger"), members, 1, 8192).unwrap();
        let ticking = Ticking::Standing(START);
        Clock::start(ticking, &ledger);
        let load = Load { rollovers: 0, lines: 0, ways: &[Way::Direct], sizes: Sizes::Moderate, rest: Duration::ZERO };
        let clock = Clock::new(ticking, ledger);
        Self { home, ground: Ground { ledger, clock, ticking, pattern, load, share: 0 } }
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.home.path().join("logs")
    }

    pub(crate) fn append(&self, name: &str, text: &[u8]) {
        let path = self.logs().join(name);
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text).unwrap();
    }

    /// `lines` lines of each member in turn, through one simple writer each, one every 90 ms.
    pub(crate) fn write(&self, habit: Habit, lines: u64) {
        let Ground { ledger, clock, ref pattern, .. } = self.ground;
        let writer = || Simple::new(self.logs(), pattern.clone(), habit, clock, ledger);
        let members = ledger.members();
        let writers: Vec<Simple> = (0..members).map(|_| writer()).collect();
        let mut pen = Pen::new(Sizes::Moderate);
        for line in 0..lines {
            clock.set(START + 100_000_000 + line * 90_000_000);
            for (process, writer) in writers.iter().enumerate() {
                assert!(self.ground.write_line(writer, ledger.thread(process, 0), &mut pen));
            }
        }
    }

    /// One line of process 0, begun and acknowledged at `at`, not written anywhere.
    pub(crate) fn line(&self, at: u64) -> Vec<u8> {
        let id = self.thread().begin(at).unwrap();
        self.thread().end(id.sequence, Some(at));
        text(id, at)
    }

    pub(crate) fn thread(&self) -> Thread {
        self.ground.ledger.thread(0, 0)
    }

    pub(crate) fn check(&self, keeps: Option<usize>) -> Counts {
        self.check_as(keeps.map_or(Keeps::All, Keeps::Files), Demands::default())
    }

    /// With several files a period, and archives of that kind.
    pub(crate) fn check_archives(&self, archive: Option<Archive>) -> Counts {
        self.check_as(Keeps::All, Demands { largest: Some(u64::MAX), archive, ..Demands::default() })
    }

    pub(crate) fn check_as(&self, keeps: Keeps, demands: Demands) -> Counts {
        let checker = Checker {
            ledger: self.ground.ledger,
            pattern: &self.ground.pattern,
            keeps,
            demands,
            forward: true,
            slack: 0,
            delay: 0,
            orphans: HashSet::new(),
            others: vec!["app.log".to_owned()],
            deeds: journal::deeds(&self.home.path().join("journal")),
            attic: self.home.path().join("attic"),
            allows: Allows::default(),
        };
        checker.check(&self.logs()).unwrap().counts
    }

    pub(crate) fn wronged(&self) -> u64 {
        self.ground.ledger.get(Word::Wronged)
    }
}

pub(crate) fn text(id: Id, at: u64) -> Vec<u8> {
    Pen::new(Sizes::Short).line(id, Way::Direct, &Stamp::at(at, 0), 40).to_vec()
}

/// What 3 processes with 5000 lines each leave when their writers have this habit.
fn left_by(habit: Habit) -> (Counts, u64) {
    let desk = Desk::new(3);
    desk.write(habit, 5000);
    let counts = desk.check(None);
    assert_eq!(counts.lines, 15_000);
    assert!(counts.rollovers > 400, "{counts}");
    (counts, desk.wronged())
}

#[test]
fn a_right_writer_passes() {
    let (counts, _) = left_by(Habit::Right);
    assert_eq!(counts.wrong(), 0, "{counts}");
}

#[test]
fn each_lost_line_is_counted() {
    let (counts, wronged) = left_by(Habit::Loses);
    assert_eq!((counts.lost, counts.wrong(), wronged), (15, 15, 15), "{counts}");
}

#[test]
fn each_duplicate_is_counted() {
    let (counts, wronged) = left_by(Habit::Duplicates);
    assert_eq!((counts.duplicated, counts.wrong(), wronged), (15, 15, 15), "{counts}");
}

#[test]
fn each_misplaced_line_is_counted() {
    let (counts, wronged) = left_by(Habit::Misplaces);
    assert_eq!((counts.misplaced, counts.wrong(), wronged), (15, 15, 15), "{counts}");
}

#[test]
fn each_damaged_line_is_counted_as_torn() {
    let (counts, wronged) = left_by(Habit::Damages);
    assert_eq!((counts.torn, counts.wrong(), wronged), (15, 15, 15), "{counts}");
}

#[test]
fn each_line_held_back_is_counted_as_out_of_order() {
    let desk = Desk::new(3);
    desk.write(Habit::Reorders, 4999);
    let counts = desk.check(None);
    assert_eq!((counts.out_of_order, counts.wrong(), desk.wronged()), (12, 12, 12), "{counts}");
}

#[test]
fn what_is_wrong_in_directories_is_counted_as_well() {
    let left_by = |habit| {
        let desk = Desk::in_directories(3);
        desk.write(habit, 5000);
        (desk.check(None), desk.wronged())
    };
    let (counts, _) = left_by(Habit::Right);
    assert_eq!(counts.wrong(), 0, "{counts}");
    assert!(counts.files > 400, "{counts}");
    for (habit, count) in [
        (Habit::Loses, (|counts: &Counts| counts.lost) as fn(&Counts) -> u64),
        (Habit::Duplicates, |counts| counts.duplicated),
        (Habit::Misplaces, |counts| counts.misplaced),
        (Habit::Damages, |counts| counts.torn),
    ] {
        let (counts, wronged) = left_by(habit);
        assert_eq!((count(&counts), counts.wrong(), wronged), (15, 15, 15), "{counts}");
    }
}

#[test]
fn empty_and_foreign_directories_are_found() {
    let desk = Desk::in_directories(1);
    desk.write(Habit::Right, 100);
    assert_eq!(desk.check(None).wrong(), 0);
    let logs = desk.logs();
    for (made, wrong) in [
        ("app.2026-11-21/08-32/00.log", 1),
        ("app.2026-11-21/08-32", 1),
        ("app.2026-11-20/08-33", 1),
        ("app.2026-11-20", 1),
        ("other/app.2026-11-20", 1),
    ] {
        fs::create_dir_all(logs.join(made)).unwrap();
        let counts = desk.check(None);
        assert_eq!((counts.other, counts.wrong()), (wrong, wrong), "{made}: {counts}");
        // Nothing else stands in what is above them, but for the directory of the run's own files.
        let above = Path::new(made).ancestors().filter(|above| !above.as_os_str().is_empty());
        above.for_each(|directory| drop(fs::remove_dir(logs.join(directory))));
        assert_eq!(desk.check(None).wrong(), 0, "{made}");
    }
}

#[test]
fn a_line_in_the_file_of_the_other_pass_of_an_hour_is_found() {
    // 2024-11-03, 01:30 in New York for the first time, at -04:00, and an hour later once more.
    let first = 1_730_611_800_000_000_000;
    for (name, wrong) in [("-04", 0), ("-05", 1)] {
        let mut desk = Desk::new(1);
        desk.ground.pattern.unit = Unit::Hourly;
        desk.ground.pattern.zone = Zone::new_york();
        desk.ground.pattern.date = Some("%Y-%m-%dT%H%z");
        let id = desk.thread().begin(first).unwrap();
        desk.thread().end(id.sequence, Some(first + 1000));
        let line = Pen::new(Sizes::Short).line(id, Way::Direct, &Stamp::at(first, -14_400), 40).to_vec();
        desk.append(&format!("app.2024-11-03T01{name}00.log"), &line);
        let counts = desk.check(None);
        assert_eq!((counts.misplaced, counts.wrong()), (wrong, wrong), "{name}: {counts}");
        // What the zone does not have is no log file.
        desk.append("app.2024-11-03T03-0400.log", b"");
        assert_eq!(desk.check(None).other, 1);
    }
}

#[test]
fn two_mixed_lines_are_both_torn_and_none_is_lost() {
    let desk = Desk::new(1);
    let (one, two) = (desk.line(START), desk.line(START));
    let mixed = [&one[..60], &two[..70], &one[60..], &two[70..]].concat();
    desk.append("app.2026-11-21-08-33-01.log", &mixed);
    let counts = desk.check(None);
    assert_eq!((counts.torn, counts.lost, counts.wrong()), (2, 0, 2), "{counts}");
}

#[test]
fn a_cut_acknowledged_line_is_torn_and_the_next_one_glued() {
    let desk = Desk::new(1);
    let (one, two) = (desk.line(START), desk.line(START));
    desk.append("app.2026-11-21-08-33-01.log", &[&one[..60], &two[..]].concat());
    let counts = desk.check(None);
    assert_eq!((counts.torn, counts.glued, counts.lost, counts.wrong()), (1, 1, 0, 2), "{counts}");
}

#[test]
fn a_fragment_that_cannot_be_named_is_torn_and_not_lost_besides() {
    let desk = Desk::new(1);
    let line = desk.line(START);
    desk.append("app.2026-11-21-08-33-01.log", &line[45..]);
    let counts = desk.check(None);
    assert_eq!((counts.torn, counts.lost, counts.wrong()), (1, 0, 1), "{counts}");
}

#[test]
fn a_last_line_without_its_newline_is_torn() {
    let desk = Desk::new(1);
    let line = desk.line(START);
    desk.append("app.2026-11-21-08-33-01.log", line.trim_ascii_end());
    let counts = desk.check(None);
    assert_eq!((counts.torn, counts.wrong()), (1, 1), "{counts}");
}

#[test]
fn a_line_whose_process_was_killed_may_be_there_or_not_but_once() {
    for (times, wrong) in [(0, 0), (1, 0), (2, 1)] {
        let desk = Desk::new(1);
        let id = desk.thread().begin(START).unwrap();
        desk.append("app.2026-11-21-08-33-01.log", &text(id, START).repeat(times));
        let counts = desk.check(None);
        assert_eq!((counts.duplicated, counts.wrong()), (wrong, wrong), "{counts}");
    }
}

#[test]
fn a_line_that_nobody_wrote_is_found() {
    let desk = Desk::new(1);
    desk.append("app.2026-11-21-08-33-01.log", &desk.line(START));
    let nobody = |process, sequence| text(Id { process, thread: 0, sequence }, START);
    desk.append("app.2026-11-21-08-33-01.log", &nobody(0, 1));
    desk.append("app.2026-11-21-08-33-01.log", &nobody(7, 0));
    let counts = desk.check(None);
    assert_eq!((counts.unknown, counts.wrong()), (2, 2), "{counts}");
}

#[test]
fn a_line_is_only_in_a_period_that_its_write_saw() {
    let second = 1_000_000_000;
    for (name, wrong) in [("00", 1), ("01", 0), ("02", 0), ("03", 0), ("04", 1)] {
        let desk = Desk::new(1);
        let id = desk.thread().begin(START).unwrap();
        desk.thread().end(id.sequence, Some(START + 2 * second));
        desk.append(&format!("app.2026-11-21-08-33-{name}.log"), &text(id, START));
        let counts = desk.check(None);
        assert_eq!((counts.misplaced, counts.wrong()), (wrong, wrong), "{name}: {counts}");
    }
}

#[test]
fn a_line_that_the_timer_stamped_is_only_in_that_stamps_file() {
    let stamped = |stamp: &str, name: &str| {
        let desk = Desk::new(1);
        let id = desk.thread().begin(START + 999_000_000).unwrap();
        desk.thread().end(id.sequence, Some(START + 1_001_000_000));
        let mut pen = Pen::new(Sizes::Short);
        let message = pen.message(id, Way::Layer, 30);
        let line = format!("2026-11-21T08:33:{stamp}Z  INFO load: {message}\n");
        desk.append(&format!("app.2026-11-21-08-33-{name}.log"), line.as_bytes());
        desk.check(None)
    };
    for (stamp, name) in [("01.999999", "01"), ("02.000000", "02")] {
        assert_eq!(stamped(stamp, name).wrong(), 0);
    }
    for (stamp, name) in [("01.999999", "02"), ("02.000000", "01"), ("01.998999", "01")] {
        let counts = stamped(stamp, name);
        assert_eq!((counts.misplaced, counts.wrong()), (1, 1), "{stamp} in {name}: {counts}");
    }
}

#[test]
fn a_file_that_does_not_belong_there_is_found() {
    let desk = Desk::new(1);
    desk.append("app.2026-11-21-08-33-01.log", &desk.line(START));
    desk.append("app.log", b"named as another file of the run");
    assert_eq!(desk.check(None).wrong(), 0);
    desk.append("app.2026-11-21-08-33-61.log", b"");
    desk.append(".app.tmp123", b"");
    assert_eq!(desk.check(None).other, 2);
}

/// A piece of a line that was refused, and an acknowledged line behind it.
#[test]
fn a_cut_refused_line_is_a_fragment_and_the_next_one_glued() {
    let desk = Desk::new(1);
    let id = desk.thread().begin(START).unwrap();
    desk.thread().end(id.sequence, None);
    let refused = text(id, START);
    for length in [60, 10] {
        desk.append("app.2026-11-21-08-33-01.log", &[&refused[..length], &desk.line(START)].concat());
    }
    let counts = desk.check(None);
    assert_eq!((counts.fragments, counts.glued, counts.refused, counts.wrong()), (2, 2, 1, 5), "{counts}");
}

#[test]
fn a_piece_of_a_line_that_was_written_again_is_a_fragment() {
    let desk = Desk::new(1);
    let line = desk.line(START);
    desk.append("app.2026-11-21-08-33-01.log", &[&line[..60], b"\n", &line[..]].concat());
    let counts = desk.check(None);
    assert_eq!((counts.fragments, counts.torn, counts.wrong()), (1, 0, 1), "{counts}");
}

#[test]
fn a_deleted_file_has_only_lines_up_to_the_second_it_went() {
    let second = 1_000_000_000;
    for (after, [removed, unnoticed, lost]) in
        [(0, [1, 0, 0]), (second / 2, [0, 1, 0]), (second - 1, [0, 1, 0]), (second, [0, 0, 1])]
    {
        let desk = Desk::new(1);
        let line = desk.line(START + after);
        let room = desk.home.path().join("attic/1");
        fs::create_dir_all(&room).unwrap();
        fs::write(room.join(format!("app.2026-11-21-08-33-0{}.log", 1 + after / second)), line).unwrap();
        fs::write(desk.home.path().join("journal"), format!("deleted {START} 1\n")).unwrap();
        let counts = desk.check(None);
        let found = [counts.removed, counts.unnoticed, counts.lost];
        assert_eq!((found, counts.wrong()), ([removed, unnoticed, lost], lost), "{after}: {counts}");
    }
}

#[test]
fn a_moved_file_is_read_and_may_not_be_written_for_long() {
    let second = 1_000_000_000;
    let desk = Desk::new(1);
    let room = desk.home.path().join("attic/1");
    fs::create_dir_all(&room).unwrap();
    let lines = [desk.line(START), desk.line(START + second - 1)].concat();
    fs::write(room.join("app.2026-11-21-08-33-01.log"), lines).unwrap();
    fs::write(desk.home.path().join("journal"), format!("moved {START} 1\n")).unwrap();
    assert_eq!(desk.check(None).wrong(), 0);
    fs::write(room.join("app.2026-11-21-08-33-02.log"), desk.line(START + second)).unwrap();
    let counts = desk.check(None);
    assert_eq!((counts.overdue, counts.wrong()), (1, 1), "{counts}");
}

#[test]
fn only_lines_after_a_file_was_cut_to_nothing_can_be_lost() {
    let desk = Desk::new(1);
    let _in_it = desk.line(START);
    desk.append("app.2026-11-21-08-33-01.log", b"");
    let list = format!("truncated {} app.2026-11-21-08-33-01.log\n", START + 10);
    fs::write(desk.home.path().join("journal"), list).unwrap();
    let counts = desk.check(None);
    assert_eq!((counts.removed, counts.wrong()), (1, 0), "{counts}");
    let _behind_it = desk.line(START + 11);
    assert_eq!(desk.check(None).lost, 1);
}

#[test]
fn a_line_is_in_the_file_before_only_if_its_own_is_obstructed() {
    let second = 1_000_000_000;
    for (seconds, late, misplaced) in [(1, 1, 0), (2 + 10, 1, 0), (2 + 11, 0, 1)] {
        let desk = Desk::new(1);
        let line = desk.line(START + seconds * second);
        desk.append("app.2026-11-21-08-33-01.log", &line);
        let list = format!("obstructed {START} {}\n", START + 2 * second);
        fs::write(desk.home.path().join("journal"), list).unwrap();
        let counts = desk.check(None);
        assert_eq!((counts.late, counts.misplaced), (late, misplaced), "{seconds}: {counts}");
    }
}

/// One member of an archive.
pub(crate) fn compressed(kind: Archive, text: &[u8]) -> Vec<u8> {
    match kind {
        Archive::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Archive::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// Files of one second, in the order in which they were written: three with 20 lines each, and a last one with none.
const NUMBERED: [&str; 4] = ["01.log", "01.1.log", "01.2.log", "01.3.log"];

pub(crate) fn numbered(name: &str) -> String {
    format!("app.2026-11-21-08-33-{name}")
}

impl Desk {
    /// `lines` lines.
    pub(crate) fn lines(&self, lines: u64) -> Vec<u8> {
        (0..lines).flat_map(|line| self.line(START + line)).collect()
    }

    /// The files of [`NUMBERED`], all but the last compressed, if so. Returns the texts.
    pub(crate) fn number(&self, archive: Option<Archive>) -> Vec<Vec<u8>> {
        let texts: Vec<Vec<u8>> = [20, 20, 20, 0].map(|lines| self.lines(lines)).into();
        for (name, text) in NUMBERED.iter().zip(&texts) {
            match archive.filter(|_| !text.is_empty()) {
                Some(kind) => {
                    self.append(&format!("{}{}", numbered(name), kind.ending()), &compressed(kind, text));
                }
                None => self.append(&numbered(name), text),
            }
        }
        texts
    }

    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) {
        fs::write(self.logs().join(numbered(name)), bytes).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.logs().join(numbered(name))).unwrap();
    }
}
