//! Attacks on those who look at log files: damaged records, and what is said to be done against what is done.

use proptest::prelude::*;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;
use tracing_prefork::{Builder, LogFile};

use crate::common::{DAY, Hand, NOW, all_names, at, daily, log, set_mode, write_files};

fn file_names(files: &[LogFile]) -> Vec<String> {
    files.iter().map(|file| file.path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

/// Each name with what a look must not change: the inode, the size, the times, the mode.
fn state(directory: &Path) -> Vec<(String, u64, u64, i64, i64, i64, u32)> {
    let of = |name: String| {
        let found = directory.join(&name).symlink_metadata().expect("there");
        let times = (found.mtime(), found.mtime_nsec(), found.ctime_nsec());
        (name, found.ino(), found.size(), times.0, times.1, times.2, found.mode())
    };
    all_names(directory).into_iter().map(of).collect()
}

#[test]
fn damaged_and_foreign_records_hinder_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    log(&daily(&hand).build(directory.path()).expect("builds"), "a line");
    let record = |name: &str, text: &[u8]| fs::write(directory.path().join(name), text).expect("written");
    record(".empty.names", b"");
    record(".bytes.names", &[0xff; 100]);
    record(".begun.names", b"tracing-prefork names 1\nprefix x\nrotation daily\n");
    record(".rotation.names", b"tracing-prefork names 1\nrotation 99999999999999999999 fortnights\nend\n");
    record(".slash.names", b"tracing-prefork names 1\nrotation daily\nprefix ../../etc/x\nend\n");
    record(".suffix.names", b"tracing-prefork names 1\nrotation daily\nprefix s\nsuffix .log\nend\n");
    record(".tags.names", b"tracing-prefork names 1\nrotation daily\ntags yes\nend\n");
    record(".format.names", b"tracing-prefork names 1\nrotation daily\nprefix f\ndate_format %Y\nend\n");
    record(
        ".long.names",
        format!("tracing-prefork names 1\nrotation daily\nprefix {}\nend\n", "l".repeat(999)).as_bytes(),
    );
    let mut huge = b"tracing-prefork names 1\nrotation daily\nprefix huge\n".to_vec();
    huge.resize(17 << 20, b'\n');
    huge.extend(b"\nend\n");
    record(".huge.names", &huge);
    fs::create_dir(directory.path().join(".directory.names")).expect("made");
    symlink("/dev/zero", directory.path().join(".zero.names")).expect("linked");
    symlink(".symlink.names", directory.path().join(".symlink.names")).expect("linked");
    nix::unistd::mkfifo(&directory.path().join(".pipe.names"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    let before = state(directory.path());
    let mut inspected = Vec::new();
    for pattern in Builder::discover(directory.path()).expect("read") {
        let shown = format!("{pattern:?}");
        match pattern.inspect(directory.path()) {
            Ok(files) => {
                let _ = files.list().expect("listed");
                inspected.push(files.pattern());
            }
            Err(error) => panic!("what was discovered cannot be inspected: {error}; {shown}"),
        }
    }
    assert_eq!(inspected, ["app.DATE.log"]);
    assert_eq!(state(directory.path()), before);
    // They hinder no program that logs, either.
    log(&daily(&hand).tag("a").build(directory.path()).expect("builds"), "a line");
}

#[test]
fn a_directory_that_may_not_be_written_to_is_looked_at() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).tag("a").build(directory.path()).expect("builds");
    for day in 0..4 {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "a line");
    }
    logs.release().expect("released");
    set_mode(directory.path(), 0o555);
    let before = state(directory.path());
    let files = daily(&hand).per_process(true).max_log_files(1).inspect(directory.path()).expect("inspects");
    assert_eq!(files.list().expect("listed").len(), 4);
    assert_eq!(files.to_prune().expect("listed").len(), 3);
    assert_eq!(state(directory.path()), before);
    set_mode(directory.path(), 0o755);
}

#[derive(Clone, Debug)]
struct Made {
    tag: usize,
    day: u64,
    index: u32,
    /// Days after `NOW` at which it was written last.
    written: i64,
    bytes: usize,
    ending: usize,
    held: bool,
}

fn made() -> impl Strategy<Value = Made> {
    (0..4usize, 0..6u64, 0..3u32, -30_000..12i64, 0..200usize, 0..3usize, any::<bool>()).prop_map(
        |(tag, day, index, written, bytes, ending, held)| {
            let written = if written < -30 { 10 - day as i64 } else { written };
            Made { tag, day, index, written, bytes, ending, held }
        },
    )
}

/// Takes a lease, as a writer does: a shared lock on the open file description.
fn share(file: &File) {
    use nix::{fcntl, libc};
    let kind = libc::F_RDLCK as libc::c_short;
    let lock = libc::flock { l_type: kind, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl::fcntl(file, fcntl::FcntlArg::F_OFD_SETLK(&lock)).expect("locked");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn what_is_said_to_be_done_is_done(
        files in proptest::collection::vec(made(), 0..14),
        tagged in any::<bool>(),
        limits in (proptest::option::of(1..6usize), proptest::option::of(0..8u64), proptest::option::of(1..900u64)),
        keep in 0..3usize,
        handed in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW + 5 * DAY);
        let mut held = Vec::new();
        for Made { tag, day, index, written, bytes, ending, held: is_held } in files {
            let tag = if tagged { [".a", ".b", ".4711", ".2026-11-21"][tag] } else { "" };
            let index = if index == 0 { String::new() } else { format!(".{index}") };
            let ending = if cfg!(feature = "gzip") { ["", ".gz", ".zst"][ending] } else { "" };
            let path = directory.path().join(format!("app{tag}.2026-11-{}{index}.log{ending}", 21 + day));
            fs::write(&path, vec![b'x'; bytes]).expect("written");
            let file = File::options().read(true).append(true).open(&path).expect("opens");
            // A plain file and its archive that were written at once count as one for the hook.
            let apart = ["", ".gz", ".zst"].iter().position(|other| *other == ending).unwrap_or(0) as i64;
            file.set_modified(at((NOW as i64 + written * DAY as i64 + apart) as u64)).expect("set");
            if is_held {
                share(&file);
                held.push(file);
            }
        }
        let builder = || {
            let mut builder = daily(&hand).max_file_bytes(1 << 20).keep_uncompressed(keep);
            #[cfg(feature = "gzip")]
            { builder = builder.compress(tracing_prefork::Compression::Gzip); }
            if tagged { builder = builder.tag("a"); }
            if let Some(number) = limits.0 { builder = builder.max_log_files(number); }
            if let Some(days) = limits.1 { builder = builder.max_age(Duration::from_secs(days * DAY + 1)); }
            if let Some(bytes) = limits.2 { builder = builder.max_total_bytes((1 << 20) + bytes); }
            if handed { builder = builder.on_finished(|_, _| {}); }
            builder.inspect(directory.path()).expect("inspects")
        };
        let files = builder();
        // 1. A look changes nothing.
        let before = state(directory.path());
        let (to_prune, to_hand_over) = (files.to_prune().expect("listed"), files.to_hand_over().expect("listed"));
        let _ = files.to_compress().expect("listed");
        prop_assert_eq!(&state(directory.path()), &before, "a look has changed something");
        // 2. What is handed over may go afterwards. Without a hook nothing changes between the look and the job.
        prop_assert_eq!(files.hand_over().expect("handed over"), to_hand_over.len());
        let mut said = file_names(&files.to_prune().expect("listed"));
        prop_assert!(handed || said == file_names(&to_prune));
        let there = all_names(directory.path());
        prop_assert_eq!(files.prune().expect("pruned"), said.len());
        let after = all_names(directory.path());
        let gone: Vec<_> = there.into_iter().filter(|name| !after.contains(name)).collect();
        said.sort();
        prop_assert_eq!(gone, said);
        // 3. An archive that is none, beside a plain file, is a failure, which stands in the answer.
        let said = file_names(&files.to_compress().expect("listed"));
        if let Ok(done) = files.compress() {
            prop_assert_eq!(done, said.len());
        }
        drop(held);
    }
}

#[test]
fn a_file_of_the_future_and_one_of_1970_keep_their_times() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    write_files(directory.path(), &["app.2026-11-01.log", "app.2026-11-02.log", "app.2027-11-03.log"]);
    let set = |name: &str, seconds: u64| {
        File::options()
            .write(true)
            .open(directory.path().join(name))
            .expect("opens")
            .set_modified(at(seconds))
            .expect("set");
    };
    set("app.2026-11-01.log", 1);
    set("app.2026-11-02.log", 4_000_000_000);
    set("app.2027-11-03.log", 4_000_000_000);
    fs::create_dir(directory.path().join("app.2026")).expect("made");
    let before = state(directory.path());
    let files =
        daily(&hand).max_age(Duration::from_secs(DAY)).max_log_files(1).inspect(directory.path()).expect("inspects");
    let going = file_names(&files.to_prune().expect("listed"));
    assert_eq!(state(directory.path()), before);
    files.prune().expect("pruned");
    let after = all_names(directory.path());
    let gone: Vec<_> = before.into_iter().map(|found| found.0).filter(|name| !after.contains(name)).collect();
    assert_eq!(going, gone);
}
