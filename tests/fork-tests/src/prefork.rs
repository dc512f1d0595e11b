//! The writer under test: the library's appender, with a layer of each kind on top.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};

use tracing::Dispatch;
use tracing_prefork::{Appender, Buffering, BuildError, Compression, Error, EventWriter, Operation, Rotation};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use harness::checker::first_line;
use harness::clock::{self, Clock};
use harness::handed::Notes;
use harness::ledger::{Ledger, Word};
use harness::line::Way;
use harness::pattern::{Archive, Pattern, Unit};
use harness::writer::{Message, Text, Writer};
use harness::zone::Zone;

/// How the appender of a run is built.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Names and periods.
    pub pattern: Pattern,
    /// `max_log_files`.
    pub max_log_files: Option<usize>,
    /// `latest_symlink`.
    pub latest_symlink: Option<&'static str>,
    /// `latest_hard_link`.
    pub latest_hard_link: Option<&'static str>,
    /// `file_mode`.
    pub file_mode: Option<u32>,
    /// `lock_writes`.
    pub lock_writes: bool,
    /// `buffered`.
    pub buffered: bool,
    /// `Buffering::ring_bytes`.
    pub ring_bytes: Option<usize>,
    /// `min_log_files`.
    pub min_log_files: Option<usize>,
    /// `max_file_bytes`.
    pub max_file_bytes: Option<u64>,
    /// `max_total_bytes`.
    pub max_total_bytes: Option<u64>,
    /// `compress`.
    pub compress: Option<Archive>,
    /// `header`, with the [`first_line`] of the period.
    pub header: bool,
    /// `max_age`.
    pub max_age: Option<Duration>,
    /// `try_on_finished`.
    pub hook: Option<Hook>,
}

/// What the hook of a run does with every so-manieth file that it is given in a process; 0: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// It fails.
    pub fails: u64,
    /// It panics.
    pub panics: u64,
    /// It takes a tenth of a second.
    pub hangs: u64,
    /// The clock may be set back while it is called.
    pub clock_steps: bool,
}

impl Hook {
    fn call(self, turn: u64) -> Result<(), &'static str> {
        let is_due = |every: u64| every != 0 && turn % every == 0;
        if is_due(self.hangs) {
            std::thread::sleep(Duration::from_millis(100));
        }
        if is_due(self.panics) {
            // Not by `panic!`: that takes the lock of standard error.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        if is_due(self.fails) { Err("on purpose") } else { Ok(()) }
    }
}

/// `tracing_prefork::Appender`, with a layer of each kind on top.
pub struct Prefork {
    appender: Appender,
    buffered: bool,
    layer: Dispatch,
    fmt: Dispatch,
}

impl Prefork {
    /// Builds the appender on `directory`. What its hook is given is noted in the file `handed`.
    ///
    /// # Errors
    ///
    /// Those of `Builder::build`.
    pub fn build(
        directory: &Path,
        setup: &Setup,
        clock: Clock,
        ledger: Ledger,
        handed: &Path,
    ) -> Result<Self, BuildError> {
        let Setup { pattern, .. } = setup;
        let hangs = setup.hook.is_some_and(|hook| hook.hangs > 0);
        let mut builder =
            Appender::builder().rotation(rotation(pattern.unit)).on_error(move |error| report(ledger, hangs, error));
        builder = match pattern.zone {
            Zone::Fixed(0) => builder,
            Zone::Fixed(offset) => builder.zone(tracing_prefork::Zone::Fixed(offset)),
            Zone::Local(..) => builder.zone(tracing_prefork::Zone::Local),
        };
        if !pattern.prefix.is_empty() {
            builder = builder.filename_prefix(&pattern.prefix);
        }
        if !pattern.suffix.is_empty() {
            builder = builder.filename_suffix(&pattern.suffix);
        }
        if let Some(format) = pattern.date {
            builder = builder.date_format(format);
        }
        if let Some(count) = setup.max_log_files {
            builder = builder.max_log_files(count);
        }
        if let Some(count) = setup.min_log_files {
            builder = builder.min_log_files(count);
        }
        if let Some(bytes) = setup.max_file_bytes {
            builder = builder.max_file_bytes(bytes);
        }
        if let Some(bytes) = setup.max_total_bytes {
            builder = builder.max_total_bytes(bytes);
        }
        if let Some(kind) = setup.compress {
            builder = builder.compress(match kind {
                Archive::Gzip => Compression::Gzip,
                Archive::Zstd => Compression::Zstd,
            });
        }
        if setup.header {
            builder = builder.header(|period| {
                first_line(period.start.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
            });
        }
        if let Some(age) = setup.max_age {
            builder = builder.max_age(age);
        }
        if let Some(hook) = setup.hook {
            let (count, pattern) = (AtomicU64::new(1), pattern.clone());
            let notes = Notes::open(handed);
            let directory = std::path::absolute(directory).unwrap_or_default();
            builder = builder.try_on_finished(move |path, period| {
                let name = path.strip_prefix(&directory).unwrap_or(path).to_string_lossy().into_owned();
                let start = period.start.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
                // A file of another period, or of nobody, is none to be handed over; nor is one of a period that is to
                // come.
                let key = pattern.place_of_name(&name).map(|place| place.key);
                let is_to_come = start > clock.now() && !hook.clock_steps;
                if key != Some(pattern.key_at(start)) || is_to_come {
                    ledger.word(Word::Amiss).fetch_add(1, Relaxed);
                    eprintln!("fork-tests: the hook was given {name} for the period from {start}");
                }
                ledger.word(Word::HandedOver).fetch_add(1, Relaxed);
                let call = || hook.call(count.fetch_add(1, Relaxed));
                notes.as_ref().map_or_else(call, |notes| notes.around(&name, path, call))
            });
        }
        if setup.lock_writes {
            builder = builder.lock_writes(true);
        }
        if setup.buffered {
            builder = builder.buffered(
                setup.ring_bytes.map_or_else(Buffering::default, |bytes| Buffering::default().ring_bytes(bytes)),
            );
        }
        if let Some(name) = setup.latest_symlink {
            builder = builder.latest_symlink(name);
        }
        if let Some(name) = setup.latest_hard_link {
            builder = builder.latest_hard_link(name);
        }
        if let Some(mode) = setup.file_mode {
            builder = builder.file_mode(mode);
        }
        if let Some(clock) = clock.injected() {
            builder = builder.clock(clock);
        }
        let appender = builder.build(directory)?;
        let layer = tracing_subscriber::registry().with(appender.layer());
        let fmt = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_timer(appender.timer())
            .with_writer(Acknowledged(appender.clone()));
        let fmt = tracing_subscriber::registry().with(fmt);
        Ok(Self { appender, buffered: setup.buffered, layer: Dispatch::new(layer), fmt: Dispatch::new(fmt) })
    }
}

impl Writer for Prefork {
    fn put(&self, way: Way, text: Text<'_>) -> io::Result<()> {
        match (way, text) {
            // A layer swallows what its writer answers; the appender's counter tells.
            (Way::Layer, Text::Message(message)) => {
                let lost = self.appender.stats().lines_lost;
                event(&self.layer, message);
                if self.appender.stats().lines_lost == lost { Ok(()) } else { Err(refused()) }
            }
            (Way::Fmt, Text::Message(message)) => {
                ANSWER.set(false);
                event(&self.fmt, message);
                if ANSWER.get() { Ok(()) } else { Err(refused()) }
            }
            (Way::Make, Text::Line(line)) => self.appender.make_writer().write_all(line),
            (Way::Pieces, Text::Line(line)) => {
                let lost = self.appender.stats().lines_lost;
                let mut writer = self.appender.make_writer();
                let (head, rest) = line.split_at(line.len() / 3);
                let (middle, tail) = rest.split_at(rest.len() - 1);
                writer.write_all(head)?;
                writer.write_all(middle)?;
                writer.write_all(tail)?;
                if line.len() % 2 == 0 {
                    writer.flush()?;
                }
                drop(writer);
                if self.appender.stats().lines_lost == lost { Ok(()) } else { Err(refused()) }
            }
            (_, Text::Line(line)) => (&self.appender).write_all(line),
            (_, Text::Message(message)) => (&self.appender).write_all(message.as_bytes()),
        }
    }

    fn counts(&self) -> Option<(u64, u64)> {
        // A write has many lines.
        if self.buffered {
            return None;
        }
        let stats = self.appender.stats();
        Some((stats.writes, stats.lines_lost))
    }

    fn recover(&self) {
        let _ = self.appender.recover();
    }

    fn tidy(&self) {
        self.recover();
        let _ = self.appender.compress();
        let _ = self.appender.prune();
        // Hooks that fail now and then come to their end.
        let _ = (0..20).find(|_| self.appender.hand_over().is_ok());
    }
}

impl fmt::Debug for Prefork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.appender.fmt(f)
    }
}

/// Logs one event to one subscriber.
pub fn event(dispatch: &Dispatch, message: &str) {
    let message = Message(message);
    tracing::dispatcher::with_default(dispatch, || tracing::info!(target: "load", "{message}"));
}

thread_local! {
    /// Whether the last write through [`Acknowledged`] on this thread was acknowledged.
    static ANSWER: Cell<bool> = const { Cell::new(false) };
}

fn refused() -> io::Error {
    io::ErrorKind::Other.into()
}

/// Makes the appender's writers and remembers what they answered, which a layer swallows.
struct Acknowledged(Appender);

struct AcknowledgedWriter<'a>(EventWriter<'a>);

impl<'a> MakeWriter<'a> for Acknowledged {
    type Writer = AcknowledgedWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        AcknowledgedWriter(self.0.make_writer())
    }
}

impl Write for AcknowledgedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let answer = self.0.write_all(bytes);
        ANSWER.set(answer.is_ok());
        answer
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The rotation of that name.
#[must_use]
pub fn rotation(unit: Unit) -> Rotation {
    match unit {
        Unit::Never => Rotation::NEVER,
        Unit::Secondly => Rotation::SECONDLY,
        Unit::Minutely => Rotation::MINUTELY,
        Unit::Hourly => Rotation::HOURLY,
        Unit::Daily => Rotation::DAILY,
        Unit::Weekly => Rotation::WEEKLY,
        Unit::Monthly => Rotation::MONTHLY,
    }
}

/// The process that has had a turn at the housekeeping for minutes, if that is what a report says.
fn tells_of_holder(report: &str) -> Option<i32> {
    report.split_once(" has been at it for ")?.0.rsplit_once("process ")?.1.parse().ok()
}

/// When each kind of failure was last reported in this process: the process's id, and the second by the monotonic
/// clock.
static REPORTED: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

/// Counts an error and shows it, without the lock that std keeps around standard error. A second report of one kind
/// within a minute is amiss. That somebody has had a turn for long is no error if it is true: the harness has stopped
/// that process, or its hook takes its time, or minutes of the run's clock are microseconds.
fn report(ledger: Ledger, hangs: bool, error: &Error) {
    let is_true = tells_of_holder(&error.to_string()).is_some_and(|holder| {
        let mut members = (0..ledger.members()).map(|process| ledger.member(process));
        ledger.get(Word::ClockRate) > 1000
            || hangs && error.operation() == Operation::OnFinished
            || members.any(|member| member.pid() == holder && member.was_paused())
    });
    if !is_true {
        ledger.word(Word::Errors).fetch_add(1, Relaxed);
    }
    let kind = match error.operation() {
        Operation::Write => 0,
        Operation::Rollover => 1,
        Operation::Retention => 2,
        Operation::Link => 3,
        Operation::Reopen => 4,
        Operation::Lock => 5,
        Operation::Compression => 6,
        _ => 7,
    };
    let (process, second) = (u64::from(std::process::id()), clock::monotonic() / 1_000_000_000);
    let before = REPORTED[kind].swap(process << 32 | second, Relaxed);
    let soon = before >> 32 == process && second < (before & u64::from(u32::MAX)) + 59;
    if soon {
        ledger.word(Word::Amiss).fetch_add(1, Relaxed);
    }
    let soon = if soon { " (within a minute of the one before)" } else { "" };
    let text = format!("fork-tests: process {process}: {error}{soon}\n");
    let _ = nix::unistd::write(io::stderr(), text.as_bytes());
}
