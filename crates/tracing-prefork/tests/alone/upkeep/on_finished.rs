//! Finished files are handed over to the user's hook: each once, whichever process does it, and again only if that has
//! failed.

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Duration;
use tracing_prefork::{Appender, Rotation};

use crate::common;
use crate::common::hook::{name, note};
use crate::common::{DAY, Hand, NOW, a_tick, again, all_names, alone, daily, eventually, log, names, write_files};

#[test]
fn a_hook_that_fails_is_called_again_by_itself_ever_more_rarely() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        write_files(&directory, &["app.2026-11-20.log"]);
        let calls = Arc::new(AtomicU64::new(0));
        let counter = calls.clone();
        let hand = Hand::at(NOW);
        let logs = daily(&hand)
            .on_error(|_| {})
            .try_on_finished(move |_, _| {
                counter.fetch_add(1, Relaxed);
                Err("never")
            })
            .build(&directory)
            .expect("builds");
        let threads = || fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        let usual = threads();
        let mut when = Vec::new();
        for second in 0..200 {
            hand.set(NOW + second, 0);
            log(&logs, "an event each second");
            eventually("the housekeeping is over", || threads() == usual);
            if calls.load(Relaxed) > when.len() as u64 {
                when.push(second);
            }
        }
        assert_eq!(when, [0, 7, 21, 49, 105]);
    });
}

#[test]
fn a_program_that_the_hook_starts_can_be_told_to_end() {
    alone(|_| {
        // The thread in which the hook runs has all signals blocked.
        let directory = tempfile::tempdir().expect("a directory");
        write_files(directory.path(), &["app.2026-11-20.log"]);
        let (sender, receiver) = channel();
        let logs = daily(&Hand::at(NOW))
            .on_finished(move |_, _| {
                let status = Command::new("sh").args(["-c", "kill -TERM $$; exit 7"]).status().expect("starts");
                sender.send(status.code()).expect("received");
            })
            .build(directory.path())
            .expect("builds");
        log(&logs, "the first event starts it");
        assert_eq!(receiver.recv().expect("called"), None, "killed by the signal");
    });
}

fn counts(path: &Path) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(path).expect("notes").lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// Words that a process and its children share: the second that it is for all of them, whether to end, and the lines of
/// each.
fn shared<const WORDS: usize>() -> &'static [AtomicU64; WORDS] {
    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
    let size = std::num::NonZeroUsize::new(WORDS * 8).expect("more than none");
    // SAFETY: a mapping at an address of the kernel's choice.
    let page =
        unsafe { mmap_anonymous(None, size, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED) };
    // SAFETY: zeros, aligned to a page, of this size, and never unmapped.
    unsafe { page.expect("mapped").cast().as_ref() }
}

#[test]
fn one_of_sixteen_processes_hands_over_each_file_whole() {
    alone(|home| {
        const PROCESSES: usize = 16;
        const DAYS: u64 = 60;
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        let [second, stop, lines @ ..] = shared::<{ PROCESSES + 2 }>();
        second.store(NOW, Relaxed);
        let build = || {
            let notes = notes.clone();
            Appender::builder()
                .rotation(Rotation::DAILY)
                .filename_prefix("app")
                .filename_suffix("log")
                .clock(|| common::at(second.load(Relaxed)))
                .max_log_files(5)
                .on_finished(move |finished, _| {
                    let lines = fs::read_to_string(finished).expect("read").lines().count();
                    note(&notes, &format!("{} {lines}", name(finished)));
                })
                .build(&directory)
                .expect("builds")
        };
        let inherited = build();
        let children: Vec<_> = (0..PROCESSES)
            .map(|process| {
                // SAFETY: this process has one thread.
                match unsafe { fork() }.expect("forks") {
                    ForkResult::Parent { child } => child,
                    ForkResult::Child => {
                        let logs = if process % 2 == 0 { inherited.clone() } else { build() };
                        while stop.load(Relaxed) == 0 {
                            log(&logs, "a line");
                            lines[process].fetch_add(1, Relaxed);
                            std::thread::sleep(Duration::from_micros(200));
                        }
                        // SAFETY: nothing of the parent's is to run.
                        unsafe { nix::libc::_exit(i32::from(logs.stats().errors > 0)) }
                    }
                }
            })
            .collect();
        let logged = || lines.iter().map(|count| count.load(Relaxed)).collect::<Vec<_>>();
        for day in 0..DAYS {
            for later in [0, 6, 14] {
                second.store(NOW + day * DAY + later, Relaxed);
                let before = logged();
                eventually("each has logged twice", || {
                    logged().iter().zip(&before).all(|(now, before)| *now >= before + 2)
                });
            }
        }
        stop.store(1, Relaxed);
        for child in children {
            let ended = waitpid(child, None).expect("ends");
            assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
        }
        // The last day's, and what a process was about to hand over when it ended.
        second.store(NOW + DAYS * DAY, Relaxed);
        log(&inherited, "the day after");
        second.store(NOW + DAYS * DAY + 8, Relaxed);
        log(&inherited, "lets go");
        let settled = || inherited.hand_over().is_ok_and(|more| more == 0) && counts(&notes).len() as u64 >= DAYS;
        eventually("all are handed over", settled);
        inherited.prune().expect("prunes");
        assert_eq!(names(&directory).len(), 5);
        let counts = counts(&notes);
        let of_day = |day| format!("{} ", name(&inherited.path_at(common::at(NOW + day * DAY))));
        let mut given = 0;
        for day in 0..DAYS {
            let times: Vec<_> = counts.iter().filter(|(line, _)| line.starts_with(&of_day(day))).collect();
            let [(line, times)] = times[..] else { panic!("day {day}: {times:?}") };
            // Of two, one ended between the hook and its note.
            assert!(*times == 1 || day >= DAYS - 2, "{line} {times} times");
            given += line.rsplit(' ').next().and_then(|lines| lines.parse::<u64>().ok()).expect("a number");
        }
        assert_eq!(given, logged().iter().sum::<u64>());
    });
}

/// Late lines make it longer, so this tells what the hook was given.
fn state_of(finished: &Path) -> String {
    format!("{} {}", name(finished), fs::metadata(finished).expect("there").len())
}

/// A child of this program that hands over until it is killed.
fn work_until_killed(home: &Path) {
    let (directory, notes) = (home.join("logs"), home.join("notes"));
    let logs = daily(&Hand::at(NOW))
        .on_finished(move |finished, _| {
            std::thread::sleep(Duration::from_micros(200));
            note(&notes, &state_of(finished));
        })
        .build(&directory)
        .expect("builds");
    loop {
        logs.hand_over().expect("hands over");
        for number in 0..4 {
            let path = directory.join(format!("app.2026-{:02}-{:02}.log", 1 + number % 10, 1 + number % 28));
            // A late line.
            OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(b"late\n")).expect("written");
        }
    }
}

#[test]
fn each_file_is_handed_over_although_a_process_is_killed() {
    alone(|_| {
        if let Some(home) = std::env::var_os("TEST_DIES_IN") {
            return work_until_killed(Path::new(&home));
        }
        let kills = std::env::var("HAND_OVER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(40);
        let home = tempfile::tempdir().expect("a directory");
        let (directory, notes) = (home.path().join("logs"), home.path().join("notes"));
        fs::create_dir(&directory).expect("made");
        let files: Vec<String> =
            (1..=10).flat_map(|month| (1..=28).map(move |day| format!("app.2026-{month:02}-{day:02}.log"))).collect();
        let mut doubled = 0;
        for kill in 0..kills {
            let _ = fs::remove_file(&notes);
            for name in &files {
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(directory.join(name))
                    .and_then(|mut file| file.write_all(b"another line\n"))
                    .expect("written");
            }
            let mut child = again(&[]).env("TEST_DIES_IN", home.path()).stdout(Stdio::null()).spawn().expect("starts");
            std::thread::sleep(Duration::from_micros(20_000 + kill * 7919 % 120_000));
            assert!(child.try_wait().expect("known").is_none(), "it ended by itself");
            child.kill().expect("killed");
            child.wait().expect("gone");
            a_tick();
            let path: PathBuf = notes.clone();
            let logs = daily(&Hand::at(NOW))
                .on_finished(move |finished, _| note(&path, &state_of(finished)))
                .build(&directory)
                .expect("builds");
            logs.hand_over().expect("hands over");
            assert_eq!(logs.hand_over().expect("hands over"), 0);
            let counts = counts(&notes);
            for name in &files {
                assert!(counts.contains_key(&state_of(&directory.join(name))), "{name} was never handed over");
            }
            // One was in hand, and nobody knows whether that was done.
            let twice = counts.values().filter(|times| **times > 1).count();
            assert!(twice <= 1 && counts.values().all(|times| *times <= 2), "{counts:?}");
            doubled += twice;
        }
        for name in all_names(&directory) {
            assert!(!name.ends_with(".tmp"), "{name} was left behind");
        }
        writeln!(io::stderr(), "{kills} kills; {doubled} times a file was handed over twice").expect("told");
    });
}
