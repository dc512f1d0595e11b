//! Programs that were built with different versions of the crate share a directory, so the names of hidden files stay.

use std::collections::BTreeSet;
use std::fs;
use tracing_prefork::{Appender, Compression, Rotation};

#[test]
fn the_names_of_hidden_files_are_the_same_in_each_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let logs = Appender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("app")
        .filename_suffix("log")
        .min_log_files(1)
        .compress(Compression::Gzip)
        .on_finished(|_, _| ())
        .latest_hard_link("latest.log")
        .build(path)
        .expect("built");
    logs.prune().expect("pruned");
    logs.compress().expect("compressed");
    logs.hand_over().expect("handed over");

    let names = fs::read_dir(path).expect("readable").map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8")).filter(|name| name.starts_with('.'));
    // The note of the link needs a file system that tells when a file was made.
    let knows_birth = fs::metadata(logs.path()).expect("there").created().is_ok();
    let endings = [
        "compression.lock",
        "e8c6d7f2.names",
        "link",
        "lock",
        "rollover",
        "rollover.lock",
        "rollover.refused",
        "settings",
    ];
    let expected = endings.into_iter().filter(|ending| knows_birth || *ending != "link");
    let expected: BTreeSet<_> = expected.map(|ending| format!(".app.DATE.log.d10ea686.{ending}")).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), expected);
}
