//! `prefork-log cat`: prints the lines of log files, plain and compressed, in the order of time.

mod follow;
mod lines;
mod merge;
mod output;
mod tail;
mod when;

use crate::logs::descriptors;
use crate::logs::selection::Selection;
use clap::Args;
use follow::Follow;
use lines::Window;
use merge::{Merge, Room, Start, open_at_once};
use output::Output;
use std::io;
use std::process::ExitCode;
use std::str::FromStr;

/// Prints the lines of log files, plain and compressed, in the order of time across files and tags
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prefork-log cat /var/log/app
  prefork-log cat /var/log/app --since '2 hours ago' | grep ERROR
  prefork-log cat /var/log/app --since 2026-11-21 --until '2026-11-21 08:00'
  prefork-log cat /var/log/app --tag worker-3 -f

A time is written as 2026-11-21T08:33:01Z, '2026-11-21 08:33', 2026-11-21, today, yesterday, now, -2h or '2 hours ago'.
A time without an offset is in the zone of --zone, or else in that of the files.

The status is 0, 1 if something could not be read, and 2 if the command line is wrong or the directory cannot be
read.")]
pub(crate) struct Cat {
    #[command(flatten)]
    selection: Selection,
    /// Only lines of this time and later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only lines before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Only the last lines, as many as this; `all` for all. With -f and without --since, 10 if it is not given
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<Tail>,
    /// Goes on when the lines are printed, with the lines that come, through rollovers and new files
    #[arg(short, long, conflicts_with = "until")]
    follow: bool,
}

/// How many of the last lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    All,
    Last(usize),
}

impl FromStr for Tail {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |_| "expected a number of lines, or `all`".to_owned();
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::Last).map_err(refused) }
    }
}

/// Lines of a followed directory that are printed first.
const FIRST: usize = 10;

/// How many lines before the last ones are looked at, because the lines of a file can be slightly out of order.
const DISORDER: usize = 256;

impl Cat {
    pub(crate) fn run(&self) -> ExitCode {
        descriptors::raise_limit();
        let failed = Output::new().map_err(Ended::Output).and_then(|mut output| {
            let failed = self.print(&mut output)?;
            output.flush().map(|()| failed).map_err(Ended::Output)
        });
        match failed {
            Ok(false) => ExitCode::SUCCESS,
            Ok(true) => ExitCode::from(1),
            // Nobody reads any more.
            Err(Ended::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(Ended::Output(error)) => {
                eprintln!("prefork-log: cannot write to standard output: {error}");
                ExitCode::from(1)
            }
            Err(Ended::Refused(text)) => {
                eprintln!("prefork-log: {text}");
                ExitCode::from(2)
            }
        }
    }

    /// Whether something could not be read.
    fn print(&self, output: &mut Output) -> Result<bool, Ended> {
        let window = self.window().map_err(Ended::Refused)?;
        let rows = self.selection.rows().map_err(Ended::Refused)?;
        if rows.is_empty() && !self.follow && self.selection.patterns().map_err(Ended::Refused)?.is_empty() {
            return Err(Ended::Refused(self.selection.nothing_known()));
        }
        let room = Room::for_places(open_at_once(&rows, window));
        let all = self.tail() == Tail::All;
        let mut follow = self.follow.then(|| Follow::new(&self.selection, window, &room, &rows, all));
        let starts = match self.tail() {
            Tail::All => rows.into_iter().map(|row| Start { row, skip: 0 }).collect(),
            Tail::Last(most) => {
                output.keep_last(most);
                let is_unbounded = window.since == Window::ALL.since && window.until == Window::ALL.until;
                let start = |row| {
                    if is_unbounded {
                        tail::last_lines(row, most.saturating_add(DISORDER), &room)
                    } else {
                        Start { row, skip: 0 }
                    }
                };
                rows.into_iter().map(start).collect()
            }
        };
        let merge = Merge { window, waits: self.follow, room: &room };
        let read = merge.print(starts, output).map_err(Ended::Output)?;
        output.print_last().map_err(Ended::Output)?;
        if let Some(mut follow) = follow.take() {
            follow.has_read(read);
            follow.run(output)?;
            return Ok(false);
        }
        Ok(room.failed.get())
    }

    fn tail(&self) -> Tail {
        let default = if self.follow && self.since.is_none() { Tail::Last(FIRST) } else { Tail::All };
        self.tail.unwrap_or(default)
    }

    fn window(&self) -> Result<Window, String> {
        let zone = self.selection.zone()?;
        let now = when::now(when::time_zone(&zone)?);
        let read = |text: &Option<String>| text.as_ref().map(|text| when::instant(text, &now)).transpose();
        let (since, until) = (read(&self.since)?, read(&self.until)?);
        Ok(Window { since: since.unwrap_or(Window::ALL.since), until: until.unwrap_or(Window::ALL.until) })
    }
}

/// Why nothing more is printed.
enum Ended {
    Output(io::Error),
    /// The arguments, or the directory.
    Refused(String),
}
