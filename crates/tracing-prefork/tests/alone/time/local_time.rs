//! `Zone::Local` and `Zone::Named`: where their data comes from, and that it is read at build and kept. What depends on
//! the environment runs in a process of its own.

use std::env;
use std::fs;
use std::path::Path;
use std::time::SystemTime;
use time::macros::datetime;
use tracing_prefork::{Appender, BuildError, Rotation, Zone};

use crate::common::{Hand, NOW, all_names, alone, alone_with, at};

const ZONEINFO: &str = "/usr/share/zoneinfo";

/// Summer and winter of the northern half, and the night between in Europe.
fn instants() -> [SystemTime; 4] {
    [
        at(NOW),
        datetime!(2026-07-01 22:30 UTC).into(),
        datetime!(2026-10-25 00:30 UTC).into(),
        datetime!(2026-10-25 01:30 UTC).into(),
    ]
}

fn build(zone: Zone, directory: &Path) -> Result<Appender, BuildError> {
    let builder = Hand::at(NOW).builder().rotation(Rotation::MINUTELY).date_format("%Y-%m-%d-%H-%M%z").zone(zone);
    builder.build(directory)
}

/// The names of the files of the [`instants`], which show local time and offset.
fn names(logs: &Appender) -> Vec<String> {
    instants()
        .map(|instant| logs.path_at(instant).file_name().expect("a name").to_str().expect("UTF-8").to_owned())
        .to_vec()
}

#[track_caller]
fn local_is(directory: &Path, expected: [&str; 4]) {
    let logs = build(Zone::Local, &directory.join("logs")).expect("builds");
    assert_eq!(names(&logs), expected.map(|date| format!("app.{date}.log")));
}

const UTC: [&str; 4] =
    ["2026-11-21-08-33+0000", "2026-07-01-22-30+0000", "2026-10-25-00-30+0000", "2026-10-25-01-30+0000"];
const BERLIN: [&str; 4] =
    ["2026-11-21-09-33+0100", "2026-07-02-00-30+0200", "2026-10-25-02-30+0200", "2026-10-25-02-30+0100"];
const KATHMANDU: [&str; 4] =
    ["2026-11-21-14-18+0545", "2026-07-02-04-15+0545", "2026-10-25-06-15+0545", "2026-10-25-07-15+0545"];

/// What `Zone::Local` says in a process with these variables, where it must leave the directory alone.
#[track_caller]
fn refused(directory: &Path, zone: Zone, parts: &[&str]) {
    let directory = directory.join("logs");
    fs::create_dir(&directory).expect("made");
    let error = build(zone, &directory).expect_err("refused");
    assert!(matches!(error, BuildError::Zone { .. }), "{error:?}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error} does not say {part:?}");
    }
    assert_eq!(all_names(&directory), [""; 0], "something was left behind by: {error}");
}

#[test]
fn tz_names_a_zone() {
    alone_with(&[("TZ", Some("Europe/Berlin"))], |directory| local_is(directory, BERLIN));
}

#[test]
fn tz_names_a_zone_after_a_colon() {
    alone_with(&[("TZ", Some(":Asia/Kathmandu"))], |directory| local_is(directory, KATHMANDU));
}

#[test]
fn tz_names_a_file() {
    let file = format!("{ZONEINFO}/Europe/Berlin");
    alone_with(&[("TZ", Some(&file))], |directory| local_is(directory, BERLIN));
}

#[test]
fn tz_names_a_file_after_a_colon() {
    let file = format!(":{ZONEINFO}/Asia/Kathmandu");
    alone_with(&[("TZ", Some(&file))], |directory| local_is(directory, KATHMANDU));
}

#[test]
fn tz_is_a_posix_rule() {
    let rule = Some("CET-1CEST,M3.5.0,M10.5.0/3");
    alone_with(&[("TZ", rule)], |directory| local_is(directory, BERLIN));
}

#[test]
fn tz_is_a_posix_rule_without_a_summer() {
    let rule = Some("<+0545>-5:45");
    alone_with(&[("TZ", rule)], |directory| local_is(directory, KATHMANDU));
}

#[test]
fn tz_that_is_set_and_empty_is_utc() {
    alone_with(&[("TZ", Some(""))], |directory| local_is(directory, UTC));
}

#[test]
fn tz_with_nothing_but_a_colon_is_utc() {
    alone_with(&[("TZ", Some(":"))], |directory| local_is(directory, UTC));
}

#[test]
fn without_tz_the_zone_is_that_of_etc_localtime() {
    alone_with(&[("TZ", None)], |directory| {
        let localtime = Path::new("/etc/localtime");
        if !localtime.exists() {
            return local_is(directory, UTC);
        }
        // The same data, found another way.
        let copy = directory.join("Copy");
        fs::copy(localtime, &copy).expect("copied");
        let logs = build(Zone::Local, &directory.join("logs")).expect("builds");
        // SAFETY: the process has one thread that runs code of ours.
        unsafe { env::set_var("TZDIR", directory) };
        let named = build(Zone::Named("Copy".to_owned()), &directory.join("logs")).expect("builds");
        assert_eq!(names(&logs), names(&named));
    });
}

#[test]
fn tz_that_names_nothing_is_an_error_and_never_utc() {
    alone_with(&[("TZ", Some("Mars/Phobos"))], |directory| {
        let parts = ["TZ=Mars/Phobos", "neither a zone nor a POSIX rule", "/usr/share/zoneinfo/Mars/Phobos: "];
        refused(directory, Zone::Local, &parts);
    });
}

#[test]
fn tz_that_is_no_name_at_all_is_an_error() {
    alone_with(&[("TZ", Some("../../etc/passwd"))], |directory| {
        refused(directory, Zone::Local, &["TZ=../../etc/passwd", "neither a zone nor a POSIX rule"]);
    });
}

#[test]
fn tz_that_names_a_missing_file_is_an_error() {
    alone_with(&[("TZ", Some("/nowhere/Berlin"))], |directory| {
        refused(directory, Zone::Local, &["TZ=/nowhere/Berlin", "No such file"]);
    });
}

#[test]
fn tz_that_names_a_file_without_a_zone_is_an_error() {
    alone_with(&[("TZ", Some("/proc/self/status"))], |directory| {
        refused(directory, Zone::Local, &["TZ=/proc/self/status"]);
    });
}

#[test]
fn a_missing_zone_is_an_error_that_says_where_it_was_sought() {
    alone_with(&[("TZDIR", Some("/nowhere/zones"))], |directory| {
        let parts = ["zone \"Mars/Phobos\"", "/nowhere/zones/Mars/Phobos: ", "/usr/share/zoneinfo/Mars/Phobos: "];
        refused(directory, Zone::Named("Mars/Phobos".to_owned()), &parts);
    });
}

#[test]
fn a_name_that_leads_out_of_the_database_is_refused() {
    alone(|_| {
        let directory = tempfile::tempdir().expect("a directory");
        for name in [
            "",
            "/etc/localtime",
            "../localtime",
            "Europe/../Europe/Berlin",
            "Europe//Berlin",
            "Europe/Berlin/",
            "Europe/Ber lin",
            ".",
        ] {
            let error = build(Zone::Named(name.to_owned()), directory.path()).expect_err("refused").to_string();
            assert!(error.contains(&format!("zone {name:?}: this cannot be the name")), "{error}");
        }
        // A directory of the database is no zone.
        let error = build(Zone::Named("Europe".to_owned()), directory.path()).expect_err("refused").to_string();
        assert!(error.contains("zone \"Europe\": there is no such zone"), "{error}");
    });
}

#[test]
fn tzdir_comes_before_the_places_of_the_system() {
    alone_with(&[("TZ", Some("Europe/Berlin"))], |directory| {
        fs::create_dir(directory.join("Europe")).expect("made");
        fs::copy(format!("{ZONEINFO}/Asia/Kathmandu"), directory.join("Europe/Berlin")).expect("copied");
        // SAFETY: the process has one thread that runs code of ours.
        unsafe { env::set_var("TZDIR", directory) };
        local_is(directory, KATHMANDU);
        let paris = build(Zone::Named("Europe/Paris".to_owned()), &directory.join("logs")).expect("builds");
        assert_eq!(names(&paris), BERLIN.map(|date| format!("app.{date}.log")));
    });
}

#[test]
fn a_built_appender_needs_neither_the_data_nor_tz_any_more() {
    alone_with(&[("TZ", Some("Test/Zone"))], |directory| {
        let zones = directory.join("zones");
        fs::create_dir_all(zones.join("Test")).expect("made");
        fs::copy(format!("{ZONEINFO}/Europe/Berlin"), zones.join("Test/Zone")).expect("copied");
        // SAFETY: the process has one thread that runs code of ours.
        unsafe { env::set_var("TZDIR", &zones) };
        let logs = directory.join("logs");
        let local = build(Zone::Local, &logs).expect("builds");
        let named = build(Zone::Named("Test/Zone".to_owned()), &logs).expect("builds");
        fs::remove_dir_all(&zones).expect("removed");
        // SAFETY: as above.
        unsafe { env::set_var("TZ", "Asia/Kathmandu") };
        for logs in [&local, &named] {
            assert_eq!(names(logs), BERLIN.map(|date| format!("app.{date}.log")));
        }
        assert_eq!(names(&build(Zone::Local, &logs).expect("builds")), KATHMANDU.map(|date| format!("app.{date}.log")));
        let error = build(Zone::Named("Test/Zone".to_owned()), &logs).expect_err("gone").to_string();
        assert!(error.contains("zones/Test/Zone: "), "{error}");
    });
}

#[test]
fn a_built_appender_works_after_chroot() {
    alone_with(&[("TZ", Some("Europe/Berlin"))], |directory| {
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("not root: chroot(2) is not allowed");
            return;
        }
        let logs = build(Zone::Local, &directory.join("logs")).expect("builds");
        nix::unistd::chroot(directory).expect("changes the root");
        assert!(!Path::new(ZONEINFO).exists());
        assert_eq!(names(&logs), BERLIN.map(|date| format!("app.{date}.log")));
        // So that this test can end as the others do.
        nix::unistd::chdir("/").expect("changes the directory");
    });
}

/// Runs `test` in a process that sees a root directory without any zone data, of which it may say something in
/// `/etc/localtime`.
fn without_zone_data(tz: Option<&str>, test: impl FnOnce()) {
    alone_with(&[("TZ", tz), ("TZDIR", None)], |directory| {
        if !nix::unistd::Uid::effective().is_root() {
            std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: chroot(2) is for root\n").expect("told");
            return;
        }
        fs::create_dir(directory.join("etc")).expect("made");
        nix::unistd::chroot(directory).expect("changes the root");
        nix::unistd::chdir("/").expect("changes the directory");
        test();
    });
}

#[test]
fn utc_needs_no_data_by_whatever_name() {
    without_zone_data(None, || {
        for name in
            ["UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Etc/Universal", "Zulu", "GMT0", "Etc/GMT+0", "Etc/GMT-0"]
        {
            let logs = build(Zone::Named(name.to_owned()), Path::new("/logs")).expect(name);
            assert_eq!(names(&logs), UTC.map(|date| format!("app.{date}.log")), "{name}");
            // SAFETY: the process has one thread that runs code of ours.
            unsafe { env::set_var("TZ", name) };
            let logs = build(Zone::Local, Path::new("/logs")).expect(name);
            assert_eq!(names(&logs), UTC.map(|date| format!("app.{date}.log")), "TZ={name}");
        }
    });
}

#[test]
fn no_tz_and_no_etc_localtime_is_utc() {
    without_zone_data(None, || {
        local_is(Path::new("/"), UTC);
    });
}

#[test]
fn etc_localtime_without_zone_data_is_never_taken_for_utc() {
    without_zone_data(None, || {
        std::os::unix::fs::symlink("../usr/share/zoneinfo/Europe/Berlin", "/etc/localtime").expect("a link");
        if cfg!(feature = "bundled-zones") {
            local_is(Path::new("/"), BERLIN);
        } else {
            refused(Path::new("/"), Zone::Local, &["/etc/localtime", "tzdata", "bundled-zones"]);
        }
    });
}

#[test]
fn a_zone_without_data_is_bundled_or_a_package_is_named() {
    without_zone_data(Some("Asia/Kathmandu"), || {
        if cfg!(feature = "bundled-zones") {
            local_is(Path::new("/"), KATHMANDU);
            let named = build(Zone::Named("Europe/Berlin".to_owned()), Path::new("/logs")).expect("builds");
            assert_eq!(names(&named), BERLIN.map(|date| format!("app.{date}.log")));
            fs::remove_dir_all("/logs").expect("removed");
            refused(Path::new("/"), Zone::Named("Mars/Phobos".to_owned()), &["Mars/Phobos", "there is no such zone"]);
        } else {
            refused(Path::new("/"), Zone::Local, &["TZ=Asia/Kathmandu", "tzdata", "bundled-zones"]);
        }
    });
}
