//! Lines whose time the caller knows: they were logged elsewhere, or earlier.

use crate::Appender;
use crate::process::pieces::{self, SHORT};
use crate::time::clock::{Moment, Second};
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

impl Appender {
    /// Writes a line to the file of `time`, as one `write(2)`. This is for a program that receives lines from others,
    /// and knows when each line was logged. A newline is added if the line ends without one. An empty text is no line.
    ///
    /// Timestamps in the line are not looked at: `time` alone chooses the file. The line can be several lines of one
    /// time.
    ///
    /// # Errors
    ///
    /// What the system answered, when the line could not be written whole; it is lost then, and counted in
    /// [`Stats::lines_lost`](crate::Stats::lines_lost).
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let launch = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    /// logs.write_at(launch, b"received late")?;
    /// assert_eq!(std::fs::read_to_string(logs.path_at(launch))?, "received late\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_at(&self, time: SystemTime, line: &[u8]) -> io::Result<()> {
        let second = Second::exact(Moment::from(time).secs);
        if line.is_empty() || line.ends_with(b"\n") {
            return self.put_at(second, line);
        }
        if line.len() < SHORT {
            let mut whole = [b'\n'; SHORT];
            whole[..line.len()].copy_from_slice(line);
            return self.put_at(second, &whole[..=line.len()]);
        }
        let mut whole = Vec::new();
        let put = pieces::append(&mut whole, line).and_then(|()| {
            // There is room (`pieces::append`).
            whole.push(b'\n');
            self.put_at(second, &whole)
        });
        pieces::keep(&mut whole);
        put
    }

    /// Writes whole lines to the file of `time`, as one `write(2)`. Returns how many bytes of `lines` are in the file,
    /// in whole lines. That is fewer than all if a disk became full on the way. The caller can try the others again:
    /// no line is doubled. A newline is added if the last line has none. Lines that are not in the file count as lost
    /// ([`Stats::lines_lost`](crate::Stats::lines_lost)), also if the caller tries them again.
    ///
    /// # Errors
    ///
    /// What the system answered, when not even the first line could be written whole.
    pub fn write_lines_at(&self, time: SystemTime, lines: &[u8]) -> io::Result<usize> {
        if lines.is_empty() || !lines.ends_with(b"\n") {
            return self.write_at(time, lines).map(|()| lines.len());
        }
        let put = self.log.put(lines, Some(Second::exact(Moment::from(time).secs)), false);
        let Err(unwritten) = put else { return Ok(lines.len()) };
        let in_file = lines.get(..unwritten.written).unwrap_or_default();
        in_file.iter().rposition(|&byte| byte == b'\n').map(|last| last + 1).ok_or(unwritten.error)
    }

    /// Opens the file that takes the next line of `time`, if that line has `length` bytes. Makes the file if it is not
    /// there. Returns the file's absolute path. This is for a program that notes what it is about to write, before it
    /// calls [`write_lines_at`](Self::write_lines_at): the end of that file is where the lines will be.
    ///
    /// With [`max_file_bytes`](crate::Builder::max_file_bytes) a period has several files, and the line belongs in the
    /// last one that has room. [`path_at`](Self::path_at) does not look, and names the first one.
    ///
    /// The line goes to another file if something happens between the two calls: another thread of this process writes
    /// or rolls over, another process fills the file or begins the next one, or somebody moves the file away.
    ///
    /// # Errors
    ///
    /// The file cannot be opened. A line would go to any file that is still open, if there is one.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let launch = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    /// let path = logs.open_at(launch, 14)?;
    /// assert!(path.ends_with("app.log.2001-09-09"));
    /// assert_eq!(std::fs::read_to_string(path)?, "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open_at(&self, time: SystemTime, length: usize) -> io::Result<PathBuf> {
        let at = Moment::from(time).secs;
        let index = self.log.open_before(at, length)?;
        Ok(self.log.site.path_at(at, index))
    }

    /// The receiver has written lines of this process, and is gone.
    #[cfg(feature = "socket")]
    pub(crate) fn others_have_written(&self) {
        self.log.look_for_next();
    }

    fn put_at(&self, second: Second, line: &[u8]) -> io::Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        Ok(self.log.put(line, Some(second), false)?)
    }
}
