//! What `build` and `parse` say to bad input, word for word: the value, what is wrong with it, and what to do.

use nix::sys::stat::Mode;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use tracing_prefork::{BuildError, Builder, Rotation, Weekday, Zone};

use crate::common::builder;
use crate::common::{Hand, NOW, all_names, names, refused};

fn rotated(rotation: Rotation) -> Builder {
    Hand::at(NOW).builder().rotation(rotation)
}

#[track_caller]
fn says(builder: Builder, text: &str) {
    assert_eq!(refused(builder), text);
}

#[test]
fn a_name_says_what_cannot_be_in_it() {
    says(
        builder().filename_prefix("logs/app"),
        "filename_prefix \"logs/app\": it contains a `/`; give the directory to `build`",
    );
    says(builder().filename_suffix("a/b"), "filename_suffix \"a/b\": it contains a `/`; give the directory to `build`");
    says(
        builder().filename_prefix("a\tb"),
        "filename_prefix \"a\\tb\": it contains a control character; leave the character out",
    );
    for suffix in [".log", ".", "..log"] {
        let reason = "it begins with a dot, and the dot before a suffix is added; leave the dot out";
        says(builder().filename_suffix(suffix), &format!("filename_suffix {suffix:?}: {reason}"));
    }
    let long = "a".repeat(201);
    says(
        builder().filename_prefix(&long),
        &format!(
            "file name \"{long}.2026-11-21.log\": it is too long: a file's name has 255 bytes at most, and temporary \
             names take 40 of these; shorten it"
        ),
    );
    says(
        rotated(Rotation::NEVER).filename_prefix("").filename_suffix("").filename_prefix(".").filename_suffix(""),
        "file name \".\": this is a directory's name; give another prefix or suffix",
    );
    says(
        builder().max_file_bytes(9).filename_suffix("1.log"),
        "filename_suffix \"1.log\": with max_file_bytes, it must not begin or end with a number",
    );
    says(
        rotated(Rotation::NEVER).max_file_bytes(9).filename_prefix("app.1"),
        "filename_prefix \"app.1\": with max_file_bytes, it must not end with a dot and a number",
    );
}

#[cfg(feature = "gzip")]
#[test]
fn a_name_of_an_archive_is_refused_where_archives_are_made() {
    says(
        builder().compress(tracing_prefork::Compression::Gzip).filename_suffix("log.gz"),
        "file name \"app.2026-11-21.log.gz\": with compress, it must not end in .gz or .zst, as archives do",
    );
}

#[test]
fn a_link_says_what_has_its_name() {
    says(
        builder().latest_symlink("../app.log"),
        "latest_symlink \"../app.log\": it contains a `/`; give a name alone, since the link stands in the directory \
         of `build`",
    );
    says(
        builder().latest_hard_link(".."),
        "latest_hard_link \"..\": no file can have this name; give another, of 215 bytes at most",
    );
    says(
        builder().latest_symlink("a").latest_hard_link("a"),
        "latest_hard_link \"a\": another link has this name; give each link a name of its own",
    );
    says(
        builder().latest_symlink("app.2026-11-21.log"),
        "latest_symlink \"app.2026-11-21.log\": this is the name of a log file; give the link another name",
    );
    let lock = crate::common::LOCK;
    says(
        builder().latest_symlink(lock),
        &format!("latest_symlink {lock:?}: this is the name of a lock file; give the link another name"),
    );
}

#[test]
fn a_limit_says_which_it_is_and_what_to_give() {
    says(
        builder().max_log_files(0),
        "max_log_files(0): the current file is always kept; give 1 or more, or leave the option out to keep all",
    );
    says(
        builder().min_log_files(0),
        "min_log_files(0): the current file always stays; give 1 or more, or leave the option out, so that no file \
         goes for a line",
    );
    says(
        builder().max_file_bytes(0),
        "max_file_bytes(0): a file holds at least one line; give the bytes of a file, or leave the option out for one \
         file a period",
    );
    says(
        builder().max_total_bytes(0),
        "max_total_bytes(0): each file but the current one would be removed; give the bytes to keep, or leave the \
         option out to keep all",
    );
    let age = "each file would be removed as soon as its period is over; give a second at least, or leave the option \
               out to keep all";
    says(builder().max_age(Duration::ZERO), &format!("max_age(0): {age}"));
    says(builder().max_age(Duration::from_millis(999)), &format!("max_age(999ms): {age}"));
    says(
        builder().max_total_bytes(99).max_file_bytes(100),
        "max_total_bytes(99) below max_file_bytes(100): the current file alone may be larger than all files together; \
         raise the one or lower the other",
    );
    says(
        builder().min_log_files(6).max_log_files(5),
        "min_log_files(6) above max_log_files(5): the directory never has so many files; raise the one or lower the \
         other",
    );
    says(
        builder().header(|_| "a,b,c".to_owned()).max_file_bytes(6),
        "header of 6 bytes: it leaves no room for a line below max_file_bytes(6); shorten the one or raise the other",
    );
    says(
        builder().file_mode(644),
        "file_mode(0o1204, in decimal 644): expected at most 0o777, with the owner's rights to read and write (0o600)",
    );
    says(
        builder().directory_mode(755),
        "directory_mode(0o1363, in decimal 755): expected at most 0o7777, with the owner's rights to read, write and \
         search (0o700)",
    );
}

#[test]
fn a_rotation_says_what_it_could_be() {
    says(rotated(Rotation::DAILY.every(0)), "rotation \"0 days\": every(0) has no length; the least is 1");
    says(rotated(Rotation::HOURLY.every(25)), "rotation \"25 hours\": a file covers at most 24 hours");
    says(
        rotated(Rotation::NEVER.every(2)),
        "rotation \"2 never\": `never` cannot be counted; give a unit such as `daily`",
    );
    says(
        rotated(Rotation::DAILY.at(24, 0)),
        "rotation \"daily at 24:00\": there is no such time of day; give one from 00:00 to 23:59",
    );
    says(
        rotated(Rotation::NEVER.at(4, 0)),
        "rotation \"never at 04:00\": `never` begins at no time of day; leave the time out",
    );
    let text = "dayly".parse::<Rotation>().expect_err("refused").to_string();
    assert_eq!(text, "rotation \"dayly\": expected one such as `daily`, `6 hours`, `monday` or `daily at 04:00`");
}

#[test]
fn a_zone_says_its_unit_and_its_bounds() {
    for east in [99_999, -86_400, 86_400, 90, 8, i32::MIN] {
        says(
            builder().zone(Zone::Fixed(east)),
            &format!(
                "zone \"Fixed({east})\": a fixed offset is in seconds east of UTC, in whole minutes, from -86340 to \
                 86340; +05:30 is Fixed(19800)"
            ),
        );
    }
    for east in [86_340, -86_340] {
        let directory = tempfile::tempdir().expect("a directory");
        builder().zone(Zone::Fixed(east)).build(directory.path()).expect("builds");
    }
}

#[test]
fn a_date_format_says_what_is_missing() {
    says(
        builder().date_format("daily"),
        "date_format \"daily\": expected a strftime pattern such as %Y-%m-%d, or one such as [year]-[month]-[day]",
    );
    says(
        rotated(Rotation::NEVER).date_format("%Y"),
        "date_format \"%Y\": a file that never rolls over has no date; leave date_format out, or give a rotation",
    );
    says(
        rotated(Rotation::HOURLY).date_format("%Y-%m-%d"),
        "date_format \"%Y-%m-%d\": it shows no hour, so that several periods would share the file \"2026-11-21\"; add \
         the hour",
    );
    says(
        builder().date_format("%Y//%m-%d"),
        "date_format \"%Y//%m-%d\": \"1970//01-01\" is not a path below the log directory; leave out control \
         characters, `.`, `..`, and slashes at an end or beside each other",
    );
    says(
        builder().date_format("%m-%d"),
        "date_format \"%m-%d\": no date can be read back from \"11-21\": it shows no year of four digits",
    );
    says(
        rotated(Rotation::WEEKLY).date_format("%G-W%V"),
        "date_format \"%G-W%V\": ISO weeks begin on Monday; give Rotation::weekly_on(Weekday::Monday), or a format \
         with the day",
    );
    says(
        rotated(Rotation::weekly_on(Weekday::Monday)).date_format("%Y-W%V"),
        "date_format \"%Y-W%V\": no date can be read back from \"2026-W47\": the year of an ISO week is %G or [year \
         base:iso_week], because a week can have days of two years",
    );
    says(
        rotated(Rotation::weekly_on(Weekday::Monday)).date_format("%Y-%m"),
        "date_format \"%Y-%m\": it shows no day, so that several periods would share the file \"2026-11\"; add the day",
    );
}

/// What `build` says of this path, in which `D` stands for the directory with the obstacles.
#[track_caller]
fn directory_says(obstacles: &Path, below: &str, text: &str) {
    let before = all_names(obstacles);
    let error = builder().build(obstacles.join(below)).expect_err("refused");
    assert!(matches!(error, BuildError::Directory { .. }), "{error:?}");
    assert_eq!(error.to_string().replace(obstacles.to_str().expect("UTF-8"), "D"), text);
    assert_eq!(all_names(obstacles), before);
}

#[test]
fn a_directory_says_what_is_in_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let obstacles = directory.path();
    fs::write(obstacles.join("file"), "a line\n").expect("written");
    symlink("nowhere", obstacles.join("link")).expect("a link");
    symlink("file", obstacles.join("to-file")).expect("a link");
    nix::unistd::mkfifo(&obstacles.join("fifo"), Mode::S_IRWXU).expect("a FIFO");
    let remedy = "give another directory, or move the file away";
    let cases = [
        ("file", format!("D/file: it is a file; {remedy}")),
        ("file/logs", format!("D/file/logs: D/file is a file; {remedy}")),
        ("file/a/b", format!("D/file/a/b: D/file is a file; {remedy}")),
        ("to-file", "D/to-file: it is no directory; give another directory".to_owned()),
        ("fifo/logs", "D/fifo/logs: D/fifo is no directory; give another directory".to_owned()),
        ("link", "D/link: it is a symbolic link that leads nowhere; remove the link, or make its target".to_owned()),
    ];
    for (below, text) in cases {
        directory_says(obstacles, below, &format!("cannot create the log directory {text}"));
    }
    let long = ["x"; 2100].join("/");
    let text = format!("cannot create the log directory D/{long}: the paths of its files are too long; shorten it");
    directory_says(obstacles, &long, &text);
    assert_eq!(fs::read_to_string(obstacles.join("file")).expect("there"), "a line\n");
}

#[test]
fn an_empty_path_is_the_current_directory_an_empty_name_is_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = rotated(Rotation::DAILY).filename_prefix("").filename_suffix("").latest_symlink("");
    builder.latest_hard_link("").build(directory.path()).expect("builds");
    assert_eq!(names(directory.path()), ["2026-11-21"]);
    // The records of names tell this test's files from others.
    let here = rotated(Rotation::DAILY).filename_prefix("an-empty-path").build("").expect("builds");
    assert_eq!(here.directory(), std::env::current_dir().expect("a directory"));
    for name in all_names(here.directory()).into_iter().filter(|name| name.contains("an-empty-path")) {
        fs::remove_file(name).expect("removed");
    }
}

#[test]
fn a_file_says_what_is_in_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.2026-11-21.log");
    let says = |text: &str| {
        let error = builder().build(directory.path()).expect_err("refused");
        assert_eq!(error.to_string(), format!("cannot open the log file {}: {text}", path.display()));
    };
    symlink("nowhere", &path).expect("a link");
    says(
        "Too many levels of symbolic links (os error 40) (it is a symbolic link, which is not followed); remove it, \
         or give another name",
    );
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a directory");
    says("Is a directory (os error 21); move it away, or give another name");
    fs::remove_dir(&path).expect("removed");
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).expect("a FIFO");
    says("a FIFO, where a regular file is wanted; move it away, or give another name");
}

#[test]
fn another_appender_is_named_with_its_record() {
    let directory = tempfile::tempdir().expect("a directory");
    let _daily = builder().date_format("%Y%m%d").build(directory.path()).expect("builds");
    let error = rotated(Rotation::NEVER).max_file_bytes(9).build(directory.path()).expect_err("refused");
    let BuildError::Names { names, other, example, record, .. } = &error else { panic!("{error:?}") };
    let text = format!(
        "the file names of this appender ({names}) and of another appender in the directory ({other}) overlap: both \
         could use {example:?}. Use another directory, prefix or suffix. If the other is not used any more, move its \
         files away and remove {}",
        record.display()
    );
    assert_eq!(error.to_string(), text);
}
