//! Containers that end, with processes that are killed: the last file becomes an archive, which is handed over once.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tracing_prefork::{Builder, Compression};

use crate::common::compress::{KINDS, random, text};
use crate::common::hook::noting;
use crate::common::{Hand, NOW, TODAY, all_names, alone, child, directory_in_memory, log, names, noted};

const WORKERS: u64 = 3;

fn builder(home: &Path, kind: Compression) -> Builder {
    noting(&Hand::at(NOW), &home.join("handed over")).compress(kind).latest_symlink("latest.log")
}

/// A process of the container: it builds, logs numbered lines, and closes. A file has a byte for each acknowledged
/// line.
fn work(home: &Path, number: u64, lines: u64, kind: Compression) -> Pid {
    child(|| {
        let logs = builder(home, kind).build(home.join("logs")).expect("builds");
        let mut acknowledged = File::create(home.join(number.to_string())).expect("made");
        for line in 0..lines {
            log(&logs, &format!("{number} {line} line"));
            acknowledged.write_all(b"x").expect("acknowledged");
        }
        logs.close().expect("closed");
    })
}

/// Kills a process after some microseconds, if it has not ended.
fn kill_after(victim: Pid, micros: u64) {
    std::thread::sleep(Duration::from_micros(micros));
    let _ = kill(victim, Signal::SIGKILL);
}

/// Whether a process was killed. If not, it has ended well.
fn was_killed(process: Pid) -> bool {
    match waitpid(process, None).expect("ends") {
        WaitStatus::Signaled(_, Signal::SIGKILL, _) => true,
        ended => {
            assert_eq!(ended, WaitStatus::Exited(process, 0));
            false
        }
    }
}

/// How many lines of a process are in the text: they must be the first so many, in order, each once.
fn count(text: &str, number: u64) -> u64 {
    let prefix = format!("{number} ");
    let own: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
    for (index, line) in own.iter().enumerate() {
        assert_eq!(*line, format!("{index} line"), "process {number}");
    }
    own.len() as u64
}

/// Looks at what the container has left: one archive, with the lines of all its processes, that was handed over once.
/// Says how many lines, and how many calls of the hook.
fn check(home: &Path, ending: &str, processes: u64) -> (u64, u64) {
    let (logs, archive) = (home.join("logs"), format!("{TODAY}{ending}"));
    assert_eq!(names(&logs), [&*archive], "{:?}", all_names(&logs));
    let text = text(&logs.join(&archive));
    let mut lines = 0;
    for number in 0..processes {
        let acknowledged = fs::metadata(home.join(number.to_string())).map_or(0, |file| file.len());
        let found = count(&text, number);
        // The line on its way may be there.
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{number}: {found}, {acknowledged} acknowledged");
        lines += found;
    }
    let bytes = fs::metadata(logs.join(&archive)).expect("there").len();
    let notes = noted(&home.join("handed over"));
    let of_last = notes.iter().filter(|note| **note == format!("{archive} {bytes}")).count();
    assert_eq!(of_last, 1, "{notes:?}");
    assert!(notes.iter().all(|note| note.starts_with(&archive)), "a plain file was handed over: {notes:?}");
    (lines, notes.len() as u64)
}

/// Three workers log and close. One of them is killed at any time. Then their parent logs and closes. In each fourth
/// run the parent is killed, too, and the container starts again in the same period.
#[test]
fn the_last_file_of_a_container_is_handed_over_once_as_archive() {
    alone(|_| {
        let runs = std::env::var("CLOSE_KILLS").ok().and_then(|runs| runs.parse::<u64>().ok()).unwrap_or(40);
        let mut seed = SystemTime::UNIX_EPOCH.elapsed().map_or(7, |since| since.as_nanos() as u64) | 1;
        let [mut kills, mut lines, mut calls] = [0_u64; 3];
        for run in 0..runs {
            let home = directory_in_memory();
            let home = home.path();
            let (kind, ending) = KINDS[run as usize % KINDS.len()];
            let workers: Vec<_> =
                (0..WORKERS).map(|number| work(home, number, 20 + random(&mut seed) % 200, kind)).collect();
            kill_after(workers[(random(&mut seed) % WORKERS) as usize], random(&mut seed) % 30_000);
            kills += workers.into_iter().filter(|worker| was_killed(*worker)).count() as u64;
            let starts_again = run % 4 == 3;
            if starts_again {
                let parent = work(home, WORKERS, 5, kind);
                kill_after(parent, random(&mut seed) % 15_000);
                kills += u64::from(was_killed(parent));
            }
            let last = WORKERS + u64::from(starts_again);
            assert!(!was_killed(work(home, last, 5, kind)));
            let (more_lines, more_calls) = check(home, ending, last + 1);
            (lines, calls) = (lines + more_lines, calls + more_calls);
        }
        writeln!(std::io::stderr(), "{runs} runs, {kills} kills, {lines} lines, {calls} calls of the hook")
            .expect("told");
    });
}
