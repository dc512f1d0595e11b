//! The link to the latest file.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::common;
use crate::common::latest::{knows_births, lead, leave_a_hard_link};
use crate::common::{DAY, Hand, NOW, all_names, alone, daily, log, names};

/// A directory to which names can only be added, until the test has ended.
struct OnlyAdded(PathBuf);

impl OnlyAdded {
    fn chattr(&self, flag: &str) -> bool {
        let output = std::process::Command::new("chattr").arg(flag).arg(&self.0).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for OnlyAdded {
    fn drop(&mut self) {
        self.chattr("-a");
    }
}

#[test]
fn an_append_only_directory_gets_one_temporary_name_per_link() {
    alone(|_| {
        let directory = tempfile::tempdir().expect("a directory");
        let only_added = OnlyAdded(directory.path().to_owned());
        if !only_added.chattr("+a") {
            return writeln!(std::io::stderr(), "SKIPPED: chattr +a is refused").expect("told");
        }
        let hand = Hand::at(NOW);
        let build = || {
            let builder = daily(&hand).latest_symlink("latest").latest_hard_link("latest.hard").on_error(|_| {});
            builder.build(directory.path()).expect("builds")
        };
        let temporary = || all_names(directory.path()).into_iter().filter(|name| name.ends_with(".tmp")).count();
        let mut counts = Vec::new();
        let logs = build();
        counts.push((
            lead(directory.path()) == ["app.2026-11-21.log", "app.2026-11-21.log"].map(PathBuf::from),
            temporary(),
        ));
        for day in 1..5 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "the next day");
            // As a program that is started again.
            if day > 2 {
                log(&build(), "started again");
            }
            counts.push((true, temporary()));
        }
        drop(only_added);
        assert_eq!(counts, [(true, 0), (true, 2), (true, 2), (true, 2), (true, 2)]);
    });
}

#[test]
fn later_processes_lead_the_hard_link_to_the_newest_file() {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    common::alone(|directory| {
        if !knows_births(directory) {
            return;
        }
        leave_a_hard_link(directory);
        for day in (2..30).step_by(2) {
            for name in names(directory).into_iter().filter(|name| name != "latest") {
                fs::remove_file(directory.join(name)).expect("removed");
            }
            let children = (0..8).map(|_| {
                // SAFETY: this process has one thread.
                match unsafe { fork() }.expect("forks") {
                    ForkResult::Parent { child } => child,
                    ForkResult::Child => {
                        let hand = Hand::at(NOW + day * DAY);
                        let logs = daily(&hand).latest_hard_link("latest").build(directory).expect("builds");
                        log(&logs, "started");
                        hand.set(NOW + (day + 1) * DAY, 0);
                        log(&logs, "a day later");
                        // SAFETY: nothing of the parent's is to run.
                        unsafe { nix::libc::_exit(i32::from(logs.stats().errors > 0)) }
                    }
                }
            });
            for child in children.collect::<Vec<_>>() {
                let ended = waitpid(child, None);
                assert!(matches!(ended, Ok(WaitStatus::Exited(_, 0))), "{day}: {ended:?}");
            }
            assert_eq!(common::read(directory, "latest"), "a day later\n".repeat(8), "{day}");
        }
    });
}
