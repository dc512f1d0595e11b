//! What others do to the files and the links: rename, remove, truncate and replace them. It is noticed in the next
//! second, by the clock that the test sets.

use std::fs;
use tracing_prefork::Rotation;

use crate::common;
use crate::common::{DAY, Hand, NOW, TODAY, names, read, try_log};

/// Whoever renews the link takes the last name from the file that it led to.
#[test]
fn acknowledged_lines_survive_a_renewal_of_the_hard_link() {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    common::alone(|directory| {
        let hand = Hand::at(NOW);
        let builder = hand.builder().rotation(Rotation::DAILY).latest_hard_link("hard").on_error(|_| {});
        let logs = builder.build(directory.join("logs")).expect("builds");
        try_log(&logs, "before").expect("writes");
        fs::remove_file(directory.join("logs").join(TODAY)).expect("removed");
        fs::create_dir(directory.join("logs").join(TODAY)).expect("in the way");
        let children: Vec<_> = (0..8)
            .map(|child| {
                // SAFETY: this process has one thread.
                match unsafe { fork() }.expect("forks") {
                    ForkResult::Parent { child } => child,
                    ForkResult::Child => {
                        let mut acknowledged = String::new();
                        for (day, second) in [(0, 1), (0, 2), (0, 3), (1, 0), (2, 0)] {
                            hand.set(NOW + day * DAY + second, 0);
                            let line = format!("child {child}, day {day}, second {second}");
                            if try_log(&logs, &line).is_ok() {
                                acknowledged += &format!("{line}\n");
                            }
                        }
                        let written = fs::write(directory.join(format!("acknowledged.{child}")), acknowledged);
                        // SAFETY: nothing of the parent's is to run.
                        unsafe { nix::libc::_exit(i32::from(written.is_err())) }
                    }
                }
            })
            .collect();
        for child in children {
            assert!(matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0))));
        }
        fs::remove_dir(directory.join("logs").join(TODAY)).expect("removed");
        let text: String = names(&directory.join("logs"))
            .iter()
            .filter(|name| *name != "hard")
            .map(|name| read(&directory.join("logs"), name))
            .collect();
        let missing = |line: &&str| text.lines().filter(|found| found == line).count() != 1;
        let acknowledged: String = (0..8).map(|child| read(directory, &format!("acknowledged.{child}"))).collect();
        assert_eq!(acknowledged.lines().filter(missing).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(acknowledged.lines().count(), 16, "on the two days after");
    });
}
