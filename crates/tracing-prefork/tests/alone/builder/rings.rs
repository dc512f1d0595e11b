//! `LogFiles::rings` and `LogFiles::recover`: the rings of processes that were killed, and of those that live.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_prefork::{Appender, Buffering, Builder, LogFiles, Ring, RingState};

use crate::common::{Hand, NOW, TODAY, all_names, alone, daily, eventually, in_child, is_root, log, noted};

fn builder() -> Builder {
    daily(&Hand::at(NOW)).on_error(|_| ())
}

/// After its first line, the flusher sleeps for an hour.
fn slow() -> Buffering {
    Buffering::default().max_delay(Duration::from_secs(3600))
}

fn files(directory: &Path) -> LogFiles {
    builder().inspect(directory).expect("a pattern")
}

fn rings(directory: &Path) -> Vec<Ring> {
    files(directory).rings().expect("listed")
}

fn states(directory: &Path) -> Vec<RingState> {
    rings(directory).into_iter().map(|ring| ring.state).collect()
}

/// Whether the flusher of this process sleeps.
fn flusher_sleeps() -> bool {
    let tasks = fs::read_dir("/proc/self/task").expect("listed").map(|task| task.expect("readable").path());
    let stats = tasks.filter_map(|task| fs::read_to_string(task.join("stat")).ok());
    stats.into_iter().any(|stat| stat.contains("(tracing-prefork) S "))
}

/// Logs a first line, which is in the file then, and three lines that wait.
fn leave_three(logs: &Appender, first: &str) {
    log(logs, first);
    eventually("the first line is in the file", || noted(&logs.path()).contains(&first.to_owned()));
    eventually("the flusher sleeps again", flusher_sleeps);
    for text in ["one", "two", "three"] {
        log(logs, text);
    }
}

/// The process that makes a ring with three lines, and ends without a word.
fn end_with_three(builder: Builder, directory: &Path) {
    in_child(|| {
        let logs = builder.build(directory).expect("builds");
        leave_three(&logs, "first");
        std::mem::forget(logs);
    });
}

#[test]
fn the_rings_are_listed_with_what_waits_in_them() {
    alone(|directory| {
        end_with_three(builder().buffered(slow()), directory);
        let left = &rings(directory)[0];
        assert_eq!((left.lines, left.bytes, &left.state), (3, "one two three ".len() as u64, &RingState::Left));
        assert_ne!(left.process, Some(std::process::id()));
        assert_eq!(left.tag, None);
        assert_eq!(left.made, Some(Hand::at(NOW).now()));
        // Looking changes nothing, and takes no lock.
        assert_eq!(noted(&directory.join(TODAY)), ["first"]);
        assert_eq!(files(directory).recover().expect("recovered"), 3);
        assert_eq!(noted(&directory.join(TODAY)), ["first", "one", "two", "three"]);
        assert_eq!(rings(directory), []);

        let logs = builder().buffered(slow()).build(directory).expect("builds");
        assert_eq!(rings(directory), [], "no event, no ring");
        leave_three(&logs, "after the recovery");
        let own = &rings(directory)[0];
        assert_eq!((own.lines, own.process, &own.state), (3, Some(std::process::id()), &RingState::InUse));
        assert_eq!(own.state.to_string(), "in use");
        assert_eq!(files(directory).recover().expect("nothing to do"), 0);
        logs.flush().expect("flushed");
        assert_eq!(rings(directory)[0].lines, 0);
        drop(logs);
        assert_eq!(noted(&directory.join(TODAY)).len(), 8);
    });
}

#[test]
fn an_appender_without_a_ring_writes_what_others_left_once() {
    alone(|directory| {
        end_with_three(builder().buffered(slow()), directory);
        let logs = builder().build(directory).expect("builds");
        assert_eq!(noted(&directory.join(TODAY)), ["first", "one", "two", "three"]);
        log(&logs, "its own");
        assert_eq!(noted(&directory.join(TODAY)).len(), 5);
        assert_eq!(rings(directory), []);
    });
}

#[test]
fn recovering_makes_no_file_where_there_is_no_ring() {
    alone(|directory| {
        assert_eq!(files(directory).recover().expect("nothing to do"), 0);
        assert_eq!(files(directory).rings().expect("listed"), []);
        assert_eq!(all_names(directory), [""; 0]);
        let missing = directory.join("missing");
        assert_eq!(builder().inspect(&missing).expect("a pattern").recover().expect("nothing to do"), 0);
        assert!(!missing.exists());
    });
}

#[test]
fn a_known_pattern_recovers_tags_and_numbered_files() {
    alone(|directory| {
        let small = || builder().max_file_bytes(12);
        end_with_three(small().tag("web").buffered(slow()), directory);
        // This process recovers the ring of the other tag when it builds.
        end_with_three(small().tag("queue").buffered(slow()), directory);
        for known in Builder::discover(directory).expect("listed") {
            let files = known.inspect(directory).expect("a pattern");
            let rings = files.rings().expect("listed").into_iter();
            assert_eq!(rings.map(|ring| ring.tag).collect::<Vec<_>>(), [Some("queue".to_owned())]);
            assert_eq!(files.recover().expect("recovered"), 3);
        }
        for tag in ["web", "queue"] {
            let all = small().tag(tag).inspect(directory).expect("a pattern").list().expect("listed").into_iter();
            let own = all.filter(|file| file.tag.as_deref() == Some(tag));
            let lines: Vec<_> = own.flat_map(|file| noted(&file.path)).collect();
            assert_eq!(lines, ["first", "one", "two", "three"]);
        }
    });
}

#[test]
fn a_file_that_is_gone_is_made_again() {
    alone(|directory| {
        end_with_three(builder().buffered(slow()), directory);
        fs::remove_file(directory.join(TODAY)).expect("removed");
        assert_eq!(
            builder()
                .header(|_| "# header".to_owned())
                .inspect(directory)
                .expect("a pattern")
                .recover()
                .expect("recovered"),
            3
        );
        assert_eq!(noted(&directory.join(TODAY)), ["# header", "one", "two", "three"]);
    });
}

fn ring_of(directory: &Path) -> PathBuf {
    directory.join(all_names(directory).into_iter().find(|name| name.ends_with(".ring")).expect("a ring"))
}

#[test]
fn a_ring_that_cannot_be_relied_on_is_told_and_set_aside() {
    alone(|directory| {
        end_with_three(builder().buffered(slow()), directory);
        let ring = ring_of(directory);
        let file = fs::OpenOptions::new().write(true).open(&ring).expect("opens");
        file.set_len(100).expect("cut");
        assert_eq!(states(directory), [RingState::Bad("it has 100 bytes, which is less than any ring has".to_owned())]);
        assert!(ring.exists(), "looking changes nothing");
        let error = files(directory).recover().expect_err("told").to_string();
        assert!(error.contains("less than any ring has") && error.contains(".ring.bad"), "{error}");
        let told = states(directory)[0].to_string();
        assert!(told.starts_with("not to be relied on: it was set aside;"), "{told}");
        assert_eq!(files(directory).recover().expect("nothing to do any more"), 0);
    });
}

#[test]
fn a_ring_of_another_user_is_left_to_that_user() {
    alone(|directory| {
        if !is_root() {
            return;
        }
        end_with_three(builder().buffered(slow()), directory);
        std::os::unix::fs::chown(ring_of(directory), Some(4711), None).expect("given away");
        assert_eq!(states(directory), [RingState::OfAnother("it belongs to user 4711".to_owned())]);
        let error = files(directory).recover().expect_err("told").to_string();
        assert!(error.contains("user 4711"), "{error}");
        std::os::unix::fs::chown(ring_of(directory), Some(0), None).expect("taken back");
        assert_eq!(files(directory).recover().expect("recovered"), 3);
    });
}
