//! What a process does with its descriptors and children: fork, exec, daemons. Each test runs in a process of its own.

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::fmt::MakeWriter;

use crate::common::{DAY, Hand, NOW, alone, in_child, log, names, read};

fn daily(hand: &Hand, directory: &Path) -> Appender {
    hand.builder().rotation(Rotation::DAILY).build(directory).expect("builds")
}

/// What the open descriptors of this process lead to.
fn descriptors() -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc/self/fd").expect("listed");
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, fs::read_link(path).ok()?.to_str()?.to_owned()))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_child_starts_its_own_count_and_writes_to_the_same_file() {
    alone(|directory| {
        let logs = daily(&Hand::at(NOW), directory);
        log(&logs, "parent");
        in_child(|| {
            assert_eq!(logs.stats().writes, 0);
            log(&logs, "child");
            assert_eq!(logs.stats().writes, 1);
        });
        log(&logs, "parent again");
        assert_eq!(logs.stats().writes, 2);
        assert_eq!(read(directory, "app.2026-11-21.log"), "parent\nchild\nparent again\n");
    });
}

#[test]
fn the_parent_writes_the_piece_that_a_child_inherits() {
    alone(|directory| {
        let mut logs = daily(&Hand::at(NOW), directory);
        logs.write_all(b"the parent's ").expect("writes");
        in_child(|| {
            logs.write_all(b"the child's\n").expect("writes");
            logs.flush().expect("nothing to write");
        });
        logs.write_all(b"own\n").expect("writes");
        assert_eq!(read(directory, "app.2026-11-21.log"), "the child's\nthe parent's own\n");
    });
}

#[test]
fn an_event_begun_before_a_fork_is_written_by_the_parent_alone() {
    alone(|directory| {
        let logs = daily(&Hand::at(NOW), directory);
        let mut event = Some(logs.make_writer());
        event.as_mut().expect("there").write_all(b"be").expect("writes");
        in_child(|| {
            let mut inherited = event.take().expect("there");
            inherited.write_all(b"gun by the child\n").expect("taken");
            inherited.flush().expect("nothing to write");
            inherited.write_all(b"the child's own").expect("taken");
            drop(inherited);
            drop(logs.make_writer());
        });
        event.as_mut().expect("there").write_all(b"gun").expect("writes");
        drop(event);
        assert_eq!(read(directory, "app.2026-11-21.log"), "the child's own\nbegun\n");

        // Whoever forks while a text is formatted.
        struct Forks(bool);
        impl std::fmt::Display for Forks {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // SAFETY: this process has one thread.
                match unsafe { fork() }.expect("forks") {
                    ForkResult::Parent { child } => {
                        assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
                        f.write_str("parent")
                    }
                    ForkResult::Child => f.write_str(if self.0 { "child" } else { "c" }),
                }
            }
        }
        let process = nix::unistd::getpid();
        for (long, padding) in [(false, 1), (true, 1000)] {
            writeln!(&logs, "{} and {:padding$}", Forks(long), "x").expect("writes");
            if nix::unistd::getpid() != process {
                // SAFETY: leaves without running the parent's exit handlers.
                unsafe { nix::libc::_exit(i32::from(logs.stats().writes > 0)) }
            }
            let text = read(directory, "app.2026-11-21.log");
            assert!(text.lines().last().is_some_and(|line| line.starts_with("parent and x")), "{text}");
            assert_eq!(text.lines().count(), if long { 4 } else { 3 }, "{text}");
        }
        write!(logs.make_writer(), "{}", Forks(true)).expect("writes");
        if nix::unistd::getpid() != process {
            // SAFETY: as above.
            unsafe { nix::libc::_exit(i32::from(logs.stats().writes > 0)) }
        }
        assert!(read(directory, "app.2026-11-21.log").ends_with("\nparent\n"));
    });
}

#[test]
fn an_appender_keeps_four_descriptors_at_most() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let before = descriptors().len();
        let logs = daily(&hand, directory);
        for day in 0..50 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "a line");
            // Two log files, the record of the names, and the settings.
            assert!(descriptors().len() <= before + 4, "{:?}", descriptors());
        }
        // Some seconds into the day the file of the day before is let go.
        hand.set(NOW + 49 * DAY + 60, 0);
        log(&logs, "a line");
        let files: std::collections::BTreeSet<_> =
            descriptors().into_iter().map(|(_, file)| file).filter(|file| file.ends_with(".log")).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        drop(logs);
        assert_eq!(descriptors().len(), before);
    });
}

#[test]
fn a_child_that_rolls_over_lets_go_of_the_files_it_inherited() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand, directory);
        hand.set(NOW + DAY, 0);
        log(&logs, "both slots are in use now");
        in_child(|| {
            hand.set(NOW + 2 * DAY, 0);
            log(&logs, "child");
            let open: Vec<_> = descriptors().into_iter().filter(|(_, file)| file.ends_with(".log")).collect();
            assert!(open.iter().all(|(_, file)| file.ends_with("app.2026-11-23.log")), "{open:?}");
        });
    });
}

#[test]
fn a_program_started_by_exec_finds_no_descriptor_of_ours() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let builder = hand.builder().rotation(Rotation::DAILY).max_log_files(5).latest_symlink("latest");
        let logs = builder.build(directory).expect("builds");
        hand.set(NOW + DAY, 0);
        log(&logs, "both slots are in use now");
        let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().expect("runs").stdout;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        assert!(listed.contains(" 0 ->") && !listed.contains("app."), "{listed}");
    });
}

#[test]
fn programs_started_during_rollovers_inherit_no_descriptor() {
    // `Command` uses posix_spawn(3), and so vfork(2), unless it is given something to do before exec.
    alone(|directory| {
        let hand = Hand::at(NOW);
        let builder = hand.builder().rotation(Rotation::SECONDLY).max_log_files(2).lock_writes(true);
        let logs = builder.latest_symlink("latest").build(directory).expect("builds");
        let (over, second) = (AtomicBool::new(false), AtomicU64::new(NOW));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Relaxed) {
                        hand.set(second.fetch_add(1, Relaxed), 0);
                        log(&logs, "a line");
                    }
                });
            }
            // A busy disk can keep the two threads from rolling over for longer than sixty programs take.
            let has_rolled_over = || logs.stats().rollovers > 60;
            for turn in (0..5000).take_while(|turn| *turn < 60 || !has_rolled_over()) {
                let mut list = Command::new("ls");
                list.args(["-l", "/proc/self/fd"]);
                if turn % 2 == 0 {
                    // SAFETY: does nothing; it has the program forked and executed instead.
                    unsafe { list.pre_exec(|| Ok(())) };
                }
                let listed = String::from_utf8_lossy(&list.output().expect("runs").stdout).into_owned();
                assert!(listed.contains(" 0 ->") && !listed.contains("app."), "{listed}");
            }
            over.store(true, Relaxed);
        });
        assert!(logs.stats().rollovers > 60);
    });
}

#[test]
fn a_closed_descriptor_is_replaced_and_its_number_left_alone() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand, directory);
        hand.set(NOW + DAY, 0);
        log(&logs, "before");
        let ours: Vec<_> = descriptors().into_iter().filter(|(_, file)| file.ends_with(".log")).collect();
        assert_eq!(ours.len(), 2);
        for (number, _) in &ours {
            nix::unistd::close(*number).expect("closed behind our back");
        }
        log(&logs, "closed");
        assert_eq!(read(directory, "app.2026-11-22.log"), "before\nclosed\n");
        log(&logs, "as usual");
        hand.set(NOW + 2 * DAY, 0);
        log(&logs, "rolled over");
        assert_eq!(read(directory, "app.2026-11-22.log"), "before\nclosed\nas usual\n");
        assert_eq!(read(directory, "app.2026-11-23.log"), "rolled over\n");
        assert_eq!(logs.stats().writes, 4);
        assert_eq!(logs.stats().lines_lost, 0);
    });
}

#[test]
fn a_daemon_that_closed_everything_keeps_its_own_files() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand, directory);
        hand.set(NOW + DAY, 0);
        log(&logs, "before");
        let ours: Vec<_> = descriptors().into_iter().filter(|(_, file)| file.ends_with(".log")).collect();
        in_child(|| {
            for (number, _) in &ours {
                nix::unistd::close(*number).expect("closed");
            }
            // A daemon that puts a socket and a file of its own at these very numbers.
            let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
            let mut own =
                fs::File::options().create_new(true).read(true).write(true).open(directory.join("own")).expect("opens");
            let [(first, _), (second, _)] = ours[..] else { panic!("{ours:?}") };
            for (number, file) in [(first, listener.as_raw_fd()), (second, own.as_raw_fd())] {
                // SAFETY: the number is free, and what it is given stays open.
                assert_eq!(unsafe { nix::libc::dup2(file, number) }, number);
            }
            log(&logs, "the daemon");
            hand.set(NOW + 2 * DAY, 0);
            log(&logs, "rolled over");
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
            listener.accept().expect("still a listener");
            drop(client);
            own.write_all(b"its own").expect("writes");
            own.seek(SeekFrom::Start(0)).expect("seeks");
            let mut text = String::new();
            own.read_to_string(&mut text).expect("reads");
            assert_eq!(text, "its own");
        });
        assert_eq!(read(directory, "app.2026-11-22.log"), "before\nthe daemon\n");
        assert_eq!(read(directory, "app.2026-11-23.log"), "rolled over\n");
    });
}

#[test]
fn a_changed_working_directory_changes_nothing() {
    alone(|directory| {
        std::env::set_current_dir(directory).expect("changes");
        let hand = Hand::at(NOW);
        let logs = daily(&hand, Path::new("logs"));
        std::env::set_current_dir("/").expect("changes");
        hand.set(NOW + DAY, 0);
        log(&logs, "a line");
        assert_eq!(names(&directory.join("logs")), ["app.2026-11-21.log", "app.2026-11-22.log"]);
    });
}

#[test]
fn closed_descriptors_lose_lines_but_end_nothing() {
    alone(|directory| {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let hand = Hand::at(NOW);
        let builder = hand.builder().rotation(Rotation::DAILY).on_error(|_| {});
        let logs = builder.build(directory).expect("builds");
        hand.set(NOW + DAY, 0);
        log(&logs, "before");
        for (number, _) in descriptors().into_iter().filter(|(_, file)| file.ends_with(".log")) {
            nix::unistd::close(number).expect("closed behind our back");
        }
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("read");
        setrlimit(Resource::RLIMIT_NOFILE, 3, hard).expect("set");
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        writeln!(&logs, "lost").expect_err("nothing can be opened");
                    }
                });
            }
        });
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("set");
        assert_eq!((logs.stats().writes, logs.stats().lines_lost), (1, 3200));
        hand.set(NOW + DAY + 1, 0);
        log(&logs, "after");
        assert_eq!(read(directory, "app.2026-11-22.log"), "before\nafter\n");
    });
}

#[test]
fn a_late_line_for_a_slot_whose_number_was_given_up_is_written() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand, directory);
        hand.set(NOW + DAY, 0);
        log(&logs, "before");
        for (number, _) in descriptors().into_iter().filter(|(_, file)| file.ends_with(".log")) {
            nix::unistd::close(number).expect("closed behind our back");
        }
        hand.set(NOW + 2 * DAY, 0);
        log(&logs, "rolled over");
        hand.set(NOW + DAY, 0);
        log(&logs, "late");
        hand.set(NOW, 0);
        log(&logs, "later");
        assert_eq!(read(directory, "app.2026-11-21.log"), "later\n");
        assert_eq!(read(directory, "app.2026-11-22.log"), "before\nlate\n");
        assert_eq!(read(directory, "app.2026-11-23.log"), "rolled over\n");
    });
}

#[test]
fn a_log_is_never_one_of_the_three_standard_descriptors() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand, directory);
        in_child(|| {
            for number in 0..256 {
                let _ = nix::unistd::close(number);
            }
            log(&logs, "before");
            hand.set(NOW + DAY, 0);
            log(&logs, "rolled over");
            assert!((0..3).all(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_err()));
        });
        assert_eq!(read(directory, "app.2026-11-21.log"), "before\n");
        assert_eq!(read(directory, "app.2026-11-22.log"), "rolled over\n");
    });
}

#[test]
fn a_child_that_a_handler_forks_during_a_write_rolls_over() {
    alone(|directory| {
        use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
        use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};
        static CHILD: AtomicI32 = AtomicI32::new(-1);
        static WRITING: AtomicBool = AtomicBool::new(false);
        extern "C" fn fork_here(_: i32) {
            // SAFETY: fork is async-signal-safe here: the process has one thread that runs code of ours.
            if let Ok(ForkResult::Parent { child }) = unsafe { fork() } {
                CHILD.store(child.as_raw(), Relaxed);
            } else {
                CHILD.store(0, Relaxed);
            }
        }
        let action = SigAction::new(SigHandler::Handler(fork_here), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler only forks and stores to an atomic.
        unsafe { sigaction(Signal::SIGALRM, &action) }.expect("set");
        let hand = Hand::at(NOW);
        let logs = daily(&hand, directory);
        // A whole line, which is written as it is: a fork in the middle of an allocation would wait for its own lock.
        let line = "x".repeat(500_000) + "\n";
        for round in 1..=20 {
            CHILD.store(-1, Relaxed);
            WRITING.store(false, Relaxed);
            // The write is long, and the signal comes to this thread in the middle of it.
            let timer = std::time::Duration::from_micros(50 * round);
            let writer = nix::sys::pthread::pthread_self();
            let alarm = std::thread::spawn(move || {
                while !WRITING.load(Relaxed) {
                    std::thread::yield_now();
                }
                std::thread::sleep(timer);
                let _ = nix::sys::pthread::pthread_kill(writer, Signal::SIGALRM);
            });
            (&logs).write_all(line.as_bytes()).expect("writes");
            WRITING.store(true, Relaxed);
            while CHILD.load(Relaxed) == -1 {
                (&logs).write_all(line.as_bytes()).expect("writes");
            }
            if CHILD.load(Relaxed) == 0 {
                for day in 1..=6 {
                    hand.set(NOW + day * DAY, 0);
                    log(&logs, "child");
                }
                let rolled = logs.stats().rollovers >= 6;
                // SAFETY: leaves without running the parent's exit handlers.
                unsafe { nix::libc::_exit(i32::from(!rolled)) }
            }
            alarm.join().expect("ends");
            let child = nix::unistd::Pid::from_raw(CHILD.load(Relaxed));
            assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0), "a slot stayed pinned");
            for name in names(directory) {
                fs::write(directory.join(name), "").expect("emptied");
            }
        }
    });
}
