//! Closed files become archives, and no line is lost on the way.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use tracing_prefork::Compression;

use crate::common;
use crate::common::compress::{
    KINDS, TOMORROW, compress, count, daily, decompress, lines, numbered, random, text, with_ending, yesterday,
};
use crate::common::{
    DAY, Hand, NOW, TODAY, a_tick, again, all_names, alone, at, directory_in_memory, eventually, log, names,
    operations, telling,
};

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

#[test]
fn the_archive_has_the_bytes_mode_owner_and_time_of_its_file() {
    alone(|_| {
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
    });
}

#[test]
fn a_late_line_becomes_a_further_part_of_the_archive() {
    alone(|_| {
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
    });
}

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

#[test]
fn a_child_forked_during_compression_does_not_keep_the_archive() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::{ForkResult, fork, pause};
    alone(|directory| {
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
fn late_lines_during_compression_are_all_there_once() {
    alone(|_| {
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
            let mut other = again(&[]).env(LATE, directory.path()).stdout(Stdio::null()).spawn().expect("starts");
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
    });
}

#[test]
fn on_a_full_disk_the_file_stays_plain_and_lines_find_room() {
    alone(|directory| {
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
fn files_are_compressed_where_setting_a_priority_is_deadly() {
    alone(|directory| {
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
fn the_work_may_have_the_priority_of_the_program() {
    alone(|directory| {
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
                    let directory = directory_in_memory();
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
