//! Disks, quotas and file sizes that are full, and the pieces of lines that they leave.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use tracing_prefork::{Operation, Rotation};

use crate::common;
use crate::common::{
    DAY, Hand, NOW, TODAY, again_under_strace, alone, limit, limited, names, operations, read, small_disk, telling,
    try_log,
};

#[test]
fn what_a_buffer_tries_again_is_there_once_and_whole() {
    limited(|directory| {
        let hand = Hand::at(NOW);
        let logs = hand.builder().on_error(|_| {}).build(directory).expect("builds");
        limit(25);
        let mut buffered = std::io::BufWriter::new(logs.clone());
        for number in 0..4 {
            writeln!(buffered, "line {number} 0123").expect("buffered");
        }
        buffered.flush().expect_err("the limit is in the way");
        limit(u64::MAX);
        buffered.flush().expect("tried again");
        let text = read(directory, "app.log");
        for number in 0..4 {
            let line = format!("line {number} 0123");
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{text:?}");
        }
        assert_eq!(text.lines().count(), 5, "four lines and a fragment: {text:?}");
    });
}

#[test]
fn of_lines_with_a_time_those_that_are_in_the_file_are_counted() {
    limited(|directory| {
        let hand = Hand::at(NOW);
        let logs = hand.builder().on_error(|_| {}).build(directory).expect("builds");
        let lines = b"line 0 0123\nline 1 0123\nline 2 0123\n";
        limit(30);
        let written = logs.write_lines_at(common::at(NOW), lines).expect("the first two are in the file");
        assert_eq!(written, 24);
        logs.write_lines_at(common::at(NOW), &lines[written..]).expect_err("not one line fits");
        limit(u64::MAX);
        assert_eq!(logs.write_lines_at(common::at(NOW), &lines[written..]).expect("writes"), 12);
        let text = read(directory, "app.log");
        let whole: Vec<_> = text.lines().filter(|line| line.len() == 11).collect();
        assert_eq!(whole, ["line 0 0123", "line 1 0123", "line 2 0123"]);
    });
}

#[test]
fn the_piece_of_a_line_survives_a_failure_to_write_its_rest() {
    limited(|directory| {
        let hand = Hand::at(NOW);
        let mut logs = hand.builder().on_error(|_| {}).build(directory).expect("builds");
        logs.write_all(b"abcdef").expect("kept");
        limit(0);
        logs.write_all(b"ghi\n").expect_err("the limit is in the way");
        limit(u64::MAX);
        logs.write_all(b"ghi\n").expect("tried again");
        assert_eq!(read(directory, "app.log"), "abcdefghi\n");
    });
}

#[test]
fn nothing_is_glued_to_the_fragment_of_a_short_write() {
    limited(|directory| {
        let hand = Hand::at(NOW);
        let [logs, other] = [(); 2].map(|()| hand.builder().on_error(|_| {}).build(directory).expect("builds"));
        let long = "the same line, ".repeat(100);
        try_log(&logs, &long).expect("writes");
        limit(2000);
        let error = try_log(&logs, &long).expect_err("the limit is in the way");
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        limit(u64::MAX);
        // One who knows nothing of it, in its own process as a rule.
        try_log(&other, "another writer's").expect("writes");
        try_log(&logs, "the next").expect("writes");
        let text = read(directory, "app.log");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], long, "the whole line with the same beginning stays as it was");
        assert!(long.starts_with(lines[1]) && lines[1].len() == 2000 - 1501 - 1, "{:?}", lines[1]);
        assert_eq!(lines[2..], ["another writer's", "the next"]);
        let stats = logs.stats();
        assert_eq!((stats.writes, stats.lines_lost, stats.bytes_lost), (2, 1, 1501 - 499));
    });
}

#[test]
fn a_fragment_of_ours_is_ended_and_one_of_others_left_as_it_is() {
    limited(|directory| {
        // Nobody can be made to write in the microseconds between; but a piece that somebody else has left looks just
        // the same.
        let path = directory.join("app.log");
        fs::write(&path, "0123456789abcdefghi\nwhole\n0123456789").expect("written");
        let hand = Hand::at(NOW);
        let logs = hand.builder().on_error(|_| {}).build(directory).expect("builds");
        let mut raw = OpenOptions::new().append(true).open(&path).expect("opens");
        writeln!(raw, "glued").expect("written");
        let size = fs::metadata(&path).expect("there").len();
        limit(size + 10);
        try_log(&logs, "0123456789abcdefghi").expect_err("the limit is in the way");
        limit(u64::MAX);
        try_log(&logs, "the next").expect("writes");
        // Our own piece is the one at the end; what was before it is not ours to change.
        assert_eq!(read(directory, "app.log"), "0123456789abcdefghi\nwhole\n0123456789glued\n012345678\nthe next\n");
    });
}

#[test]
fn on_a_full_disk_the_oldest_files_go_down_to_min_log_files() {
    alone(|directory| {
        if !small_disk(directory, "size=400k") {
            return;
        }
        let hand = Hand::at(NOW);
        let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).min_log_files(2));
        fs::write(directory.join("app.conf"), [b'x'; 50_000]).expect("written");
        let logs = builder.build(directory).expect("builds");
        let line = "x".repeat(999);
        for day in 0..6 {
            hand.set(NOW + day * DAY, 0);
            for _ in 0..100 {
                try_log(&logs, &line).expect("there is room, or it is made");
            }
        }
        // Of three days of 100 kB each there is room for.
        let files = names(directory);
        assert_eq!(files.last().map(String::as_str), Some("app.conf"));
        assert!((2..=4).contains(&(files.len() - 1)), "{files:?}");
        for name in &files[..files.len() - 1] {
            let text = read(directory, name);
            assert_eq!(text.lines().filter(|found| **found == line).count(), 100, "{name}");
        }
        let stats = logs.stats();
        assert_eq!((stats.writes, stats.lines_lost), (600, 0));
        assert!(stats.files_pruned >= 2, "{stats:?}");
        assert_eq!(operations(&told), []);

        // With two left, nothing goes any more: lines are lost, and their callers told so.
        let lost = (0..500).filter(|_| try_log(&logs, &line).is_err()).count() as u64;
        assert!(lost > 100, "{lost}");
        assert_eq!(names(directory).len(), 3);
        assert_eq!((logs.stats().lines_lost, operations(&told)), (lost, vec![Operation::Write]));
        // Room again: the next line is written, and none is glued to a piece.
        fs::remove_file(directory.join("app.conf")).expect("removed");
        try_log(&logs, "room again").expect("writes");
        let text = read(directory, logs.path().file_name().and_then(|name| name.to_str()).expect("a name"));
        assert_eq!(text.lines().last(), Some("room again"));
        let whole = text.lines().filter(|found| **found == line).count() as u64;
        assert_eq!(whole, 600 - lost);
    });
}

#[test]
fn a_file_size_limit_removes_no_files() {
    limited(|directory| {
        for locked in [false, true] {
            let hand = Hand::at(NOW);
            let builder = hand.builder().rotation(Rotation::DAILY).min_log_files(1).lock_writes(locked);
            let logs = builder.on_error(|_| {}).build(directory).expect("builds");
            fs::write(directory.join("app.2026-11-20.log"), "x\n").expect("written");
            try_log(&logs, "a line").expect("writes");
            for room in [100, 0] {
                limit(fs::metadata(logs.path()).expect("there").len() + room);
                try_log(&logs, &"x".repeat(1000)).expect_err("the limit is in the way");
                limit(u64::MAX);
            }
            // The limit cuts what goes to the removed file; in the new one there is room below it.
            let size = fs::metadata(logs.path()).expect("there").len();
            fs::remove_file(logs.path()).expect("removed");
            limit(size + 10);
            try_log(&logs, "a line of more than ten bytes").expect("goes to a new file");
            limit(u64::MAX);
            assert_eq!(read(directory, TODAY), "a line of more than ten bytes\n");
            assert_eq!(names(directory), ["app.2026-11-20.log", TODAY], "locked: {locked}");
            assert_eq!(logs.stats().files_pruned, 0);
        }
    });
}

#[test]
fn a_limit_on_one_write_is_no_full_disk_and_removes_no_file() {
    alone(|_| {
        if let Some(directory) = std::env::var_os("TEST_WRITES_FALL_SHORT_IN") {
            let directory = std::path::Path::new(&directory);
            let hand = Hand::at(NOW);
            let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).min_log_files(1));
            let logs = builder.build(directory).expect("builds");
            try_log(&logs, &"x".repeat(100)).expect_err("no write takes more than 50 bytes");
            assert_eq!(names(directory).len(), 6, "{:?}", logs.stats());
            assert_eq!((logs.stats().writes, logs.stats().lines_lost, logs.stats().files_pruned), (0, 1, 0));
            assert_eq!(operations(&told), [Operation::Write]);
            return;
        }
        // The kernel's own limit is 2 GiB (`write(2)`). So that a test can reach the limit, each write takes 50 bytes,
        // but for the first one: that is the text of the settings.
        let directory = tempfile::tempdir().expect("a directory");
        (11..16)
            .for_each(|day| fs::write(directory.path().join(format!("app.2026-11-{day}.log")), "x\n").expect("made"));
        let arguments = ["-o", "/dev/null", "-e", "inject=pwrite64:retval=50:when=2+"];
        again_under_strace(&arguments, ("TEST_WRITES_FALL_SHORT_IN", directory.path()));
    });
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_line_that_one_write_cannot_take_is_written_only_once() {
    alone(|_| {
        const ONE_WRITE: usize = 2_147_479_552;
        if let Some(directory) = std::env::var_os("TEST_WRITES_ARE_CUT_IN") {
            let hand = Hand::at(NOW);
            let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).min_log_files(1));
            let logs = builder.build(directory).expect("builds");
            // Pages of zeros that nobody writes to take no memory.
            let mut line = vec![0; ONE_WRITE + 10];
            line[ONE_WRITE + 9] = b'\n';
            let error = (&logs).write_all(&line).expect_err("one write takes no more");
            assert_eq!(error.kind(), ErrorKind::WriteZero);
            let stats = logs.stats();
            assert_eq!((stats.writes, stats.lines_lost, stats.bytes_lost), (0, 1, 10));
            common::says(&told.lock().expect("unpoisoned")[0].1, &["one write takes no more", "lock_writes"]);
            return;
        }
        // Nothing is written: the kernel is made to say that it has taken so much.
        let directory = tempfile::tempdir().expect("a directory");
        let (log, calls) = (directory.path().join("logs").join(TODAY), directory.path().join("calls"));
        let inject = format!("inject=pwrite64:retval={ONE_WRITE}");
        let [log, trace] = [&log, &calls].map(|path| path.to_str().expect("UTF-8"));
        let logs = ("TEST_WRITES_ARE_CUT_IN", &*directory.path().join("logs"));
        if !again_under_strace(&["-e", &inject, "-o", trace, "-P", log], logs) {
            return;
        }
        let calls = fs::read_to_string(calls).expect("there");
        let whole = calls.lines().filter(|call| call.contains(&format!(", {}, ", ONE_WRITE + 10)));
        assert_eq!(whole.count(), 1, "{calls}");
    });
}

/// Old files of a daily pattern, of 20 000 bytes each; whatever room is left is taken away, and with `inodes` the last
/// of these too.
fn fill(directory: &std::path::Path, inodes: bool) {
    for day in 11..=20 {
        fs::write(directory.join(format!("app.2026-11-{day}.log")), vec![b'x'; 20_000]).expect("written");
    }
    if inodes {
        (0..).map_while(|number| fs::write(directory.join(format!("other-{number}")), "").ok()).count();
    } else {
        let mut filler = fs::File::create(directory.join("filler")).expect("made");
        while filler.write_all(&[b'x'; 4096]).is_ok() {}
    }
}

#[test]
fn room_is_made_as_for_a_line_on_a_disk_full_at_the_start() {
    alone(|directory| {
        if !small_disk(directory, "size=400k,nr_inodes=40") {
            return;
        }
        let hand = Hand::at(NOW);
        for (inodes, keep) in [(false, 3), (false, 20), (true, 3), (true, 20)] {
            let builder = hand.builder().rotation(Rotation::DAILY).header(|_| "# a header".to_owned());
            // Either option makes room: `max_log_files` for the new file alone.
            let builder = if keep == 3 { builder.min_log_files(3) } else { builder.max_log_files(10) };
            fill(directory, inodes);
            let (told, builder) = telling(builder);
            let logs = builder.build(directory).unwrap_or_else(|error| panic!("inodes {inodes}: {error}"));
            try_log(&logs, "a line").expect("there is room");
            assert_eq!(read(directory, TODAY), "# a header\na line\n");
            assert!((8..=10).contains(&logs.files().expect("listed").len()), "no more has gone than need be");
            // There may be no room for the lock and the record of names; that is no reason to do without the log.
            let hidden = [Operation::Retention, Operation::Names];
            assert!(operations(&told).iter().all(|told| hidden.contains(told)), "{inodes}: {:?}", told.lock());
            drop(logs);
            for name in common::all_names(directory) {
                fs::remove_file(directory.join(name)).expect("removed");
            }
        }
    });
}

#[test]
fn a_running_process_without_inodes_makes_room_for_the_new_file() {
    alone(|directory| {
        if !small_disk(directory, "size=400k,nr_inodes=40") {
            return;
        }
        for min in [true, false] {
            let hand = Hand::at(NOW);
            let builder = hand.builder().rotation(Rotation::DAILY);
            let builder = if min { builder.min_log_files(3) } else { builder.max_log_files(11) };
            let (told, builder) = telling(builder);
            let logs = builder.build(directory).expect("builds");
            try_log(&logs, "a line").expect("writes");
            fill(directory, true);
            hand.set(NOW + DAY, 0);
            try_log(&logs, "tomorrow").expect("writes");
            assert_eq!(read(directory, "app.2026-11-22.log"), "tomorrow\n", "min_log_files: {min}");
            assert_eq!(operations(&told), []);
            drop(logs);
            for name in common::all_names(directory) {
                fs::remove_file(directory.join(name)).expect("removed");
            }
        }
    });
}
