//! Closed files become archives, and no line is lost on the way.

#![cfg(any(feature = "gzip", feature = "zstd"))]

mod common;

use common::{DAY, Hand, NOW, Told, all_names, alone, at, eventually, log, names, operations, telling};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};
use tracing_prefork::{Builder, Compression, Operation, Rotation};

/// What this build has, with the endings of the archives.
const KINDS: &[(Compression, &str)] = &[
    #[cfg(feature = "gzip")]
    (Compression::Gzip, ".gz"),
    #[cfg(feature = "zstd")]
    (Compression::Zstd, ".zst"),
];

const TODAY: &str = "app.2026-11-21.log";
const TOMORROW: &str = "app.2026-11-22.log";

fn daily(hand: &Hand, kind: Compression) -> Builder {
    hand.builder().rotation(Rotation::DAILY).compress(kind)
}

fn decompress(archive: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(archive)?;
    let mut content = Vec::new();
    match archive.extension().and_then(|ending| ending.to_str()) {
        #[cfg(feature = "gzip")]
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut content)?,
        #[cfg(feature = "zstd")]
        Some("zst") => zstd::stream::read::Decoder::new(file)?.read_to_end(&mut content)?,
        _ => panic!("{}", archive.display()),
    };
    Ok(content)
}

fn text(archive: &Path) -> String {
    String::from_utf8(decompress(archive).expect("valid")).expect("UTF-8")
}

/// Calls a tool; `None` if it is not installed.
fn tool(name: &str, arguments: &[&str], file: &Path) -> Option<Vec<u8>> {
    match Command::new(name).args(arguments).arg(file).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            writeln!(io::stderr(), "SKIPPED: {name} is not installed").expect("told");
            None
        }
        output => {
            let output = output.expect("starts");
            assert!(output.status.success(), "{name} {arguments:?} {}: {output:?}", file.display());
            Some(output.stdout)
        }
    }
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Some lines that compress like a log.
fn lines(count: u64) -> String {
    let mut seed = count + 1;
    (0..count).map(|number| format!("{number} request served in {} us\n", random(&mut seed) % 100_000)).collect()
}

/// Writes a file of the day before [`NOW`], whose period is over.
fn yesterday(directory: &Path, content: &str) -> PathBuf {
    let path = directory.join("app.2026-11-20.log");
    fs::write(&path, content).expect("written");
    a_tick();
    path
}

/// Lets the clock of the file system go on: a file has been there for some time when its period is over.
fn a_tick() {
    std::thread::sleep(Duration::from_millis(12));
}

fn with_ending(plain: &Path, ending: &str) -> PathBuf {
    let mut path = plain.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Lets an appender of the day after `hand` compress, and says how many it did.
fn compress(hand: &Hand, kind: Compression, directory: &Path) -> usize {
    let (told, builder) = telling(daily(hand, kind));
    let count = builder.build(directory).expect("builds").compress().expect("compresses");
    assert_eq!(operations(&told), []);
    count
}

#[test]
fn the_archive_has_the_same_bytes_mode_owner_and_time_and_the_plain_file_is_gone() {
    for &(kind, ending) in KINDS {
        for content in [String::new(), "one line\n".into(), lines(40_000)] {
            let directory = tempfile::tempdir().expect("a directory");
            let plain = yesterday(directory.path(), &content);
            fs::set_permissions(&plain, Permissions::from_mode(0o640)).expect("set");
            let when = at(NOW - DAY) + Duration::from_nanos(123_456_789);
            File::open(&plain).and_then(|file| file.set_modified(when)).expect("set");
            let before = fs::metadata(&plain).expect("there");
            assert_eq!(compress(&Hand::at(NOW), kind, directory.path()), 1);
            let archive = with_ending(&plain, ending);
            assert!(!plain.exists());
            assert_eq!(decompress(&archive).expect("valid"), content.as_bytes());
            let after = fs::metadata(&archive).expect("there");
            assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
            assert_eq!(after.modified().expect("known"), when);
            if content.len() > 1000 {
                assert!(after.len() < before.len() / 3, "{} of {}", after.len(), before.len());
            }
            let hidden: Vec<_> =
                all_names(directory.path()).into_iter().filter(|name| name.ends_with(".tmp")).collect();
            assert_eq!(hidden, [""; 0]);
            // The tools that people have say the same.
            let (test, show) = match ending {
                ".gz" => (("gzip", vec!["-t"]), ("zcat", vec![])),
                _ => (("zstd", vec!["-q", "-t"]), ("zstd", vec!["-q", "-d", "-c"])),
            };
            tool(test.0, &test.1, &archive);
            if let Some(shown) = tool(show.0, &show.1, &archive) {
                assert!(shown == content.as_bytes());
            }
        }
    }
}

#[test]
fn the_rollover_compresses_the_file_before_in_the_background_once_nobody_has_it_open() {
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
fn a_program_that_ends_before_its_period_compresses_what_others_have_left() {
    let (kind, ending) = KINDS[0];
    let directory = tempfile::tempdir().expect("a directory");
    let plain = yesterday(directory.path(), "left\n");
    let logs = daily(&Hand::at(NOW), kind).build(directory.path()).expect("builds");
    assert!(plain.exists(), "building starts no thread");
    log(&logs, "the first event");
    eventually("the file is compressed", || with_ending(&plain, ending).exists() && !plain.exists());
}

#[test]
fn a_late_line_becomes_a_further_part_of_the_archive() {
    for &(kind, ending) in KINDS {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let logs = daily(&hand, kind).build(directory.path()).expect("builds");
        log(&logs, "on time");
        drop(logs);
        let archive = directory.path().join(format!("{TODAY}{ending}"));
        for _ in 0..3 {
            hand.set(NOW + DAY, 0);
            eventually("the thread of the first event has let go", || compress(&hand, kind, directory.path()) == 1);
            // The same each time, without a timestamp: it is not taken for what the archive has already.
            hand.set(NOW, 0);
            let late = daily(&hand, kind).build(directory.path()).expect("builds");
            log(&late, "late");
        }
        hand.set(NOW + DAY, 0);
        eventually("the thread of the first event has let go", || compress(&hand, kind, directory.path()) == 1);
        assert_eq!(text(&archive), "on time\nlate\nlate\nlate\n");
        assert_eq!(names(directory.path()), [format!("{TODAY}{ending}"), TOMORROW.to_owned()]);
        match ending {
            ".gz" => tool("gzip", &["-t"], &archive),
            _ => tool("zstd", &["-q", "-t"], &archive),
        };
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
}

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
fn an_archive_stays_with_the_owner_that_it_was_given_to_unless_he_may_not_read_the_late_line() {
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
fn rights_that_are_taken_while_a_file_is_compressed_or_after_a_crash_are_taken_from_its_archive() {
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
fn nothing_is_glued_to_the_piece_of_a_line_that_an_archive_ends_in() {
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
fn what_a_crash_between_the_two_steps_has_left_is_finished_whatever_came_to_it_since() {
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
fn what_a_crash_between_the_two_steps_has_left_is_finished_by_a_program_that_compresses_in_another_way() {
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
fn an_archive_that_this_build_cannot_read_is_reported_and_both_stay_as_they_are() {
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
fn the_name_of_the_archive_is_on_the_disk_before_the_plain_file_goes() {
    let name = "the_name_of_the_archive_is_on_the_disk_before_the_plain_file_goes";
    if let Some(directory) = std::env::var_os("TEST_DIES_IN") {
        compress(&Hand::at(NOW), KINDS[0].0, Path::new(&directory));
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() {
        return writeln!(io::stderr(), "SKIPPED {name}: strace is not installed").expect("told");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("trace");
    for late in [false, true] {
        // The second time the archive that is there is replaced.
        yesterday(directory.path(), if late { "late\n" } else { "on time\n" });
        let out = trace.to_str().expect("UTF-8");
        let calls = "trace=linkat,rename,renameat,renameat2,fsync,unlink,unlinkat";
        let status = child(name, directory.path(), &["strace", "-f", "-qq", "-y", "-o", out, "-e", calls]).status();
        assert!(status.expect("starts").success());
        let text = fs::read_to_string(&trace).expect("there");
        let steps: Vec<_> = text
            .lines()
            .filter_map(|line| {
                let of_archive = line.contains(&format!("app.2026-11-20.log{}\"", KINDS[0].1));
                let directory = format!("<{}>)", directory.path().display());
                match line.split_once(' ')?.1.trim_start().split_once('(')?.0 {
                    "linkat" | "rename" | "renameat" | "renameat2" if of_archive => Some("published"),
                    "fsync" if line.contains(&directory) => Some("directory"),
                    "fsync" => Some("archive"),
                    "unlink" | "unlinkat" if line.contains("app.2026-11-20.log\"") => Some("removed"),
                    _ => None,
                }
            })
            .collect();
        assert_eq!(steps, ["archive", "published", "directory", "removed"], "{text}");
    }
}

/// What is done when the directory of that path is next brought onto the disk: the archive has its name then, and the
/// plain file has not lost its own.
static AT_SYNC: Mutex<Vec<(PathBuf, Deed)>> = Mutex::new(Vec::new());

type Deed = Box<dyn FnOnce() + Send>;

fn at_sync(directory: &Path, deed: impl FnOnce() + Send + 'static) {
    let directory = directory.canonicalize().expect("there");
    AT_SYNC.lock().expect("unpoisoned").push((directory, Box::new(deed)));
}

/// Takes the place of the C library's, in this program: tests need not hit the moment by chance.
#[unsafe(no_mangle)]
extern "C" fn fsync(file: nix::libc::c_int) -> nix::libc::c_int {
    let synced = fs::read_link(format!("/proc/self/fd/{file}")).unwrap_or_default();
    let mut deeds = AT_SYNC.lock().expect("unpoisoned");
    let deed = deeds.iter().position(|(directory, _)| *directory == synced).map(|index| deeds.swap_remove(index));
    drop(deeds);
    if let Some((_, deed)) = deed {
        deed();
    }
    // SAFETY: takes a number, and answers as `fsync` does.
    unsafe { nix::libc::syscall(nix::libc::SYS_fsync, file) as nix::libc::c_int }
}

#[test]
fn a_file_that_is_moved_away_while_it_is_compressed_leaves_no_archive() {
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
fn a_file_that_is_deleted_while_it_is_compressed_does_not_come_back_as_an_archive() {
    let directory = tempfile::tempdir().expect("a directory");
    let plain = yesterday(directory.path(), "deleted\n");
    at_sync(directory.path(), move || fs::remove_file(plain).expect("removed"));
    assert_eq!(compress(&Hand::at(NOW), KINDS[0].0, directory.path()), 0);
    assert_eq!(names(directory.path()), [TODAY]);
}

#[test]
fn a_file_that_is_removed_with_its_directory_while_it_is_compressed_is_no_failure() {
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
fn late_lines_that_are_moved_away_while_they_are_compressed_are_not_in_the_archive() {
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
fn a_late_line_while_its_file_is_compressed_is_in_the_plain_file_alone_until_the_next_round() {
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
fn a_directory_that_is_moved_away_while_a_file_in_it_is_compressed_holds_the_archive_alone() {
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
fn a_child_that_is_forked_while_a_file_is_compressed_does_not_keep_its_archive() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::{ForkResult, fork, pause};
    let test = "a_child_that_is_forked_while_a_file_is_compressed_does_not_keep_its_archive";
    alone(test, &[], |directory| {
        let (kind, ending) = KINDS[0];
        let plain = yesterday(directory, &lines(1_000_000));
        let hand = Hand::at(NOW);
        let logs = daily(&hand, kind).max_log_files(2).build(directory).expect("builds");
        let work = std::thread::scope(|scope| {
            let work = scope.spawn(|| logs.compress().expect("compresses"));
            let is_at_it = || {
                let tasks = fs::read_dir("/proc/self/task").expect("there").flatten();
                tasks
                    .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
                    .any(|name| name.starts_with("log-compress"))
            };
            eventually("the work has begun", is_at_it);
            std::thread::sleep(Duration::from_millis(5));
            // SAFETY: the child waits for its end, and does nothing else.
            let child = match unsafe { fork() }.expect("forks") {
                ForkResult::Parent { child } => child,
                ForkResult::Child => loop {
                    pause();
                },
            };
            (child, work.join().expect("ends"))
        });
        let archive = with_ending(&plain, ending);
        let compressed = (work.1, archive.exists(), plain.exists());
        let pruned = daily(&hand, kind).max_log_files(1).build(directory).expect("builds").stats().files_pruned;
        kill(work.0, Signal::SIGKILL).expect("killed");
        nix::sys::wait::waitpid(work.0, None).expect("ends");
        assert_eq!((compressed, pruned, archive.exists()), ((1, true, false), 1, false));
    });
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
fn late_lines_of_another_process_while_the_file_is_being_compressed_are_all_there_once() {
    let name = "late_lines_of_another_process_while_the_file_is_being_compressed_are_all_there_once";
    const LATE: &str = "TEST_LATE_LINES_IN";
    let hand = Hand::at(NOW - DAY);
    if let Some(directory) = std::env::var_os(LATE) {
        // The other process: opens the file anew for each line.
        let mut seed = 7;
        for number in 0..100 {
            let late = daily(&hand, KINDS[0].0).build(&directory).expect("builds");
            log(&late, &format!("late {number}"));
            let plain = late.path();
            drop(late);
            if number % 10 == 9 {
                // However busy the machine is, some rounds come to their end.
                let deadline = Instant::now() + Duration::from_secs(5);
                while plain.exists() && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(10));
                }
            } else {
                std::thread::sleep(Duration::from_millis(random(&mut seed) % 40));
            }
        }
        return;
    }
    for &(kind, ending) in KINDS {
        let directory = tempfile::tempdir().expect("a directory");
        let plain = yesterday(directory.path(), &lines(20_000));
        let program = std::env::current_exe().expect("this program");
        let mut other = Command::new(program)
            .args([name, "--exact", "--test-threads=1"])
            .env(LATE, directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let now = Hand::at(NOW);
        let (told, builder) = telling(daily(&now, kind));
        let logs = builder.build(directory.path()).expect("builds");
        let mut rounds = 0;
        while other.try_wait().expect("known").is_none() {
            rounds += logs.compress().expect("compresses");
        }
        assert!(other.wait().expect("ends").success());
        logs.compress().expect("compresses");
        let text = text(&with_ending(&plain, ending));
        let expected: String = (0..100).map(|number| format!("late {number}\n")).collect();
        assert!(text == lines(20_000) + &expected, "{rounds} rounds; {} lines", text.lines().count());
        assert!(!plain.exists() && rounds > 0, "{rounds}");
        assert_eq!(operations(&told), []);
    }
}

#[test]
fn archives_count_and_go_with_their_files_and_those_of_others_are_never_touched() {
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
fn an_archive_that_cannot_be_read_is_reported_and_both_stay_as_they_are() {
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
fn on_a_full_disk_the_file_stays_plain_and_lines_find_room() {
    let name = "on_a_full_disk_the_file_stays_plain_and_lines_find_room";
    alone(name, &[], |directory| {
        if !common::small_disk(directory, "size=1m") {
            return;
        }
        let mut seed = 1;
        let noise: String = (0..40_000).map(|_| format!("{:016x}", random(&mut seed))).collect();
        for &(kind, ending) in KINDS {
            // The thread that the last line has started may hold the room for a moment yet.
            common::eventually("there is room", || fs::write(directory.join("probe"), &noise).is_ok());
            fs::remove_file(directory.join("probe")).expect("removed");
            let plain = yesterday(directory, &noise);
            let hand = Hand::at(NOW);
            let logs = daily(&hand, kind).build(directory).expect("builds");
            let error = logs.compress().expect_err("there is no room");
            assert_eq!(error.io_error().kind(), io::ErrorKind::StorageFull, "{error}");
            assert_eq!(fs::read_to_string(&plain).expect("there"), noise);
            assert_eq!(all_names(directory).iter().filter(|name| name.contains(ending)).count(), 0);
            log(&logs, "there is room for lines");
            fs::remove_file(plain).expect("removed");
        }
    });
}

#[test]
fn the_work_is_done_at_the_lowest_priority_and_nobody_waits_for_it() {
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

/// From now on a system call of this thread, and of those that it starts, that sets a priority ends the process, as
/// under `SystemCallFilter=~@resources` of systemd.
fn forbid_priorities() {
    use nix::libc::{self, sock_filter};
    let statement = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let jump = |k: libc::c_long| sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: 1,
        k: k as u32,
    };
    // The number of the call is the first word of `seccomp_data`.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for call in [libc::SYS_setpriority, libc::SYS_sched_setscheduler, libc::SYS_ioprio_set] {
        program.push(jump(call));
        program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    common::filter_system_calls(&mut program);
}

#[test]
fn under_a_filter_that_ends_whoever_sets_a_priority_files_are_compressed() {
    alone("under_a_filter_that_ends_whoever_sets_a_priority_files_are_compressed", &[], |directory| {
        let (kind, ending) = KINDS[0];
        let compressed = |name: &str, priority: Option<bool>| {
            let there = directory.join(name);
            fs::create_dir(&there).expect("created");
            let plain = yesterday(&there, "a line\n");
            let builder = daily(&Hand::at(NOW), kind);
            let builder = match priority {
                Some(lowest) => builder.background_priority(lowest),
                None => builder,
            };
            assert_eq!(builder.build(&there).expect("builds").compress().expect("compresses"), 1);
            assert!(!plain.exists() && PathBuf::from(format!("{}{ending}", plain.display())).exists());
        };
        // SAFETY: the child ends by a signal or by _exit.
        let in_a_child = |work: &dyn Fn()| match unsafe { nix::unistd::fork() }.expect("forks") {
            nix::unistd::ForkResult::Parent { child } => nix::sys::wait::waitpid(child, None).expect("ends"),
            nix::unistd::ForkResult::Child => {
                work();
                // SAFETY: nothing of the parent's is to run.
                unsafe { nix::libc::_exit(0) }
            }
        };
        let ended = in_a_child(&|| {
            forbid_priorities();
            compressed("by default", None);
            compressed("usual", Some(false));
        });
        assert!(matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)), "{ended:?}");
        // Who says that it is allowed is believed.
        let ended = in_a_child(&|| {
            forbid_priorities();
            compressed("lowest", Some(true));
        });
        assert!(
            matches!(ended, nix::sys::wait::WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGSYS, _)),
            "{ended:?}"
        );
    });
}

#[test]
fn the_work_is_done_at_the_priority_of_the_program_if_that_is_wanted() {
    alone("the_work_is_done_at_the_priority_of_the_program_if_that_is_wanted", &[], |directory| {
        let (kind, _) = KINDS[0];
        let plain = yesterday(directory, &lines(200_000));
        let logs = daily(&Hand::at(NOW), kind).background_priority(false).build(directory).expect("builds");
        // Nice value and policy, proc_pid_stat(5), counted behind the name of the thread.
        let priority = |stat: &str, name: &str| {
            let fields: Vec<_> = stat.split_once(&format!("({name}) "))?.1.split(' ').collect();
            Some((fields[16].to_owned(), fields[38].to_owned()))
        };
        let task = Path::new("/proc/thread-self");
        let name = fs::read_to_string(task.join("comm")).expect("there");
        let own = priority(&fs::read_to_string(task.join("stat")).expect("there"), name.trim_end()).expect("a name");
        let mut looks = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(logs.compress().expect("compresses"), 1));
            while plain.exists() {
                for task in fs::read_dir("/proc/self/task").expect("there").flatten() {
                    let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
                    let Some(found) = priority(&stat, "log-compression") else { continue };
                    assert_eq!(found, own);
                    looks += 1;
                }
            }
        });
        assert!(looks > 0);
    });
}

#[test]
fn temporary_names_of_the_dead_are_cleared_away_and_those_of_the_living_are_not() {
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
fn an_opener_does_not_enter_a_file_that_is_about_to_go_and_the_line_is_kept_elsewhere() {
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

// Killed at random points.

/// How many files a killed child has to work on, and the most lines of each.
const FILES: u64 = 12;

fn numbered(day: u64, number: u64) -> String {
    format!("{day} {number} {:x}\n", (day + 1).wrapping_mul(number + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// How many lines of a day there are: they must be the first so many, in order. A process that is killed within
/// `write(2)` can leave the beginning of the line that comes next, which is ended and stays.
fn count(day: u64, content: &[u8]) -> u64 {
    let text = std::str::from_utf8(content).expect("UTF-8");
    let mut count = 0;
    for line in text.split_inclusive('\n') {
        let (next, piece) = (numbered(day, count), line.trim_end_matches('\n'));
        if piece.len() + 1 < next.len() && next.starts_with(piece) {
            continue;
        }
        assert_eq!(line, next, "day {day}");
        count += 1;
    }
    count
}

fn day_path(directory: &Path, day: u64) -> PathBuf {
    directory.join(format!("app.2026-10-{:02}.log", day + 1))
}

/// 2026-10-01 08:33:01 UTC.
const FIRST_DAY: u64 = NOW - 51 * DAY;

/// Writes lines of closed days, late ones too, compresses and prunes until it is killed.
fn work_until_killed(directory: &Path, acknowledged: &Path, kind: Compression, mut seed: u64) {
    let ledger = OpenOptions::new().read(true).write(true).open(acknowledged).expect("opens");
    let hand = Hand::at(NOW);
    loop {
        let day = random(&mut seed) % FILES;
        let mut slot = [0; 8];
        ledger.read_exact_at(&mut slot, day * 8).expect("read");
        let begun = u64::from_le_bytes(slot);
        {
            hand.set(FIRST_DAY + day * DAY, 0);
            let mut late = daily(&hand, kind).build(directory).expect("builds");
            let more = if begun == 0 { 2000 } else { random(&mut seed) % 4 };
            for number in begun..begun + more {
                late.write_all(numbered(day, number).as_bytes()).expect("writes");
                ledger.write_all_at(&(number + 1).to_le_bytes(), day * 8).expect("acknowledged");
            }
        }
        a_tick();
        hand.set(NOW, 0);
        let logs = daily(&hand, kind).max_log_files(FILES as usize + 1).build(directory).expect("builds");
        logs.compress().expect("compresses");
        // Days of another year, for pruning to take away.
        for old in 1..4 {
            fs::write(directory.join(format!("app.2020-01-0{old}.log")), lines(300)).expect("written");
        }
        if random(&mut seed).is_multiple_of(2) {
            logs.compress().expect("compresses");
        }
        logs.prune().expect("prunes");
    }
}

/// Looks at what a killed child has left, has the housekeeping done, and looks again. Says in how many cases both files
/// were there.
fn check_what_is_left(directory: &Path, acknowledged: &Path, kind: Compression, ending: &str) -> u64 {
    let ledger = fs::read(acknowledged).expect("there");
    let mut both = 0;
    for name in names(directory).into_iter().filter(|name| name.ends_with(ending)) {
        let path = directory.join(&name);
        decompress(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        both += u64::from(path.with_extension("").exists());
    }
    let hand = Hand::at(NOW);
    let (told, builder) = telling(daily(&hand, kind).max_log_files(FILES as usize + 1));
    let logs = builder.build(directory).expect("builds");
    logs.compress().expect("compresses");
    logs.prune().expect("prunes");
    assert_eq!(operations(&told), []);
    for name in all_names(directory) {
        assert!(!name.ends_with(".tmp"), "{name} was left behind");
        assert!(name.starts_with(".app.") || name.ends_with(ending) || name == TODAY, "{name} is still plain");
    }
    let mut whole = Vec::new();
    for (day, slot) in (0..FILES).zip(ledger.chunks(8)) {
        let acknowledged = u64::from_le_bytes(slot.try_into().expect("eight bytes"));
        let archive = with_ending(&day_path(directory, day), ending);
        let found = if archive.exists() { count(day, &decompress(&archive).expect("valid")) } else { 0 };
        // The line on its way may be there.
        assert!((acknowledged..=acknowledged + 1).contains(&found), "day {day}: {found}, {acknowledged} acknowledged");
        whole.extend(found.to_le_bytes());
    }
    fs::write(acknowledged, whole).expect("written");
    both
}

/// A child of this program that works until it is killed.
fn child(name: &str, directory: &Path, wrapper: &[&str]) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut command = match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env("TEST_DIES_IN", directory);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_process_killed_at_any_point_of_compressing_and_pruning_leaves_the_file_or_its_archive() {
    let name = "a_process_killed_at_any_point_of_compressing_and_pruning_leaves_the_file_or_its_archive";
    let number = |variable: &str| std::env::var(variable).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(directory) = std::env::var_os("TEST_DIES_IN") {
        let directory = Path::new(&directory);
        let (kind, seed) = (number("TEST_KIND").expect("given") as usize, number("TEST_SEED").expect("given"));
        return work_until_killed(&directory.join("logs"), &directory.join("acknowledged"), KINDS[kind].0, seed);
    }
    let kills = number("COMPRESS_KILLS").unwrap_or(60);
    let (mut seed, mut both) = (SystemTime::UNIX_EPOCH.elapsed().map_or(7, |since| since.as_nanos() as u64) | 1, 0);
    for (index, &(kind, ending)) in KINDS.iter().enumerate() {
        let directory = tempfile::tempdir().expect("a directory");
        let (logs, acknowledged) = (directory.path().join("logs"), directory.path().join("acknowledged"));
        fs::create_dir(&logs).expect("made");
        fs::write(&acknowledged, [0; FILES as usize * 8]).expect("written");
        for _ in 0..kills.div_ceil(KINDS.len() as u64) {
            let mut child = child(name, directory.path(), &[])
                .env("TEST_KIND", index.to_string())
                .env("TEST_SEED", (random(&mut seed) | 1).to_string())
                .spawn()
                .expect("starts");
            std::thread::sleep(Duration::from_micros(5_000 + random(&mut seed) % 150_000));
            assert!(child.try_wait().expect("known").is_none(), "it ended by itself");
            child.kill().expect("killed");
            child.wait().expect("gone");
            both += check_what_is_left(&logs, &acknowledged, kind, ending);
        }
    }
    writeln!(io::stderr(), "{kills} kills; {both} times a plain file was beside its archive").expect("told");
}

#[test]
fn a_process_killed_at_each_system_call_of_compressing_leaves_the_file_or_its_archive() {
    let name = "a_process_killed_at_each_system_call_of_compressing_leaves_the_file_or_its_archive";
    if let Some(directory) = std::env::var_os("TEST_DIES_IN") {
        let hand = Hand::at(NOW);
        let kind = KINDS[std::env::var("TEST_KIND").ok().and_then(|kind| kind.parse::<usize>().ok()).expect("given")].0;
        let logs = daily(&hand, kind).max_log_files(4).build(Path::new(&directory)).expect("builds");
        logs.compress().expect("compresses");
        logs.prune().expect("prunes");
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() {
        return writeln!(io::stderr(), "SKIPPED {name}: strace is not installed").expect("told");
    }
    let [mut killed, mut both] = [0; 2];
    for (index, &(kind, ending)) in KINDS.iter().enumerate() {
        for call in [
            "openat",
            "write",
            "fcntl",
            "fstat,newfstatat,lstat,statx",
            "fsync",
            "fchmod",
            "linkat",
            "rename",
            "unlink",
        ] {
            for when in 1..100 {
                let directory = tempfile::tempdir().expect("a directory");
                let [fresh, late, same] =
                    ["18", "19", "20"].map(|day| directory.path().join(format!("app.2026-11-{day}.log")));
                for file in [&late, &same] {
                    fs::write(file, lines(500)).expect("written");
                }
                let kept = directory.path().join("kept");
                fs::hard_link(&same, &kept).expect("linked");
                compress(&Hand::at(NOW), kind, directory.path());
                fs::rename(&kept, &same).expect("renamed");
                fs::write(&fresh, lines(700)).expect("written");
                fs::write(&late, "late\n").expect("written");
                a_tick();
                let inject = format!("inject={call}:signal=SIGKILL:when={when}");
                let trace = format!("trace={call}");
                let status = child(
                    name,
                    directory.path(),
                    &["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject],
                )
                .env("TEST_KIND", index.to_string())
                .status()
                .expect("starts");
                for file in [&fresh, &late, &same] {
                    both += u64::from(with_ending(file, ending).exists() && file.exists());
                }
                for archive in names(directory.path()).iter().filter(|name| name.ends_with(ending)) {
                    decompress(&directory.path().join(archive))
                        .unwrap_or_else(|error| panic!("{call} {when}: {archive}: {error}"));
                }
                compress(&Hand::at(NOW), kind, directory.path());
                let expected = [(fresh, lines(700)), (late, lines(500) + "late\n"), (same, lines(500))];
                for (file, expected) in expected {
                    assert!(!file.exists(), "{call} {when}");
                    assert!(text(&with_ending(&file, ending)) == expected, "{call} {when} {}", file.display());
                }
                assert!(all_names(directory.path()).iter().all(|name| !name.ends_with(".tmp")), "{call} {when}");
                if status.success() {
                    break;
                }
                killed += 1;
            }
        }
    }
    writeln!(io::stderr(), "{killed} kills; {both} times a plain file was beside its archive").expect("told");
    assert!(killed > 50, "{killed}");
}
