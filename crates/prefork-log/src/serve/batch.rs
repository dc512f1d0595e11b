//! [`Batch`]: the lines of one period that were read and are to be written with one `write(2)`.

use super::journal::Client;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::Appender;
use tracing_prefork::protocol::LineTime;

/// A batch is written when it has so many bytes.
pub(crate) const FULL: usize = 256 * 1024;

/// Lines may be so many seconds old when they come, which is 30 days, and so many ahead. Others come from a wrong
/// clock, or from somebody who wants to have many files.
const OLDEST: i64 = 30 * 24 * 3600;
const MOST_AHEAD: i64 = 3600;

/// A line that has a client and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) client: Client,
    pub(crate) number: u64,
    /// Where in the text the line ends.
    pub(crate) end: usize,
}

/// All lines of a batch belong to the file of the first one.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    text: Vec<u8>,
    /// The lines that have a client and a number.
    entries: Vec<Entry>,
    time: Option<SystemTime>,
    /// In seconds since 1970.
    period: Range<i64>,
}

impl Batch {
    pub(crate) fn is_full(&self) -> bool {
        self.text.len() >= FULL
    }

    /// Whether a line of that second belongs to the batch.
    pub(crate) fn takes(&self, second: i64) -> bool {
        self.text.is_empty() || self.period.contains(&second)
    }

    /// Adds a line, or several whole ones. [`takes`](Self::takes) has said that it belongs here.
    pub(crate) fn add(
        &mut self,
        files: &Appender,
        (second, nanos): LineTime,
        text: &[u8],
        from: Option<(Client, u64)>,
    ) {
        if self.text.is_empty() && !(self.time.is_some() && self.period.contains(&second)) {
            let time = system_time(second) + Duration::from_nanos(nanos.into());
            let period = files.period_at(time);
            self.period = seconds(period.start)..period.end.map_or(i64::MAX, seconds);
            self.time = Some(time);
        }
        self.text.extend_from_slice(text);
        if !text.ends_with(b"\n") {
            self.text.push(b'\n');
        }
        if let Some((client, number)) = from {
            self.entries.push(Entry { client, number, end: self.text.len() });
        }
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file that the lines go to. With `max_file_bytes` that is one of several of the period.
    fn path(&self, files: &Appender, time: SystemTime) -> PathBuf {
        // If no file can be opened, the lines are not written, or go to any file that is still open.
        files.open_at(time, self.text.len()).unwrap_or_else(|_| files.path_at(time))
    }

    /// Writes the lines. Those that are in the file are not here any more after a failure. Each write is noted before.
    pub(crate) fn write(&mut self, files: &Appender, note: &mut dyn FnMut(&Self, &Path)) -> io::Result<()> {
        while let (Some(time), false) = (self.time, self.text.is_empty()) {
            note(self, &self.path(files, time));
            let written = files.write_lines_at(time, &self.text)?;
            self.text.drain(..written);
            self.entries.retain(|entry| entry.end > written);
            self.entries.iter_mut().for_each(|entry| entry.end -= written);
        }
        Ok(())
    }

    /// The number of lines that are not written.
    pub(crate) fn lines(&self) -> usize {
        self.text.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// The time of a line, or now if the time cannot be right.
pub(crate) fn checked_time(time: LineTime, now: LineTime) -> Option<LineTime> {
    (now.0 - OLDEST..now.0 + MOST_AHEAD).contains(&time.0).then_some(time)
}

pub(crate) fn now() -> LineTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(0), since.subsec_nanos())
}

fn system_time(second: i64) -> SystemTime {
    let distance = Duration::from_secs(second.unsigned_abs());
    if second < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;
    use std::fs;
    use tracing_prefork::{Appender, Builder, Rotation};

    /// Writes batches of the years 1970 and 2001. Returns how many were not where the note before the write has said.
    fn written_elsewhere(builder: Builder) -> usize {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = builder.filename_prefix("app").filename_suffix("log").rotation(Rotation::DAILY);
        let files = builder.build(directory.path()).expect("builds");
        let mut batch = Batch::default();
        let mut elsewhere = 0;
        for number in 0..60 {
            let second = if number % 4 < 3 { 5 } else { 1_000_000_000 };
            let text = format!("batch {number} {}\n", "x".repeat(300 + 50 * number)).into_bytes();
            batch.add(&files, (second, 0), &text, None);
            let mut noted = None;
            batch
                .write(&files, &mut |_, path| {
                    noted = Some((path.to_owned(), fs::read(path).map_or(0, |found| found.len())))
                })
                .expect("written");
            let (path, size) = noted.expect("noted");
            let found = fs::read(path).expect("there");
            elsewhere += usize::from(found[size..] != text);
        }
        elsewhere
    }

    #[test]
    fn lines_go_where_the_note_says() {
        assert_eq!(written_elsewhere(Appender::builder()), 0);
    }

    #[test]
    fn lines_go_where_the_note_says_with_several_files_a_period() {
        for locked in [false, true] {
            let builder = Appender::builder().max_file_bytes(5_000).lock_writes(locked);
            assert_eq!(written_elsewhere(builder), 0, "locked: {locked}");
        }
    }

    #[test]
    fn lines_go_where_the_note_says_behind_a_first_line() {
        assert_eq!(written_elsewhere(Appender::builder().header(|_| "# first\n".to_owned())), 0);
    }
}
