//! An example server under load, with a rollover each second, a process ended in the middle and Ctrl-C at the end: what
//! the server answered is in its log files, each request once, whole, and in the file that its timestamp names.

mod client;
mod console;
mod json;
mod logs;
mod server;
mod text;

use self::client::{Client, Journal, Route};
use self::server::{Ended, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// What the server must at least have answered, and the files it must have filled meanwhile: three rollovers.
const REQUESTS: usize = 10_000;
const FILES: usize = 4;
/// A round of load.
const CONNECTIONS: usize = 8;
const REQUESTS_PER_CONNECTION: usize = 125;
const ROUND: usize = CONNECTIONS * REQUESTS_PER_CONNECTION;

/// An example server, and what its test expects of it.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The name of the program, which its log lines carry.
    pub name: &'static str,
    /// The path of the program.
    pub program: &'static str,
    /// What the program calls one of its serving processes.
    pub process: &'static str,
    /// The number of serving processes.
    pub processes: usize,
    /// How one of them ends in the middle.
    pub end: End,
    /// Whether there is a JSON file beside each plain one, and the same events on standard error.
    pub json_and_console: bool,
}

/// How a process ends while it serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// By SIGTERM: it answers the requests that it has.
    Asked,
    /// By SIGKILL: it may leave a fragment of a line.
    Killed,
}

impl Example {
    /// Sends the server 10 000 requests over several connections, ends one of its processes, and checks its log files.
    ///
    /// # Panics
    ///
    /// If the server or its log files are not as they should be.
    pub fn serves_under_load(&self) {
        let server = Server::start(*self);
        let answers = AtomicUsize::new(0);
        let mut journal = Journal::new();
        let mut ended = Vec::new();
        let mut done = false;

        // Rounds of new keep-alive connections until all has happened that is to happen.
        for round in 0.. {
            let answered = answers.load(Relaxed);
            let files = logs::files(&server.logs, "log");
            logs::check_plain(&files).unwrap();
            let started = text::started(self, &files);
            let complete = started.len() == self.processes + ended.len();
            if answered >= REQUESTS && files.len() >= FILES && done && complete {
                // A process that took the place of another has to answer, too.
                let mut processes = journal.values().filter_map(|request| request.process());
                if processes.any(|process| started[self.processes..].contains(&process)) {
                    break;
                }
            }
            assert!(round < 1000, "{answered} answers, {} files, {ended:?} ended, {started:?} started", files.len());

            thread::scope(|scope| {
                let load = connections(scope, &server, &answers, |client| {
                    Route::ALL.iter().cycle().take(REQUESTS_PER_CONNECTION).for_each(|route| client.answer(route));
                });
                if answered >= REQUESTS / 2 && !done && complete {
                    // Once more, and with a slower request, should the signal come before the request or after its end.
                    assert!(ended.len() < 5, "no process has a request when it ends");
                    let half = || answers.load(Relaxed) >= answered + ROUND / 2;
                    let pid;
                    (pid, done) = self.end_a_busy_process(&server, &answers, &mut journal, 500 << ended.len(), half);
                    ended.push(pid);
                }
                load.into_iter().for_each(|client| journal.extend(client.join().expect("the client runs")));
            });
        }
        self.check(&interrupt_under_load(server, &answers, &mut journal), &journal, &ended);
    }

    /// Starts the server, with standard error on a file, sends it a request of each kind, and ends it.
    ///
    /// # Panics
    ///
    /// If there is a colour on standard error, or the server or its log files are not as they should be.
    pub fn has_no_colours_without_a_terminal(&self) {
        let server = Server::start_without_terminal(*self);
        let answers = AtomicUsize::new(0);
        let mut client = Client::new(&server.address, &answers);
        Route::ALL.iter().for_each(|route| client.answer(route));
        let ended = server.interrupt();
        console::check(&ended.stderr, self, false).unwrap();
        let (_, lines) = text::lines(self, &logs::files(&ended.logs, "log")).unwrap();
        logs::check_requests(&lines, &client.journal).unwrap();
    }

    /// Ends a process that is to be busy for `ms` milliseconds, at the moment `when`. Returns its pid, and whether it
    /// had the request by then, and answered it as far as such an end lets it.
    fn end_a_busy_process(
        &self,
        server: &Server,
        answers: &AtomicUsize,
        journal: &mut Journal,
        ms: u64,
        when: impl Fn() -> bool,
    ) -> (i32, bool) {
        let mut client = Client::new(&server.address, answers);
        client.answer(&Route::PROCESS);
        let pid = client.journal.values().find_map(|request| request.process()).expect("`/` tells the pid");
        journal.extend(client.journal.drain());
        // On the same connection, so to the same process.
        let busy = thread::scope(|scope| {
            let request = scope.spawn(|| client.send(&Route::slow(ms)).is_ok());
            wait_until("half of a round is answered", when);
            kill(Pid::from_raw(pid), self.end.signal()).expect("the process runs");
            !request.is_finished()
        });
        let answered = client.journal.values().any(|request| request.process() == Some(pid));
        journal.extend(client.journal);
        (pid, busy && answered == (self.end == End::Asked))
    }

    fn check(&self, ended: &Ended, journal: &Journal, killed: &[i32]) {
        let files = logs::files(&ended.logs, "log");
        let (fragments, lines) = text::lines(self, &files).unwrap();
        logs::check_requests(&lines, journal).unwrap();
        logs::check_lives(&lines, self, killed).unwrap();
        let allowed = if self.end == End::Killed { killed.len() } else { 0 };
        assert!(fragments.len() <= allowed, "{fragments:?}");
        if self.json_and_console {
            let files = logs::files(&ended.logs, "json");
            let (fragments, lines) = json::lines(self, &files).unwrap();
            logs::check_requests(&lines, journal).unwrap();
            logs::check_lives(&lines, self, killed).unwrap();
            assert!(fragments.len() <= allowed && files.len() >= FILES, "{fragments:?}, {} files", files.len());
            console::check(&ended.stderr, self, true).unwrap();
        } else {
            let newest = files.keys().next_back().cloned();
            assert_eq!(logs::latest(&ended.logs), newest, "`latest.log` points to the newest file");
            assert_eq!(ended.stderr, "");
        }
        assert!(ended.status.success(), "{}", ended.status);
        assert_eq!(ended.stdout, format!("{}, logs are in {}\n", self.last_words(), ended.logs.display()));
    }

    /// What the program calls all of its serving processes.
    fn plural(&self) -> String {
        let ending = if self.process.ends_with('s') { "es" } else { "s" };
        format!("{}{ending}", self.process)
    }

    fn last_words(&self) -> String {
        format!("all {} have ended", self.plural())
    }
}

impl End {
    fn signal(self) -> Signal {
        match self {
            Self::Asked => Signal::SIGTERM,
            Self::Killed => Signal::SIGKILL,
        }
    }
}

/// Ctrl-C in the middle of it all. From then on connections break, and what breaks is not answered.
fn interrupt_under_load(server: Server, answers: &AtomicUsize, journal: &mut Journal) -> Ended {
    thread::scope(|scope| {
        let answered = answers.load(Relaxed);
        let load =
            connections(
                scope,
                &server,
                answers,
                |client| {
                    while Route::ALL.iter().all(|route| client.send(route).is_ok()) {}
                },
            );
        wait_until("half of a round is answered", || answers.load(Relaxed) >= answered + ROUND / 2);
        let ended = server.interrupt();
        load.into_iter().for_each(|client| journal.extend(client.join().expect("the client runs")));
        ended
    })
}

/// Opens connections that do `work` side by side, each with its own journal.
fn connections<'scope>(
    scope: &'scope Scope<'scope, '_>,
    server: &Server,
    answers: &'scope AtomicUsize,
    work: impl Fn(&mut Client<'scope>) + Copy + Send + 'scope,
) -> Vec<ScopedJoinHandle<'scope, Journal>> {
    (0..CONNECTIONS)
        .map(|_| {
            let mut client = Client::new(&server.address, answers);
            scope.spawn(move || {
                work(&mut client);
                client.journal
            })
        })
        .collect()
}

/// Waits for what is bound to come. The limit is there for a server that hangs, and far from any time it takes.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(120), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
