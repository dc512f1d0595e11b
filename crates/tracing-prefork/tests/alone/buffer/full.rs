//! A full disk: lines wait in the ring.

use crate::common::{Hand, NOW, TODAY, alone, daily, eventually, log, operations, read, small_disk, telling, try_log};
use std::fs;
use std::io::ErrorKind;
use std::time::Duration;
use tracing_prefork::{Buffering, Operation};

const DISK: &str = "size=2m";

/// Fills the disk, all but a few bytes.
fn fill(directory: &std::path::Path) {
    let filler = directory.join("filler");
    let _ = fs::write(&filler, vec![b'x'; 4 << 20]);
    assert!(fs::metadata(filler).expect("there").len() > 0);
}

#[test]
fn lines_wait_for_a_full_disk() {
    alone(|directory| {
        if !small_disk(directory, DISK) {
            return;
        }
        let (told, builder) = telling(daily(&Hand::at(NOW)));
        let buffering = Buffering::default().ring_bytes(64 << 10).max_delay(Duration::from_millis(1));
        let logs = builder.buffered(buffering).build(directory).expect("builds");
        log(&logs, "first");
        logs.flush().expect("flushes");
        fill(directory);
        // More than the rest of the file's page.
        let lines: Vec<_> = (0..100).map(|number| format!("{number} {}", "x".repeat(100))).collect();
        lines.iter().for_each(|line| log(&logs, line));
        logs.flush().expect_err("the disk is full");
        eventually("the report", || operations(&told).contains(&Operation::Ring));
        assert_eq!((logs.stats().lines_lost, logs.stats().lines_dropped), (0, 0));
        fs::remove_file(directory.join("filler")).expect("removed");
        eventually("the lines are in the file", || read(directory, TODAY).lines().count() == 101);
        assert_eq!(read(directory, TODAY), format!("first\n{}\n", lines.join("\n")));
    });
}

#[test]
fn a_full_ring_on_a_full_disk_refuses_lines() {
    alone(|directory| {
        if !small_disk(directory, DISK) {
            return;
        }
        let (told, builder) = telling(daily(&Hand::at(NOW)));
        let buffering = Buffering::default().ring_bytes(64 << 10);
        let logs = builder.buffered(buffering).build(directory).expect("builds");
        log(&logs, "first");
        fill(directory);
        let (mut taken, mut refused) = (vec!["first".to_owned()], 0);
        for number in 0..2000 {
            let line = format!("{number} {}", "x".repeat(100));
            match try_log(&logs, &line) {
                Ok(()) => taken.push(line),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::StorageFull);
                    refused += 1;
                }
            }
        }
        assert!(refused > 0 && taken.len() > 100, "{refused} {}", taken.len());
        assert_eq!(logs.stats().lines_lost, refused);
        fs::remove_file(directory.join("filler")).expect("removed");
        logs.flush().expect("there is room");
        assert_eq!(read(directory, TODAY).lines().collect::<Vec<_>>(), taken);
        assert!(operations(&told).contains(&Operation::Write), "{:?}", operations(&told));
    });
}

#[test]
fn without_room_for_a_ring_events_go_straight_to_the_file() {
    alone(|directory| {
        if !small_disk(directory, DISK) {
            return;
        }
        let (told, builder) = telling(daily(&Hand::at(NOW)));
        let logs = builder.buffered(Buffering::default().ring_bytes(8 << 20)).build(directory).expect("builds");
        for number in 0..3 {
            log(&logs, &number.to_string());
            assert_eq!(read(directory, TODAY).lines().count(), number + 1);
        }
        assert_eq!(operations(&told), [Operation::Ring]);
    });
}
