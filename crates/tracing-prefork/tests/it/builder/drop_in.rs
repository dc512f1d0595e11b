//! One program, built against `tracing_appender` and against this crate. It compiles with both, and makes the same
//! files.

use std::fs;
use std::path::Path;

/// A program that uses each public item of `tracing_appender`.
macro_rules! program {
    ($name:ident, $appender:ident) => {
        mod $name {
            use std::io::Write;
            use std::path::Path;
            use tracing_subscriber::fmt::MakeWriter;
            #[cfg(any(target_os = "linux", target_os = "android"))]
            use $appender::non_blocking::{self, ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
            use $appender::rolling::{self, Builder, InitError, RollingFileAppender, RollingWriter, Rotation};

            fn with_options(directory: &Path) -> Result<RollingFileAppender, InitError> {
                RollingFileAppender::builder()
                    .rotation(Rotation::NEVER)
                    .filename_prefix("options")
                    .filename_suffix("log")
                    .max_log_files(3)
                    .latest_symlink("latest.log")
                    .build(directory)
            }

            #[cfg(any(target_os = "linux", target_os = "android"))]
            fn without_blocking(directory: &Path) {
                let never = |name: &str| rolling::never(directory, name);
                let (default, default_guard): (NonBlocking, WorkerGuard) =
                    $appender::non_blocking(never("default.log"));
                let (new, new_guard) = NonBlocking::new(never("waits.log"));
                let builder: NonBlockingBuilder = NonBlockingBuilder::default()
                    .lossy(false)
                    .buffered_lines_limit(non_blocking::DEFAULT_BUFFERED_LINES_LIMIT)
                    .thread_name("worker");
                assert!(format!("{builder:?}").contains("worker"));
                let (built, built_guard) = builder.finish(never("chosen.log"));
                for non_blocking in [&default, &new, &built] {
                    let mut writer: NonBlocking = non_blocking.make_writer();
                    writer.write_all(b"by MakeWriter\n").expect("taken");
                    let mut writer = non_blocking.clone();
                    assert_eq!(writer.write(b"by io::Write\n").expect("taken"), 13);
                    writer.flush().expect("nothing to do");
                    let fmt = tracing_subscriber::fmt().without_time().with_target(false);
                    let subscriber = fmt.with_writer(non_blocking.clone());
                    tracing::subscriber::with_default(subscriber.finish(), || tracing::info!("by fmt"));
                }
                let counters: [ErrorCounter; 3] = [&default, &new, &built].map(NonBlocking::error_counter);
                drop((default_guard, new_guard, built_guard));
                assert_eq!(counters.map(|counter| counter.clone().dropped_lines()), [0; 3]);
                // After the guards nobody can rely on a line.
                drop((default, new, built));
            }

            pub(super) fn run(directory: &Path) {
                #[cfg(any(target_os = "linux", target_os = "android"))]
                without_blocking(directory);
                let new = RollingFileAppender::new(Rotation::DAILY, directory, "new.log");
                let built = Builder::new().rotation(Rotation::HOURLY).filename_prefix("built").build(directory);
                let all = [
                    rolling::minutely(directory, "minutely.log"),
                    rolling::hourly(directory, "hourly.log"),
                    rolling::daily(directory, "daily.log"),
                    rolling::weekly(directory, "weekly.log"),
                    rolling::never(directory, "never.log"),
                    new,
                    built.expect("builds"),
                    with_options(directory).expect("builds"),
                ];
                for mut logs in all {
                    writeln!(logs, "by io::Write").expect("writes");
                    let mut writer: RollingWriter<'_> = logs.make_writer();
                    writer.write_all(b"by MakeWriter\n").expect("writes");
                    drop(writer);
                    logs.flush().expect("flushes");
                }
                let refused: Result<_, InitError> = Builder::new().build(directory.join("never.log"));
                let error: Box<dyn std::error::Error + Send + Sync> = Box::new(refused.expect_err("a file"));
                assert!(error.to_string().contains(" log directory"), "{error}");
            }
        }
    };
}

program!(ours, tracing_prefork);
program!(theirs, tracing_appender);

fn made_by(run: fn(&Path)) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().expect("a directory");
    run(directory.path());
    let names = crate::common::names(directory.path()).into_iter();
    names.map(|name| (name.clone(), fs::read_to_string(directory.path().join(name)).expect("readable"))).collect()
}

#[test]
fn a_program_for_tracing_appender_makes_the_same_files() {
    // The program reads the clock several times: it is run again if a minute ended meanwhile.
    let minute = || std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() / 60;
    let files = loop {
        let begun = minute();
        let files = (made_by(ours::run), made_by(theirs::run));
        if minute() == begun {
            break files;
        }
    };
    assert_eq!(files.0, files.1);
    let others = if cfg!(any(target_os = "linux", target_os = "android")) { 3 } else { 0 };
    assert_eq!(files.0.len(), 9 + others);
}

/// A panic may pass a handle by, as `catch_unwind` demands of what it is given.
#[test]
fn a_handle_may_be_used_in_code_that_panics() {
    fn demands<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe + Send + Sync + Clone>() {}
    demands::<tracing_prefork::Appender>();
}
