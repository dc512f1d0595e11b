//! Attacks on tags: names of other families, foreign files, and the links of processes that have ended.

use std::fs;
use std::path::Path;
use tracing_prefork::Builder;

use crate::common::{DAY, Hand, NOW, daily, log, names, says, write_files};

/// Both ways round, in a fresh directory: whoever comes second is refused.
fn refuse_each_other(one: impl Fn() -> Builder, other: impl Fn() -> Builder) {
    let second = |first: Builder, second: Builder| {
        let directory = tempfile::tempdir().expect("a directory");
        let first = first.build(directory.path()).expect("builds");
        log(&first, "a line");
        let refused = second.build(directory.path()).err();
        refused.map(|error| error.to_string()).unwrap_or_else(|| format!("beside {}", first.path().display()))
    };
    says(&second(one(), other()), &["overlap"]);
    says(&second(other(), one()), &["overlap"]);
}

#[test]
fn families_whose_prefixes_begin_alike_do_not_overlap_unseen() {
    let hand = Hand::at(NOW);
    // `app.x.part.2026-11-21.log` is of tag `x` and of tag `part`.
    let parted = || daily(&hand).date_format("part.[year]-[month]-[day]").tag("a");
    refuse_each_other(parted, || daily(&hand).filename_prefix("app.x").tag("b"));
    // Nothing stands between these.
    let directory = tempfile::tempdir().expect("a directory");
    let _short = daily(&hand).tag("a").build(directory.path()).expect("builds");
    assert!(daily(&hand).filename_prefix("app.x").tag("b").build(directory.path()).is_ok());
}

#[test]
fn tags_of_every_script_find_their_own_files_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let tags = [
        "Ωmega",
        "工人三",
        "🦀",
        "a b",
        " ",
        "-",
        "~",
        "%s",
        "*",
        "1",
        "01",
        "-1",
        "2026-11-21",
        "gz",
        "zst",
        "log",
        "lock",
        "names",
        "app",
        "DATE",
        "TAG",
        "\u{202e}x",
        "e\u{301}",
        "\u{e9}",
        "ﬀ",
        "a\\b",
        "'\"`$(x)",
    ];
    let all = tags.map(|tag| {
        let builder = daily(&hand).tag(tag).max_file_bytes(50_000).latest_symlink("now").max_log_files(1000);
        builder.build(directory.path()).unwrap_or_else(|error| panic!("{tag:?}: {error}"))
    });
    for day in 0..2 {
        hand.set(NOW + day * DAY, 0);
        all.iter().for_each(|logs| log(logs, &"x".repeat(40_000)));
        all.iter().for_each(|logs| log(logs, &"x".repeat(40_000)));
    }
    let files = all[0].files().expect("listed");
    for tag in tags {
        let own: Vec<_> = files.iter().filter(|file| file.tag.as_deref() == Some(tag)).map(|file| file.index).collect();
        assert_eq!(own, [0, 1, 0, 1], "{tag:?}");
    }
    assert_eq!(files.len(), 4 * tags.len());
}

#[test]
fn the_longest_tag_leaves_room_for_numbers_archives_and_links() {
    let hand = Hand::at(NOW);
    let longest = "工".repeat(21) + "x";
    for length in 100..=215 {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = daily(&hand).filename_prefix("p".repeat(length)).tag(&longest).max_file_bytes(1000);
        match builder.latest_hard_link("l".repeat(150)).max_log_files(1).build(directory.path()) {
            Err(error) => says(&error.to_string(), &["too long"]),
            Ok(logs) => {
                for day in 0..3 {
                    hand.set(NOW + day * DAY, 0);
                    log(&logs, "a line");
                    logs.prune().expect("pruned");
                }
                assert_eq!(logs.stats().errors, 0);
                hand.set(NOW, 0);
            }
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn the_link_of_an_ended_process_goes_with_compression() {
    for hard in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let link = |builder: Builder| {
            if hard { builder.latest_hard_link("now.log") } else { builder.latest_symlink("now.log") }
        };
        let build = |tag: &str| {
            let builder = daily(&hand).tag(tag).compress(tracing_prefork::Compression::Gzip);
            link(builder).build(directory.path()).expect("builds")
        };
        let (dead, alive) = (build("dead"), build("alive"));
        log(&dead, "a line");
        drop(dead);
        hand.set(NOW + 3 * DAY, 0);
        log(&alive, "a line");
        crate::common::eventually("the file of the ended process is compressed", || {
            let _ = alive.compress();
            names(directory.path()).contains(&"app.dead.2026-11-21.log.gz".to_owned())
        });
        let left = crate::common::all_names(directory.path());
        assert!(!left.contains(&"now.dead.log".to_owned()), "{hard}: {left:?}");
        assert_eq!(left.iter().filter(|name| name.contains(".link.")).count(), usize::from(hard), "{left:?}");
    }
}

#[test]
fn foreign_links_and_files_with_the_names_of_links_stay() {
    for hard in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let elsewhere = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        write_files(directory.path(), &["now.file.log", "other.txt"]);
        fs::create_dir(directory.path().join("now.directory.log")).expect("made");
        fs::hard_link(directory.path().join("other.txt"), directory.path().join("now.hard.log")).expect("linked");
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, directory.path().join(name)).expect("linked");
        };
        link("nowhere", "now.dangling.log");
        link("app.other.2026-11-01.log", "now.othertag.log");
        link("/nowhere/app.absolute.2026-11-01.log", "now.absolute.log");
        link("./app.relative.2026-11-01.log", "now.relative.log");
        link(elsewhere.path().to_str().expect("UTF-8"), "now.elsewhere.log");
        link("app.a.b.2026-11-01.log", "now.a.b.log");
        let before = crate::common::all_names(directory.path());
        let builder = daily(&hand).tag("own").max_log_files(1);
        let builder = if hard { builder.latest_hard_link("now.log") } else { builder.latest_symlink("now.log") };
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "a line");
        logs.prune().expect("pruned");
        let after = crate::common::all_names(directory.path());
        assert_eq!(before.iter().filter(|name| !after.contains(name)).collect::<Vec<_>>(), [""; 0]);
    }
}

/// Retention of one tag removes the file of another before its first line, and after it was let go.
#[test]
fn a_file_that_goes_before_the_next_line_is_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    for max_file_bytes in [None, Some(50_000)] {
        for lock in [false, true] {
            let options = |tag: &str| {
                let builder = daily(&hand).tag(tag).max_log_files(1).lock_writes(lock);
                let builder = builder.latest_symlink("now.log").latest_hard_link("hard.log");
                match max_file_bytes {
                    Some(bytes) => builder.max_file_bytes(bytes),
                    None => builder,
                }
            };
            let builder = |tag: &str| options(tag).build(directory.path()).expect("builds");
            let (victim, pruner) = (builder("victim"), builder("pruner"));
            log(&pruner, "a line");
            let is_there = || names(directory.path()).iter().any(|name| name.starts_with("app.victim."));
            assert!(pruner.prune().is_ok() && !is_there(), "the file of a process that has not logged goes");
            for round in 0..5 {
                log(&victim, &format!("line {round}"));
                assert!(pruner.prune().is_ok() && is_there());
                assert_eq!(fs::read_to_string(victim.path()).expect("its file"), format!("line {round}\n"));
                assert_eq!(read_link(directory.path(), "now.victim.log"), victim.path().file_name().map(Into::into));
                victim.release().expect("released");
                assert!(pruner.prune().is_ok() && !is_there());
            }
        }
    }
}

fn read_link(directory: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_link(directory.join(name)).ok()
}

#[test]
fn a_tag_and_no_tag_are_told_apart_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let plain = || daily(&hand).max_log_files(1);
    let tagged = |tag: &str| daily(&hand).tag(tag).max_log_files(1);
    let all = std::thread::scope(|scope| {
        let builds: Vec<_> = (0..8)
            .map(|index| {
                let builder = if index % 2 == 0 { plain() } else { tagged(&format!("worker-{index}")) };
                scope.spawn(|| builder.build(directory.path()).expect("builds"))
            })
            .collect();
        builds.into_iter().map(|build| build.join().expect("builds")).collect::<Vec<_>>()
    });
    all.iter().for_each(|logs| log(logs, "a line"));
    all.iter().for_each(|logs| assert!(logs.prune().is_ok()));
    assert_eq!(names(directory.path()).len(), 5);
    let lines: usize = names(directory.path())
        .iter()
        .map(|name| fs::read_to_string(directory.path().join(name)).expect("read").lines().count())
        .sum();
    assert_eq!(lines, 8);
}
