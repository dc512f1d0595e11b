//! Bad input: each is refused at build with an error that names it, and nothing is touched.

use nix::errno::Errno;
use nix::sys::stat::Mode;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tracing_prefork::Builder;

use crate::common;
use crate::common::{alone, builder, is_root, says, set_mode};

/// Builds in a process in which `statx(2)` fails with that error, after the standard library has seen that there is
/// such a call.
fn builds_without_statx(errno: Errno) {
    alone(|directory| {
        assert!(directory.metadata().expect("there").is_dir());
        common::refuse_system_call(nix::libc::SYS_statx, errno);
        for (below, mode) in [("", None), ("a/b", None), ("c/d", Some(0o640))] {
            let directory = directory.join(below);
            let builder = mode.into_iter().fold(builder(), Builder::file_mode);
            let logs = builder.build(&directory).unwrap_or_else(|error| panic!("{errno}: {error}"));
            common::log(&logs, "a line");
            logs.reopen().expect("nothing has changed");
            assert_eq!(common::read(&directory, "app.2026-11-21.log"), "a line\n");
            assert_eq!((logs.stats().errors, logs.stats().files_reopened), (0, 0));
        }
        fs::write(directory.join("file"), "").expect("written");
        let error = builder().build(directory.join("file")).expect_err("not a directory").to_string();
        says(&error, &["/file", "Not a directory"]);
    });
}

#[test]
fn a_filter_that_denies_statx_stops_no_build() {
    builds_without_statx(Errno::EACCES);
}

#[test]
fn a_filter_that_calls_statx_invalid_stops_no_build() {
    builds_without_statx(Errno::EINVAL);
}

#[test]
fn the_mode_is_exact_and_without_one_the_umask_counts() {
    alone(|_| {
        let directory = tempfile::tempdir().expect("a directory");
        let mode = |name: &str| fs::metadata(directory.path().join(name)).expect("there").permissions().mode() & 0o7777;
        let umask = nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
        let built = builder().file_mode(0o664).build(directory.path());
        let plain = builder().filename_prefix("plain").build(directory.path());
        nix::sys::stat::umask(umask);
        built.and(plain).expect("both build");
        assert_eq!(mode("app.2026-11-21.log"), 0o664);
        assert_eq!(mode("plain.2026-11-21.log"), 0o600);
    });
}

#[test]
fn a_closed_directory_is_refused_with_the_right_that_is_missing() {
    alone(|home| {
        if !is_root() {
            return;
        }
        set_mode(home, 0o755);
        nix::unistd::setuid(nix::unistd::Uid::from_raw(65_534)).expect("another user");
        let error = builder().build(home.join("logs")).expect_err("refused").to_string();
        let text = format!(
            "cannot create the log directory {}: Permission denied (os error 13); this user must be able to write to \
             the directory above it",
            home.join("logs").display()
        );
        assert_eq!(error, text);
        let error = builder().build(home).expect_err("refused").to_string();
        let text = format!(
            "cannot open the log file {}: Permission denied (os error 13); this user must be able to write to the file \
             and to its directory",
            home.join("app.2026-11-21.log").display()
        );
        assert_eq!(error, text);
    });
}
