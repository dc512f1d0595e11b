//! A receiver that a test starts, stops and kills.

use flate2::bufread::MultiGzDecoder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A directory with a socket and logs.
pub(crate) struct Stage {
    pub(crate) home: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// Starts a receiver of one file a second, and waits until it listens.
    pub(crate) fn receiver(&self, more: &[&str]) -> Receiver {
        self.receiver_under(Command::new(env!("CARGO_BIN_EXE_prefork-log")), more)
    }

    /// The same, by a command that starts the program.
    pub(crate) fn receiver_under(&self, mut command: Command, more: &[&str]) -> Receiver {
        let errors = self.path("stderr");
        let stderr = File::options().create(true).append(true).open(&errors).expect("made");
        command.arg("serve").arg("--socket").arg(self.socket()).arg("--stream-socket").arg(self.path("stream"));
        command.args(["--prefix", "app", "--suffix", "log", "--rotate", "secondly"]).args(more).arg(self.logs());
        let child = command.stdin(Stdio::null()).stderr(stderr).spawn().expect("it starts");
        let mut receiver = Receiver { child, errors };
        receiver.wait_for(&self.path("stream"));
        receiver
    }
}

pub(crate) struct Receiver {
    pub(crate) child: Child,
    errors: PathBuf,
}

impl Receiver {
    /// Waits until somebody listens.
    fn wait_for(&mut self, stream: &Path) {
        let since = Instant::now();
        while UnixStream::connect(stream).is_err() {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the receiver has ended: {}", self.errors());
            assert!(since.elapsed() < Duration::from_secs(30), "nobody listens");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("a child");
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    /// Ends it with SIGTERM.
    pub(crate) fn end(mut self) {
        self.signal(Signal::SIGTERM);
        let ended = self.child.wait().expect("a child");
        assert!(ended.success(), "{ended}: {}", self.errors());
    }

    /// What it has said on standard error.
    pub(crate) fn errors(&self) -> String {
        let mut text = String::new();
        File::open(&self.errors).expect("there").read_to_string(&mut text).expect("UTF-8");
        text
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text of all log files.
pub(crate) fn text(logs: &Path) -> String {
    files(logs).into_iter().map(|(_, text)| text).collect()
}

/// The date in a name such as `app.2026-11-21.3.log.gz`, and the number behind it: the order of the files.
fn place(name: &str) -> (String, u64) {
    let mut parts = name.split('.').skip(1);
    let date = parts.next().unwrap_or_default().to_owned();
    (date, parts.next().and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// The text of a log file, plain or compressed.
pub(crate) fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?;
    if path.extension().is_some_and(|ending| ending == "gz") {
        MultiGzDecoder::new(BufReader::new(file)).read_to_string(&mut text)?;
    } else {
        file.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// The log files and their texts, in their order. A receiver that has just been started may not have made the
/// directory. One that compresses can take a file away meanwhile.
pub(crate) fn files(logs: &Path) -> Vec<(String, String)> {
    let mut names: Vec<_> = fs::read_dir(logs)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort_by_key(|name| (place(name), name.clone()));
    let read = |name: String| match read(&logs.join(&name)) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        text => Some((name, text.expect("UTF-8"))),
    };
    names.into_iter().filter_map(read).collect()
}

/// Waits until something is so, for a minute at most.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
