//! `non_blocking` in processes that fork, that are killed, and whose files may not grow.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tracing_prefork::non_blocking::{NonBlocking, NonBlockingBuilder};
use tracing_prefork::{Appender, Operation};

use crate::common::{
    Hand, NOW, TODAY, all_names, alone, daily, eventually, in_child, limit, limited, noted, operations, reporting,
};

fn appender(directory: &Path) -> Appender {
    daily(&Hand::at(NOW)).build(directory).expect("builds")
}

fn put(non_blocking: &NonBlocking, text: &str) -> std::io::Result<()> {
    writeln!(non_blocking.clone(), "{text}")
}

/// The lines of the file.
fn lines(directory: &Path) -> Vec<String> {
    noted(&directory.join(TODAY))
}

/// Limits the files of this process so that the log file takes nothing more.
fn fill(directory: &Path) {
    limit(std::fs::metadata(directory.join(TODAY)).expect("there").len());
}

fn grow() {
    limit(u64::MAX);
}

#[test]
fn a_forked_child_logs_on_and_its_guard_does_not_hang() {
    alone(|directory| {
        let (non_blocking, guard) = tracing_prefork::non_blocking(appender(directory));
        let (mut guard, over) = (Some(guard), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (non_blocking, over) = (&non_blocking, &over);
                scope.spawn(move || {
                    for number in 0.. {
                        put(non_blocking, &format!("parent-{thread} {number}")).expect("taken");
                        if over.load(Relaxed) {
                            break;
                        }
                        std::thread::yield_now();
                    }
                });
            }
            for child in 0..20 {
                in_child(|| {
                    // A child that hangs is killed, and the test fails.
                    nix::unistd::alarm::set(60);
                    for number in 0..3 {
                        put(&non_blocking, &format!("child-{child} {number}")).expect("taken");
                    }
                    drop(guard.take());
                    let own = format!("child-{child} ");
                    assert_eq!(lines(directory).iter().filter(|line| line.starts_with(&own)).count(), 3);
                });
            }
            over.store(true, Relaxed);
        });
        assert_eq!(non_blocking.error_counter().dropped_lines(), 0);
        drop(guard);
        // Each line of each writer is there once, in its order.
        let mut next = BTreeMap::new();
        for line in lines(directory) {
            let (writer, number) = line.split_once(' ').expect("a writer and a number");
            let expected = next.entry(writer.to_owned()).or_insert(0);
            assert_eq!(number.parse(), Ok(*expected), "{line}");
            *expected += 1;
        }
        assert_eq!(next.len(), 3 + 20);
    });
}

#[test]
fn what_waits_in_the_parent_is_written_by_the_parent_alone() {
    limited(|directory| {
        let (non_blocking, guard) = tracing_prefork::non_blocking(appender(directory));
        let mut guard = Some(guard);
        put(&non_blocking, "first").expect("taken");
        eventually("it is in the file", || lines(directory).len() == 1);
        fill(directory);
        (0..100).for_each(|number| put(&non_blocking, &format!("waits {number}")).expect("taken"));
        let mut piece = non_blocking.clone();
        piece.write_all(b"the parent's ").expect("taken");
        in_child(|| {
            nix::unistd::alarm::set(60);
            grow();
            put(&non_blocking, "of the child").expect("taken");
            piece.write_all(b"a whole line of the child\n").expect("taken");
            drop(guard.take());
            assert_eq!(lines(directory), ["first", "of the child", "a whole line of the child"]);
        });
        piece.write_all(b"piece\n").expect("taken");
        assert_eq!(lines(directory).len(), 3, "the parent's lines wait");
        grow();
        drop(guard);
        let waited: Vec<_> = (0..100).map(|number| format!("waits {number}")).collect();
        assert_eq!(lines(directory)[3..103], waited);
        assert_eq!(lines(directory)[103..], ["the parent's piece"]);
    });
}

#[test]
fn a_child_that_ends_without_its_guard_leaves_its_lines() {
    alone(|directory| {
        let logs = appender(directory);
        let (non_blocking, _guard) = tracing_prefork::non_blocking(logs.clone());
        // The children end by `_exit`, which runs nothing.
        for child in 0..20 {
            in_child(|| (0..50).for_each(|number| put(&non_blocking, &format!("{child} {number}")).expect("taken")));
        }
        logs.recover().expect("recovered");
        let mut found = lines(directory);
        found.sort();
        let mut expected: Vec<_> =
            (0..20).flat_map(|child| (0..50).map(move |number| format!("{child} {number}"))).collect();
        expected.sort();
        assert_eq!(found, expected);
        assert!(!all_names(directory).iter().any(|name| name.ends_with(".ring")));
    });
}

#[test]
fn lines_that_a_full_ring_drops_are_counted() {
    limited(|directory| {
        let (told, builder) = reporting(&Hand::at(NOW));
        let logs = builder.build(directory).expect("builds");
        let (non_blocking, guard) = NonBlockingBuilder::default().buffered_lines_limit(1000).finish(logs);
        put(&non_blocking, "first").expect("taken");
        eventually("it is in the file", || lines(directory).len() == 1);
        fill(directory);
        for number in 0..3000 {
            put(&non_blocking, &number.to_string()).expect("taken, or dropped without a word");
        }
        let dropped = non_blocking.error_counter().dropped_lines();
        // A ring has room for the lines that it was asked for, if they are short.
        assert!((1..=2000).contains(&dropped), "{dropped}");
        assert!(operations(&told).contains(&Operation::Ring), "{told:?}");
        grow();
        drop(guard);
        let kept: Vec<_> = (0..3000 - dropped).map(|number| number.to_string()).collect();
        assert_eq!(lines(directory)[1..], kept);
    });
}

#[test]
fn without_loss_the_caller_is_told_when_nothing_has_room() {
    limited(|directory| {
        let builder = NonBlockingBuilder::default().lossy(false).buffered_lines_limit(1000);
        let (non_blocking, guard) = builder.finish(appender(directory));
        put(&non_blocking, "first").expect("taken");
        eventually("it is in the file", || lines(directory).len() == 1);
        fill(directory);
        let taken: Vec<_> =
            (0..3000).map(|number: u32| number.to_string()).filter(|line| put(&non_blocking, line).is_ok()).collect();
        assert!((1000..3000).contains(&taken.len()), "{}", taken.len());
        assert_eq!(non_blocking.error_counter().dropped_lines(), 0);
        grow();
        drop(guard);
        assert_eq!(lines(directory)[1..], taken);
    });
}

#[test]
fn without_a_ring_the_lines_go_straight_to_the_file() {
    limited(|directory| {
        let (told, builder) = reporting(&Hand::at(NOW));
        let logs = builder.build(directory).expect("builds");
        // No ring is so small.
        limit(32 << 10);
        let (non_blocking, guard) = tracing_prefork::non_blocking(logs);
        for number in 0..100 {
            put(&non_blocking, &number.to_string()).expect("written");
            assert_eq!(lines(directory).len(), number + 1);
        }
        drop(guard);
        assert_eq!(operations(&told), [Operation::Ring], "{told:?}");
    });
}
