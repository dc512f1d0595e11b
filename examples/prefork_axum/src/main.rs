//! An axum server whose worker processes write their log files together.
//!
//! ```text
//! cargo run --release -p prefork_axum
//! curl http://127.0.0.1:3000/hello/you
//! cat logs/latest.log
//! ```
//!
//! The order is what matters: bind, build the appender and `init()` the subscriber, fork, and only then start a
//! runtime, one in each worker (tokio supports no other order). The workers inherit the appender and have nothing to
//! set up.

use axum::extract::{Path, Query, Request};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Router, routing::get};
use clap::Parser;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, alarm, fork};
use std::collections::HashMap;
use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::{self, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use std::{io, mem, process};
use tokio::signal::unix::{SignalKind, signal};
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How long a worker that was asked to end may finish the requests it has.
const DRAIN: Duration = Duration::from_secs(10);
/// How much longer the parent waits before it kills a worker that hangs.
const HANGS: Duration = Duration::from_secs(5);

/// An axum server with several worker processes and one set of rolling log files.
#[derive(Parser)]
struct Options {
    /// Address to serve; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Number of worker processes
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// Directory of the log files
    #[arg(long, default_value = "logs")]
    logs: PathBuf,
    /// A new file each: never, secondly, minutely, hourly, daily, weekly, monthly
    #[arg(long, default_value_t = Rotation::DAILY)]
    rotation: Rotation,
    /// Log files to keep, the current one included
    #[arg(long, default_value_t = 14)]
    max_log_files: usize,
}

fn main() {
    if let Err(error) = run(&Options::parse()) {
        eprintln!("prefork_axum: {error}");
        process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    // One listener for all. Connections wait in it, not in a worker, so a worker that dies takes none of them along.
    // Non-blocking: a new connection wakes every idle worker, and only one of them gets it.
    let listener = TcpListener::bind(options.listen).map_err(|error| format!("{}: {error}", options.listen))?;
    listener.set_nonblocking(true)?;

    // logs/app.2026-11-21.log, and logs/latest.log pointing to it. The link's name is not one that `app.*.log` finds,
    // so whoever ships these files does not ship the newest one twice.
    let logs = Appender::builder()
        .rotation(options.rotation)
        .filename_prefix("app")
        .filename_suffix("log")
        .max_log_files(options.max_log_files)
        .latest_symlink("latest.log")
        .build(&options.logs)?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();

    let directory = path::absolute(&options.logs)?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("logs are in {}", directory.display());
    supervise(&listener, options.workers)?;
    println!("all workers have ended, logs are in {}", directory.display());
    Ok(())
}

/// The parent: starts the workers, replaces those that die, and on Ctrl-C or SIGTERM ends them all and waits for them.
fn supervise(listener: &TcpListener, count: u16) -> Result<(), Box<dyn Error>> {
    // The parent takes its signals one by one from sigwait(3) and has no handler for any. So nothing fails with EINTR,
    // and a signal that comes while a worker is being forked waits until the loop is back.
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD, Signal::SIGALRM]);
    signals.thread_block()?;

    let mut workers = HashMap::new();
    for number in 1..=count {
        workers.insert(start_worker(number, listener)?, number);
    }
    let mut missing = Vec::new();
    let mut give_up: Option<Instant> = None;

    while give_up.is_none() || !workers.is_empty() {
        match (signals.wait()?, give_up) {
            (Signal::SIGINT | Signal::SIGTERM, None) => {
                tracing::info!(workers = workers.len(), "the server ends");
                send(Signal::SIGTERM, &workers);
                give_up = Some(Instant::now() + DRAIN + HANGS);
                alarm::set((DRAIN + HANGS).as_secs() as u32);
            }
            (Signal::SIGCHLD, _) => {
                // One signal may stand for several children.
                while let Some(status) = ended_child()? {
                    let Some(number) = status.pid().and_then(|pid| workers.remove(&pid)) else { continue };
                    if give_up.is_none() {
                        tracing::warn!(worker = number, ?status, "a worker has ended unasked, another one follows");
                        missing.push(number);
                        // Not at once: workers that die as soon as they start must not keep the machine busy.
                        alarm::set(1);
                    }
                }
            }
            (Signal::SIGALRM, None) => {
                for number in mem::take(&mut missing) {
                    match start_worker(number, listener) {
                        Ok(pid) => {
                            workers.insert(pid, number);
                        }
                        Err(error) => {
                            tracing::warn!(worker = number, %error, "cannot fork, will try again");
                            missing.push(number);
                            alarm::set(1);
                        }
                    }
                }
            }
            (Signal::SIGALRM, Some(deadline)) if Instant::now() >= deadline => {
                tracing::warn!(workers = workers.len(), "some workers hang and are killed");
                send(Signal::SIGKILL, &workers);
            }
            // Asked once more to end, or the alarm of a restart that was due when the server was asked.
            _ => {}
        }
    }
    tracing::info!("all workers have ended");
    Ok(())
}

fn send(signal: Signal, workers: &HashMap<Pid, u16>) {
    for &pid in workers.keys() {
        // None of them has been waited for, so the pid cannot be another process's. The worst is a zombie.
        let _ = kill(pid, signal);
    }
}

/// How a child has ended, if one has.
fn ended_child() -> nix::Result<Option<WaitStatus>> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => Ok(None),
        status => status.map(Some),
    }
}

fn start_worker(number: u16, listener: &TcpListener) -> nix::Result<Pid> {
    let parent = Pid::this();
    // SAFETY: the parent starts no thread, so no lock can be held by one that the child lacks. (After a rollover the
    // appender may be pruning in a thread; it keeps no lock there that a child could need.)
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            // Everything that this process logs carries its number and pid.
            let _worker = tracing::info_span!("worker", n = number, pid = process::id()).entered();
            // The parent's loop is not the child's to return to.
            process::exit(match work(number, parent, listener) {
                Ok(()) => 0,
                Err(error) => {
                    tracing::error!(%error, "the worker failed");
                    1
                }
            })
        }
    }
}

/// A worker: its own runtime, the shared listener, until SIGTERM.
fn work(number: u16, parent: Pid, listener: &TcpListener) -> io::Result<()> {
    // A parent that is killed cannot forward anything: let the kernel do it. (Elsewhere, watch a pipe that only the
    // parent holds open.) It may have died before this call, then somebody else is the parent by now.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    if Pid::parent() != parent {
        return Ok(());
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // The parent's mask is still in place: a SIGTERM that came before this handler is delivered below, not lost.
        let mut terminate = signal(SignalKind::terminate())?;
        // SIGINT stays blocked. A terminal sends Ctrl-C to parent and workers alike, and it is the parent who decides.
        SigSet::from(Signal::SIGINT).thread_set_mask()?;

        let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = axum::serve(listener, routes(number)).with_graceful_shutdown(async { drop(stopped.await) });
        let server = tokio::spawn(server.into_future());
        tracing::info!("the worker serves");

        terminate.recv().await;
        drop(stop);
        match tokio::time::timeout(DRAIN, server).await {
            Ok(_) => tracing::info!("the worker has answered all its requests"),
            Err(_) => tracing::warn!("the worker gives up requests that took longer than {DRAIN:?} to end"),
        }
        Ok(())
    })
}

fn routes(worker: u16) -> Router {
    Router::new()
        .route("/", get(async move || format!("worker {worker}, pid {}\n", process::id())))
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("Hello, {name}!\n")))
        .route("/slow", get(slow))
        .layer(middleware::from_fn(log_request))
}

/// `/slow?ms=250` answers after that many milliseconds.
async fn slow(Query(query): Query<HashMap<String, u64>>) -> String {
    let ms = query.get("ms").copied().unwrap_or(1000);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    format!("slept {ms} ms, pid {}\n", process::id())
}

/// Logs a request when its response is ready and before it is sent: who has an answer has a line in the log. (A client
/// that hangs up earlier has neither.)
async fn log_request(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let request_id = match request.headers().get("x-request-id").and_then(|id| id.to_str().ok()) {
        Some(id) => id.to_owned(),
        None => new_request_id(),
    };

    let mut response = next.run(request).await;

    // Texts that a client chose are recorded as strings: they come out quoted and escaped, so nobody forges a field.
    tracing::info!(
        method = method.as_str(),
        path,
        status = response.status().as_u16(),
        latency_us = start.elapsed().as_micros() as u64,
        request_id,
        "request"
    );
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// One that no other process makes: this pid, this nanosecond.
fn new_request_id() -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{:x}-{:x}", process::id(), now.as_nanos())
}
