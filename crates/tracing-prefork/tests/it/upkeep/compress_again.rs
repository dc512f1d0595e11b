//! A plain file beside its archive: late lines, rights, and what a crash has left.

use crate::common;
use crate::common::compress::{KINDS, compress, daily, lines, text, with_ending, yesterday};
use crate::common::{Hand, NOW, TODAY, at, names, set_mode};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use tracing_prefork::Operation;

/// The rights of a file, and its owner and group.
fn rights(path: &Path) -> (u32, u32, u32) {
    let found = fs::metadata(path).expect("there");
    (found.mode() & 0o777, found.uid(), found.gid())
}

#[test]
fn a_late_line_takes_no_protection_off_an_archive() {
    for &(kind, ending) in KINDS {
        for (archived, late, expected) in [(0o600, 0o644, 0o600), (0o640, 0o604, 0o600), (0o644, 0o600, 0o600)] {
            let directory = tempfile::tempdir().expect("a directory");
            let plain = yesterday(directory.path(), "on time\n");
            assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
            let archive = with_ending(&plain, ending);
            set_mode(&archive, archived);
            let (_, owner, group) = rights(&archive);
            set_mode(&yesterday(directory.path(), "late\n"), late);
            assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
            assert_eq!(text(&archive), "on time\nlate\n");
            assert_eq!(rights(&archive), (expected, owner, group), "{archived:o} and a late line in {late:o}");
        }
    }
}

#[test]
fn an_archive_keeps_its_owner_if_he_may_read_the_late_line() {
    if !nix::unistd::Uid::effective().is_root() {
        writeln!(io::stderr(), "SKIPPED: only root can give files away").expect("told");
        return;
    }
    const SOMEBODY: u32 = 54_321;
    for &(kind, ending) in KINDS {
        // The late line in a file of root's. Whoever owns an archive can read all that is in it, whatever its mode.
        for (late, expected) in [(0o644, (0o640, SOMEBODY, SOMEBODY)), (0o640, (0o600, 0, SOMEBODY))] {
            let directory = tempfile::tempdir().expect("a directory");
            let plain = yesterday(directory.path(), "on time\n");
            assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
            let archive = with_ending(&plain, ending);
            chown(&archive, Some(SOMEBODY), Some(SOMEBODY)).expect("given away");
            set_mode(&archive, 0o640);
            set_mode(&yesterday(directory.path(), "late\n"), late);
            assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
            assert_eq!(text(&archive), "on time\nlate\n");
            assert_eq!(rights(&archive), expected, "a late line in {late:o}");
        }
    }
}

#[test]
fn rights_taken_during_compression_are_taken_from_the_archive() {
    for &(kind, ending) in KINDS {
        let directory = tempfile::tempdir().expect("a directory");
        let plain = yesterday(directory.path(), "on time\n");
        let archive = with_ending(&plain, ending);
        // The thread that compresses asks for the time when it has looked at the files, and before it makes the
        // archive.
        let compress_while = |protected: &Path| {
            let protected = protected.to_owned();
            let clock = move || {
                if std::thread::current().name() == Some("log-compression") {
                    set_mode(&protected, 0o600);
                }
                at(NOW)
            };
            let logs = daily(&Hand::at(NOW), kind).clock(clock).build(directory.path()).expect("builds");
            logs.compress().expect("no failure")
        };
        set_mode(&plain, 0o644);
        assert_eq!(compress_while(&plain), 0, "the file has changed");
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
        assert_eq!(rights(&archive).0, 0o600);

        set_mode(&archive, 0o644);
        set_mode(&yesterday(directory.path(), "late\n"), 0o644);
        assert_eq!(compress_while(&archive), 0, "the archive has changed");
        let kept = directory.path().join("kept");
        fs::hard_link(&plain, &kept).expect("linked");
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
        assert_eq!(rights(&archive).0, 0o600);

        // A process was killed between the two steps, and the plain file is protected after that.
        set_mode(&archive, 0o644);
        set_mode(&kept, 0o600);
        fs::rename(&kept, &plain).expect("renamed");
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
        assert_eq!((rights(&archive).0, text(&archive).as_str()), (0o600, "on time\nlate\n"));
    }
}

#[test]
fn nothing_is_glued_to_the_fragment_that_ends_an_archive() {
    for &(kind, ending) in KINDS {
        let directory = tempfile::tempdir().expect("a directory");
        let plain = yesterday(directory.path(), "whole\na killed writer's pie");
        assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
        for late in ["late\n", "later\n"] {
            yesterday(directory.path(), late);
            assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
        }
        assert_eq!(text(&with_ending(&plain, ending)), "whole\na killed writer's pie\nlate\nlater\n");
    }
}

#[test]
fn a_crash_between_the_two_steps_is_repaired_despite_late_lines() {
    for &(kind, ending) in KINDS {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let original = lines(1000);
        let plain = yesterday(directory.path(), &original);
        let archive = with_ending(&plain, ending);
        let kept = directory.path().join("kept");
        let spoil = |late: &str| {
            // The very file, as if it had never been removed.
            fs::rename(&kept, &plain).expect("renamed");
            let mut file = OpenOptions::new().append(true).open(&plain).expect("opens");
            file.write_all(late.as_bytes()).expect("written");
        };
        let keep = || {
            let _ = fs::remove_file(&kept);
            fs::hard_link(&plain, &kept).expect("linked");
        };
        keep();
        assert_eq!(compress(&hand, kind, directory.path()), 1);
        let first = fs::read(&archive).expect("there");

        spoil("");
        keep();
        assert_eq!(compress(&hand, kind, directory.path()), 1);
        assert!(!plain.exists());
        assert!(fs::read(&archive).expect("there") == first, "not written again");

        spoil("late\n");
        keep();
        assert_eq!(compress(&hand, kind, directory.path()), 1);
        assert!(text(&archive) == original.clone() + "late\n");

        // The same with a file of late lines that is a further member.
        fs::remove_file(&kept).expect("removed");
        yesterday(directory.path(), "later\n");
        keep();
        assert_eq!(compress(&hand, kind, directory.path()), 1);
        spoil("latest\n");
        assert_eq!(compress(&hand, kind, directory.path()), 1);
        assert!(text(&archive) == original + "late\nlater\nlatest\n");
        assert!(!plain.exists());
    }
}

#[cfg(all(feature = "gzip", feature = "zstd"))]
#[test]
fn another_compression_repairs_a_crash_between_the_two_steps() {
    for (first, second) in [(0, 1), (1, 0)] {
        for late in ["", "late\n"] {
            let directory = tempfile::tempdir().expect("a directory");
            let hand = Hand::at(NOW);
            let plain = yesterday(directory.path(), &lines(1000));
            let kept = directory.path().join("kept");
            fs::hard_link(&plain, &kept).expect("linked");
            assert_eq!(compress(&hand, KINDS[first].0, directory.path()), 1);
            fs::rename(&kept, &plain).expect("renamed");
            let mut file = OpenOptions::new().append(true).open(&plain).expect("opens");
            file.write_all(late.as_bytes()).expect("written");
            assert_eq!(compress(&hand, KINDS[second].0, directory.path()), 1);
            // A file of late lines goes into the archive that is there, too.
            yesterday(directory.path(), "later\n");
            assert_eq!(compress(&hand, KINDS[second].0, directory.path()), 1);
            let archive = format!("app.2026-11-20.log{}", KINDS[first].1);
            assert_eq!(names(directory.path()), [&archive, TODAY]);
            assert!(text(&directory.path().join(archive)) == lines(1000) + late + "later\n");
        }
    }
}

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
#[test]
fn an_archive_unknown_to_this_build_is_reported_and_both_stay() {
    let (kind, ending) = KINDS[0];
    let other = if ending == ".gz" { ".zst" } else { ".gz" };
    let directory = tempfile::tempdir().expect("a directory");
    let plain = yesterday(directory.path(), "x\n");
    fs::write(with_ending(&plain, other), "whatever is in it").expect("written");
    let logs = daily(&Hand::at(NOW), kind).build(directory.path()).expect("builds");
    let error = logs.compress().expect_err("refused").to_string();
    common::says(&error, &["app.2026-11-20.log", other, "feature", "move it away"]);
    assert_eq!(
        names(directory.path()),
        ["app.2026-11-20.log".to_owned(), format!("app.2026-11-20.log{other}"), TODAY.to_owned()]
    );
}

#[test]
fn an_unreadable_archive_is_reported_and_both_files_stay() {
    for &(kind, ending) in KINDS {
        let content = lines(500);
        let whole = {
            let directory = tempfile::tempdir().expect("a directory");
            let plain = yesterday(directory.path(), &content);
            compress(&Hand::at(NOW), kind, directory.path());
            fs::read(with_ending(&plain, ending)).expect("there")
        };
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x55;
        let damaged =
            [whole[..whole.len() - 3].to_vec(), flipped, [&*whole, b"rubbish"].concat(), b"x".to_vec(), vec![]];
        for damaged in damaged {
            let directory = tempfile::tempdir().expect("a directory");
            let plain = yesterday(directory.path(), &content);
            let archive = with_ending(&plain, ending);
            fs::write(&archive, &damaged).expect("written");
            fs::write(directory.path().join("app.2026-11-19.log"), "another").expect("written");
            let hand = Hand::at(NOW);
            let logs = daily(&hand, kind).build(directory.path()).expect("builds");
            let error = logs.compress().expect_err("refused");
            assert_eq!((error.operation(), error.path()), (Operation::Compression, &*plain));
            common::says(&error.to_string(), &["cannot be read", "move it away", ending]);
            assert_eq!(fs::read(&archive).expect("there"), damaged);
            assert_eq!(fs::read_to_string(&plain).expect("there"), content);
            assert!(directory.path().join(format!("app.2026-11-19.log{ending}")).exists(), "the others are compressed");
        }
        // A directory has its name.
        let directory = tempfile::tempdir().expect("a directory");
        let plain = yesterday(directory.path(), &content);
        fs::create_dir(with_ending(&plain, ending)).expect("made");
        let logs = daily(&Hand::at(NOW), kind).build(directory.path()).expect("builds");
        logs.compress().expect_err("refused");
        assert!(plain.exists());
    }
}
