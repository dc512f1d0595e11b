//! What the tests share.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_prefork-log");

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn program() -> Command {
    Command::new(PROGRAM)
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// `prefork-log pipe LOGS`, with pipes to its standard input, output and error.
pub(crate) fn pipe(logs: &Path, options: &[&str]) -> Command {
    let mut command = program();
    command.arg("pipe").arg(logs).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Gives this input to the command, and waits for its end.
pub(crate) fn ends(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    thread::scope(|threads| {
        // The program may end before it has read all.
        threads.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("it ends")
    })
}

/// The same, for input that the program shall take without an error.
pub(crate) fn succeeds(command: Command, input: &[u8]) -> Output {
    let ended = ends(command, input);
    assert!(ended.status.success(), "{:?}: {}", ended.status, text(ended.stderr));
    ended
}

pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take();
        Self { child, stdin }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().expect("a pid")), signal).expect("it runs");
    }

    pub(crate) fn write(&mut self, lines: &str) {
        self.stdin.as_mut().expect("open").write_all(lines.as_bytes()).expect("it reads");
    }

    /// Waits for the end, with standard input open or closed as it is.
    pub(crate) fn ended(mut self) -> Output {
        let stdin = self.stdin.take();
        wait_until("the program ends", || self.child.try_wait().expect("a child").is_some());
        drop(stdin);
        self.child.wait_with_output().expect("it has ended")
    }
}

pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what} does not come true");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The log files in a directory, by name, with their text.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("readable"));
    let names = entries.map(|entry| entry.file_name().into_string().expect("UTF-8"));
    let names = names.filter(|name| name.starts_with("app") && name != "app.settings");
    names.map(|name| (name.clone(), fs::read_to_string(directory.join(&name)).expect("readable"))).collect()
}

/// All lines of all files, in the order of the names.
pub(crate) fn all_lines(directory: &Path) -> Vec<String> {
    files(directory).values().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}
