//! Errors: each cause is printed once, whoever prints the chain of an error.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter;
use tracing_prefork::{BuildError, Operation, Rotation};

use crate::common::hook::Upload;
use crate::common::turns::old_files;
use crate::common::{Hand, NOW};

/// The texts of an error and of what is behind it, as a report prints them.
fn chain(error: &dyn Error) -> Vec<String> {
    iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect()
}

#[test]
fn the_systems_answer_is_in_the_text_of_a_build_error_alone() {
    let error = Hand::at(NOW).builder().build("/proc/nowhere").expect_err("refused");
    let text = "cannot create the log directory /proc/nowhere: No such file or directory (os error 2)";
    assert_eq!(chain(&error), [text]);
    assert_eq!(error.io_error().map(io::Error::kind), Some(ErrorKind::NotFound));
    assert!(matches!(&error, BuildError::Directory { error, .. } if error.raw_os_error() == Some(2)));
    let error = Hand::at(NOW).builder().max_log_files(0).build("/proc/nowhere").expect_err("refused");
    assert_eq!((chain(&error).len(), error.io_error().is_none()), (1, true));
}

#[test]
fn what_is_behind_the_error_of_a_hook_is_its_source() {
    let directory = tempfile::tempdir().expect("a directory");
    old_files(directory.path(), 1);
    let builder = Hand::at(NOW).builder().rotation(Rotation::DAILY);
    let builder = builder.try_on_finished(|_, _| Err(Upload(ErrorKind::ConnectionRefused.into())));
    let error = builder.build(directory.path()).expect("builds").hand_over().expect_err("the hook fails");
    assert_eq!(error.operation(), Operation::OnFinished);
    let path = directory.path().join("app.2026-10-01.log");
    let text = format!(
        "cannot hand over {}: the upload has failed; files wait for on_finished; the next events call it again, \
         after some seconds and then at least once an hour; without events only hand_over or close calls it",
        path.display()
    );
    assert_eq!(chain(&error), [&*text, "connection refused"]);
    // The error itself can be had, too.
    let upload = error.io_error().get_ref().and_then(|error| error.downcast_ref::<Upload>());
    assert_eq!(upload.map(|Upload(cause)| cause.kind()), Some(ErrorKind::ConnectionRefused));
}

#[test]
fn the_short_name_of_an_operation_is_its_variant_in_snake_case() {
    use Operation::{
        Compression, FileSystem, Lease, Link, List, Lock, Names, OnFinished, Release, Reopen, Retention, Rollover,
        Settings, Socket, Sync, UserCode, Write,
    };
    let all = [
        Compression,
        FileSystem,
        Lease,
        Link,
        List,
        Lock,
        Names,
        OnFinished,
        Release,
        Reopen,
        Retention,
        Rollover,
        Settings,
        Socket,
        Sync,
        UserCode,
        Write,
    ];
    for operation in all {
        let words = format!("{operation:?}");
        let snake = words
            .chars()
            .flat_map(|letter| letter.is_uppercase().then_some('_').into_iter().chain(letter.to_lowercase()));
        let snake: String = snake.skip(1).collect();
        assert_eq!((operation.as_str(), operation.to_string()), (&*snake, snake.clone()));
    }
}
