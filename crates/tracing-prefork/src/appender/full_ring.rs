//! Threads that come no further: the thread that writes the lines of a ring, and a thread that copies its line.

use crate::buffer::flusher::{COPIES, Rest};
use crate::buffer::live::Pushed;
use crate::buffer::options::{Buffering, WhenFull};
use crate::{Appender, sys};
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The thread that writes lines of the ring comes no further for longer than it may wait for a lock.
#[test]
fn lines_for_a_full_ring_do_not_overtake_those_in_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = Appender::builder().filename_prefix("app.log").buffered(Buffering::default().ring_bytes(1));
    let logs = builder.build(directory.path()).expect("builds");
    let put = |number: u32| (&logs).write_all(format!("{number}\n").as_bytes()).expect("taken");
    put(0);
    let (taken, is_taken) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let consume = &logs.sink().buffer().expect("is buffered").state.consume;
            let turn = sys::wait(Duration::from_secs(10), || consume.try_take()).expect("the flusher naps");
            taken.send(()).expect("somebody waits");
            thread::sleep(Duration::from_millis(2500));
            drop(turn);
        });
        is_taken.recv().expect("taken");
        (1..5000).for_each(put);
    });
    logs.flush().expect("flushes");
    let text = std::fs::read_to_string(logs.path()).expect("the file");
    let wrong = text.lines().enumerate().find(|(number, line)| *line != number.to_string());
    assert_eq!((wrong, text.lines().count()), (None, 5000));
}

/// A thread was kept from running while it copied its line, so the line was given up. Then the ring ran full, and all
/// its lines went to the file.
#[test]
fn a_ring_takes_lines_again_when_a_given_up_one_is_over() {
    for when_full in [WhenFull::Write, WhenFull::Drop] {
        let directory = tempfile::tempdir().expect("a directory");
        let buffering = Buffering::default().ring_bytes(1).when_full(when_full);
        let builder = Appender::builder().filename_prefix("app.log").buffered(buffering);
        let logs = builder.build(directory.path()).expect("builds");
        let put = |line: &str| (&logs).write_all(line.as_bytes()).expect("taken");
        put("first\n");
        logs.flush().expect("flushes");
        let buffer = logs.sink().buffer().expect("is buffered");
        let live = buffer.live().expect("a ring");
        // 1. The line is given up.
        let entries = live.entries();
        let reserved = entries.reserve(10).expect("room");
        sys::wait(Duration::from_secs(10), || {
            buffer.give_up_first(live);
            (live.next() > reserved.index).then_some(())
        });
        // 2. The ring runs full, and its lines go to the file.
        let now = buffer.second_of_now().at;
        let pushed =
            std::iter::repeat_with(|| live.push(b"filler\n", now)).take_while(|pushed| *pushed != Pushed::Full);
        let fillers = pushed.count();
        buffer.drain(live).expect("drains");
        // 3. As long as the thread is kept from running, lines go straight to the file, or are dropped.
        put("second\n");
        let text = std::fs::read_to_string(logs.path()).expect("the file");
        let dropped = u64::from(when_full == WhenFull::Drop);
        assert_eq!(text.lines().filter(|line| *line == "second").count() as u64, 1 - dropped, "{when_full:?}");
        assert_eq!(logs.stats().lines_dropped, dropped);
        // 4. The thread comes to its end. The ring takes lines again.
        assert!(!entries.publish(reserved, now), "its line must go another way");
        let end = entries.end();
        put("third\n");
        assert_eq!(entries.end(), end + 1, "{when_full:?}");
        logs.flush().expect("flushes");
        let text = std::fs::read_to_string(logs.path()).expect("the file");
        assert!(fillers > 100 && text.ends_with("third\n"), "{fillers} fillers, {when_full:?}");
        assert_eq!(text.lines().count(), fillers + 3 - dropped as usize);
    }
}

/// Each line is being copied for less than a second. A second goes by while lines are copied, one after the other.
#[test]
fn a_line_is_given_up_only_if_that_line_does_not_come() {
    let directory = tempfile::tempdir().expect("a directory");
    let buffering = Buffering::default().max_delay(Duration::from_secs(3600));
    let builder = Appender::builder().filename_prefix("app.log").buffered(buffering);
    let logs = builder.build(directory.path()).expect("builds");
    (&logs).write_all(b"first\n").expect("taken");
    logs.flush().expect("flushes");
    let buffer = logs.sink().buffer().expect("is buffered");
    let live = buffer.live().expect("a ring");
    let (entries, now, mut rest) = (live.entries(), buffer.second_of_now().at, Rest::default());
    let mut before = None;
    for line in 0..4 {
        let reserved = entries.reserve(1).expect("room");
        if let Some(before) = before.replace(reserved) {
            assert!(entries.publish(before, now), "line {line} was given up");
        }
        (0..COPIES - 100).for_each(|_| assert!(rest.after(buffer, live).is_some()));
    }
    (0..200).for_each(|_| assert!(rest.after(buffer, live).is_some()));
    assert!(!entries.publish(before.expect("a line"), now), "this one does not come");
}
