//! The server under test: the example's own program, with a pipe on its output and a directory of its own.

use crate::{Example, wait_until};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use tempfile::TempDir;

/// A running server. It ends with this value, or with the thread that started it.
pub(crate) struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// Copies what a terminal shows, if there is one.
    terminal: Option<JoinHandle<io::Result<u64>>>,
    directory: Option<TempDir>,
    /// `http://127.0.0.1:` and the port.
    pub(crate) address: String,
    pub(crate) logs: PathBuf,
}

/// What is left of it.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it printed since it told where it listens and logs.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) logs: PathBuf,
    /// Holds the logs.
    _directory: TempDir,
}

impl Server {
    /// Starts the server, with a terminal on its standard error if the example has a console.
    pub(crate) fn start(example: Example) -> Self {
        Self::start_with(example, example.json_and_console)
    }

    pub(crate) fn start_without_terminal(example: Example) -> Self {
        Self::start_with(example, false)
    }

    fn start_with(example: Example, terminal: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let logs = directory.path().join("logs");
        let stderr = File::create(directory.path().join("stderr")).expect("a file for stderr");
        let (stderr, terminal) = if terminal { terminal_onto(stderr) } else { (stderr.into(), None) };
        let mut command = Command::new(example.program);
        command
            .args(["--listen", "127.0.0.1:0", "--rotation", "secondly", "--max-log-files", "1000"])
            .arg(format!("--{}", example.plural()))
            .arg(example.processes.to_string())
            .arg("--logs")
            .arg(&logs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            // Its own group, as a shell would give it: `interrupt` is for all of it.
            .process_group(0);
        // For a test that is killed itself. SAFETY: prctl(2) is a bare system call; it neither allocates nor locks.
        #[cfg(target_os = "linux")]
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?))
        };
        let mut process = command.spawn().expect("the server starts");
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut server = Self { process, stdout, terminal, directory: Some(directory), address: String::new(), logs };

        server.address = server.printed("listening on ");
        assert_eq!(server.printed("logs are in "), server.logs.to_str().expect("a path in UTF-8"));
        server
    }

    /// What the next line of its output tells after `label`.
    fn printed(&mut self, label: &str) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("its output can be read");
        let told = line.trim_end().strip_prefix(label);
        told.unwrap_or_else(|| panic!("`{label}` expected, found `{line}`, and in stderr: {}", self.stderr()))
            .to_owned()
    }

    fn stderr(&self) -> String {
        let directory = self.directory.as_ref().expect("the server has not ended");
        fs::read_to_string(directory.path().join("stderr")).expect("its errors can be read")
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.process.id() as i32)
    }

    /// Ends the server as Ctrl-C does, which a terminal sends to every process of the group.
    pub(crate) fn interrupt(mut self) -> Ended {
        killpg(self.group(), Signal::SIGINT).expect("the server runs");
        let mut status = None;
        wait_until("the server has ended", || {
            status = self.process.try_wait().expect("the server is our child");
            status.is_some()
        });

        // Every process holds the writing end of the pipe: where one is left, this fails instead of finding the end.
        fcntl(self.stdout.get_ref(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("the pipe is ours");
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("no process is left behind");
        if let Some(terminal) = self.terminal.take() {
            let _ = terminal.join().expect("ends as nobody has the terminal any more");
        }
        Ended {
            status: status.expect("waited for"),
            stdout,
            stderr: self.stderr(),
            logs: self.logs.clone(),
            _directory: self.directory.take().expect("ends once"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let _ = killpg(self.group(), Signal::SIGKILL);
            let _ = self.process.wait();
        }
    }
}

/// A terminal whose text is copied to a file.
fn terminal_onto(mut file: File) -> (Stdio, Option<JoinHandle<io::Result<u64>>>) {
    let terminal = openpty(None, None).expect("a terminal");
    let mut shown = File::from(terminal.master);
    // Ends with EIO when nobody has the terminal any more (`pty(7)`).
    let copies = thread::spawn(move || io::copy(&mut shown, &mut file));
    (terminal.slave.into(), Some(copies))
}
