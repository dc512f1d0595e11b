//! Processes of one pattern with other options are told once, with both values, and only while both are at work.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use tracing_prefork::{Builder, Operation};

use crate::common::settings::{SETTINGS, disagreements, somebody_disagrees};
use crate::common::{
    DAY, Hand, NOW, alone, child, daily, eventually, is_root, limit, limited, log, noted, operations, read, says,
    set_mode, small_disk, telling,
};

/// Has each report of other options in a file.
fn noting(builder: Builder, file: &Path) -> Builder {
    let file = file.to_owned();
    builder.on_error(move |error| {
        if error.operation() != Operation::Settings {
            return;
        }
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&file).expect("opens");
        writeln!(file, "{} {error}", error.operation()).expect("written");
    })
}

/// A process that builds and then does what it is told: it writes a line for each byte, and ends at the end.
struct Worker {
    pid: Pid,
    orders: UnixStream,
}

impl Worker {
    fn start(hand: &Hand, directory: &Path, builder: impl FnOnce() -> Builder) -> Self {
        let (orders, mut to_do) = UnixStream::pair().expect("made");
        let hand = hand.clone();
        let pid = child(|| {
            let logs = builder().build(directory).expect("builds");
            to_do.write_all(b"x").expect("told");
            let mut day = [0];
            while to_do.read(&mut day).expect("read") > 0 {
                hand.set(NOW + u64::from(day[0]) * DAY, 0);
                log(&logs, "a line");
                to_do.write_all(b"x").expect("told");
            }
        });
        let mut worker = Self { pid, orders };
        worker.wait();
        worker
    }

    fn wait(&mut self) {
        self.orders.read_exact(&mut [0]).expect("the process has done it");
    }

    /// Has it write a line of that day.
    fn write(&mut self, day: u8) {
        self.orders.write_all(&[day]).expect("told");
        self.wait();
    }

    fn kill(self) {
        kill(self.pid, Signal::SIGKILL).expect("killed");
        waitpid(self.pid, None).expect("ended");
    }
}

#[test]
fn an_old_and_a_new_process_are_each_told_once_while_both_run() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = directory.join("logs");
        let told = |name: &str| noted(&directory.join(name));
        let build = |name: &str, limit| noting(daily(&hand).max_log_files(limit), &directory.join(name));
        let mut old = Worker::start(&hand, &logs, || build("old", 14));
        let mut new = Worker::start(&hand, &logs, || build("new", 30));
        for day in 1..20 {
            old.write(day);
            new.write(day);
        }
        assert_eq!((told("old").len(), told("new").len()), (1, 1), "{:?} {:?}", told("old"), told("new"));
        says(&told("old")[0], &["settings ", &format!("max_log_files is 14 here, 30 in process {}", new.pid)]);
        says(&told("new")[0], &["settings ", &format!("max_log_files is 30 here, 14 in process {}", old.pid)]);
        // When the old process has ended, by whatever cause, nobody hears of its options any more.
        old.kill();
        let mut newer = Worker::start(&hand, &logs, || build("newer", 30));
        for day in 20..40 {
            newer.write(day);
            new.write(day);
        }
        assert_eq!((told("newer").len(), told("new").len()), (0, 1));
        new.kill();
        newer.kill();
        assert!(!somebody_disagrees(&logs, daily(&hand).max_log_files(31)));
    });
}

#[test]
fn a_forked_child_has_its_parents_options_and_is_not_told_again() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = directory.join("logs");
        // The parent builds, forks, and ends. The child keeps the options in use.
        let (mut orders, to_do) = UnixStream::pair().expect("made");
        let parent = child(|| {
            let built = noting(daily(&hand).max_log_files(14), &directory.join("told")).build(&logs).expect("builds");
            for _ in 0..10 {
                let mut to_do = to_do.try_clone().expect("duplicated");
                let _ = child(|| {
                    log(&built, "of a child");
                    let day = to_do.read(&mut [0]).expect("read") as u64;
                    hand.set(NOW + day * DAY, 0);
                    log(&built, "of a child");
                });
            }
        });
        assert!(matches!(waitpid(parent, None).expect("ended"), WaitStatus::Exited(_, 0)));
        assert_eq!(noted(&directory.join("told")), [""; 0]);
        let own = daily(&hand).max_log_files(30);
        assert!(somebody_disagrees(&logs, own));
        let own = noting(daily(&hand).max_log_files(30), &directory.join("own")).build(&logs).expect("builds");
        for _ in 0..10 {
            orders.write_all(b"x").expect("told");
        }
        // A child tells when it rolls over. The new process, which has told, forks children that do not tell again.
        eventually("each child has told", || noted(&directory.join("told")).len() == 10);
        let own_children: Vec<_> = (0..5)
            .map(|_| {
                child(|| {
                    hand.set(NOW + DAY, 0);
                    log(&own, "a line");
                })
            })
            .collect();
        own_children.into_iter().for_each(|pid| _ = waitpid(pid, None).expect("ended"));
        assert_eq!(noted(&directory.join("own")).len(), 1);
        drop(own);
        eventually("the children have ended", || !somebody_disagrees(&logs, daily(&hand).max_log_files(30)));
    });
}

#[test]
fn processes_with_equal_options_that_build_at_once_hear_nothing() {
    alone(|directory| {
        for round in 0..20 {
            let directory = directory.join(format!("{round}"));
            let children: Vec<_> = (0..16)
                .map(|_| {
                    child(|| {
                        let hand = Hand::at(NOW);
                        let (told, builder) = telling(daily(&hand).max_log_files(3).lock_writes(true));
                        let logs = builder.build(&directory).expect("builds");
                        for day in 0..4 {
                            hand.set(NOW + day * DAY, 0);
                            log(&logs, "a line");
                        }
                        assert_eq!(disagreements(&told), [""; 0]);
                    })
                })
                .collect();
            for child in children {
                assert!(matches!(waitpid(child, None).expect("ends"), WaitStatus::Exited(_, 0)));
            }
        }
    });
}

#[test]
fn of_processes_that_build_at_once_each_is_told_of_the_others() {
    alone(|directory| {
        for round in 0..20 {
            let directory = directory.join(format!("{round}"));
            let wait = |name: &str, count| {
                eventually(name, || fs::read_dir(&directory).expect("read").count() >= count);
            };
            fs::create_dir(&directory).expect("made");
            let children: Vec<_> = (0..8)
                .map(|number| {
                    let directory = &directory;
                    child(move || {
                        let hand = Hand::at(NOW);
                        let (told, builder) = telling(daily(&hand).min_log_files(1 + number % 4));
                        let logs = builder.build(directory.join("logs")).expect("builds");
                        fs::write(directory.join(format!("built-{number}")), "").expect("written");
                        wait("all have built", 9);
                        hand.set(NOW + DAY, 0);
                        log(&logs, "a line");
                        fs::write(directory.join(format!("told-{number}")), "").expect("written");
                        wait("all have looked", 17);
                        let told = disagreements(&told);
                        assert_eq!(told.len(), 1, "{told:?}");
                        says(&told[0], &[&format!("min_log_files is {} here", 1 + number % 4)]);
                    })
                })
                .collect();
            for child in children {
                assert!(matches!(waitpid(child, None).expect("ends"), WaitStatus::Exited(_, 0)));
            }
        }
    });
}

#[test]
fn the_options_of_processes_killed_as_they_build_do_not_count() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = directory.join("logs");
        // Each builds again and again with other options, and is killed anywhere in it.
        for kills in 0..200_usize {
            let builder = child(|| {
                for limit in (1..).map(|turn| kills * 1000 + turn) {
                    let built =
                        daily(&hand).on_error(|_| ()).max_log_files(limit).latest_symlink("x".repeat(limit % 90 + 1));
                    drop(built.build(&logs).expect("builds"));
                }
            });
            std::thread::sleep(std::time::Duration::from_micros(3000 + kills as u64 * 37));
            kill(builder, Signal::SIGKILL).expect("killed");
            waitpid(builder, None).expect("ended");
            assert!(!somebody_disagrees(&logs, daily(&hand).max_log_files(7)), "after {kills} kills");
        }
        assert!(fs::metadata(logs.join(SETTINGS)).expect("there").len() < 10_000);
    });
}

#[test]
fn a_process_killed_at_any_byte_of_its_settings_is_not_told_of() {
    limited(|directory| {
        let hand = Hand::at(NOW);
        let running = daily(&hand).max_log_files(1).build(directory).expect("builds");
        for length in (0..400).step_by(7) {
            // A file-size limit cuts the text as a kill in the middle of the write does: the first cell is taken.
            let cut = child(|| {
                limit(4096 + length);
                let built = daily(&hand).max_log_files(2).on_error(|_| ()).build(directory).expect("builds");
                log(&built, "a line is not lost");
                std::process::abort();
            });
            waitpid(cut, None).expect("ended");
            assert!(!somebody_disagrees(directory, daily(&hand).max_log_files(1)), "{length} bytes");
        }
        drop(running);
    });
}

#[test]
fn on_a_full_disk_nobody_is_told_and_no_line_is_lost() {
    alone(|directory| {
        if !small_disk(directory, "size=64k") {
            return;
        }
        let hand = Hand::at(NOW);
        let running = daily(&hand).max_log_files(1).build(directory).expect("builds");
        log(&running, "a line");
        fs::remove_file(directory.join(SETTINGS)).expect("removed");
        // Not a byte is left, and then not an entry.
        let mut filler = fs::File::create(directory.join("filler")).expect("made");
        while filler.write_all(&[b'x'; 4096]).is_ok() {}
        let (told, other) = telling(daily(&hand).max_log_files(2));
        let other = other.build(directory).expect("builds");
        log(&other, "another line");
        assert_eq!(read(directory, "app.2026-11-21.log"), "a line\nanother line\n");
        assert_eq!((operations(&told), other.stats().lines_lost), (vec![], 0));
        // When there is room again, the next rollover compares.
        drop(filler);
        fs::remove_file(directory.join("filler")).expect("removed");
        hand.set(NOW + DAY, 0);
        log(&running, "a line");
        log(&other, "another line");
        assert_eq!(operations(&told), [Operation::Settings]);
    });
}

#[test]
fn settings_that_another_user_has_closed_are_told_of_once() {
    alone(|directory| {
        if !is_root() {
            return;
        }
        set_mode(directory, 0o777);
        fs::write(directory.join(SETTINGS), "").expect("written");
        set_mode(&directory.join(SETTINGS), 0o600);
        let nobody = nix::unistd::Uid::from_raw(65_534);
        let root = nix::unistd::Uid::from_raw(0);
        nix::unistd::setresuid(nobody, nobody, root).expect("set");
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand));
        let logs = builder.build(directory).expect("builds");
        for day in 0..4 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "a line");
        }
        nix::unistd::setresuid(root, root, root).expect("set");
        let told = disagreements(&told);
        assert_eq!(told.len(), 1, "{told:?}");
        says(&told[0], &[SETTINGS, "the file belongs to user 0 and this is user 65534", "logging goes on"]);
    });
}

#[test]
fn a_directory_that_may_only_be_read_is_compared_in_silence() {
    alone(|directory| {
        if !is_root() {
            return;
        }
        fs::write(directory.join("app.2026-11-21.log"), "").expect("written");
        set_mode(&directory.join("app.2026-11-21.log"), 0o666);
        set_mode(directory, 0o555);
        let (nobody, root) = (nix::unistd::Uid::from_raw(65_534), nix::unistd::Uid::from_raw(0));
        nix::unistd::setresuid(nobody, nobody, root).expect("set");
        let (told, builder) = telling(daily(&Hand::at(NOW)));
        log(&builder.build(directory).expect("builds"), "a line");
        nix::unistd::setresuid(root, root, root).expect("set");
        assert_eq!(operations(&told), []);
    });
}

#[test]
fn a_program_that_closes_all_shows_its_options_at_a_rollover() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let built = daily(&hand).max_log_files(2).on_error(|_| ()).build(directory).expect("builds");
        // What `closefrom(3)` does.
        for number in 3..5000 {
            let _ = nix::unistd::close(number);
        }
        let own = fs::File::create(directory.join("own")).expect("made");
        hand.set(NOW + DAY, 0);
        log(&built, "a line");
        assert!(somebody_disagrees(directory, daily(&hand).max_log_files(3)));
        assert_eq!(own.metadata().expect("open").len(), 0);
    });
}
