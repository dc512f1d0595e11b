//! Failures are counted and reported, the reports are limited, and logging goes on when the cause is gone.

use std::sync::{Mutex, mpsc};
use std::thread;
use tracing_prefork::{Operation, Rotation};

use crate::common::{DAY, Hand, NOW, alone, limit, limited, read, reporting, try_log};

#[test]
fn after_the_right_file_no_line_goes_to_the_file_before() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    alone(|directory| {
        let hand = Hand::at(NOW);
        let (in_hook, told_in_hook) = mpsc::channel();
        let (go_on, told_to_go_on) = mpsc::channel();
        let wait = Mutex::new(told_to_go_on);
        // The thread that rolls over is kept in the hook, and finds no descriptor when it comes out.
        let header = move |_| {
            if thread::current().name() == Some("rolls over") {
                in_hook.send(()).expect("the test waits");
                wait.lock().expect("unpoisoned").recv().expect("the test goes on");
            }
            "# first line".to_owned()
        };
        let logs = hand.builder().rotation(Rotation::DAILY).header(header).build(directory).expect("builds");
        let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).expect("read");
        hand.set(NOW + DAY, 0);
        thread::scope(|scope| {
            let rolls_over = thread::Builder::new().name("rolls over".to_owned());
            let rolls_over = rolls_over.spawn_scoped(scope, || try_log(&logs, "of the other thread")).expect("starts");
            told_in_hook.recv().expect("the other thread is in the hook");
            try_log(&logs, "1").expect("writes");
            setrlimit(Resource::RLIMIT_NOFILE, 3, limit).expect("no descriptor is left");
            go_on.send(()).expect("the other thread waits");
            rolls_over.join().expect("ends").expect("writes to the file before");
            setrlimit(Resource::RLIMIT_NOFILE, 100.min(limit), limit).expect("there are descriptors again");
            try_log(&logs, "2").expect("writes");
        });
        assert_eq!(read(directory, "app.2026-11-22.log"), "# first line\n1\n2\n");
    });
}

#[test]
fn a_lost_line_is_counted_and_reported_and_its_caller_told() {
    limited(|directory| {
        let hand = Hand::at(NOW);
        let (reports, builder) = reporting(&hand);
        let logs = builder.build(directory).expect("builds");
        try_log(&logs, "12345").expect("writes");
        limit(6);
        for _ in 0..10 {
            let error = try_log(&logs, "12345").expect_err("the file may not grow");
            assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
        }
        let stats = logs.stats();
        assert_eq!((stats.writes, stats.lines_lost, stats.bytes_lost, stats.errors), (1, 10, 60, 10));
        let told = reports.lock().expect("unpoisoned");
        let [(operation, text)] = &told[..] else { panic!("one report a minute: {told:?}") };
        assert_eq!(*operation, Operation::Write);
        for part in ["app.2026-11-21.log", "File too large", "1 lines (6 bytes) lost"] {
            assert!(text.contains(part), "{text:?} does not say {part:?}");
        }
        drop(told);
        limit(u64::MAX);
        try_log(&logs, "written").expect("writes");
        assert_eq!(read(directory, "app.2026-11-21.log"), "12345\nwritten\n");
    });
}
