//! Closed files become archives, and no line is lost on the way.

use crate::common::compress::{KINDS, TOMORROW, compress, daily, lines, text, with_ending, yesterday};
use crate::common::{DAY, Hand, NOW, TODAY, Told, at, eventually, log, names, operations, telling, write_files};
use crate::interposed::at_sync;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tracing_prefork::{Operation, Rotation};

#[test]
fn the_file_before_is_compressed_once_nobody_has_it_open() {
    for &(kind, ending) in KINDS {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let logs = daily(&hand, kind).build(directory.path()).expect("builds");
        log(&logs, "today");
        hand.set(NOW + DAY, 0);
        log(&logs, "tomorrow");
        hand.set(NOW + DAY + 6, 0);
        log(&logs, "lets go");
        let archive = directory.path().join(format!("{TODAY}{ending}"));
        // The count follows when the round is over.
        let second = std::cell::Cell::new(NOW + DAY + 6);
        eventually("the file is compressed", || {
            second.set(second.get() + 10);
            hand.set(second.get(), 0);
            log(&logs, "looks again");
            logs.stats().files_compressed == 1
        });
        assert_eq!(names(directory.path()), [format!("{TODAY}{ending}"), TOMORROW.to_owned()]);
        assert_eq!(text(&archive), "today\n");
    }
}

#[test]
fn a_short_lived_program_compresses_what_others_have_left() {
    let (kind, ending) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let plain = yesterday(directory.path(), "left\n");
    let logs = daily(&Hand::at(NOW), kind).build(directory.path()).expect("builds");
    assert!(plain.exists(), "building starts no thread");
    log(&logs, "the first event");
    eventually("the file is compressed", || with_ending(&plain, ending).exists() && !plain.exists());
}

/// Another process puts an archive in the place of a file that is beyond the limit, whenever pruning asks the clock.
#[test]
fn a_file_compressed_during_pruning_goes_before_newer_ones() {
    let (kind, ending) = KINDS[0];
    for step in 1..=6 {
        let directory = tempfile::tempdir().expect("a directory");
        let old: Vec<_> = (1..=9).map(|day| format!("app.2026-11-0{day}.log")).collect();
        let plain = directory.path().join(&old[2]);
        // Zero until the test prunes.
        let calls = Arc::new(AtomicUsize::new(0));
        let (counted, replaced) = (Arc::clone(&calls), plain.clone());
        let builder = daily(&Hand::at(NOW), kind).max_total_bytes(9).clock(move || {
            if counted.load(SeqCst) > 0 && counted.fetch_add(1, SeqCst) == step {
                // At a later step the file has gone already.
                let _ = fs::rename(&replaced, with_ending(&replaced, ending));
            }
            at(NOW)
        });
        let logs = builder.build(directory.path()).expect("builds");
        write_files(directory.path(), &old.iter().map(String::as_str).collect::<Vec<_>>());
        calls.store(1, SeqCst);
        logs.prune().expect("prunes");
        calls.store(0, SeqCst);
        let left = names(directory.path());
        assert!(left.len() > 2 && !left.iter().any(|name| name.starts_with(&old[2])), "step {step}: {left:?}");
    }
}

#[test]
fn a_moved_file_leaves_no_archive() {
    for &(kind, ending) in KINDS {
        let (directory, elsewhere) = (tempfile::tempdir().expect("made"), tempfile::tempdir().expect("made"));
        let plain = yesterday(directory.path(), "moved\n");
        let to = elsewhere.path().join("moved");
        let (from, moved) = (plain.clone(), to.clone());
        at_sync(directory.path(), move || fs::rename(from, moved).expect("moved"));
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 0);
        assert_eq!(names(directory.path()), [TODAY], "the lines are in {ending}, too");
        assert_eq!(fs::read_to_string(&to).expect("there"), "moved\n");
    }
}

#[test]
fn a_deleted_file_does_not_come_back_as_an_archive() {
    let directory = tempfile::tempdir().expect("a directory");
    let plain = yesterday(directory.path(), "deleted\n");
    at_sync(directory.path(), move || fs::remove_file(plain).expect("removed"));
    assert_eq!(compress(&Hand::at(NOW), KINDS[0].0, directory.path()), 0);
    assert_eq!(names(directory.path()), [TODAY]);
}

#[test]
fn a_file_removed_with_its_directory_is_no_failure() {
    let above = tempfile::tempdir().expect("a directory");
    let directory = above.path().join("logs");
    fs::create_dir(&directory).expect("made");
    yesterday(&directory, "removed\n");
    let removed = directory.clone();
    // The thread that compresses asks for the time before it makes the archive.
    let clock = move || {
        if std::thread::current().name() == Some("log-compression") {
            fs::remove_dir_all(&removed).expect("removed");
        }
        at(NOW)
    };
    let (told, builder) = telling(daily(&Hand::at(NOW), KINDS[0].0).clock(clock));
    assert_eq!(builder.build(&directory).expect("builds").compress().expect("no failure"), 0);
    assert_eq!(operations(&told), []);
    assert!(!directory.exists());
}

#[test]
fn late_lines_that_are_moved_away_are_not_in_the_archive() {
    for &(kind, ending) in KINDS {
        let (directory, elsewhere) = (tempfile::tempdir().expect("made"), tempfile::tempdir().expect("made"));
        let plain = yesterday(directory.path(), "on time\n");
        let archive = with_ending(&plain, ending);
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
        let before = (fs::read(&archive).expect("there"), fs::metadata(&archive).expect("there"));
        yesterday(directory.path(), "late\n");
        let (from, to) = (plain.clone(), elsewhere.path().join("moved"));
        at_sync(directory.path(), move || fs::rename(from, to).expect("moved"));
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 0);
        assert_eq!(text(&archive), "on time\n");
        let after = (fs::read(&archive).expect("there"), fs::metadata(&archive).expect("there"));
        assert!(before.0 == after.0);
        let of = |file: &fs::Metadata| (file.mode(), file.uid(), file.gid(), file.modified().expect("known"));
        assert_eq!(of(&before.1), of(&after.1));
        // The next round has nothing to do.
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 0);
        assert_eq!(text(&archive), "on time\n");
    }
}

#[test]
fn a_late_line_during_compression_waits_in_the_plain_file() {
    let (kind, ending) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let plain = yesterday(directory.path(), "on time\n");
    let archive = with_ending(&plain, ending);
    for (late, text_before) in [("late\n", None), ("later\n", Some("on time\nlate\n"))] {
        let file = plain.clone();
        let line = move || {
            let mut file = OpenOptions::new().append(true).create(true).open(file).expect("opens");
            file.write_all(late.as_bytes()).expect("written");
        };
        if text_before.is_some() {
            // As a late line does that comes when the file has gone.
            yesterday(directory.path(), "more\n");
        }
        at_sync(directory.path(), line);
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 0);
        assert!(fs::read_to_string(&plain).expect("there").ends_with(late));
        assert_eq!(archive.exists().then(|| text(&archive)).as_deref(), text_before);
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
        assert!(!plain.exists());
    }
    assert_eq!(text(&archive), "on time\nlate\nmore\nlater\n");
}

#[test]
fn a_directory_moved_during_compression_holds_only_the_archive() {
    for &(kind, ending) in KINDS {
        let above = tempfile::tempdir().expect("a directory");
        let (directory, to) = (above.path().join("logs"), above.path().join("moved"));
        fs::create_dir(&directory).expect("made");
        let plain = yesterday(&directory, "moved\n");
        let (from, moved) = (directory.clone(), to.clone());
        at_sync(&directory, move || fs::rename(from, moved).expect("moved"));
        assert_eq!(compress(&Hand::at(NOW), kind, &directory), 1);
        let archive = with_ending(&to.join(plain.file_name().expect("named")), ending);
        assert_eq!(text(&archive), "moved\n");
        let archive = archive.file_name().expect("named").to_str().expect("UTF-8").to_owned();
        assert_eq!(names(&to), [archive, TODAY.to_owned()]);
    }
}

#[test]
fn a_file_that_somebody_has_open_stays_plain_until_they_let_go() {
    let (kind, ending) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let idle = daily(&Hand::at(NOW - DAY), kind).build(directory.path()).expect("builds");
    log(&idle, "yesterday");
    let hand = Hand::at(NOW);
    assert_eq!(compress(&hand, kind, directory.path()), 0);
    log(&idle, "still yesterday here");
    drop(idle);
    eventually("the thread of its first event has let go too", || compress(&hand, kind, directory.path()) == 1);
    assert_eq!(
        text(&directory.path().join(format!("app.2026-11-20.log{ending}"))),
        "yesterday\nstill yesterday here\n"
    );
}

#[test]
fn archives_are_pruned_with_their_files_and_foreign_ones_stay() {
    let (kind, ending) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let foreign =
        ["app.log.gz", "app.2026-11-31.log.gz", "app.2026-11-01.log.gz.bak", "app.2026-11-01.log.bz2", "x.gz"];
    for name in foreign {
        fs::write(directory.path().join(name), "foreign").expect("written");
    }
    let link = directory.path().join("app.2026-11-02.log.gz");
    symlink("x.gz", &link).expect("linked");
    for day in 3..=9 {
        fs::write(directory.path().join(format!("app.2026-11-0{day}.log")), "x\n").expect("written");
    }
    let hand = Hand::at(NOW);
    assert_eq!(compress(&hand, kind, directory.path()), 7);
    // Both, for one day, and an archive of the other kind.
    fs::write(directory.path().join("app.2026-11-08.log"), "late\n").expect("written");
    fs::write(directory.path().join("app.2026-11-08.log.zst"), "whatever is in it").expect("written");
    fs::write(directory.path().join("app.2026-11-08.log.gz"), "whatever is in it").expect("written");
    let logs = daily(&hand, kind).max_log_files(3).build(directory.path()).expect("builds");
    let mut expected: Vec<_> = foreign.into_iter().map(str::to_owned).collect();
    let ours =
        ["app.2026-11-08.log", "app.2026-11-08.log.gz", "app.2026-11-08.log.zst", TODAY, "app.2026-11-02.log.gz"];
    expected.extend(ours.map(str::to_owned));
    expected.push(format!("app.2026-11-09.log{ending}"));
    expected.sort();
    assert_eq!(names(directory.path()), expected);
    assert_eq!(logs.stats().files_pruned, 5);
    // Without compression no archive is ours.
    drop(hand.builder().rotation(Rotation::DAILY).max_log_files(1).build(directory.path()).expect("builds"));
    expected.retain(|name| name != "app.2026-11-08.log");
    assert_eq!(names(directory.path()), expected);
}

#[test]
fn what_a_link_leads_to_stays_plain() {
    let (kind, _) = KINDS[0];
    for link in ["symlink", "hard link"] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let plain = yesterday(directory.path(), "x\n");
        let latest = directory.path().join("latest");
        let builder = daily(&hand, kind);
        let logs = match link {
            "symlink" => builder.latest_symlink("latest"),
            _ => builder.latest_hard_link("latest"),
        };
        let logs = logs.build(directory.path()).expect("builds");
        fs::remove_file(&latest).expect("removed");
        match link {
            "symlink" => symlink("app.2026-11-20.log", &latest).expect("linked"),
            _ => fs::hard_link(&plain, &latest).expect("linked"),
        }
        assert_eq!(logs.compress().expect("compresses"), 0);
        assert!(plain.exists());
        logs.reopen().expect("renews the link");
        logs.compress().expect("compresses");
        eventually("it is compressed, perhaps in the background", || !plain.exists());
        assert_eq!(fs::read_to_string(&latest).expect("there"), "");
    }
}

#[test]
fn the_work_has_the_lowest_priority_and_nobody_waits_for_it() {
    let (kind, _) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let plain = yesterday(directory.path(), &lines(1_000_000));
    let logs = daily(&hand, kind).max_log_files(9).min_log_files(1).build(directory.path()).expect("builds");
    std::thread::scope(|scope| {
        scope.spawn(|| logs.compress().expect("compresses"));
        // The fields of proc_pid_stat(5), counted behind the name.
        let stat = || {
            let tasks = fs::read_dir("/proc/self/task").expect("there").flatten();
            tasks.map(|task| task.path()).find_map(|task| {
                let stat = fs::read_to_string(task.join("stat")).ok()?;
                let (_, fields) = stat.split_once("(log-compression) ")?;
                let fields: Vec<_> = fields.split(' ').map(str::to_owned).collect();
                let mask = fs::read_to_string(task.join("status")).ok()?;
                let mask = mask.lines().find_map(|line| line.strip_prefix("SigBlk:"))?.trim().to_owned();
                Some((task, fields, mask))
            })
        };
        eventually("the thread has lowered its priority", || {
            stat().is_some_and(|(_, fields, _)| (&*fields[16], &*fields[38]) == ("19", "5"))
        });
        let (task, _, mask) = stat().expect("still there");
        assert!(u64::from_str_radix(&mask, 16).expect("a mask") & 0x7fff_ffff > 0x7000_0000, "{mask}");
        let id: nix::libc::c_long =
            task.file_name().and_then(|id| id.to_str()).and_then(|id| id.parse().ok()).expect("an id");
        // SAFETY: ioprio_get(2) takes two integers.
        let priority = || unsafe { nix::libc::syscall(nix::libc::SYS_ioprio_get, 1 as nix::libc::c_long, id) };
        // It is the last of the three that the thread sets.
        eventually("the class IDLE", || priority() >> 13 == 3);
        // Meanwhile:
        let began = Instant::now();
        assert_eq!(logs.prune().expect("prunes"), 0);
        let late = daily(&Hand::at(NOW - 2 * DAY), kind).build(directory.path()).expect("builds");
        log(&late, "a late line for another file");
        log(&logs, "an event");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(plain.exists(), "it was still being compressed");
    });
    assert!(!plain.exists());
}

#[test]
fn only_temporary_names_of_dead_processes_are_cleared_away() {
    let (kind, ending) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let hidden = format!(".app.2026-11-20.log{ending}.{:x}-{:016x}.prefork.tmp", 1, NOW * 1_000_000_000);
    let foreign = format!(".other.2026-11-20.log{ending}.{:x}-{:016x}.prefork.tmp", 1, NOW * 1_000_000_000);
    fs::write(directory.path().join(&hidden), "half of one").expect("written");
    fs::write(directory.path().join(&foreign), "half of one").expect("written");
    let held = File::open(directory.path().join(&hidden)).expect("opens");
    let lease = nix::libc::flock { l_type: 0, l_whence: 0, l_start: 1 << 62, l_len: 1, l_pid: 0 };
    nix::fcntl::fcntl(&held, nix::fcntl::FcntlArg::F_OFD_SETLK(&lease)).expect("leased");
    compress(&Hand::at(NOW), kind, directory.path());
    assert!(directory.path().join(&hidden).exists());
    drop(held);
    compress(&Hand::at(NOW), kind, directory.path());
    assert!(!directory.path().join(&hidden).exists());
    assert!(directory.path().join(&foreign).exists());
}

#[test]
fn a_claimed_file_takes_no_line_and_another_file_keeps_it() {
    let (kind, _) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let plain = yesterday(directory.path(), "x\n");
    let (told, builder): (Told, _) = telling(daily(&hand, kind));
    let logs = builder.build(directory.path()).expect("builds");
    // As somebody who was stopped between the claim and the removal.
    let claimed = OpenOptions::new().read(true).write(true).open(&plain).expect("opens");
    let claim = nix::libc::flock { l_type: 1, l_whence: 0, l_start: 1 << 62, l_len: 1, l_pid: 0 };
    nix::fcntl::fcntl(&claimed, nix::fcntl::FcntlArg::F_OFD_SETLK(&claim)).expect("claimed");
    hand.set(NOW - DAY, 0);
    log(&logs, "late");
    fs::remove_file(&plain).expect("removed");
    drop(claimed);
    assert_eq!(fs::read_to_string(directory.path().join(TODAY)).expect("there"), "late\n");
    assert_eq!(operations(&told), [Operation::Rollover]);
}
