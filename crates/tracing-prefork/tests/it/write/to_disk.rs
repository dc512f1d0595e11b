//! `sync`: the open files are brought onto the disk.

use tracing_prefork::Rotation;

use crate::common::{DAY, Hand, NOW, log, names};

#[test]
fn sync_succeeds_with_one_file_two_files_and_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    logs.sync().expect("the first file");
    log(&logs, "a line");
    logs.sync().expect("its line");
    hand.set(NOW + DAY, 0);
    log(&logs, "the next day");
    logs.sync().expect("both files");
    assert_eq!(names(directory.path()).len(), 2);
    assert_eq!(logs.stats().writes, 2, "to sync is no line");
}
