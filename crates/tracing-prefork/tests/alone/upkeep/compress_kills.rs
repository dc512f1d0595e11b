//! A process that is killed while it compresses leaves the file or its archive.

use crate::common::compress::{
    KINDS, compress, count, daily, decompress, lines, numbered, random, text, with_ending, yesterday,
};
use crate::common::{
    DAY, Hand, NOW, TODAY, a_tick, again, all_names, alone, directory_in_memory, names, operations, telling,
};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use tracing_prefork::Compression;

#[test]
fn the_archives_name_is_on_the_disk_before_the_plain_file_goes() {
    alone(|_| {
        if let Some(directory) = std::env::var_os("TEST_DIES_IN") {
            compress(&Hand::at(NOW), KINDS[0].0, Path::new(&directory));
            return;
        }
        if Command::new("strace").arg("-V").output().is_err() {
            return writeln!(io::stderr(), "SKIPPED: strace is not installed").expect("told");
        }
        let directory = tempfile::tempdir().expect("a directory");
        let trace = directory.path().join("trace");
        for late in [false, true] {
            // The second time the archive that is there is replaced.
            yesterday(directory.path(), if late { "late\n" } else { "on time\n" });
            let out = trace.to_str().expect("UTF-8");
            let calls = "trace=linkat,rename,renameat,renameat2,fsync,unlink,unlinkat";
            let status = victim(directory.path(), &["strace", "-f", "-qq", "-y", "-o", out, "-e", calls]).status();
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
    });
}

/// How many files a killed child has to work on, and the most lines of each.
const FILES: u64 = 12;

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
        if random(&mut seed) % 2 == 0 {
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

/// This test in a process of its own, which works until it is killed.
fn victim(directory: &Path, wrapper: &[&str]) -> Command {
    let mut command = again(wrapper);
    command.env("TEST_DIES_IN", directory).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_kill_at_any_time_leaves_the_file_or_its_archive() {
    alone(|_| {
        let number = |variable: &str| std::env::var(variable).ok().and_then(|value| value.parse::<u64>().ok());
        if let Some(directory) = std::env::var_os("TEST_DIES_IN") {
            let directory = Path::new(&directory);
            let (kind, seed) = (number("TEST_KIND").expect("given") as usize, number("TEST_SEED").expect("given"));
            return work_until_killed(&directory.join("logs"), &directory.join("acknowledged"), KINDS[kind].0, seed);
        }
        let kills = number("COMPRESS_KILLS").unwrap_or(60);
        let (mut seed, mut both) = (SystemTime::UNIX_EPOCH.elapsed().map_or(7, |since| since.as_nanos() as u64) | 1, 0);
        for (index, &(kind, ending)) in KINDS.iter().enumerate() {
            let directory = directory_in_memory();
            let (logs, acknowledged) = (directory.path().join("logs"), directory.path().join("acknowledged"));
            fs::create_dir(&logs).expect("made");
            fs::write(&acknowledged, [0; FILES as usize * 8]).expect("written");
            for _ in 0..kills.div_ceil(KINDS.len() as u64) {
                let mut child = victim(directory.path(), &[])
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
    });
}

#[test]
fn a_kill_at_any_system_call_leaves_the_file_or_its_archive() {
    alone(|_| {
        if let Some(directory) = std::env::var_os("TEST_DIES_IN") {
            let hand = Hand::at(NOW);
            let kind =
                KINDS[std::env::var("TEST_KIND").ok().and_then(|kind| kind.parse::<usize>().ok()).expect("given")].0;
            let logs = daily(&hand, kind).max_log_files(4).build(Path::new(&directory)).expect("builds");
            logs.compress().expect("compresses");
            logs.prune().expect("prunes");
            return;
        }
        if Command::new("strace").arg("-V").output().is_err() {
            return writeln!(io::stderr(), "SKIPPED: strace is not installed").expect("told");
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
                    // File systems answer differently: each third archive is made on the disk.
                    let directory = match when % 3 {
                        0 => tempfile::tempdir().expect("made"),
                        _ => directory_in_memory(),
                    };
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
                    let status = victim(
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
    });
}
