//! Disks, quotas and file sizes that are full, and the pieces of lines that they leave.

use std::fs;
use tracing_prefork::Rotation;

use crate::common::{DAY, Hand, NOW, names, read, try_log};

#[test]
fn a_piece_that_a_dead_process_has_left_is_a_line_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["app.2026-11-21.log", "app.2026-11-22.log"] {
        fs::write(directory.path().join(name), "half a li").expect("written");
    }
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    for day in [0, 1] {
        hand.set(NOW + day * DAY, 0);
        try_log(&logs, "a line").expect("writes");
        try_log(&logs, "another").expect("writes");
    }
    for name in names(directory.path()) {
        assert_eq!(read(directory.path(), &name), "half a li\na line\nanother\n");
    }
}

#[test]
fn a_log_of_more_than_2_gib_is_written_on() {
    use std::os::unix::fs::FileExt;
    const SIZE: u64 = (3 << 30) + 8;
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    for lock_writes in [false, true] {
        // Nearly all of it is a hole.
        let path = directory.path().join("app.log");
        let file = fs::File::options().create(true).truncate(true).read(true).write(true).open(&path).expect("made");
        file.write_at(b"a piece", SIZE - 7).expect("written");
        let logs = hand.builder().lock_writes(lock_writes).build(directory.path()).expect("builds");
        try_log(&logs, "a line").expect("writes");
        let mut end = [0; 15];
        file.read_exact_at(&mut end, SIZE - 7).expect("the line is there");
        assert_eq!(&end, b"a piece\na line\n");
        assert_eq!(file.metadata().expect("open").len(), SIZE + 8);
    }
}
