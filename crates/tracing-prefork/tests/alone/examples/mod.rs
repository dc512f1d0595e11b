//! The examples, as a user starts them. The tests log nothing themselves, so they need no process of their own.

mod daemonize;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod panic_and_exit;
mod per_process;
mod reload;
mod reopen_on_sighup;
#[cfg(feature = "serde")]
mod settings;
mod systemd;
mod two_layers;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::common::{eventually, names, read};

/// The program of an example. Cargo puts it beside the directory of the tests' own programs.
fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("this program");
    let program = tests.parent().and_then(|deps| deps.parent()).expect("deps").join("examples").join(name);
    assert!(program.exists(), "cargo has not built the example: cargo build --examples --all-features");
    program
}

fn example(name: &str) -> Command {
    let mut command = Command::new(program(name));
    // Of the one who runs the tests, and not of the tests.
    command.env_remove("RUST_LOG").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// A program that ends with its test, however that ends.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        // For a test that is killed itself. SAFETY: prctl(2) is a bare system call; it neither allocates nor locks.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?))
        };
        Self(command.spawn().expect("starts"))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id() as i32)
    }

    fn send(&self, signal: Signal) {
        kill(self.pid(), signal).expect("sent");
    }

    /// Waits for the end, a minute at most.
    fn ended(mut self) -> ExitStatus {
        let child = RefCell::new(&mut self.0);
        eventually("the program ends", || child.borrow_mut().try_wait().expect("waits").is_some());
        self.0.wait().expect("it has ended")
    }

    /// What it writes on standard output, which must be piped.
    fn output(&mut self) -> Output {
        Output::of(self.0.stdout.take().expect("piped"))
    }

    /// What it writes on standard error, which must be piped.
    fn errors(&mut self) -> Output {
        Output::of(self.0.stderr.take().expect("piped"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines as they come.
struct Output(Receiver<String>);

impl Output {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self(receiver)
    }

    /// The next line, for which it waits a minute at most.
    fn next(&self) -> String {
        self.0.recv_timeout(Duration::from_secs(60)).expect("a line")
    }
}

/// Standard input, output and error of a program whose output the test reads.
fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())
}

/// The files whose names begin and end like this, one after the other in the order of their dates: a test may run at
/// midnight.
fn text(directory: &Path, begin: &str, end: &str) -> String {
    let names = names(directory).into_iter().filter(|name| name.starts_with(begin) && name.ends_with(end));
    names.map(|name| read(directory, &name)).collect()
}

/// The numbers behind this word at the ends of the lines that have it.
fn numbers(text: &str, word: &str) -> Vec<u64> {
    let ends = text.lines().filter_map(|line| line.split_once(word)).map(|(_, end)| end);
    ends.map(|end| end.parse().unwrap_or_else(|_| panic!("{word}{end}"))).collect()
}

/// Fails unless each number from 0 on is there once and in its place. Returns how many.
#[track_caller]
fn counted(numbers: &[u64]) -> u64 {
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    numbers.len() as u64
}
