//! The user's own code: `on_error`, `header`, `clock` and `on_finished` may panic, log and fork.

use std::cell::Cell;
use std::fs;
use std::panic::panic_any;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use tracing_prefork::{Appender, Builder, Operation, Rotation};

use crate::common;
use crate::common::hook::Bomb;
use crate::common::{DAY, Hand, NOW, daily, log, names, operations, read, telling};

#[test]
fn a_header_that_panics_costs_its_line_alone_and_is_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let calls = AtomicUsize::new(0);
    let (told, builder) = telling(daily(&hand).header(move |_| match calls.fetch_add(1, Relaxed) {
        0 => panic_any(Bomb),
        1 => panic!("no first line"),
        _ => "# begins".to_owned(),
    }));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "a line");
    for day in [1, 2] {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "another");
    }
    assert_eq!(read(directory.path(), "app.2026-11-21.log"), "a line\n");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "another\n");
    assert_eq!(read(directory.path(), "app.2026-11-23.log"), "# begins\nanother\n");
    assert_eq!(logs.stats().errors, 2);
    assert_eq!(operations(&told), [Operation::UserCode], "the second within a minute is counted");
    let text = told.lock().expect("unpoisoned")[0].1.clone();
    assert!(text.contains("app.2026-11-21.log: header has panicked"), "{text}");
}

#[test]
fn the_system_clock_replaces_a_clock_that_panics_at_an_event() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW - 4000 * DAY);
    let broken = Arc::new(AtomicUsize::new(0));
    let (clock, panics) = (hand.clone(), broken.clone());
    let (told, builder) = telling(Appender::builder().filename_prefix("app").rotation(Rotation::DAILY));
    let builder = builder.clock(move || match panics.load(Relaxed) {
        0 => clock.now(),
        1 => panic!("stopped"),
        _ => panic_any(Bomb),
    });
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "by hand");
    let by_hand = logs.path();
    for kind in [1, 2] {
        broken.store(kind, Relaxed);
        log(&logs, "by the system");
        log(&logs, &format!("in {} pieces", 3));
        use tracing_subscriber::fmt::time::FormatTime;
        let mut text = String::new();
        let mut writer = tracing_subscriber::fmt::format::Writer::new(&mut text);
        logs.timer().format_time(&mut writer).expect("prints");
        assert!(text.starts_with("20"), "{text}");
    }
    broken.store(0, Relaxed);
    log(&logs, "by hand again");
    assert_eq!(fs::read_to_string(by_hand).expect("there"), "by hand\nby hand again\n");
    let files = names(directory.path());
    let lines = |name: &String| read(directory.path(), name).lines().count();
    assert_eq!(files[1..].iter().map(lines).sum::<usize>(), 4, "{files:?}");
    assert!(logs.stats().errors >= 6, "{:?}", logs.stats());
    assert_eq!(operations(&told), [Operation::UserCode]);
    let text = told.lock().expect("unpoisoned")[0].1.clone();
    assert!(text.contains("clock has panicked: stopped"), "{text}");
}

#[test]
fn the_system_clock_replaces_a_clock_that_panics_at_build() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = AtomicBool::new(true);
    let clock = move || if first.swap(false, Relaxed) { panic!("stopped") } else { common::at(NOW) };
    let (told, builder) = telling(Appender::builder().filename_prefix("app").clock(clock));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "a line");
    assert_eq!(read(directory.path(), "app"), "a line\n");
    assert_eq!(operations(&told), [Operation::UserCode]);
}

#[test]
fn a_hook_whose_panic_cannot_be_dropped_gets_each_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    for day in 17..=20 {
        fs::write(directory.path().join(format!("app.2026-11-{day}.log")), "x\n").expect("written");
    }
    let calls = Arc::new(Mutex::new(Vec::new()));
    let notes = calls.clone();
    let builder = daily(&hand).on_error(|_| {}).on_finished(move |finished, _| {
        notes.lock().expect("unpoisoned").push(common::hook::name(finished));
        panic_any(Bomb)
    });
    let logs = builder.build(directory.path()).expect("builds");
    let error = logs.hand_over().expect_err("each call fails");
    assert_eq!(error.operation(), Operation::OnFinished);
    let expected: Vec<_> = (17..=20).map(|day| format!("app.2026-11-{day}.log")).collect();
    assert_eq!(*calls.lock().expect("unpoisoned"), expected);
}

#[test]
fn an_error_of_a_hook_whose_text_and_drop_panic_ends_nothing() {
    #[derive(Debug)]
    struct Failed;
    impl std::fmt::Display for Failed {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic_any(Bomb)
        }
    }
    impl Drop for Failed {
        fn drop(&mut self) {
            panic_any(Bomb)
        }
    }
    impl std::error::Error for Failed {}
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let builder = daily(&hand).try_on_finished(move |_, _| {
        counted.fetch_add(1, Relaxed);
        Err(Failed)
    });
    for day in 17..=20 {
        fs::write(directory.path().join(format!("app.2026-11-{day}.log")), "x\n").expect("written");
    }
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "starts the thread");
    common::eventually("the failure is counted", || logs.stats().errors > 0);
    assert_eq!(calls.load(Relaxed), 4, "each file");
}

/// What the methods of the appender that work for all processes say, each called once: the name of each that fails, and
/// its error.
fn call_all(logs: &Appender) -> Vec<(&'static str, tracing_prefork::Error)> {
    let methods = [
        ("prune", logs.prune().err()),
        ("compress", logs.compress().err()),
        ("hand_over", logs.hand_over().err()),
        ("reopen", logs.reopen().err()),
    ];
    let _ = (logs.path(), logs.files().expect("listed"), logs.stats());
    methods.into_iter().filter_map(|(method, error)| Some((method, error?))).collect()
}

/// Which of them have been refused, each because its own thread is at it. Nobody is waited for then.
#[track_caller]
fn refused_to_own_thread(failed: &[(&'static str, tracing_prefork::Error)]) -> Vec<&'static str> {
    for (method, error) in failed {
        assert_eq!(error.io_error().kind(), std::io::ErrorKind::Deadlock, "{method}: {error}");
        common::says(&error.to_string(), &["the program's own code", "the very thread"]);
    }
    failed.iter().map(|(method, _)| *method).collect()
}

type Failed = Arc<Mutex<Vec<(&'static str, tracing_prefork::Error)>>>;

/// A day that ends beside four finished files of its past, and all that one process does for all.
fn all_work(hand: &Hand, directory: &Path) -> Builder {
    for day in 17..=20 {
        fs::write(directory.join(format!("app.2026-11-{day}.log")), "x\n").expect("written");
    }
    // At its usual priority: on a busy machine the other threads' turns would last long.
    let builder = daily(hand).max_log_files(100).background_priority(false);
    #[cfg(feature = "gzip")]
    let builder = builder.compress(tracing_prefork::Compression::Gzip);
    builder
}

#[test]
fn on_finished_is_told_at_once_that_its_own_thread_hands_over() {
    for by_hand in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        let (hand, failed) = (Hand::at(NOW), Failed::default());
        let logs = Arc::new(OnceLock::<Appender>::new());
        let calls = Arc::new(AtomicUsize::new(0));
        let (seen, notes, counted) = (logs.clone(), failed.clone(), calls.clone());
        let builder = all_work(&hand, directory.path()).on_finished(move |_, _| {
            counted.fetch_add(1, Relaxed);
            notes.lock().expect("unpoisoned").extend(call_all(seen.get().expect("built")));
        });
        let logs = logs.get_or_init(|| builder.build(directory.path()).expect("builds"));
        logs.compress().expect("compressed");
        if by_hand {
            assert_eq!(logs.hand_over().expect("handed over"), 4);
        } else {
            log(logs, "starts the thread");
            common::eventually("all are handed over", || logs.stats().files_handed_over == 4);
        }
        assert_eq!(calls.load(Relaxed), 4, "each file once");
        assert_eq!(refused_to_own_thread(&failed.lock().expect("unpoisoned")), ["hand_over"; 4]);
        assert_eq!(logs.hand_over().expect("the turn is free again"), 0);
    }
}

#[test]
fn a_header_is_told_at_once_that_its_own_thread_opens_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let (hand, failed) = (Hand::at(NOW), Failed::default());
    let logs = Arc::new(OnceLock::<Appender>::new());
    let (seen, notes) = (logs.clone(), failed.clone());
    let builder = all_work(&hand, directory.path()).on_finished(|_, _| {}).header(move |_| {
        if let Some(logs) = seen.get() {
            notes.lock().expect("unpoisoned").extend(call_all(logs));
        }
        "# begins".to_owned()
    });
    let logs = logs.get_or_init(|| builder.build(directory.path()).expect("builds"));
    log(logs, "a line");
    hand.set(NOW + DAY, 0);
    log(logs, "another");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "# begins\nanother\n");
    assert_eq!(refused_to_own_thread(&failed.lock().expect("unpoisoned")), ["reopen"]);
    logs.reopen().expect("nobody rolls over any more");
}

#[test]
fn an_error_hook_is_told_that_its_own_thread_opens_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let (hand, failed) = (Hand::at(NOW), Failed::default());
    let logs = Arc::new(OnceLock::<Appender>::new());
    let (seen, notes, built) = (logs.clone(), failed.clone(), logs.clone());
    let builder = all_work(&hand, directory.path())
        .on_finished(|_, _| {})
        .header(move |_| if built.get().is_some() { panic!("no first line") } else { String::new() })
        .on_error(move |error| {
            assert_eq!(error.operation(), Operation::UserCode);
            notes.lock().expect("unpoisoned").extend(call_all(seen.get().expect("built")));
        });
    let logs = logs.get_or_init(|| builder.build(directory.path()).expect("builds"));
    hand.set(NOW + DAY, 0);
    log(logs, "a line");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "a line\n");
    assert_eq!(refused_to_own_thread(&failed.lock().expect("unpoisoned")), ["reopen"]);
}

#[test]
fn a_clock_is_told_at_once_what_its_own_thread_does() {
    thread_local! {
        /// The clock may call the appender on this thread, and does not yet.
        static MAY_CALL: Cell<bool> = const { Cell::new(false) };
        /// So many readings come before the first call.
        static READINGS: Cell<u64> = const { Cell::new(0) };
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (hand, failed) = (Hand::at(NOW), Failed::default());
    let logs = Arc::new(OnceLock::<Appender>::new());
    let (seen, notes, clock) = (logs.clone(), failed.clone(), hand.clone());
    let builder = all_work(&hand, directory.path()).on_finished(|_, _| {}).clock(move || {
        if MAY_CALL.replace(false) {
            match READINGS.get().checked_sub(1) {
                None => notes.lock().expect("unpoisoned").extend(call_all(seen.get().expect("built"))),
                Some(left) => READINGS.set(left),
            }
            MAY_CALL.set(true);
        }
        clock.now()
    });
    let logs = logs.get_or_init(|| builder.build(directory.path()).expect("builds"));
    let refused = |method: &str, work: &dyn Fn()| {
        MAY_CALL.set(true);
        work();
        MAY_CALL.set(false);
        let failed = std::mem::take(&mut *failed.lock().expect("unpoisoned"));
        let refused = refused_to_own_thread(&failed);
        assert!(refused.iter().all(|refused| *refused == method), "{method}: {refused:?}");
        refused.len()
    };
    assert!(refused("prune", &|| assert_eq!(logs.prune().expect("pruned"), 0)) > 0);
    assert!(refused("compress", &|| assert_eq!(logs.compress().expect("compressed"), 0)) > 0);
    assert!(refused("hand_over", &|| assert_eq!(logs.hand_over().expect("handed over"), 0)) > 0);
    // A call before the file is about to be opened opens it.
    let is_refused = |readings: u64| {
        hand.set(NOW + (1 + readings) * DAY, 0);
        READINGS.set(readings);
        refused("reopen", &|| log(logs, "another file")) > 0
    };
    assert!((0..5).any(is_refused));
}
