//! A ring that is full, while the thread that writes its lines comes no further.

use crate::buffer::options::Buffering;
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
