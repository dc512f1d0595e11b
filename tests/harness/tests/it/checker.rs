//! The checker finds what writers do wrong on purpose, as often as they do it, and nothing else.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use harness::bad::{Habit, Simple};
use harness::checker::{Checker, Demands, Keeps, first_line};
use harness::clock::{Clock, Ticking};
use harness::handed::{Handed, Notes};
use harness::journal;
use harness::ledger::{Ledger, Thread, Word};
use harness::limited::Limits;
use harness::line::{Id, Pen, Sizes, Way};
use harness::load::{Ground, Load};
use harness::pattern::{Archive, Pattern, Unit};
use harness::report::{Allows, Counts, Report};
use harness::stamp::Stamp;
use harness::zone::Zone;

/// 2026-11-21T08:33:01Z.
const START: u64 = 1_795_249_981_000_000_000;

/// A log directory and a record, without any process.
struct Desk {
    home: tempfile::TempDir,
    ground: Ground,
}

impl Desk {
    fn new(members: usize) -> Self {
        let (prefix, suffix) = ("app".to_owned(), "log".to_owned());
        Self::of(Pattern { prefix, suffix, unit: Unit::Secondly, date: None, zone: Zone::UTC }, members)
    }

    /// With each file in a directory of its own.
    fn in_directories(members: usize) -> Self {
        let mut desk = Self::new(members);
        desk.ground.pattern.date = Some("%Y-%m-%d/%H-%M/%S");
        desk
    }

    fn of(pattern: Pattern, members: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("logs")).unwrap();
        let ledger = Ledger::create(&home.path().join("ledger"), members, 1, 8192).unwrap();
        let ticking = Ticking::Standing(START);
        Clock::start(ticking, &ledger);
        let load = Load { rollovers: 0, lines: 0, ways: &[Way::Direct], sizes: Sizes::Moderate, rest: Duration::ZERO };
        let clock = Clock::new(ticking, ledger);
        Self { home, ground: Ground { ledger, clock, ticking, pattern, load, share: 0 } }
    }

    fn logs(&self) -> PathBuf {
        self.home.path().join("logs")
    }

    fn append(&self, name: &str, text: &[u8]) {
        let path = self.logs().join(name);
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text).unwrap();
    }

    /// `lines` lines of each member in turn, through one simple writer each, one every 90 ms.
    fn write(&self, habit: Habit, lines: u64) {
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
    fn line(&self, at: u64) -> Vec<u8> {
        let id = self.thread().begin(at).unwrap();
        self.thread().end(id.sequence, Some(at));
        text(id, at)
    }

    fn thread(&self) -> Thread {
        self.ground.ledger.thread(0, 0)
    }

    fn check(&self, keeps: Option<usize>) -> Counts {
        self.check_as(keeps.map_or(Keeps::All, Keeps::Files), Demands::default())
    }

    /// With several files a period, and archives of that kind.
    fn check_archives(&self, archive: Option<Archive>) -> Counts {
        self.check_as(Keeps::All, Demands { largest: Some(u64::MAX), archive, ..Demands::default() })
    }

    fn check_as(&self, keeps: Keeps, demands: Demands) -> Counts {
        let checker = Checker {
            ledger: self.ground.ledger,
            pattern: &self.ground.pattern,
            keeps,
            demands,
            forward: true,
            slack: 0,
            orphans: HashSet::new(),
            others: vec!["app.log".to_owned()],
            deeds: journal::deeds(&self.home.path().join("journal")),
            attic: self.home.path().join("attic"),
            allows: Allows::default(),
        };
        checker.check(&self.logs()).unwrap().counts
    }

    fn wronged(&self) -> u64 {
        self.ground.ledger.get(Word::Wronged)
    }
}

fn text(id: Id, at: u64) -> Vec<u8> {
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
fn what_retention_removed_is_not_lost_but_a_gap_is() {
    let desk = Desk::new(2);
    desk.write(Habit::Right, 110);
    let name = |second: u32| desk.logs().join(format!("app.2026-11-21-08-33-{second:02}.log"));
    for second in 1..=5 {
        fs::remove_file(name(second)).unwrap();
    }
    let counts = desk.check(Some(5));
    assert_eq!((counts.files, counts.wrong()), (5, 0), "{counts}");
    assert!(counts.pruned > 100, "{counts}");
    // One file fewer or more than promised, and nothing of it excused.
    let counts = desk.check(Some(6));
    assert!(counts.lost > 20 && counts.other == 1, "{counts}");
    assert_eq!(desk.check(Some(4)).other, 1);
    // A gap in the middle.
    fs::remove_file(name(8)).unwrap();
    desk.append("app.2026-11-21-08-33-11.log", b"");
    let counts = desk.check(Some(5));
    assert!(counts.lost > 20 && counts.other == 0, "{counts}");
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
fn compressed(kind: Archive, text: &[u8]) -> Vec<u8> {
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

fn numbered(name: &str) -> String {
    format!("app.2026-11-21-08-33-{name}")
}

impl Desk {
    /// `lines` lines.
    fn lines(&self, lines: u64) -> Vec<u8> {
        (0..lines).flat_map(|line| self.line(START + line)).collect()
    }

    /// The files of [`NUMBERED`], all but the last compressed, if so. Returns the texts.
    fn number(&self, archive: Option<Archive>) -> Vec<Vec<u8>> {
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

    fn replace(&self, name: &str, bytes: &[u8]) {
        fs::write(self.logs().join(numbered(name)), bytes).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.logs().join(numbered(name))).unwrap();
    }
}

#[test]
fn numbered_files_and_archives_are_read_in_their_order() {
    for archive in [None, Some(Archive::Gzip), Some(Archive::Zstd)] {
        let desk = Desk::new(1);
        let texts = desk.number(archive);
        let counts = desk.check_archives(archive);
        assert_eq!((counts.lines, counts.files, counts.wrong()), (60, 4, 0), "{counts}");
        assert_eq!(counts.archives, if archive.is_some() { 3 } else { 0 });
        assert_eq!(counts.largest, texts.iter().map(Vec::len).max().unwrap() as u64);
        // Where nobody asked for such names, they do not belong there.
        let counts = desk.check(None);
        assert_eq!(counts.other, 3 + u64::from(archive.is_some()), "{counts}");
    }
    let desk = Desk::new(1);
    desk.append(&numbered("01.1.log"), &desk.lines(10));
    desk.append(&numbered("01.log"), &desk.lines(10));
    let counts = desk.check_archives(None);
    assert_eq!((counts.out_of_order, counts.wrong()), (10, 10), "{counts}");
}

#[test]
fn an_archive_of_several_members_is_read_to_its_end() {
    for kind in [Archive::Gzip, Archive::Zstd] {
        let desk = Desk::new(1);
        desk.number(Some(kind));
        let name = numbered(&format!("01.2.log{}", kind.ending()));
        desk.append(&name, &compressed(kind, &desk.lines(7)));
        let counts = desk.check_archives(Some(kind));
        assert_eq!((counts.lines, counts.members, counts.wrong()), (67, 5, 0), "{counts}");
        // A line that was glued to what the member before ends with.
        desk.append(&name, &compressed(kind, b"2026-11-21T08:33:01.12"));
        desk.append(&name, &compressed(kind, &desk.lines(1)));
        let counts = desk.check_archives(Some(kind));
        assert_eq!((counts.glued, counts.torn, counts.wrong()), (1, 1, 2), "{counts}");
    }
}

#[test]
fn an_archive_that_lacks_a_line_is_found() {
    for kind in [Archive::Gzip, Archive::Zstd] {
        let desk = Desk::new(1);
        let texts = desk.number(Some(kind));
        let mut lines: Vec<_> = texts[1].split_inclusive(|byte| *byte == b'\n').collect();
        lines.remove(7);
        desk.replace(&format!("01.1.log{}", kind.ending()), &compressed(kind, &lines.concat()));
        let counts = desk.check_archives(Some(kind));
        assert_eq!((counts.lost, counts.wrong()), (1, 1), "{counts}");
    }
}

#[test]
fn a_damaged_archive_is_found() {
    for kind in [Archive::Gzip, Archive::Zstd] {
        let damage: [fn(&mut Vec<u8>); 5] = [
            |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
            },
            // In the checksum.
            |bytes| *bytes.last_mut().unwrap() ^= 1,
            |bytes| bytes.truncate(bytes.len() - 1),
            |bytes| bytes.push(b'\n'),
            Vec::clear,
        ];
        for (number, damage) in damage.iter().enumerate() {
            let desk = Desk::new(1);
            let texts = desk.number(Some(kind));
            let mut bytes = compressed(kind, &texts[1]);
            damage(&mut bytes);
            desk.replace(&format!("01.1.log{}", kind.ending()), &bytes);
            let counts = desk.check_archives(Some(kind));
            assert!(counts.other >= 1, "{kind:?}, {number}: {counts}");
        }
    }
}

#[test]
fn a_line_in_an_archive_and_in_a_plain_file_beside_it_is_found() {
    let desk = Desk::new(1);
    let texts = desk.number(Some(Archive::Gzip));
    let line = texts[1].split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
    desk.append(&numbered("01.1.log"), line);
    let counts = desk.check_archives(Some(Archive::Gzip));
    // Besides, the plain file is one too many, and not compressed.
    assert_eq!((counts.duplicated, counts.other, counts.wrong()), (1, 2, 3), "{counts}");
    desk.remove("01.1.log");
    assert_eq!(desk.check_archives(Some(Archive::Gzip)).wrong(), 0);
    // Of the other kind.
    desk.append(&numbered("01.1.log.zst"), &compressed(Archive::Zstd, &texts[1]));
    assert_eq!(desk.check_archives(Some(Archive::Gzip)).other, 1);
}

#[test]
fn a_line_in_a_file_taken_away_and_in_its_archive_is_found() {
    // Where the plain file and its archive are: taken away in one go, or not; what was done; whether a process was
    // killed.
    let cases = [
        (false, "moved", false, 1),
        (false, "moved", true, 0),
        (false, "deleted", false, 1),
        (true, "moved", false, 1),
        (true, "moved", true, 0),
        (true, "deleted", false, 0),
    ];
    for (both, deed, kills, duplicated) in cases {
        let desk = Desk::new(1);
        let texts = desk.number(Some(Archive::Gzip));
        let (plain, archive) = (numbered("01.1.log"), numbered("01.1.log.gz"));
        let line = texts[1].split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
        let room = desk.home.path().join("attic/1");
        fs::create_dir_all(&room).unwrap();
        fs::write(room.join(&plain), line).unwrap();
        if both {
            fs::rename(desk.logs().join(&archive), room.join(&archive)).unwrap();
        }
        fs::write(desk.home.path().join("journal"), format!("{deed} {} 1\n", START + 1_000_000_000)).unwrap();
        let demands = Demands { largest: Some(u64::MAX), archive: Some(Archive::Gzip), header: false };
        let counts = desk.check_as(Keeps::Limits(Limits { kills, ..limits() }), demands);
        assert_eq!(counts.duplicated, duplicated, "{both}, {deed}, {kills}: {counts}");
        // A line that was written twice is never excused.
        fs::write(room.join(&plain), [line, line].concat()).unwrap();
        let counts = desk.check_as(Keeps::Limits(Limits { kills, ..limits() }), demands);
        assert_eq!(counts.duplicated, duplicated + 1, "{both}, {deed}, {kills}: {counts}");
    }
}

#[test]
fn a_closed_file_that_has_not_been_compressed_is_found() {
    let desk = Desk::new(1);
    desk.number(None);
    assert_eq!(desk.check_archives(None).wrong(), 0);
    let counts = desk.check_archives(Some(Archive::Gzip));
    assert_eq!((counts.other, counts.wrong()), (3, 3), "{counts}");
}

#[test]
fn a_number_that_is_missing_is_found_but_before_the_oldest_file() {
    let bytes = Keeps::Bytes(0, 0);
    for (name, all, pruned) in [("01.log", 2, 0), ("01.1.log", 2, 1), ("01.2.log", 1, 1), ("01.3.log", 0, 0)] {
        let desk = Desk::new(1);
        desk.number(None);
        desk.append(&numbered("02.log"), b"");
        desk.remove(name);
        let demands = Demands { largest: Some(u64::MAX), ..Demands::default() };
        // What is lost with the file is counted by itself.
        let gaps = |keeps| desk.check_as(keeps, demands).other;
        assert_eq!(gaps(Keeps::All), u64::from(all > 0), "{name}");
        let too_large = 1;
        assert_eq!(gaps(bytes) - too_large, pruned, "{name}");
    }
    // Only the oldest period may begin behind its first file.
    let desk = Desk::new(1);
    desk.number(None);
    desk.append(&numbered("02.1.log"), b"");
    assert_eq!(
        desk.check_as(Keeps::Bytes(u64::MAX, 0), Demands { largest: Some(1 << 20), ..Demands::default() }).other,
        1
    );
}

#[test]
fn what_max_total_bytes_removed_is_not_lost_but_a_gap_is() {
    let demands = Demands { largest: Some(4000), ..Demands::default() };
    let desk = Desk::new(1);
    let texts = desk.number(None);
    let size = |from: usize| texts[from..].iter().map(|text| text.len() as u64).sum::<u64>();
    let keeps = |limit| Keeps::Bytes(limit, 1000);
    assert_eq!(desk.check_as(keeps(size(0) + 1000), demands).wrong(), 0);
    // The last file is empty and has room to grow: too much by a byte.
    assert_eq!(desk.check_as(keeps(size(0) + 999), demands).other, 1);
    desk.remove("01.log");
    let counts = desk.check_as(keeps(size(0)), demands);
    assert_eq!((counts.pruned, counts.wrong()), (20, 0), "{counts}");
    // More has gone than had to.
    assert_eq!(desk.check_as(keeps(size(1) + 1000 + 4000), demands).wrong(), 0);
    assert_eq!(desk.check_as(keeps(size(1) + 1000 + 4001), demands).other, 1);
    // A line in the midst of what is left.
    let mut lines: Vec<_> = texts[1].split_inclusive(|byte| *byte == b'\n').collect();
    lines.remove(5);
    desk.replace("01.1.log", &lines.concat());
    let counts = desk.check_as(keeps(size(0)), demands);
    assert_eq!((counts.lost, counts.wrong()), (1, 1), "{counts}");
    // And a file.
    desk.replace("01.1.log", &texts[1]);
    desk.remove("01.2.log");
    desk.append(&numbered("01.3.log"), &desk.line(START));
    let counts = desk.check_as(keeps(size(0)), demands);
    assert_eq!((counts.lost, counts.other), (20, 1), "{counts}");
}

#[test]
fn a_thread_with_no_lines_left_may_have_lost_only_old_ones() {
    for (seconds, lost) in [(0, 0), (1, 0), (2, 1)] {
        let desk = Desk::new(2);
        let other = desk.ground.ledger.thread(1, 0);
        let id = other.begin(START + seconds * 1_000_000_000).unwrap();
        other.end(id.sequence, Some(START + seconds * 1_000_000_000));
        // Of that second the first file has gone.
        desk.append(&numbered("02.1.log"), &desk.line(START + 1_000_000_000));
        let counts = desk.check_as(Keeps::Bytes(200, 0), Demands { largest: Some(200), ..Demands::default() });
        assert_eq!((counts.lost, counts.wrong()), (lost, lost), "{seconds}: {counts}");
    }
}

#[test]
fn a_file_that_is_too_large_is_found_also_in_an_archive() {
    for archive in [None, Some(Archive::Gzip), Some(Archive::Zstd)] {
        let desk = Desk::new(1);
        let texts = desk.number(archive);
        let longest = texts.iter().map(Vec::len).max().unwrap() as u64;
        let count = texts.iter().filter(|text| text.len() as u64 == longest).count() as u64;
        let check = |largest| desk.check_as(Keeps::All, Demands { largest: Some(largest), archive, header: false });
        assert_eq!(check(longest).wrong(), 0);
        assert_eq!(check(longest - 1).other, count);
    }
}

#[test]
fn a_first_line_that_is_missing_wrong_or_there_twice_is_found() {
    let (right, other) = (first_line(START / 1_000_000_000), first_line(START / 1_000_000_000 + 1));
    let cases = [
        (format!("{right}LINES"), 0),
        (right.clone(), 0),
        ("LINES".to_owned(), 1),
        (String::new(), 1),
        (format!("{right}{right}LINES"), 1),
        (format!("{right}LINES{right}"), 1),
        // Not at the beginning, and so not there.
        (format!("LINES{right}"), 2),
        (format!("{other}LINES"), 1),
        // A piece of it.
        (right[..right.len() - 4].to_owned(), 1),
    ];
    for (text, wrong) in cases {
        for archive in [None, Some(Archive::Gzip)] {
            let desk = Desk::new(1);
            let lines = if text.contains("LINES") { desk.lines(20) } else { Vec::new() };
            let text = text.replace("LINES", &String::from_utf8(lines).unwrap());
            match archive {
                None => desk.append(&numbered("01.log"), text.as_bytes()),
                // Each member was a file.
                Some(kind) => {
                    let late = format!("{right}{}", String::from_utf8(desk.lines(3)).unwrap());
                    let members = [compressed(kind, text.as_bytes()), compressed(kind, late.as_bytes())];
                    desk.append(&numbered("01.log.gz"), &members.concat());
                }
            }
            let counts = desk.check_as(Keeps::All, Demands { largest: None, archive, header: true });
            assert_eq!(counts.other, wrong, "{text:?}: {counts}");
        }
    }
}

#[test]
fn a_temporary_name_that_was_left_is_found() {
    let desk = Desk::new(1);
    desk.number(Some(Archive::Gzip));
    for name in [".app.2026-11-21-08-33-01.log.gz.65a2-187a0d6ef0c4a1b2.prefork.tmp", ".app.log.1-2.prefork.tmp"] {
        desk.append(name, b"");
        assert_eq!(desk.check_archives(Some(Archive::Gzip)).other, 1);
        fs::remove_file(desk.logs().join(name)).unwrap();
    }
    for name in ["app.2026-11-21-08-33-01.0.log", "app.2026-11-21-08-33-01.04.log", "app.2026-11-21-08-33-01.log.1"] {
        desk.append(name, b"");
        // Three archives where there are to be none, and what comes after these.
        assert_eq!(desk.check_archives(None).other, 3 + 1 + 1, "{name}");
        fs::remove_file(desk.logs().join(name)).unwrap();
    }
}

/// Several limits together, none of which is set.
fn limits() -> Limits {
    Limits {
        files: None,
        counts: false,
        age: None,
        bytes: None,
        file_bytes: None,
        sizes: Sizes::Short,
        gaps: true,
        cleans: true,
        kills: false,
        began_to_close: START + 3600 * 1_000_000_000,
        ended: START + 3600 * 1_000_000_000,
    }
}

#[test]
fn a_line_is_only_in_a_file_that_a_stepped_clock_showed() {
    let second: u64 = 1_000_000_000;
    // At 08:33:05 of the run the clock is set back by three seconds.
    let step = format!("stepped {} {} -{}\n", START + 4 * second, START + 4 * second + 1000, 3 * second);
    for (from, to, shown, name, wrong) in [
        // Before the step, after it, and across it.
        (2, 2, 2, "03", 0),
        (2, 2, 2, "00", 1),
        (5, 5, 2, "03", 0),
        (5, 5, 2, "06", 1),
        (3, 6, 3, "02", 0),
        (3, 6, 3, "04", 0),
        (3, 6, 3, "09", 1),
    ] {
        let desk = Desk::new(1);
        fs::write(desk.home.path().join("journal"), &step).unwrap();
        let id = desk.thread().begin(START + from * second).unwrap();
        desk.thread().end(id.sequence, Some(START + to * second + 5000));
        desk.append(&format!("app.2026-11-21-08-33-{name}.log"), &text(id, START + shown * second));
        let counts = desk.check_as(Keeps::Limits(Limits { cleans: false, ..limits() }), Demands::default());
        assert_eq!((counts.misplaced, counts.wrong()), (wrong, wrong), "{from} to {to} in {name}: {counts}");
    }
}

#[test]
fn a_line_may_be_missing_only_if_a_limit_may_have_removed_it() {
    let second: u64 = 1_000_000_000;
    let desk = Desk::new(1);
    // Ten lines in ten files, of which the first is gone.
    for number in 0..10 {
        let line = desk.line(START + number * second);
        if number > 0 {
            desk.append(&format!("app.2026-11-21-08-33-{:02}.log", number + 1), &line);
        }
    }
    let lost = |limits| {
        let counts = desk.check_as(Keeps::Limits(limits), Demands::default());
        assert_eq!(counts.lost, counts.wrong(), "{counts}");
        counts.lost
    };
    assert_eq!(lost(limits()), 1);
    assert_eq!((lost(Limits { files: Some(9), ..limits() }), lost(Limits { files: Some(10), ..limits() })), (0, 1));
    assert_eq!(
        (lost(Limits { bytes: Some(1000), ..limits() }), lost(Limits { bytes: Some(10_000), ..limits() })),
        (0, 1)
    );
    let (old, young) = (3598 * second, 3600 * second);
    assert_eq!((lost(Limits { age: Some(old), ..limits() }), lost(Limits { age: Some(young), ..limits() })), (0, 1));
    // What is left has no gap, unless others have taken files away.
    fs::remove_file(desk.logs().join("app.2026-11-21-08-33-05.log")).unwrap();
    assert_eq!(lost(Limits { files: Some(3), gaps: false, ..limits() }), 1);
    assert_eq!(lost(Limits { files: Some(3), ..limits() }), 0);
}

#[test]
fn a_line_is_refused_only_while_no_open_or_write_succeeds() {
    let second: u64 = 1_000_000_000;
    let window = format!("obstructed {} {}\n", START + 20 * second, START + 30 * second);
    // Writers try again within some seconds.
    for (at, wrong) in [(10, 1), (19, 0), (25, 0), (40, 0), (50, 1)] {
        let desk = Desk::new(1);
        fs::write(desk.home.path().join("journal"), &window).unwrap();
        let id = desk.thread().begin(START + at * second).unwrap();
        desk.thread().end_as(id.sequence, false, START + at * second + second);
        let counts = desk.check_as(Keeps::Limits(limits()), Demands::default());
        assert_eq!(counts.other, wrong, "{at}: {counts}");
    }
}

#[test]
fn a_file_that_is_handed_over_twice_or_never_is_found() {
    let home = tempfile::tempdir().unwrap();
    let (directory, notes) = (home.path().join("logs"), home.path().join("handed"));
    fs::create_dir(&directory).unwrap();
    let files = ["first", "second", "third"];
    // Changed an hour ago, as far as the hook can see.
    let write = |name: &str, text: &str| {
        fs::write(directory.join(name), text).unwrap();
        let file = fs::File::options().append(true).open(directory.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    };
    files.iter().for_each(|name| write(name, "a line\n"));
    let hand_over = |name: &str, answer: Result<(), ()>| {
        let path = directory.join(name);
        assert_eq!(Notes::open(&notes).unwrap().around(name, &path, || answer), answer);
    };
    let cases = || {
        let mut report = Report::default();
        Handed::read(&notes).inspect_repeated(&mut report);
        Handed::read(&notes).inspect_missing(&directory, files.map(str::to_owned), &mut report);
        report.cases
    };
    hand_over("first", Ok(()));
    hand_over("second", Err(()));
    assert_eq!(cases(), ["second: was not handed over", "third: was not handed over"]);
    hand_over("second", Ok(()));
    // Late lines.
    write("first", "a line\nlate\n");
    hand_over("third", Ok(()));
    assert_eq!(cases(), ["first: was not handed over"]);
    hand_over("first", Ok(()));
    assert_eq!(cases(), [""; 0]);
    // Another process, which cannot know what the last one did at its end.
    let other = |name: &str| {
        let text = fs::read_to_string(&notes).unwrap();
        let line = text.lines().rfind(|line| line.ends_with(name)).unwrap().split_once(' ').unwrap().1;
        fs::write(&notes, format!("{text}1 {line}\n")).unwrap();
    };
    other("first");
    assert_eq!(cases(), [""; 0]);
    other("third");
    assert_eq!(cases(), [format!("third: handed over by process {}, and by 1 again", std::process::id())]);
}
