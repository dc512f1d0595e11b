//! `prefork-log pipe`: lines of standard input go to rolling files. Several pipes share one directory.

mod input;
mod lines;
mod output;
mod report;
mod signals;
mod stamp;

use crate::failure::Failure;
use crate::options::{Buffers, Written, set, value_of};
use clap::Args;
use input::{Event, Input, PIPE};
use lines::{Lines, ROOM};
use output::{Output, WhenFull};
use report::tell;
use signals::Signals;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tracing_prefork::{Appender, Builder, Operation, Settings};

/// Write the lines of standard input to rolling files
///
/// Several pipes, and programs that use the library, can share a directory. A line is never split. The last line gets a
/// newline if it has none.
///
/// `pipe` ends when standard input ends. After SIGTERM or SIGINT it reads on until standard input ends, but no longer
/// than `--linger`; SIGINT after that ends it with what is in the pipe by then. SIGHUP opens the files anew.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Pipe {
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    buffers: Buffers,
    #[command(flatten)]
    lines: LineOptions,
}

/// What becomes of lines.
#[derive(Debug, Args)]
#[command(next_help_heading = "Lines")]
struct LineOptions {
    /// Put the time before each line, in RFC 3339; the time chooses the file
    #[arg(long)]
    stamp: bool,
    /// Write the lines to standard output, too
    #[arg(long)]
    tee: bool,
    /// What to do when lines cannot be written, because the disk is full, for example
    #[arg(long, value_enum, default_value = "wait", value_name = "WHAT")]
    when_full: WhenFull,
    /// Leave out what is beyond SIZE in a line, 256 KiB at least; the line says how much that is
    #[arg(long, default_value = "16 MiB", value_name = "SIZE", value_parser = value_of("max_file_bytes"))]
    max_line: String,
    /// How long to read on after SIGTERM or SIGINT while writers have the pipe open
    #[arg(long, default_value = "5 seconds", value_name = "AGE", value_parser = value_of("max_age"))]
    linger: String,
}

const EXAMPLES: &str = "\
Examples:
  A day in each file, and 14 of them:
    program | prefork-log pipe /var/log/app --prefix app --suffix log --rotate daily --keep 14

  What is kept: a month, and 10 GB at most; on a full disk old files go first
    program | prefork-log pipe /var/log/app --prefix app --rotate hourly --max-age '30 days' \\
        --max-total-bytes '10 GB' --min-log-files 2

  How finished files are compressed: all but the newest
    program | prefork-log pipe /var/log/app --prefix app --rotate daily --compress zstd --keep-uncompressed 1

  How files are made: 100 MiB each, a link to the latest one, for a group that reads them
    program | prefork-log pipe /var/log/app --prefix app --suffix log --rotate daily \\
        --max-file-bytes '100 MiB' --latest-symlink latest.log --file-mode 640

  Lines: with the time, also on the terminal, and dropped rather than waited for
    program | prefork-log pipe /var/log/app --prefix app --rotate daily --stamp --tee --when-full drop

  How lines are buffered: in memory that survives, so that nobody waits for a busy disk
    program | prefork-log pipe /var/log/app --prefix app --rotate daily --buffered --ring-bytes '8 MiB'

  In httpd.conf of Apache:
    ErrorLog \"|/usr/bin/prefork-log pipe /var/log/apache2 --prefix error --suffix log --rotate daily\"

Exit codes:
  0  all lines are in the files
  1  lines were lost, or the files could not be opened; standard error says which and how many
  2  the command line or the settings are wrong; nothing was read";

impl Pipe {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut settings = self.written.settings()?;
        self.buffers.add_to(&mut settings)?;
        let read = |option: &str, text: &String| {
            let mut read = Settings::default();
            set(&mut read, option, Some(text)).map(|()| read)
        };
        let longest = read("max_file_bytes", &self.lines.max_line)?.max_file_bytes.unwrap_or_default();
        let longest = usize::try_from(longest).unwrap_or(usize::MAX);
        if longest < ROOM {
            return Err(Failure::usage(format!("--max-line {:?}: give 256 KiB at least", self.lines.max_line)));
        }
        let linger = read("max_age", &self.lines.linger)?.max_age.unwrap_or_default();

        let is_buffered = settings.buffered == Some(true);
        let most = bytes_of_a_write(settings.max_file_bytes).min(bytes_of_a_ring(&settings, is_buffered));
        let broken = |error: io::Error| Failure::at_work(format!("standard input: {error}"));
        let signals = Signals::catch().map_err(broken)?;
        let input = Input::standard().map_err(broken)?;
        let mut output = Output::new(self.open(settings)?, self.lines.when_full, most);
        if self.lines.stamp {
            output.stamp();
        }
        if self.lines.tee {
            let stdout = io::stdout().as_fd().try_clone_to_owned();
            output.tee(File::from(stdout.map_err(|error| Failure::at_work(format!("standard output: {error}")))?));
        }
        let mut lines = Lines::new(longest);
        let outcome = copy(input, &mut lines, &mut output, &signals, linger);
        if lines.shortened() > 0 {
            tell(format_args!("{} lines were longer than {} bytes", lines.shortened(), longest));
        }
        let all = output.end() && lines.shortened() == 0;
        outcome?;
        let all = output.flush(&signals)? && all;
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn open(&self, settings: Settings) -> Result<Appender, Failure> {
        let builder = Builder::from(settings).on_error(|error| {
            // Lines that were not written are told by `Output`, with the numbers of the whole run.
            if error.operation() != Operation::Write {
                tell(error);
            }
        });
        Ok(builder.build(self.written.directory())?)
    }
}

/// The bytes of one write. A file may exceed its size by one write, which shall be little.
fn bytes_of_a_write(max_file_bytes: Option<u64>) -> usize {
    let sixteenth = max_file_bytes.map_or(u64::MAX, |size| size / 16);
    usize::try_from(sixteenth).unwrap_or(usize::MAX).clamp(4 << 10, 1 << 20)
}

/// So many lines go into a ring at once that there is room for others meanwhile. Longer ones would go past the ring.
fn bytes_of_a_ring(settings: &Settings, is_buffered: bool) -> usize {
    match is_buffered {
        true => usize::try_from(settings.ring_bytes.unwrap_or(1 << 20) / 16).unwrap_or(usize::MAX).max(4 << 10),
        false => usize::MAX,
    }
}

/// Copies lines until the input ends, or a signal says so.
fn copy(
    mut input: Input,
    lines: &mut Lines,
    output: &mut Output,
    signals: &Signals,
    linger: Duration,
) -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::at_work(format!("standard input: {error}"));
    // When to end at the latest, after a signal, and how much is still read then.
    let (mut end, mut left) = (None::<Instant>, PIPE);
    loop {
        if signals.ends() > 0 && end.is_none() {
            end = Instant::now().checked_add(linger);
        }
        let over = signals.at_once() || end.is_some_and(|end| end <= Instant::now());
        let at_most = if over { Some(Duration::ZERO) } else { end.map(|end| end.duration_since(Instant::now())) };
        if signals.take_reopen() {
            output.reopen();
        }
        let event = input.wait(signals, at_most).map_err(broken)?;
        match event {
            Event::Ready => {}
            Event::Nothing if over => break,
            Event::Nothing | Event::Signal => continue,
        }
        let length = match input.read(lines.room()) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(broken(error)),
        };
        lines.add(length);
        output.put(lines.whole(), signals)?;
        lines.forget();
        if over {
            // What is in the pipe is still written, and not what comes meanwhile.
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => break,
            }
        }
        input.rest_after(length);
    }
    lines.end();
    output.put(lines.whole(), signals)?;
    lines.forget();
    Ok(())
}
