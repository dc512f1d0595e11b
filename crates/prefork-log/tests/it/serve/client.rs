//! A client: a process that a test starts. It is this very program, which runs one ignored test.

use super::lines::{Found, check};
use super::receiver::Stage;
use harness::line::{Id, Pen, Sizes, Way};
use harness::process::{fork, leave};
use nix::sys::wait::{WaitStatus, waitpid};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{Dispatch, dispatcher};
use tracing_prefork::{Appender, Rotation, SocketBuilder, SocketStats, SocketWriter};
use tracing_subscriber::layer::SubscriberExt;

const JOB: &str = "PREFORK_LOG_TEST_CLIENT";

/// What a client does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) process: u64,
    pub(crate) threads: u64,
    /// Of each thread.
    pub(crate) lines: u64,
    /// Whether it writes the files itself while nobody listens.
    pub(crate) falls_back: bool,
    /// Children that it forks while its threads log. Their numbers follow from 1000 times its own.
    pub(crate) forks: u64,
    /// Lines of each child.
    pub(crate) lines_of_child: u64,
    /// Whether its lines are up to 64 KiB long, and some 1 MiB.
    pub(crate) long: bool,
    /// The size of a file, if it writes the files itself; 0 for no limit.
    pub(crate) max_file_bytes: u64,
}

impl Job {
    pub(crate) fn plain(process: u64, lines: u64) -> Self {
        Self {
            process,
            threads: 1,
            lines,
            falls_back: false,
            forks: 0,
            lines_of_child: 0,
            long: false,
            max_file_bytes: 0,
        }
    }

    /// Starts the client.
    pub(crate) fn start(&self, stage: &Stage) -> Child {
        let Self { process, threads, lines, falls_back, forks, lines_of_child, long, max_file_bytes } = self;
        let job = format!("{process} {threads} {lines} {falls_back} {forks} {lines_of_child} {long} {max_file_bytes}");
        let mut command = Command::new(env::current_exe().expect("a program"));
        command.args(["--exact", "serve::client::client", "--ignored", "--nocapture"]).env(JOB, job);
        command.current_dir(stage.home.path()).stdout(Stdio::null()).spawn().expect("it starts")
    }

    fn read() -> Option<Self> {
        let job = env::var(JOB).ok()?;
        let words: Vec<_> = job.split(' ').collect();
        let [process, threads, lines, falls_back, forks, lines_of_child, long, max_file_bytes] = words[..] else {
            return None;
        };
        let number = |text: &str| text.parse().expect("a number");
        Some(Self {
            process: number(process),
            threads: number(threads),
            lines: number(lines),
            falls_back: falls_back == "true",
            forks: number(forks),
            lines_of_child: number(lines_of_child),
            long: long == "true",
            max_file_bytes: number(max_file_bytes),
        })
    }

    /// The lines that it sends, by process and thread.
    pub(crate) fn sends(&self) -> BTreeMap<(u64, u64), u64> {
        let own = (0..self.threads).map(|thread| ((self.process, thread), self.lines));
        let of_children = (0..self.forks).map(|child| ((1000 * self.process + child, 0), self.lines_of_child));
        own.chain(of_children).collect()
    }

    fn sizes(&self) -> Sizes {
        if self.long { Sizes::Mixed } else { Sizes::About(120) }
    }

    fn write(&self, process: u64, thread: u64, lines: u64) {
        let mut pen = Pen::new(self.sizes());
        for sequence in 0..lines {
            let id = Id { process, thread, sequence };
            let message = pen.message(id, Way::Layer, self.sizes().padding(id));
            tracing::info!(target: "load", "{message}");
        }
    }
}

/// Waits until all is acknowledged, and notes what the process has done.
fn end(logs: &SocketWriter, process: u64) -> i32 {
    let since = Instant::now();
    while logs.flush_all().is_err() && since.elapsed() < Duration::from_secs(120) {}
    let SocketStats { sent, acknowledged, resent, written_directly, dropped, reconnects, .. } = logs.stats();
    let text = format!("{sent} {acknowledged} {resent} {written_directly} {dropped} {reconnects}");
    i32::from(fs::write(format!("client.{process}"), text).is_err() || logs.flush_all().is_err())
}

/// What the clients have counted, in sum.
pub(crate) fn counts(stage: &Stage) -> BTreeMap<&'static str, u64> {
    const NAMES: [&str; 6] = ["sent", "acknowledged", "resent", "written directly", "dropped", "reconnects"];
    let mut counts: BTreeMap<_, _> = NAMES.into_iter().map(|name| (name, 0)).collect();
    for entry in fs::read_dir(stage.home.path()).expect("a directory") {
        let path = entry.expect("readable").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("client.")) {
            let text = fs::read_to_string(path).expect("readable");
            for (name, number) in NAMES.iter().zip(text.split(' ')) {
                *counts.entry(name).or_default() += number.parse::<u64>().expect("a number");
            }
        }
    }
    counts
}

pub(crate) fn wait_for(clients: Vec<Child>) {
    for mut client in clients {
        let ended = client.wait().expect("a child");
        assert!(ended.success(), "a client: {ended}");
    }
}

/// Checks the lines of the clients.
pub(crate) fn check_lines(stage: &Stage, jobs: &[Job]) -> Found {
    check(&stage.logs(), &jobs.iter().flat_map(Job::sends).collect())
}

/// Waits for the clients, and checks their lines.
pub(crate) fn join(stage: &Stage, jobs: &[Job], clients: Vec<Child>) -> Found {
    wait_for(clients);
    check_lines(stage, jobs)
}

fn files_of(logs: &Path, max_file_bytes: u64) -> Appender {
    let builder = Appender::builder().filename_prefix("app").filename_suffix("log").rotation(Rotation::SECONDLY);
    let builder = if max_file_bytes > 0 { builder.max_file_bytes(max_file_bytes) } else { builder };
    builder.lock_writes(true).build(logs).expect("builds")
}

pub(crate) fn files(logs: &Path) -> Appender {
    files_of(logs, 0)
}

fn builder(job: &Job) -> SocketBuilder {
    let builder = SocketWriter::builder().on_error(|_| {}).patience(Duration::from_secs(60));
    if job.falls_back { builder.fallback(files_of(Path::new("logs"), job.max_file_bytes)) } else { builder }
}

#[test]
#[ignore = "a client, which other tests start"]
fn client() {
    let Some(job) = Job::read() else { return };
    let logs = builder(&job).build("socket").expect("builds");
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(logs.layer()));
    let writers: Vec<_> = (0..job.threads)
        .map(|number| {
            let dispatch = dispatch.clone();
            thread::spawn(move || dispatcher::with_default(&dispatch, || job.write(job.process, number, job.lines)))
        })
        .collect();
    for child in 0..job.forks {
        let process = 1000 * job.process + child;
        let born = fork(|| {
            dispatcher::with_default(&dispatch, || job.write(process, 0, job.lines_of_child));
            end(&logs, process)
        });
        // Some at a time, so that they live beside each other.
        if child % 8 == 7 || child + 1 == job.forks {
            for _ in 0..=child % 8 {
                assert!(matches!(waitpid(None, None), Ok(WaitStatus::Exited(_, 0))), "a child");
            }
        }
        born.expect("a fork");
    }
    writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    leave(end(&logs, job.process));
}
