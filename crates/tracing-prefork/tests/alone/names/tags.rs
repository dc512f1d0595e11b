//! With `per_process` each process has a file of its own, also a child that is forked later.

use std::fs;
use std::process;
use std::thread;
use tracing_prefork::Appender;

use crate::common::{DAY, Hand, NOW, alone, daily, in_child, log, names};

fn own_file(logs: &Appender) -> String {
    fs::read_to_string(logs.path()).expect("its own file")
}

#[test]
fn a_forked_child_has_a_file_of_its_own() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand).per_process(true).latest_symlink("now.log").build(directory).expect("builds");
        log(&logs, "the parent");
        for generation in 0..3 {
            in_child(|| {
                log(&logs, &format!("child {generation}"));
                assert!(logs.path().to_string_lossy().contains(&format!("app.{}.", process::id())));
                assert_eq!(own_file(&logs), format!("child {generation}\n"));
                in_child(|| {
                    log(&logs, "grandchild");
                    assert_eq!(own_file(&logs), "grandchild\n");
                });
                log(&logs, "again");
                assert_eq!(own_file(&logs), format!("child {generation}\nagain\n"));
                let link = fs::read_link(directory.join(format!("now.{}.log", process::id()))).expect("a link");
                assert_eq!(Some(link.as_os_str()), logs.path().file_name());
            });
        }
        log(&logs, "goes on");
        assert_eq!(own_file(&logs), "the parent\ngoes on\n");
        assert_eq!(logs.files().expect("listed").len(), 7);
    });
}

#[test]
fn children_forked_beside_threads_that_log_mix_no_lines() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs = daily(&hand).per_process(true).max_age(std::time::Duration::from_secs(DAY)).build(directory);
        let logs = logs.expect("builds");
        let parent = process::id();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..2000).for_each(|_| log(&logs, &process::id().to_string())));
            }
            for day in 0..40 {
                hand.set(NOW + day % 2 * DAY, 0);
                in_child(|| (0..50).for_each(|_| log(&logs, &process::id().to_string())));
            }
        });
        let mut lines = 0;
        for name in names(directory) {
            let process = name.split('.').nth(1).expect("a tag");
            let text = fs::read_to_string(directory.join(&name)).expect("read");
            assert!(text.lines().all(|line| line == process), "{name}");
            lines += text.lines().count();
            assert!(process == parent.to_string() || text.lines().count() == 50, "{name}");
        }
        assert_eq!(lines, 3 * 2000 + 40 * 50);
    });
}
