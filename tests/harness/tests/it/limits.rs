//! Which lines may be missing, and which files the hook must have been given.

use super::checker::{Desk, START, numbered, text};
use harness::bad::Habit;
use harness::checker::{Demands, Keeps};
use harness::handed::{Handed, Notes};
use harness::limited::Limits;
use harness::line::Sizes;
use harness::report::Report;
use std::fs::{self};
use std::time::{Duration, SystemTime};

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

/// Several limits together, none of which is set.
pub(crate) fn limits() -> Limits {
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
