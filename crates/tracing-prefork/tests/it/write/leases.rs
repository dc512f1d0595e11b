//! The lease: which process may still write to a file, what holds when the kernel refuses such a lock, and who lets go
//! of it when.

use nix::errno::Errno;
use nix::libc;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use tracing_prefork::{Appender, Operation, Rotation};
#[cfg(feature = "gzip")]
use tracing_subscriber::fmt::MakeWriter;

use crate::common::leases::daily;
use crate::common::lock_writes::{LEASE_BYTE, lock_byte};
use crate::common::{DAY, Hand, NOW, TODAY, log, names, operations, read, says, telling};

/// An appender that prunes all but the newest file, by a clock that is two days ahead.
fn pruning(directory: &Path) -> Appender {
    let hand = Hand::at(NOW + 2 * DAY);
    hand.builder().rotation(Rotation::DAILY).max_log_files(1).build(directory).expect("builds")
}

/// From now on the kernel answers ENOLCK to this thread when it asks for an open file description lock. `false`, and a
/// word about it, where that cannot be arranged.
fn refuse_locks() -> bool {
    const NUMBER: u32 = 0;
    // The low half of the second argument, on a machine that stores low halves first.
    const COMMAND: u32 = 16 + 8;
    let load = |offset| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
    let unless = |value, skip| libc::sock_filter { code: 0x15, jt: 0, jf: skip, k: value };
    let answer = |k| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k };
    let mut program = [
        load(NUMBER),
        unless(libc::SYS_fcntl as u32, 3),
        load(COMMAND),
        unless(libc::F_OFD_SETLK as u32, 1),
        answer(libc::SECCOMP_RET_ERRNO | Errno::ENOLCK as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program is there for the length of the call, which copies it.
    let set = cfg!(target_endian = "little")
        && unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
    if !set {
        writeln!(std::io::stderr(), "SKIPPED: no system call may be filtered: {}", Errno::last()).expect("told");
    }
    set
}

/// Runs `work` in a thread that gets no locks, and `beside` in this one; does nothing where that cannot be arranged.
fn without_locks(work: impl FnOnce() + Send, beside: impl FnOnce()) {
    if !thread::spawn(refuse_locks).join().expect("no panic") {
        return;
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            refuse_locks();
            work();
        });
        beside();
    });
}

#[test]
fn a_process_without_a_lease_keeps_its_lines_despite_pruning() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let (told, builder) = telling(Hand::at(NOW).builder().rotation(Rotation::DAILY));
    let (written, wait_for_line) = mpsc::channel();
    let (pruned, wait_for_pruner) = mpsc::channel();
    let writer = move || {
        let logs = builder.build(directory).expect("builds");
        log(&logs, "1");
        written.send(()).expect("sent");
        wait_for_pruner.recv().expect("received");
        (2..=21).for_each(|number| log(&logs, &number.to_string()));
        let expected: String = (2..=21).map(|number| format!("{number}\n")).collect();
        assert_eq!(read(directory, TODAY), expected);
        assert_eq!((logs.stats().writes, logs.stats().lines_lost), (21, 0));
        assert!(operations(&told).contains(&Operation::Lease), "{told:?}");
        says(&told.lock().expect("unpoisoned")[0].1, &[TODAY, "No locks available"]);
    };
    without_locks(writer, || {
        wait_for_line.recv().expect("received");
        pruning(directory);
        assert_eq!(names(directory), ["app.2026-11-23.log"], "nothing tells the pruner");
        pruned.send(()).expect("sent");
    });
}

#[test]
fn a_process_that_gets_no_lease_keeps_trying() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY));
    let logs = builder.build(directory.path()).expect("builds");
    let first = || {
        (0..10).for_each(|_| log(&logs, "without a lease"));
        assert_eq!(logs.stats().errors, 1, "tried once a second");
        assert_eq!(operations(&told), [Operation::Lease]);
    };
    without_locks(first, || ());
    hand.set(NOW + 1, 0);
    log(&logs, "with a lease");
    pruning(directory.path());
    assert_eq!(names(directory.path()), [TODAY, "app.2026-11-23.log"]);
}

#[test]
fn a_pruner_that_gets_no_lock_removes_nothing_and_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    fs::write(directory.join(TODAY), "a line\n").expect("written");
    let logs = Hand::at(NOW + 2 * DAY).builder().rotation(Rotation::DAILY).max_log_files(1);
    let (told, builder) = telling(logs);
    let pruner = move || {
        let logs = builder.build(directory).expect("builds");
        let error = logs.prune().expect_err("the kernel refuses the lock");
        says(&error.to_string(), &["cannot prune", "No locks available"]);
        assert_eq!(operations(&told), [Operation::Retention]);
        assert_eq!(names(directory), [TODAY, "app.2026-11-23.log"]);
    };
    without_locks(pruner, || ());
}

#[test]
fn a_parent_that_never_writes_holds_up_no_pruning() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let idle = daily(&hand, directory.path());
    pruning(directory.path());
    assert_eq!(names(directory.path()), ["app.2026-11-23.log"]);
    // By the clock of the idle process that day is not over.
    log(&idle, "the first line");
    log(&idle, "the second line");
    assert_eq!(read(directory.path(), TODAY), "the first line\nthe second line\n");
    pruning(directory.path());
    assert_eq!(names(directory.path()), [TODAY, "app.2026-11-23.log"], "now it is in use");
}

#[cfg(feature = "gzip")]
#[test]
fn by_hand_a_process_lets_go_of_the_past_file_it_wrote_last() {
    use tracing_prefork::Compression;
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = || hand.builder().rotation(Rotation::DAILY);
    let idle = builder().compress(Compression::Gzip).build(directory.path()).expect("builds");
    let mut late = idle.make_writer();
    late.write_all(b"begun on the first day").expect("kept");
    log(&idle, "the last line before a pause");
    assert_eq!(idle.compress().expect("compresses"), 0, "the day is not over");
    hand.set(NOW + DAY, 0);
    let hook = |path: &Path, _| assert!(path.ends_with(TODAY), "{path:?}");
    let other = builder().on_finished(hook).build(directory.path()).expect("builds");
    assert_eq!(other.hand_over().expect("hands over"), 0, "the idle process holds the file");
    assert_eq!(idle.compress().expect("compresses"), 1);
    log(&idle, "the first line after it");
    drop(late);
    assert_eq!(read(directory.path(), TODAY), "begun on the first day\n");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "the first line after it\n");
    // The two have other options, which is told.
    assert_eq!((idle.stats().errors, idle.stats().lines_lost), (1, 0));
}

/// Claims a file, as a process does that is about to remove it, until what is returned is dropped.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn claim(path: &Path) -> fs::File {
    let file = fs::File::options().read(true).write(true).open(path).expect("opens");
    lock_byte(&file, libc::F_WRLCK, LEASE_BYTE);
    file
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn no_line_goes_into_the_only_file_while_somebody_removes_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (told, builder) = telling(crate::common::builder());
    let logs = builder.build(directory.path()).expect("builds");
    let claimed = claim(&logs.path());
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|thread| {
                let logs = &logs;
                scope.spawn(move || (0..3).for_each(|number| log(logs, &format!("{thread} {number}"))))
            })
            .collect();
        // Longer than any process needs for it.
        thread::sleep(std::time::Duration::from_millis(200));
        fs::remove_file(logs.path()).expect("removed");
        drop(claimed);
        writers.into_iter().for_each(|writer| writer.join().expect("written"));
    });
    assert_eq!(read(directory.path(), TODAY).lines().count(), 12);
    assert_eq!(operations(&told), []);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn no_line_goes_into_a_file_whose_remover_was_stopped() {
    let directory = tempfile::tempdir().expect("a directory");
    let (told, builder) = telling(crate::common::builder());
    let logs = builder.build(directory.path()).expect("builds");
    let claimed = claim(&logs.path());
    for number in 0..20 {
        let answer = crate::common::try_log(&logs, &format!("line {number}"));
        assert_eq!(answer.expect_err("refused").raw_os_error(), Some(Errno::EBUSY as i32));
    }
    assert_eq!(operations(&told), [Operation::Write]);
    fs::remove_file(logs.path()).expect("removed");
    drop(claimed);
    log(&logs, "goes on");
    assert_eq!(read(directory.path(), TODAY), "goes on\n");
}
