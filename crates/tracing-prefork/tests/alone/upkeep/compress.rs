//! Closed files become archives, and no line is lost on the way.

use crate::common;
use crate::common::compress::{
    KINDS, TOMORROW, compress, daily, decompress, lines, random, text, with_ending, yesterday,
};
use crate::common::settings::other_reports;
use crate::common::{DAY, Hand, NOW, TODAY, again, all_names, alone, at, eventually, log, names, telling};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
            // The other process does not compress.
            assert_eq!(other_reports(&told), []);
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
