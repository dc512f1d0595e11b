//! What others do to the files and the links: rename, remove, truncate and replace them. It is noticed in the next
//! second, by the clock that the test sets.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use tracing_prefork::{Appender, Builder, Operation, Period, Rotation};
use tracing_subscriber::fmt::MakeWriter;

use crate::common;
use crate::common::{DAY, Hand, NOW, TODAY, Told, names, operations, read, telling, try_log};

struct Scene {
    directory: tempfile::TempDir,
    hand: Hand,
    second: u64,
    told: Told,
    logs: Appender,
}

impl Scene {
    fn new(options: impl FnOnce(Builder) -> Builder) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let (told, builder) = telling(options(hand.builder().rotation(Rotation::DAILY)));
        let logs = builder.build(directory.path().join("logs")).expect("builds");
        let scene = Self { directory, hand, second: NOW, told, logs };
        scene.log("before");
        scene
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.logs_directory().join(name)
    }

    fn logs_directory(&self) -> std::path::PathBuf {
        self.directory.path().join("logs")
    }

    fn log(&self, text: &str) {
        try_log(&self.logs, text).expect("writes");
    }

    fn next_second(&mut self) {
        self.second += 1;
        self.hand.set(self.second, 0);
    }

    fn read(&self, name: &str) -> String {
        read(&self.logs_directory(), name)
    }
}

#[test]
fn a_file_that_was_removed_is_made_again_in_the_next_second() {
    let mut scene = Scene::new(|builder| builder);
    fs::remove_file(scene.path(TODAY)).expect("removed");
    scene.log("within the second: in the removed file");
    scene.next_second();
    scene.log("after it");
    scene.next_second();
    scene.log("and on");
    assert_eq!(scene.read(TODAY), "after it\nand on\n");
    assert_eq!(operations(&scene.told), [Operation::Reopen]);
    let text = &scene.told.lock().expect("unpoisoned")[0].1;
    common::says(text, &[TODAY, "had to reopen", "new one"]);
    assert_eq!((scene.logs.stats().files_reopened, scene.logs.stats().errors), (1, 1));
}

#[test]
fn a_look_that_another_thread_prevents_comes_at_the_next_event() {
    let ((entered, enters), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel::<()>());
    let (entered, goes_on) = (Mutex::new(entered), Mutex::new(goes_on));
    // Whoever makes yesterday's file stops in the middle of it. Meanwhile nobody else may exchange files.
    let header = move |period: Period| {
        if period.end <= Some(common::at(NOW)) {
            let _ = entered.lock().expect("unpoisoned").send(());
            let _ = goes_on.lock().expect("unpoisoned").recv();
        }
        String::new()
    };
    let mut scene = Scene::new(|builder| builder.header(header));
    scene.hand.set(NOW - DAY, 0);
    let logs = scene.logs.clone();
    let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel::<()>());
    let late = std::thread::spawn(move || {
        let mut event = logs.make_writer();
        event.write_all(b"late").expect("kept");
        begun.send(()).expect("told");
        let _ = ends.recv();
        event.flush()
    });
    begins.recv().expect("begins");
    fs::remove_file(scene.path(TODAY)).expect("removed");
    scene.next_second();
    end.send(()).expect("told");
    enters.recv().expect("enters");
    scene.log("while the other thread is at it: in the removed file");
    drop(go_on);
    late.join().expect("ends").expect("writes");
    scene.log("after it, in the same second");
    assert_eq!(scene.read(TODAY), "after it, in the same second\n");
    assert_eq!(scene.read("app.2026-11-20.log"), "late\n");
}

#[test]
fn a_removed_file_is_noticed_after_the_clock_was_set_back() {
    for back in [1, 5, 30, 59, 61, 3600] {
        let mut scene = Scene::new(|builder| builder);
        fs::remove_file(scene.path(TODAY)).expect("removed");
        scene.second -= back;
        scene.hand.set(scene.second, 0);
        scene.log("after the step");
        assert_eq!(scene.read(TODAY), "after the step\n", "set back by {back} s");
        fs::remove_file(scene.path(TODAY)).expect("removed");
        scene.next_second();
        scene.log("a second later");
        assert_eq!(scene.read(TODAY), "a second later\n", "set back by {back} s");
    }
}

#[test]
fn no_line_is_lost_when_a_file_is_renamed() {
    let mut scene = Scene::new(|builder| builder);
    for turn in 0..5 {
        fs::rename(scene.path(TODAY), scene.path(&format!("moved.{turn}"))).expect("renamed");
        scene.log("to the renamed file");
        scene.next_second();
        scene.log("to the new one");
    }
    assert_eq!(scene.read("moved.0"), "before\nto the renamed file\n");
    assert_eq!(scene.read("moved.4"), "to the new one\nto the renamed file\n");
    assert_eq!(scene.read(TODAY), "to the new one\n");
    let stats = scene.logs.stats();
    assert_eq!((stats.writes, stats.lines_lost, stats.files_reopened), (11, 0, 5));
    assert_eq!(operations(&scene.told), [Operation::Reopen], "once a minute");
    // The renamed files are not kept open.
    let open = fs::read_dir("/proc/self/fd").expect("listed").filter_map(|entry| entry.ok());
    let open: Vec<_> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    let moved = |path: &&PathBuf| path.to_str().is_some_and(|path| path.contains("moved."));
    assert!(!open.iter().filter(|path| path.starts_with(scene.directory.path())).any(|path| moved(&path)), "{open:?}");
}

#[test]
fn a_moved_file_does_not_outgrow_the_limit_within_the_second() {
    const LARGEST: u64 = 64 * 1024;
    let scene = Scene::new(|builder| builder.max_file_bytes(LARGEST).latest_hard_link("hard"));
    fs::rename(scene.path(TODAY), scene.path("moved")).expect("renamed");
    let line = "x".repeat(999);
    (0..1000).for_each(|_| scene.log(&line));
    // Looked at when 16 KiB have been written.
    let moved = fs::metadata(scene.path("moved")).expect("there").len();
    assert!(moved <= LARGEST + 20 * 1024, "{moved} bytes");
    let lines: usize = names(&scene.logs_directory())
        .iter()
        .filter(|name| *name != "hard")
        .map(|name| scene.read(name).lines().count())
        .sum();
    assert_eq!((lines, operations(&scene.told)), (1001, vec![Operation::Reopen]));
}

#[test]
fn after_a_truncation_lines_begin_at_the_beginning() {
    let mut scene = Scene::new(|builder| builder);
    fs::OpenOptions::new().write(true).truncate(true).open(scene.path(TODAY)).expect("truncated");
    scene.log("after it");
    scene.next_second();
    scene.log("and on");
    assert_eq!(scene.read(TODAY), "after it\nand on\n");
    assert_eq!(operations(&scene.told), []);
}

#[test]
fn a_renamed_file_takes_lines_while_a_directory_has_its_name() {
    let mut scene = Scene::new(|builder| builder);
    fs::rename(scene.path(TODAY), scene.path("moved")).expect("renamed");
    fs::create_dir(scene.path(TODAY)).expect("in the way");
    for _ in 0..20 {
        scene.next_second();
        scene.log("to the renamed file");
    }
    fs::remove_dir(scene.path(TODAY)).expect("removed");
    for _ in 0..9 {
        scene.next_second();
        scene.log("and on");
    }
    let (moved, today) = (scene.read("moved"), scene.read(TODAY));
    assert_eq!(moved.lines().count() + today.lines().count(), 30);
    assert!(moved.lines().count() >= 21 && today.ends_with("and on\n"), "{moved}{today}");
    assert_eq!(operations(&scene.told), [Operation::Rollover, Operation::Reopen]);
}

#[test]
fn lines_are_refused_if_their_file_has_no_name() {
    let mut scene = Scene::new(|builder| builder);
    fs::remove_file(scene.path(TODAY)).expect("removed");
    fs::create_dir(scene.path(TODAY)).expect("in the way");
    scene.next_second();
    for _ in 0..10 {
        try_log(&scene.logs, "nowhere to go").expect_err("refused");
    }
    fs::remove_dir(scene.path(TODAY)).expect("removed");
    scene.log("at once, since lines are lost otherwise");
    assert_eq!(scene.read(TODAY), "at once, since lines are lost otherwise\n");
    assert_eq!(scene.logs.stats().lines_lost, 10);
}

#[test]
fn lines_are_refused_if_only_the_hard_link_names_their_file() {
    let mut scene = Scene::new(|builder| builder.latest_hard_link("hard"));
    fs::remove_file(scene.path(TODAY)).expect("removed");
    fs::create_dir(scene.path(TODAY)).expect("in the way");
    scene.next_second();
    for _ in 0..10 {
        try_log(&scene.logs, "nowhere to go").expect_err("refused");
    }
    fs::remove_dir(scene.path(TODAY)).expect("removed");
    scene.log("at once, since lines are lost otherwise");
    assert_eq!(scene.read(TODAY), "at once, since lines are lost otherwise\n");
    assert!(leads_to_today(&scene, "hard"));
    assert_eq!(scene.logs.stats().lines_lost, 10);
}

#[test]
fn a_moved_file_is_written_on_although_a_hard_link_leads_to_it() {
    let mut scene = Scene::new(|builder| builder.latest_hard_link("hard").latest_hard_link("hard.2"));
    fs::rename(scene.path(TODAY), scene.path("moved")).expect("renamed");
    fs::create_dir(scene.path(TODAY)).expect("in the way");
    for _ in 0..20 {
        scene.next_second();
        scene.log("to the renamed file");
    }
    assert_eq!(scene.read("moved").lines().count(), 21);
    // Deleted after that, it has the names of the two links alone.
    fs::remove_file(scene.path("moved")).expect("removed");
    scene.next_second();
    try_log(&scene.logs, "nowhere to go").expect_err("refused");
}

#[test]
fn a_directory_that_was_removed_or_renamed_is_made_again() {
    let mut scene = Scene::new(|builder| builder);
    fs::rename(scene.logs_directory(), scene.directory.path().join("moved")).expect("renamed");
    scene.log("to the renamed directory");
    scene.next_second();
    scene.log("to the new one");
    assert_eq!(read(&scene.directory.path().join("moved"), TODAY), "before\nto the renamed directory\n");
    assert_eq!(scene.read(TODAY), "to the new one\n");
    fs::remove_dir_all(scene.logs_directory()).expect("removed");
    scene.next_second();
    scene.log("and again");
    assert_eq!(scene.read(TODAY), "and again\n");
    // A file in its place: nowhere to go, until it has gone.
    fs::remove_dir_all(scene.logs_directory()).expect("removed");
    fs::write(scene.logs_directory(), "").expect("in the way");
    scene.next_second();
    try_log(&scene.logs, "lost").expect_err("refused");
    fs::remove_file(scene.logs_directory()).expect("removed");
    scene.log("made again");
    assert_eq!(scene.read(TODAY), "made again\n");
}

#[test]
fn nobody_looks_after_a_file_whose_period_is_over() {
    let mut scene = Scene::new(|builder| builder);
    scene.second += DAY;
    scene.hand.set(scene.second, 0);
    scene.log("tomorrow");
    fs::remove_file(scene.path(TODAY)).expect("removed, as an administrator does with old files");
    scene.next_second();
    scene.log("and on");
    assert_eq!(names(&scene.logs_directory()), ["app.2026-11-22.log"]);
    assert_eq!(operations(&scene.told), []);
}

fn leads_to_today(scene: &Scene, link: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |path: &Path| fs::metadata(path).map(|found| found.ino()).unwrap_or_default();
    inode(&scene.path(link)) == inode(&scene.path(TODAY))
}

#[test]
fn removed_or_replaced_links_are_put_right_within_a_second() {
    let mut scene = Scene::new(|builder| builder.latest_symlink("soft").latest_hard_link("hard"));
    for link in ["soft", "hard"] {
        fs::remove_file(scene.path(link)).expect("removed");
        scene.next_second();
        scene.log("a line");
        assert!(leads_to_today(&scene, link), "{link}");
    }
    assert_eq!(operations(&scene.told), []);
    // Somebody else's file or directory is reported, once, and left alone; when it has gone the link comes back.
    for link in ["soft", "hard"] {
        let errors = scene.logs.stats().errors;
        fs::remove_file(scene.path(link)).expect("removed");
        fs::create_dir(scene.path(link)).expect("in the way");
        for _ in 0..5 {
            scene.next_second();
            scene.log("a line");
        }
        assert_eq!(scene.logs.stats().errors, errors + 1, "{link}");
        fs::remove_dir(scene.path(link)).expect("removed");
        fs::write(scene.path(link), "precious").expect("written");
        for _ in 0..5 {
            scene.next_second();
            scene.log("a line");
        }
        assert_eq!(scene.logs.stats().errors, errors + 2, "{link}");
        assert_eq!(scene.read(link), "precious");
        fs::remove_file(scene.path(link)).expect("removed");
        scene.next_second();
        scene.log("a line");
        assert!(leads_to_today(&scene, link), "{link}");
    }
}

#[test]
fn links_lead_to_the_file_that_replaces_a_removed_one() {
    let mut scene = Scene::new(|builder| builder.latest_symlink("soft").latest_hard_link("hard"));
    fs::remove_file(scene.path(TODAY)).expect("removed");
    scene.next_second();
    scene.log("a line");
    assert!(leads_to_today(&scene, "soft") && leads_to_today(&scene, "hard"));
    assert_eq!(operations(&scene.told), [Operation::Reopen]);
}

#[test]
fn reopen_does_it_at_once_and_reports_nothing() {
    let scene = Scene::new(|builder| builder.latest_hard_link("hard"));
    scene.logs.reopen().expect("nothing to do");
    assert_eq!(scene.logs.stats().files_reopened, 0);
    fs::rename(scene.path(TODAY), scene.path("moved")).expect("renamed");
    scene.logs.reopen().expect("reopens");
    assert!(leads_to_today(&scene, "hard"), "before any line is written");
    scene.log("to the new one");
    assert_eq!(scene.read("moved"), "before\n");
    assert_eq!(scene.read(TODAY), "to the new one\n");
    assert_eq!((scene.logs.stats().files_reopened, operations(&scene.told)), (1, vec![]));
    // What stands in the way is told to the caller.
    fs::rename(scene.path(TODAY), scene.path("moved.2")).expect("renamed");
    fs::create_dir(scene.path(TODAY)).expect("in the way");
    let error = scene.logs.reopen().expect_err("a directory is in the way");
    common::says(&error.to_string(), &[TODAY, "irectory"]);
    scene.log("to the renamed file");
    assert_eq!(scene.read("moved.2"), "to the new one\nto the renamed file\n");
}

#[test]
fn reopen_after_a_boundary_opens_the_file_of_the_new_period() {
    const TOMORROW: &str = "app.2026-11-22.log";
    let scene = Scene::new(|builder| builder.latest_symlink("soft"));
    let link = || fs::read_link(scene.path("soft")).expect("a link");
    fs::create_dir(scene.path(TOMORROW)).expect("in the way");
    scene.hand.set(NOW + DAY, 0);
    let error = scene.logs.reopen().expect_err("a directory is in the way");
    assert_eq!(error.operation(), Operation::Rollover);
    common::says(&error.to_string(), &[TOMORROW, "irectory"]);
    assert_eq!(link(), Path::new(TODAY));
    scene.log("to the file before");
    fs::remove_dir(scene.path(TOMORROW)).expect("removed");
    scene.logs.reopen().expect("opens the file");
    assert_eq!((scene.read(TOMORROW).as_str(), link().as_path()), ("", Path::new(TOMORROW)), "before any line");
    scene.log("of the next day");
    assert_eq!(scene.read(TODAY), "before\nto the file before\n");
    assert_eq!(scene.read(TOMORROW), "of the next day\n");
    // The clock is set back, and the file of that day is not open.
    scene.hand.set(NOW - 2 * DAY, 0);
    scene.logs.reopen().expect("opens the file");
    assert_eq!(scene.read("app.2026-11-19.log"), "");
    let stats = scene.logs.stats();
    assert_eq!((stats.rollovers, stats.files_reopened, operations(&scene.told)), (3, 0, vec![]));
}

#[test]
fn reopen_is_safe_while_other_threads_log() {
    let scene = Scene::new(|builder| builder);
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..5000).for_each(|number| scene.log(&number.to_string())))).collect();
        let mut turn = 0;
        while writers.iter().any(|writer| !writer.is_finished()) {
            fs::rename(scene.path(TODAY), scene.path(&format!("moved.{turn}"))).expect("renamed");
            scene.logs.reopen().expect("reopens");
            turn += 1;
        }
    });
    let lines: usize = names(&scene.logs_directory()).iter().map(|name| scene.read(name).lines().count()).sum();
    assert_eq!(lines, 20_001);
    assert_eq!(scene.logs.stats().writes, 20_001);
}
