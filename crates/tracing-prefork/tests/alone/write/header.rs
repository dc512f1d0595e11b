//! How a new file gets its first line and its mode: once, however many open it at the same time.

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tracing_prefork::{Appender, Rotation};

use crate::common;
use crate::common::header::daily;
use crate::common::{DAY, Hand, NOW, alone, log, mount_by_fuse, names, read, small_disk};
use crate::interposed::BEFORE_LINK;

#[test]
fn one_of_sixteen_processes_writes_the_header_of_each_file() {
    alone(|directory| {
        const PROCESSES: usize = 16;
        const DAYS: u64 = 200;
        let hand = Hand::at(NOW);
        let logs = daily(&hand).build(directory).expect("builds");
        let children: Vec<_> = (0..PROCESSES)
            .map(|process| {
                // SAFETY: this process has one thread.
                match unsafe { fork() }.expect("forks") {
                    ForkResult::Parent { child } => child,
                    ForkResult::Child => {
                        // Each has a clock of its own; they run at about the same speed.
                        for day in 1..=DAYS {
                            hand.set(NOW + day * DAY, 0);
                            log(&logs, &format!("{process}"));
                        }
                        // SAFETY: nothing of the parent's is to run.
                        unsafe { nix::libc::_exit(i32::from(logs.stats().errors > 0)) }
                    }
                }
            })
            .collect();
        for child in children {
            let ended = waitpid(child, None).expect("ends");
            assert!(matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)), "{ended:?}");
        }
        let files = names(directory);
        assert_eq!(files.len() as u64, DAYS + 1);
        for name in &files[1..] {
            let text = read(directory, name);
            let headers = text.lines().filter(|line| line.starts_with('#')).count();
            assert!(text.starts_with("# since ") && headers == 1, "{name}: {text}");
            assert_eq!(text.lines().count(), 1 + PROCESSES);
        }
    });
}

/// What the log files that this process has open are called. The hidden record of the names is open, too.
fn open_logs(directory: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").expect("listed").filter_map(|entry| entry.ok());
    let paths = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    let ours = paths.filter_map(|path| path.strip_prefix(directory).ok().map(|name| name.display().to_string()));
    ours.filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn an_open_log_is_seen_under_its_own_name() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand).file_mode(0o640).build(directory).expect("builds");
        log(&logs, "a line");
        assert_eq!(open_logs(directory), ["app.2026-11-21.log"]);
    });
}

#[test]
fn lines_are_whole_on_a_file_system_in_user_space() {
    alone(|directory| {
        let Some(mount) = mount_by_fuse(directory) else { return };
        let written = std::panic::catch_unwind(|| {
            let hand = Hand::at(NOW);
            let logs = daily(&hand).file_mode(0o640).build(&mount).expect("builds");
            let lines = |logs: &Appender, who: char| {
                (0..3000).for_each(|_| log(logs, &who.to_string().repeat(100)));
            };
            // SAFETY: one thread; the child ends by `_exit`.
            match unsafe { fork() }.expect("forks") {
                ForkResult::Child => {
                    let ended = std::panic::catch_unwind(|| {
                        lines(&daily(&hand).file_mode(0o640).build(&mount).expect("builds"), 'b');
                    });
                    // SAFETY: leaves without running the parent's exit handlers.
                    unsafe { nix::libc::_exit(i32::from(ended.is_err())) }
                }
                ForkResult::Parent { child } => {
                    lines(&logs, 'a');
                    waitpid(child, None).expect("waits");
                }
            }
            let text = read(&mount, "app.2026-11-21.log");
            let is_whole = |line: &&str| line.len() == 100 && line.bytes().all(|byte| byte == line.as_bytes()[0]);
            let whole = text.lines().filter(is_whole).count();
            assert_eq!((whole, text.lines().count()), (6000, 6001), "torn lines");
        });
        nix::mount::umount2(&mount, nix::mount::MntFlags::MNT_DETACH).expect("unmounted");
        written.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
    });
}

#[test]
fn a_file_has_its_mode_and_header_where_linkat_is_refused() {
    alone(|directory| {
        // As some seccomp filters, and FAT, have it.
        common::refuse_system_call(nix::libc::SYS_linkat, nix::errno::Errno::EPERM);
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
        let hand = Hand::at(NOW);
        let logs = hand.builder().rotation(Rotation::DAILY).header(|_| "# first".into()).file_mode(0o664);
        let logs = logs.build(directory).expect("builds");
        log(&logs, "a line");
        hand.set(NOW + DAY, 0);
        log(&logs, "another");
        assert_eq!(read(directory, "app.2026-11-21.log"), "# first\na line\n");
        assert_eq!(read(directory, "app.2026-11-22.log"), "# first\nanother\n");
        assert_eq!(names(directory), ["app.2026-11-21.log", "app.2026-11-22.log"]);
        assert!(!common::all_names(directory).iter().any(|name| name.ends_with(".tmp")));
        for name in names(directory) {
            let mode = fs::metadata(directory.join(name)).expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o664);
        }
    });
}

/// From now on files without a name are refused in this process as in a directory that is closed: `openat(2)` with
/// O_TMPFILE says EACCES.
fn refuse_unnamed_files() {
    use nix::libc;
    let filter = |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    let mut filters = [
        // The number of the call is the first word of `seccomp_data`; its third argument, the flags, is the ninth.
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 3, libc::SYS_openat as u32),
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 32),
        filter(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 1, (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EACCES as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    common::filter_system_calls(&mut filters);
}

#[test]
fn no_file_without_its_header_is_made_in_a_closed_directory() {
    alone(|directory| {
        refuse_unnamed_files();
        let refused = Hand::at(NOW).builder().rotation(Rotation::DAILY).header(|_| "# first".into()).build(directory);
        let error = refused.expect_err("the directory is closed").to_string();
        assert!(error.contains("Permission denied"), "{error}");
        assert_eq!(names(directory), [""; 0], "made in place, where others could have written before the first line");
    });
}

#[test]
fn a_volume_mounted_while_a_file_is_created_takes_the_file() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand).build(directory).expect("builds");
        hand.set(NOW + DAY, 0);
        let volume = directory.to_owned();
        BEFORE_LINK.set(Some(Box::new(move || {
            if !small_disk(&volume, "size=1m") {
                std::process::exit(0);
            }
        })));
        log(&logs, "a line");
        let midnight = NOW - NOW % DAY + DAY;
        assert_eq!(read(directory, "app.2026-11-22.log"), format!("# since {midnight}\na line\n"));
        assert_eq!(logs.stats().errors, 0);
    });
}
