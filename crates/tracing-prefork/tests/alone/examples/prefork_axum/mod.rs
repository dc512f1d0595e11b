//! The example server `prefork_axum` under load, with a rollover each second, a worker killed in the middle and Ctrl-C
//! at the end: what it answered is in its log files, each request once, whole, and in the file its timestamp names.

mod client;
mod logs;
mod server;

use self::client::{Client, Journal, Route};
use self::server::{Ended, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

const WORKERS: usize = 4;
/// What the server must at least have answered, and the files it must have filled meanwhile: three rollovers.
const REQUESTS: usize = 10_000;
const FILES: usize = 4;
/// A round of load.
const CONNECTIONS: usize = 8;
const REQUESTS_PER_CONNECTION: usize = 125;
const ROUND: usize = CONNECTIONS * REQUESTS_PER_CONNECTION;

#[test]
fn every_answered_request_is_logged_once_though_a_worker_dies() {
    let server = Server::start(WORKERS);
    let answers = AtomicUsize::new(0);
    let mut journal = Journal::new();
    let mut killed = Vec::new();
    let mut drained = false;

    // Rounds of new keep-alive connections until all has happened that is to happen.
    for round in 0.. {
        let answered = answers.load(Relaxed);
        let files = logs::files(&server.logs);
        let started = logs::started_workers(&files);
        let complete = started.len() == WORKERS + killed.len();
        if answered >= REQUESTS && files.len() >= FILES && drained && complete {
            // A worker that took the place of another has to answer, too.
            let mut workers = journal.values().filter_map(|request| request.worker());
            if workers.any(|worker| started[WORKERS..].contains(&worker)) {
                break;
            }
        }
        assert!(round < 1000, "{answered} answers, {} files, {killed:?} killed, {started:?} started", files.len());

        thread::scope(|scope| {
            let load = connections(scope, &server, &answers, |client| {
                Route::ALL.iter().cycle().take(REQUESTS_PER_CONNECTION).for_each(|route| client.answer(route));
            });
            if answered >= REQUESTS / 2 && !drained && complete {
                // Once more, and with a slower request, should the signal come before the request or after its end.
                assert!(killed.len() < 5, "no worker answers a request that it has when it is told to end");
                let half = || answers.load(Relaxed) >= answered + ROUND / 2;
                let victim;
                (victim, drained) = kill_a_busy_worker(&server, &answers, &mut journal, 500 << killed.len(), half);
                killed.push(victim);
            }
            load.into_iter().for_each(|client| journal.extend(client.join().expect("the client runs")));
        });
    }
    let ended = interrupt_under_load(server, &answers, &mut journal);

    let files = logs::files(&ended.logs);
    logs::check_requests(&files, &journal).unwrap();
    logs::check_lives(&files, WORKERS, &killed).unwrap();
    assert_eq!(logs::latest(&ended.logs), files.keys().next_back().cloned(), "`latest.log` points to the newest file");
    assert!(ended.status.success(), "{}", ended.status);
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.stdout, format!("all workers have ended, logs are in {}\n", ended.logs.display()));
}

/// Sends SIGTERM to a worker that is to be busy for `ms` milliseconds, at the moment `when`. Returns its pid, and
/// whether it had the request by then and answered it nevertheless.
fn kill_a_busy_worker(
    server: &Server,
    answers: &AtomicUsize,
    journal: &mut Journal,
    ms: u64,
    when: impl Fn() -> bool,
) -> (i32, bool) {
    let mut client = Client::new(&server.address, answers);
    client.answer(&Route::WORKER);
    let victim = client.journal.values().find_map(|request| request.worker()).expect("`/` tells the pid");
    journal.extend(client.journal.drain());
    // On the same connection, so to the same worker.
    let busy = thread::scope(|scope| {
        let request = scope.spawn(|| client.send(&Route::slow(ms)).is_ok());
        wait_until("half of a round is answered", when);
        kill(Pid::from_raw(victim), Signal::SIGTERM).expect("the worker runs");
        !request.is_finished()
    });
    let drained = busy && client.journal.values().any(|request| request.worker() == Some(victim));
    journal.extend(client.journal);
    (victim, drained)
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
