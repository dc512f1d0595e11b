//! An event is one `write(2)` or `pwrite(2)` and no other system call (promise P7): counted by
//! `strace`, between two calls that mark the beginning and the end.
//!
//! Each test runs itself once more under `strace`, so that only one thread of the traced process
//! does anything. Where `strace` is missing or may not trace, the tests say so and count nothing.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, OpenOptions},
    hint::black_box,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use nix::unistd::{AccessFlags, access};
use tracing::{Dispatch, dispatcher, info};
use tracing_prefork::{Appender, Builder, Rotation};
use tracing_subscriber::{Registry, fmt::MakeWriter, layer::SubscriberExt};

/// Set in the traced process: the directory for its log files.
const TRACED: &str = "TRACING_PREFORK_TRACED_DIRECTORY";

/// A call with this path marks something; nothing has this path.
const MARK: &str = "/nowhere/mark/";

const EVENTS: u64 = 1000;

/// A system call of the traced process, of any of its threads.
#[derive(Debug, Clone)]
struct Call {
    name: String,
    /// As `strace` wrote it.
    text: String,
    /// Seconds since 1970.
    at: f64,
}

/// Runs `work` under `strace` in a process of its own: the test called `test`, once more. `None`
/// in that process, and where nothing can be traced.
fn traced(test: &str, work: impl FnOnce(&Path)) -> Option<Vec<Call>> {
    if let Some(directory) = env::var_os(TRACED) {
        work(&PathBuf::from(directory));
        return None;
    }
    if let Some(reason) = why_nothing_can_be_traced() {
        // Not by `println!`, which a test that passes does not show.
        writeln!(io::stderr(), "SKIPPED {test}: {reason}").expect("a standard error");
        return None;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let trace = directory.path().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-ttt", "-s", "200", "-o"])
        .arg(&trace)
        .arg(env::current_exe().expect("the path of this test"))
        .args(["--exact", test, "--test-threads=1"])
        .env(TRACED, directory.path().join("logs"))
        .output()
        .expect("strace starts");
    assert!(output.status.success(), "{output:?}");
    let text = fs::read(trace).expect("the trace");
    Some(String::from_utf8_lossy(&text).lines().filter_map(parse).collect())
}

fn why_nothing_can_be_traced() -> Option<String> {
    match Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => Some("strace is not installed".into()),
        Err(error) => Some(format!("strace does not start: {error}")),
        Ok(output) if !output.status.success() => {
            Some(format!("strace may not trace: {}", String::from_utf8_lossy(&output.stderr)))
        }
        Ok(_) => None,
    }
}

/// `1234 1700000000.123456 write(3, "...", 120) = 120`. Signals, exits and the second half of a
/// call that another thread interrupted are no calls.
fn parse(line: &str) -> Option<Call> {
    let (_process, rest) = line.split_once(' ')?;
    let (at, text) = rest.trim_start().split_once(' ')?;
    let (name, _) = text.split_once('(')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then(|| Call { name: name.into(), text: text.into(), at: at.parse().expect("a time") })
}

/// A system call that the trace shows by its text.
fn mark(what: &str) {
    access(format!("{MARK}{what}").as_str(), AccessFlags::F_OK).expect_err("nothing is there");
}

/// The calls between `mark("begin {name}")` and `mark("end {name}")`.
fn between<'a>(calls: &'a [Call], name: &str) -> &'a [Call] {
    let position = |what: &str| {
        let found = calls.iter().rposition(|call| call.text.contains(&format!("{MARK}{what} {name}")));
        found.unwrap_or_else(|| panic!("the trace has no mark {what} {name}"))
    };
    &calls[position("begin") + 1..position("end")]
}

fn is_write(call: &&Call) -> bool {
    matches!(call.name.as_str(), "write" | "pwrite64")
}

/// Where the kernel has no fast clock, its one reading an event is a system call.
fn is_clock(call: &&Call) -> bool {
    matches!(call.name.as_str(), "clock_gettime" | "clock_gettime64" | "gettimeofday" | "time")
}

/// What is neither a write nor a reading of the clock, by name.
fn others(calls: &[Call]) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for call in calls.iter().filter(|call| !is_write(call) && !is_clock(call)) {
        *counts.entry(call.name.as_str()).or_default() += 1;
    }
    counts
}

/// The ways in which an event reaches the file.
const WAYS: [&str; 5] = ["whole", "pieces", "reference", "layer", "fmt"];

/// Calls `use_it` with what writes one event in that way.
fn in_the_way(way: &str, appender: &Appender, use_it: &mut dyn FnMut(&mut dyn FnMut())) {
    let mut subscribed = |subscriber: Dispatch| {
        dispatcher::with_default(&subscriber, || {
            use_it(&mut || info!(request = 17, path = "/orders", "answered"));
        });
    };
    match way {
        "whole" => use_it(&mut || {
            appender.make_writer().write_all(b"one whole line of a log\n").expect("written");
        }),
        "pieces" => use_it(&mut || {
            let mut writer = appender.make_writer();
            writeln!(writer, "line {} of a log", black_box(17)).expect("taken");
        }),
        "reference" => use_it(&mut || {
            let mut writer = appender;
            writer.write_all(b"one whole line of a log\n").expect("written");
        }),
        "layer" => subscribed(Dispatch::new(Registry::default().with(appender.layer()))),
        "fmt" => {
            let fmt = tracing_subscriber::fmt().with_ansi(false).with_writer(appender.clone());
            subscribed(Dispatch::new(fmt.finish()));
        }
        _ => panic!("no such way: {way}"),
    }
}

fn daily(directory: &Path) -> Builder {
    fs::create_dir_all(directory).expect("a directory");
    Appender::builder().rotation(Rotation::DAILY).filename_prefix("app.log")
}

#[test]
fn an_event_is_one_write_and_no_other_call() {
    let calls = traced("an_event_is_one_write_and_no_other_call", |directory| {
        for way in WAYS {
            // The clock stands still: nothing that is done once in a while falls due.
            let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400);
            let builder = daily(directory).clock(move || noon);
            let appender = builder.build(directory.join(way)).expect("an appender");
            in_the_way(way, &appender, &mut |event| {
                (0..10).for_each(|_| event());
                mark(&format!("begin {way}"));
                (0..EVENTS).for_each(|_| event());
                mark(&format!("end {way}"));
            });
            let lines = fs::read_to_string(appender.path()).expect("the log").lines().count();
            assert_eq!(lines as u64, 10 + EVENTS, "{way}");
        }
    });
    let Some(calls) = calls else { return };
    for way in WAYS {
        let calls = between(&calls, way);
        assert_eq!(calls.iter().filter(is_write).count() as u64, EVENTS, "{way}");
        assert_eq!(others(calls), BTreeMap::new(), "{way}");
        assert!(calls.iter().filter(is_clock).count() as u64 <= EVENTS, "{way}");
    }
}

#[test]
fn once_a_second_an_event_looks_at_its_file_and_at_the_link() {
    let test = "once_a_second_an_event_looks_at_its_file_and_at_the_link";
    let calls = traced(test, |directory| {
        let seconds = Arc::new(AtomicU64::new(1_795_262_400));
        let clock = seconds.clone();
        let clock = move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Relaxed));
        let appender = daily(directory).latest_symlink("latest").clock(clock).build(directory).expect("an appender");
        in_the_way("whole", &appender, &mut |event| {
            event();
            mark("begin seconds");
            for _ in 0..10 {
                seconds.fetch_add(1, Relaxed);
                (0..100).for_each(|_| event());
            }
            mark("end seconds");
        });
    });
    let Some(calls) = calls else { return };
    let calls = between(&calls, "seconds");
    assert_eq!(calls.iter().filter(is_write).count(), 1000);
    let others = others(calls);
    assert_eq!(others.values().sum::<u64>(), 30, "{others:?}");
    assert!(others.keys().all(|name| name.contains("stat")), "{others:?}");
}

#[test]
fn late_lines_between_others_do_not_make_it_one_look_an_event() {
    let test = "late_lines_between_others_do_not_make_it_one_look_an_event";
    let calls = traced(test, |directory| {
        let seconds = Arc::new(AtomicU64::new(1_795_262_400));
        let clock = seconds.clone();
        let clock = move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Relaxed));
        let appender = daily(directory).clock(clock).build(directory).expect("an appender");
        let log = |late: u64| {
            seconds.fetch_sub(late, Relaxed);
            let mut event = appender.make_writer();
            event.write_all(b"begun then, ").expect("kept");
            seconds.fetch_add(late, Relaxed);
            event.write_all(b"written now\n").expect("kept");
        };
        (0..10).for_each(|_| log(0));
        mark("begin late");
        for _ in 0..10 {
            seconds.fetch_add(1, Relaxed);
            (0..100).for_each(|turn| log([0, 1, 30, 59, 3600][turn % 5]));
        }
        mark("end late");
    });
    let Some(calls) = calls else { return };
    let calls = between(&calls, "late");
    assert_eq!(calls.iter().filter(is_write).count(), 1000);
    let others = others(calls);
    assert_eq!(others.values().sum::<u64>(), 20, "{others:?}");
}

#[test]
fn under_the_write_lock_an_event_takes_four_more_calls() {
    let test = "under_the_write_lock_an_event_takes_four_more_calls";
    let calls = traced(test, |directory| {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400);
        let appender = daily(directory).lock_writes(true).clock(move || noon).build(directory).expect("an appender");
        in_the_way("whole", &appender, &mut |event| {
            event();
            mark("begin locked");
            (0..EVENTS).for_each(|_| event());
            mark("end locked");
        });
    });
    let Some(calls) = calls else { return };
    let calls = between(&calls, "locked");
    assert_eq!(calls.iter().filter(is_write).count() as u64, EVENTS);
    let others = others(calls);
    assert_eq!(others.values().sum::<u64>(), 4 * EVENTS, "{others:?}");
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_hundred_buffered_events_take_one_call_at_most() {
    use tracing_prefork::Buffering;

    const MANY: u64 = 100_000;
    let calls = traced("a_hundred_buffered_events_take_one_call_at_most", |directory| {
        let appender = daily(directory).buffered(Buffering::default()).build(directory).expect("an appender");
        in_the_way("whole", &appender, &mut |event| {
            event();
            appender.flush().expect("written");
            mark("begin buffered");
            (0..MANY).for_each(|_| event());
            appender.flush().expect("written");
            mark("end buffered");
        });
        let text = fs::read_to_string(appender.path()).expect("the log");
        assert_eq!(text.lines().count() as u64, 1 + MANY);
    });
    let Some(calls) = calls else { return };
    // Those of the flusher are among them.
    let calls = between(&calls, "buffered").len() as u64;
    assert!(calls <= MANY / 100, "{calls} calls for {MANY} events");
}

/// The voluntary context switches of all other threads of this process.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn wakes_of_others() -> BTreeMap<String, u64> {
    let own = fs::read_link("/proc/thread-self").expect("a thread");
    let tasks = fs::read_dir("/proc/self/task").expect("threads").flatten();
    let others = tasks.filter(|task| Some(task.file_name().as_os_str()) != own.file_name());
    let wakes = others.filter_map(|task| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let (_, rest) = status.split_once("\nvoluntary_ctxt_switches:")?;
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        Some((name, rest.lines().next()?.trim().parse().ok()?))
    });
    wakes.filter(|(name, _)| name.trim_end() == "tracing-prefork").collect()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn an_idle_process_wakes_up_never() {
    use tracing_prefork::Buffering;

    // In a process of its own: the tests beside this one have flushers, too.
    let calls = traced("an_idle_process_wakes_up_never", |directory| {
        let appender = daily(directory).buffered(Buffering::default()).build(directory).expect("an appender");
        in_the_way("whole", &appender, &mut |event| (0..EVENTS).for_each(|_| event()));
        appender.flush().expect("written");
        // The flusher naps for a while before it sleeps.
        std::thread::sleep(Duration::from_millis(500));
        let before = wakes_of_others();
        assert_eq!(before.len(), 1, "{before:?}");
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(wakes_of_others(), before);
        (&appender).write_all(b"the flusher still lives\n").expect("written");
        while !fs::read_to_string(appender.path()).expect("the log").contains("still lives") {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_ne!(wakes_of_others(), before);
    });
    drop(calls);
}

/// What is looked after once a second (is the file still there?) is a handful of calls.
const CALLS_A_SECOND: f64 = 8.0;

#[test]
fn with_the_real_clock_a_second_takes_few_other_calls() {
    let test = "with_the_real_clock_a_second_takes_few_other_calls";
    let calls = traced(test, |directory| {
        let appender = daily(directory).build(directory.join("real")).expect("an appender");
        in_the_way("layer", &appender, &mut |event| {
            let mut path = PathBuf::new();
            // Once more if a day ended in between.
            while path != appender.path() {
                path = appender.path();
                (0..10).for_each(|_| event());
                let lines = |path: &Path| fs::read(path).expect("the log").split(|&b| b == b'\n').count();
                let before = lines(&path);
                let start = Instant::now();
                mark("begin real");
                while start.elapsed() < Duration::from_millis(1500) {
                    event();
                }
                mark("end real");
                mark(&format!("events {}.", lines(&path) - before));
            }
        });
    });
    let Some(calls) = calls else { return };
    let counted = calls.iter().rev().find_map(|call| call.text.split_once("mark/events "));
    let (_, events) = counted.expect("the trace has the number of events");
    let events: usize = events.split_once('.').expect("a number").0.parse().expect("a number");
    let calls = between(&calls, "real");
    assert!(events as u64 > EVENTS, "{events} events in more than a second");
    assert_eq!(calls.iter().filter(is_write).count(), events);

    let seconds = calls[calls.len() - 1].at - calls[0].at;
    let others = others(calls);
    let allowed = CALLS_A_SECOND * (seconds.ceil() + 1.0);
    assert!(others.values().sum::<u64>() as f64 <= allowed, "in {seconds} s: {others:?}");
}

#[test]
fn the_count_sees_what_a_careless_writer_does() {
    let calls = traced("the_count_sees_what_a_careless_writer_does", |directory| {
        fs::create_dir_all(directory).expect("a directory");
        let path = directory.join("careless.log");
        let mut file: File = OpenOptions::new().append(true).create(true).open(&path).expect("a file");
        mark("begin careless");
        for n in 0..EVENTS {
            file.write_all(b"a line in pieces").expect("written");
            file.write_all(b"\n").expect("written");
            if n % 100 == 0 {
                fs::metadata(&path).expect("metadata");
            }
        }
        mark("end careless");
    });
    let Some(calls) = calls else { return };
    let calls = between(&calls, "careless");
    assert_eq!(calls.iter().filter(is_write).count() as u64, 2 * EVENTS);
    assert_eq!(others(calls).values().sum::<u64>(), EVENTS / 100, "{:?}", others(calls));
}

#[test]
fn a_header_that_logs_is_asked_once_and_makes_no_directory() {
    static LOGS: std::sync::OnceLock<Appender> = std::sync::OnceLock::new();
    static DAY: AtomicU64 = AtomicU64::new(0);
    let calls = traced("a_header_that_logs_is_asked_once_and_makes_no_directory", |directory| {
        let header = |_| {
            if let Some(mut logs) = LOGS.get() {
                // Where the directory is gone, there is no file that it could go to.
                let _ = writeln!(logs, "from within");
            }
            "# begins".to_owned()
        };
        let day = || SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * (20_000 + DAY.load(Relaxed)));
        let builder = Appender::builder().rotation(Rotation::DAILY).clock(day).header(header);
        let mut logs = LOGS.get_or_init(|| builder.build(directory).expect("an appender"));
        DAY.store(1, Relaxed);
        mark("begin header");
        writeln!(logs, "a line").expect("written");
        mark("end header");
        // Where the directory is gone too, it is made once.
        fs::remove_dir_all(directory).expect("removed");
        DAY.store(2, Relaxed);
        mark("begin gone");
        writeln!(logs, "a line").expect("written");
        mark("end gone");
        assert!(fs::read_to_string(logs.path()).expect("the log").starts_with("# begins\n"));
    });
    let Some(calls) = calls else { return };
    let count = |calls: &[Call], name: &str| calls.iter().filter(|call| call.name.starts_with(name)).count();
    let with_the_directory = between(&calls, "header");
    assert_eq!(count(with_the_directory, "mkdir"), 0, "{:?}", others(with_the_directory));
    assert!(count(with_the_directory, "open") <= 6, "{:?}", others(with_the_directory));
    let without = between(&calls, "gone");
    assert!(count(without, "mkdir") <= 2, "{:?}", others(without));
    // The hidden files of names and of settings are made, too.
    assert!(count(without, "open") <= 15, "{:?}", others(without));
}

#[test]
fn a_rollover_by_size_lists_no_directory_in_the_events_thread() {
    let test = "a_rollover_by_size_lists_no_directory_in_the_events_thread";
    let calls = traced(test, |directory| {
        let clock = || SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_249_981);
        let builder = Appender::builder().rotation(Rotation::DAILY).filename_prefix("app").filename_suffix("log");
        let mut logs = builder.max_file_bytes(50_000).clock(clock).build(directory).expect("builds");
        let line = [b'x'; 99].as_slice();
        let mut write = |lines| (0..lines).for_each(|_| logs.write_all(&[line, b"\n"].concat()).expect("writes"));
        write(1);
        mark("begin rollovers");
        write(5000);
        mark("end rollovers");
        assert!(logs.files().expect("listed").len() > 6);
    });
    if let Some(calls) = calls {
        let listed: Vec<_> =
            between(&calls, "rollovers").iter().filter(|call| call.name.contains("getdents")).collect();
        assert!(listed.is_empty(), "{listed:?}");
    }
}
