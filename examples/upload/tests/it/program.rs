//! The program under test, in a process group of its own.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

pub(crate) const KEY: &str = "KEY";
pub(crate) const SECRET: &str = "SECRET";

/// A place for a program: its log files, its notes, and what it prints.
pub(crate) struct Place {
    pub(crate) logs: PathBuf,
    journal: PathBuf,
    output: PathBuf,
    /// The second at which the program's clock is right; since then a minute takes a second.
    pub(crate) since: u64,
}

impl Place {
    pub(crate) fn new(directory: &Path) -> Self {
        let [logs, journal, output] = ["logs", "journal", "output"].map(|name| directory.join(name));
        fs::create_dir_all(&journal).expect("a directory");
        let since = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        Self { logs, journal, output, since }
    }

    /// Starts the program, which sends to `to` through the store at `address`.
    pub(crate) fn start(&self, address: &str, to: &str, options: &[&str]) -> Program {
        self.start_with(address, to, SECRET, options)
    }

    pub(crate) fn start_with(&self, address: &str, to: &str, secret: &str, options: &[&str]) -> Program {
        let output = File::options().create(true).append(true).open(&self.output).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_upload"));
        command
            .env_clear()
            .envs([("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_REGION", "us-east-1")])
            .envs([("AWS_ENDPOINT_URL", address), ("AWS_ALLOW_HTTP", "true")])
            .args(["--to", to, "--host", "host-1", "--retry-for", "2", "--keep", "100000", "--rotation", "minutely"])
            .args(["--speed", "60", "--since", &self.since.to_string(), "--lock-writes", "--workers", "4"])
            .arg("--logs")
            .arg(&self.logs)
            .arg("--journal")
            .arg(&self.journal)
            .args(options)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .process_group(0);
        // For a test that is killed itself. SAFETY: prctl(2) is a bare system call; it neither allocates nor locks.
        unsafe { command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?)) };
        Program(command.spawn().expect("the program starts"))
    }

    /// What the program has printed so far.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// The process that is inside the hook.
    pub(crate) fn in_the_hook(&self) -> Option<Pid> {
        let pid = fs::read_to_string(self.journal.join("hook")).ok()?.parse().ok()?;
        let pid = Pid::from_raw(pid);
        is_alive(pid).then_some(pid)
    }

    /// How often the hook found that the object was there already.
    pub(crate) fn were_there(&self) -> usize {
        fs::read(self.journal.join("was-there")).unwrap_or_default().len()
    }

    /// The workers, with the number of events that each one has logged.
    pub(crate) fn workers(&self) -> BTreeMap<i32, u64> {
        let notes = fs::read_dir(&self.journal).expect("readable").map(|note| note.expect("readable").path());
        let worker = |note: PathBuf| {
            let pid = note.file_name()?.to_str()?.strip_prefix("worker-")?.parse().ok()?;
            let count = fs::read(&note).ok()?.try_into().map_or(0, u64::from_le_bytes);
            Some((pid, count))
        };
        notes.filter_map(worker).collect()
    }

    /// The number of events that all workers together have logged.
    pub(crate) fn logged(&self) -> u64 {
        self.workers().values().sum()
    }

    /// A worker that runs.
    pub(crate) fn a_worker(&self, number: usize) -> Option<Pid> {
        let workers: Vec<_> = self.workers().into_keys().map(Pid::from_raw).filter(|pid| is_alive(*pid)).collect();
        workers.get(number % workers.len().max(1)).copied()
    }

    /// Waits until no worker is left: those of a killed parent end by themselves.
    pub(crate) fn wait_for_the_workers(&self) {
        wait_until("the workers have ended", || self.a_worker(0).is_none());
    }
}

/// A running program. It ends with this value.
pub(crate) struct Program(Child);

impl Program {
    /// How the parent has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("our child")
    }

    /// The whole group at once.
    pub(crate) fn kill_all(&mut self) {
        let _ = killpg(self.group(), Signal::SIGKILL);
        self.0.wait().expect("our child");
    }

    /// Ends the program as an operator does.
    pub(crate) fn end(mut self) -> ExitStatus {
        kill(self.group(), Signal::SIGTERM).expect("the program runs");
        let mut status = None;
        wait_until("the program has ended", || {
            status = self.ended();
            status.is_some()
        });
        status.expect("it has ended")
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.0.id().try_into().expect("a pid"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

fn is_alive(pid: Pid) -> bool {
    // A zombie is dead; its parent may be too busy to fetch it.
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    kill(pid, None) != Err(Errno::ESRCH) && !state.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
}

/// Waits for what is bound to come. The limit is there for a program that hangs, and far from any time it takes.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(120), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
