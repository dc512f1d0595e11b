//! `sync`: which files the kernel is asked to write, and what it says where it cannot.

use nix::unistd::close;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::RawFd;
use std::path::Path;
use tracing_prefork::{Operation, Rotation};

use crate::common::{DAY, Hand, NOW, TODAY, again_under_strace, alone, log};

#[test]
fn sync_writes_both_open_files_and_their_directory_to_the_disk() {
    const TRACED: &str = "TEST_SYNCS_IN";
    alone(|home| {
        if let Some(logs) = std::env::var_os(TRACED) {
            let hand = Hand::at(NOW);
            let logs = hand.builder().rotation(Rotation::DAILY).build(Path::new(&logs)).expect("builds");
            log(&logs, "a line");
            hand.set(NOW + DAY, 0);
            log(&logs, "the next day");
            return logs.sync().expect("on the disk");
        }
        let (trace, logs) = (home.join("trace"), home.join("logs"));
        let out = trace.to_str().expect("UTF-8");
        if !again_under_strace(&["-y", "-o", out, "-e", "trace=fdatasync,fsync"], (TRACED, &logs)) {
            return;
        }
        let calls = fs::read_to_string(&trace).expect("there");
        let synced = |call: &str, path: &Path| {
            let call = format!("{call}(");
            let path = format!("<{}>", path.display());
            calls.lines().filter(|line| line.contains(&call) && line.contains(&path)).count()
        };
        for name in [TODAY, "app.2026-11-22.log"] {
            assert_eq!(synced("fdatasync", &logs.join(name)), 1, "{calls}");
        }
        assert!(synced("fsync", &logs) >= 1, "{calls}");
    });
}

#[test]
fn sync_fails_where_the_program_has_closed_the_descriptor() {
    alone(|directory| {
        let logs = Hand::at(NOW).builder().rotation(Rotation::DAILY).build(directory).expect("builds");
        log(&logs, "a line");
        let file = logs.path();
        for entry in fs::read_dir("/proc/self/fd").expect("there").flatten().collect::<Vec<_>>() {
            let number: RawFd = entry.file_name().to_string_lossy().parse().expect("a number");
            if fs::read_link(entry.path()).is_ok_and(|leads| leads == file) {
                close(number).expect("closed");
            }
        }
        let error = logs.sync().expect_err("nothing to sync");
        assert_eq!((error.operation(), error.path()), (Operation::Sync, file.as_path()));
        assert_ne!(error.io_error().kind(), ErrorKind::NotFound);
        log(&logs, "the file is opened again");
        logs.sync().expect("on the disk");
    });
}
