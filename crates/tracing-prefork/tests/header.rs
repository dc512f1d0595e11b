//! How a new file gets its first line and its mode: once, however many open it at the same time.

mod common;

use common::{DAY, Hand, NOW, alone, at, log, names, operations, read, refused, says, small_disk, telling};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;
use tracing_prefork::{Appender, Builder, Operation, Period, Rotation};

fn since(period: Period) -> String {
    format!("# since {}", period.start.duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
}

fn daily(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY).header(since)
}

#[test]
fn each_new_file_begins_with_the_line_of_its_period() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    log(&logs, "a line");
    // A file that is there has its first line, whoever made it.
    drop(daily(&hand).build(directory.path()).expect("builds"));
    fs::write(directory.path().join("app.2026-11-23.log"), "").expect("written");
    for day in [1, 2] {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "another");
    }
    let midnight = NOW - NOW % DAY;
    assert_eq!(read(directory.path(), "app.2026-11-21.log"), format!("# since {midnight}\na line\n"));
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), format!("# since {}\nanother\n", midnight + DAY));
    assert_eq!(read(directory.path(), "app.2026-11-23.log"), "another\n");
    assert_eq!(logs.stats().lines, 3);
}

#[test]
fn a_file_has_its_mode_with_its_first_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    drop(daily(&hand).file_mode(0o640).build(directory.path()).expect("builds"));
    let mode = fs::metadata(directory.path().join("app.2026-11-21.log")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // Without one, what a file that is simply created has.
    let plain = tempfile::tempdir().expect("a directory");
    drop(daily(&hand).build(plain.path()).expect("builds"));
    fs::write(plain.path().join("simply"), "").expect("written");
    let mode = |name: &str| fs::metadata(plain.path().join(name)).expect("there").permissions().mode();
    assert_eq!(mode("app.2026-11-21.log"), mode("simply"));
}

#[test]
fn an_empty_text_is_no_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().header(|_| String::new()).build(directory.path()).expect("builds");
    log(&logs, "a line");
    assert_eq!(read(directory.path(), "app.log"), "a line\n");
}

#[test]
fn what_the_header_logs_itself_goes_to_the_file_before() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = hand.builder().rotation(Rotation::DAILY).on_error(|_| {}).header(|period| {
        if let Some(logs) = LOGS.get() {
            log(logs, "from within");
        }
        since(period)
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    hand.set(NOW + DAY, 0);
    log(logs, "a line");
    let today = read(directory.path(), "app.2026-11-21.log");
    assert_eq!(today.lines().nth(1), Some("from within"), "{today}");
    let tomorrow = read(directory.path(), "app.2026-11-22.log");
    assert!(tomorrow.starts_with("# since") && tomorrow.ends_with("a line\n"), "{tomorrow}");
}

#[test]
fn of_sixteen_processes_that_open_two_hundred_files_at_once_one_writes_each_first_line() {
    let name = "of_sixteen_processes_that_open_two_hundred_files_at_once_one_writes_each_first_line";
    alone(name, &[], |directory| {
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
    alone("an_open_log_is_seen_under_its_own_name", &[], |directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand).file_mode(0o640).build(directory).expect("builds");
        log(&logs, "a line");
        assert_eq!(open_logs(directory), ["app.2026-11-21.log"]);
    });
}

/// Mounts `directory/files` at `directory/mount` by FUSE. `None`, and a word about it, where that is not possible.
fn mount_by_fuse(directory: &std::path::Path) -> Option<std::path::PathBuf> {
    let [files, mount] = ["files", "mount"].map(|name| directory.join(name));
    [&files, &mount].into_iter().for_each(|directory| fs::create_dir(directory).expect("made"));
    let mounted = std::process::Command::new("bindfs").args([&files, &mount]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        writeln!(std::io::stderr(), "SKIPPED: bindfs cannot mount").expect("told");
        return None;
    }
    Some(mount)
}

#[test]
fn on_a_file_system_in_user_space_lines_of_two_processes_are_whole() {
    alone("on_a_file_system_in_user_space_lines_of_two_processes_are_whole", &[], |directory| {
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
fn where_links_are_refused_a_file_has_its_mode_and_its_first_line() {
    alone("where_links_are_refused_a_file_has_its_mode_and_its_first_line", &[], |directory| {
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
fn in_a_directory_that_is_closed_for_a_moment_no_file_has_lines_before_its_first() {
    alone("in_a_directory_that_is_closed_for_a_moment_no_file_has_lines_before_its_first", &[], |directory| {
        refuse_unnamed_files();
        let refused = Hand::at(NOW).builder().rotation(Rotation::DAILY).header(|_| "# first".into()).build(directory);
        let error = refused.expect_err("the directory is closed").to_string();
        assert!(error.contains("Permission denied"), "{error}");
        assert_eq!(names(directory), [""; 0], "made in place, where others could have written before the first line");
    });
}

#[test]
fn a_header_that_leaves_no_room_for_a_line_is_refused() {
    let of = |length: usize| Hand::at(NOW).builder().max_file_bytes(1000).header(move |_| "x".repeat(length));
    says(&refused(of(999)), &["header", "1000 bytes", "max_file_bytes(1000)"]);
    says(&refused(of(5000).lock_writes(true)), &["header", "5001 bytes", "max_file_bytes(1000)"]);
    let directory = tempfile::tempdir().expect("a directory");
    of(998).build(directory.path()).expect("there is room for a line");
}

#[test]
fn a_header_that_grows_beyond_the_limit_is_left_out_and_reported() {
    for locked in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let midnight = at(NOW - NOW % DAY);
        let grows = move |period: Period| "x".repeat(if period.start > midnight { 5000 } else { 100 });
        let builder = hand.builder().rotation(Rotation::DAILY).max_file_bytes(1000).lock_writes(locked).header(grows);
        let (told, builder) = telling(builder);
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "a line");
        hand.set(NOW + DAY, 0);
        (0..20).for_each(|number| log(&logs, &format!("{number:099}")));
        let files = names(directory.path());
        assert!(files.len() <= 5, "{files:?}");
        assert_eq!(logs.stats().lines, 21);
        assert_eq!(operations(&told), [Operation::UserCode], "one report a minute");
        says(&told.lock().expect("unpoisoned")[0].1, &["app.2026-11-22.log", "header", "5001 bytes"]);
        assert!(!read(directory.path(), "app.2026-11-22.log").contains('x'));
    }
}

#[test]
fn a_line_that_does_not_fit_behind_the_header_has_a_file_to_itself() {
    for locked in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let build = || hand.builder().max_file_bytes(1000).lock_writes(locked).header(|_| "h".repeat(899));
        let logs = build().build(directory.path()).expect("builds");
        let other = build().build(directory.path()).expect("builds");
        for number in 0..10 {
            log(&logs, &format!("{number:0199}"));
            log(&other, &format!("{number:0199}"));
        }
        let files = names(directory.path());
        assert!(files.len() <= 21, "one file an event at most: {}", files.len());
        let lines: usize = files.iter().map(|name| read(directory.path(), name).lines().count() - 1).sum();
        assert_eq!(lines, 20);
    }
}

thread_local! {
    /// What this thread does before it gives its next file a name.
    static BEFORE_LINK: std::cell::Cell<Option<Box<dyn FnOnce()>>> = const { std::cell::Cell::new(None) };
}

/// Takes the place of the C library's, in this program: tests need not hit the moment by chance.
#[unsafe(no_mangle)]
extern "C" fn linkat(
    from: nix::libc::c_int,
    old: *const nix::libc::c_char,
    to: nix::libc::c_int,
    new: *const nix::libc::c_char,
    flags: nix::libc::c_int,
) -> nix::libc::c_int {
    if let Ok(Some(deed)) = BEFORE_LINK.try_with(std::cell::Cell::take) {
        deed();
    }
    // SAFETY: hands the same arguments on, and answers as `linkat` does.
    unsafe { nix::libc::syscall(nix::libc::SYS_linkat, from, old, to, new, flags) as nix::libc::c_int }
}

#[test]
fn a_volume_that_is_mounted_while_a_file_is_created_takes_the_file() {
    alone("a_volume_that_is_mounted_while_a_file_is_created_takes_the_file", &[], |directory| {
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

thread_local! {
    /// So many of this thread's files without a name are refused, as ext4 refuses one in a directory that has just been
    /// removed.
    static REFUSED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Takes the place of the C library's, in this program, and takes its third argument as a system call does.
#[unsafe(no_mangle)]
extern "C" fn open(
    path: *const nix::libc::c_char,
    flags: nix::libc::c_int,
    mode: nix::libc::mode_t,
) -> nix::libc::c_int {
    let is_unnamed = flags & nix::libc::O_TMPFILE == nix::libc::O_TMPFILE;
    let left = if is_unnamed { REFUSED.try_with(std::cell::Cell::get).unwrap_or(0) } else { 0 };
    if left > 0 {
        REFUSED.set(left - 1);
        nix::errno::Errno::EPERM.set();
        return -1;
    }
    // SAFETY: hands the same arguments on, and answers as `open` does.
    unsafe { nix::libc::syscall(nix::libc::SYS_openat, nix::libc::AT_FDCWD, path, flags, mode) as nix::libc::c_int }
}

#[test]
fn a_directory_that_is_removed_in_the_moment_in_which_a_file_is_created_costs_no_report() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    hand.set(NOW + DAY, 0);
    REFUSED.set(2);
    log(&logs, "a line");
    assert!(read(directory.path(), "app.2026-11-22.log").ends_with("a line\n"));
    assert_eq!((REFUSED.get(), logs.stats().errors), (0, 0));
    // To a directory to which nothing may be added nothing is added.
    hand.set(NOW + 2 * DAY, 0);
    REFUSED.set(u32::MAX);
    log(&logs, "another line");
    assert!(read(directory.path(), "app.2026-11-22.log").ends_with("a line\nanother line\n"));
    REFUSED.set(0);
    assert_eq!(logs.stats().errors, 1);
}
