//! A directory on a file system that may not append atomically is told of once, at build.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::io::Write;
use std::path::Path;
use tracing_prefork::{Builder, Operation};

use crate::common::{DAY, Hand, NOW, alone, daily, log, mount_by_fuse, operations, read, says, small_disk, telling};

/// What is told to a process that builds and rolls over a few times.
fn told_in(directory: &Path, change: fn(Builder) -> Builder) -> Vec<(Operation, String)> {
    let hand = Hand::at(NOW);
    let (told, builder) = telling(change(daily(&hand)));
    let logs = builder.build(directory).expect("builds");
    for day in 0..5 {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "a line");
    }
    logs.reopen().expect("reopened");
    assert_eq!(read(directory, "app.2026-11-25.log"), "a line\n");
    std::mem::take(&mut told.lock().expect("unpoisoned"))
}

#[test]
fn a_file_system_in_user_space_is_told_of_once_at_build() {
    alone(|directory| {
        let Some(mounted) = mount_by_fuse(directory) else { return };
        let done = std::panic::catch_unwind(|| {
            for directory in ["made", "there"].map(|name| mounted.join(name)) {
                let told = told_in(&directory, |builder| builder);
                assert_eq!(told.len(), 1, "{told:?}");
                assert_eq!((told[0].0, told[0].0.as_str()), (Operation::FileSystem, "file_system"));
                let path = directory.display().to_string();
                says(&told[0].1, &[&path, "FUSE", "may not append atomically", "lock_writes", "local directory"]);
            }
            assert_eq!(told_in(&mounted.join("locked"), |builder| builder.lock_writes(true)), []);
        });
        umount2(&mounted, MntFlags::MNT_DETACH).expect("unmounted");
        done.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
    });
}

#[test]
fn nothing_is_told_of_local_file_systems() {
    alone(|directory| {
        // The file system of the tests, whatever it is, a tmpfs, and an overlay as in a container.
        assert_eq!(told_in(&directory.join("plain"), |builder| builder), []);
        let memory = directory.join("memory");
        fs::create_dir(&memory).expect("made");
        if !small_disk(&memory, "size=1m") {
            return;
        }
        assert_eq!(told_in(&memory, |builder| builder), []);
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir(memory.join(name)).expect("made");
        }
        let layer = |name: &str| format!("{name}dir={}", memory.join(name).display());
        let options = ["lower", "upper", "work"].map(layer).join(",");
        let merged = memory.join("merged");
        let nothing = MsFlags::empty();
        if let Err(error) = mount(Some("overlay"), &merged, Some("overlay"), nothing, Some(&*options)) {
            writeln!(std::io::stderr(), "SKIPPED: no overlay may be mounted: {error}").expect("told");
            return;
        }
        assert_eq!(told_in(&merged, |builder| builder), []);
    });
}

#[test]
fn where_nobody_can_tell_the_file_system_nothing_is_told() {
    alone(|directory| {
        crate::common::refuse_system_call(nix::libc::SYS_statfs, nix::errno::Errno::EPERM);
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand));
        log(&builder.build(directory).expect("builds"), "a line");
        assert_eq!(operations(&told), []);
    });
}
