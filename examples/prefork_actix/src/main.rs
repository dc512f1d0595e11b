//! An actix-web server whose worker processes write a plain log file and a JSON log file together, and the same events
//! to the console.
//!
//! ```text
//! cargo run --release -p prefork_actix
//! curl http://127.0.0.1:3000/hello/you
//! tail logs/app.*
//! ```
//!
//! What actix-web calls a worker is a thread. Here each of several processes has several of these threads.
//!
//! The order is what matters: bind, build the appenders and `init()` the subscriber, fork, and only then start actix's
//! runtime, one in each process. The processes inherit the appenders and have nothing to set up.
//!
//! The parent is as short as it can be. `prefork_axum` has one that also ends processes that hang.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{self, Next};
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::{App, HttpServer, body::MessageBody, web};
use clap::Parser;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::path::{self, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};
use std::{process, thread};
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_prefork::{Appender, BuildError, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// An actix-web server with several processes, one set of plain log files and one set of JSON log files.
#[derive(Parser)]
struct Options {
    /// Address to serve; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Number of processes that serve
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    processes: u16,
    /// Number of threads of each process that serve: actix-web's workers
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Directory of the log files
    #[arg(long, default_value = "logs")]
    logs: PathBuf,
    /// A new file each: never, secondly, minutely, hourly, daily, weekly, monthly
    #[arg(long, default_value_t = Rotation::DAILY)]
    rotation: Rotation,
    /// Log files to keep of each kind, the current one included
    #[arg(long, default_value_t = 14)]
    max_log_files: usize,
}

fn main() {
    if let Err(error) = run(&Options::parse()) {
        eprintln!("prefork_actix: {error}");
        process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    // One listener for all. Connections wait in it, not in a process, so a process that dies takes none of them along.
    let listener = TcpListener::bind(options.listen).map_err(|error| format!("{}: {error}", options.listen))?;

    let plain = appender(options, "log")?;
    let json = appender(options, "json")?;
    // `Targets` takes no lock that a forked process could find taken. (`EnvFilter` has locks.)
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("prefork_actix", LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(filter)
        // Colours for a terminal only. `plain.layer()` formats the fields of spans for itself: the colours of this
        // layer do not get into the file. (Two `fmt::layer()` would share the text of the fields, colours included.)
        .with(fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr))
        .with(plain.layer())
        .with(fmt::layer().json().with_timer(json.timer()).with_writer(json))
        .init();

    let directory = path::absolute(&options.logs)?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("logs are in {}", directory.display());
    supervise(&listener, options)?;
    println!("all processes have ended, logs are in {}", directory.display());
    Ok(())
}

/// `logs/app.2026-11-21.log`, or `.json`: two patterns in one directory, each with its own limit.
fn appender(options: &Options, suffix: &str) -> Result<Appender, BuildError> {
    Appender::builder()
        .rotation(options.rotation)
        .filename_prefix("app")
        .filename_suffix(suffix)
        .max_log_files(options.max_log_files)
        // A process may be killed in the middle of a line. With the lock, no line of another process is glued to it.
        .lock_writes(true)
        .build(&options.logs)
}

/// The parent: starts the processes, replaces those that die, and on Ctrl-C or SIGTERM ends them all.
fn supervise(listener: &TcpListener, options: &Options) -> Result<(), Box<dyn Error>> {
    // The parent has no handler for any of its signals and takes them one by one from sigwait(3).
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD]);
    signals.thread_block()?;

    let mut running = HashMap::new();
    for number in 1..=options.processes {
        running.insert(start(number, listener, options)?, number);
    }
    let mut ends = false;
    while !ends || !running.is_empty() {
        match signals.wait()? {
            // One signal may stand for several children.
            Signal::SIGCHLD => {
                while let Some(status) = ended_child()? {
                    let Some(number) = status.pid().and_then(|pid| running.remove(&pid)) else { continue };
                    if !ends {
                        tracing::warn!(process = number, ?status, "a process has ended unasked, another one follows");
                        // Not at once: processes that die as soon as they start must not keep the machine busy.
                        thread::sleep(Duration::from_secs(1));
                        running.insert(start(number, listener, options)?, number);
                    }
                }
            }
            _ if ends => {}
            _ => {
                tracing::info!(processes = running.len(), "the server ends");
                ends = true;
                for &pid in running.keys() {
                    // None of them has been waited for, so the pid cannot be another process's.
                    let _ = kill(pid, Signal::SIGTERM);
                }
            }
        }
    }
    tracing::info!("all processes have ended");
    Ok(())
}

/// How a child has ended, if one has.
fn ended_child() -> nix::Result<Option<WaitStatus>> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => Ok(None),
        status => status.map(Some),
    }
}

fn start(number: u16, listener: &TcpListener, options: &Options) -> nix::Result<Pid> {
    let parent = Pid::this();
    // SAFETY: the parent starts no thread, so no lock can be held by one that the child lacks. (After a rollover an
    // appender may be pruning in a thread; it keeps no lock there that a child could need.)
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            // Everything that this process logs carries its number and pid.
            let span = tracing::info_span!("process", n = number, pid = process::id());
            let served = span.in_scope(|| serve(number, parent, listener, options));
            // The parent's loop is not the child's to return to.
            process::exit(match served {
                Ok(()) => 0,
                Err(error) => {
                    tracing::error!(parent: &span, %error, "the process failed");
                    1
                }
            })
        }
    }
}

/// A child: actix's runtime, the shared listener, until SIGTERM.
fn serve(number: u16, parent: Pid, listener: &TcpListener, options: &Options) -> io::Result<()> {
    // A parent that is killed cannot forward anything: let the kernel do it. (Elsewhere, watch a pipe that only the
    // parent holds open.) It may have died before this call, then somebody else is the parent by now.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    if Pid::parent() != parent {
        return Ok(());
    }

    actix_web::rt::System::new().block_on(async {
        // The parent's mask is still in place: a SIGTERM that came before this handler is delivered below, not lost.
        let mut terminate = signal(SignalKind::terminate())?;
        // SIGINT stays blocked, in the threads that follow as well. A terminal sends Ctrl-C to parent and children
        // alike, and it is the parent who decides.
        SigSet::from(Signal::SIGINT).thread_set_mask()?;

        // actix runs the handlers in threads of its own, in which no span is entered: they get it as data.
        let span = web::Data::new(Span::current());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(span.clone())
                .wrap(middleware::from_fn(log_request))
                .route("/", web::get().to(move || async move { format!("process {number}, pid {}\n", process::id()) }))
                .service(web::resource("/hello/{name}").get(hello).route(web::head().to(hello)))
                .service(web::resource("/slow").get(slow))
        })
        .workers(options.threads.into())
        // SIGTERM: no new connection, and 10 seconds for the requests that are there.
        .shutdown_timeout(10)
        .shutdown_signal(async move {
            terminate.recv().await;
        })
        .listen(listener.try_clone()?)?
        .run();
        tracing::info!("the process serves");
        server.await?;
        tracing::info!("the process has ended its connections");
        Ok(())
    })
}

async fn hello(name: web::Path<String>) -> String {
    format!("Hello, {name}!\n")
}

/// `/slow?ms=250` answers after that many milliseconds.
async fn slow(query: web::Query<HashMap<String, u64>>) -> String {
    let ms = query.get("ms").copied().unwrap_or(1000);
    actix_web::rt::time::sleep(Duration::from_millis(ms)).await;
    format!("slept {ms} ms, pid {}\n", process::id())
}

/// Logs a request when its response is ready and before it is sent: who has an answer has a line in the log. (A client
/// that hangs up earlier has neither.)
async fn log_request(
    span: web::Data<Span>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.path().to_owned();
    let request_id = match request.headers().get("x-request-id").and_then(|id| id.to_str().ok()) {
        Some(id) => id.to_owned(),
        None => new_request_id(),
    };

    let mut response = next.call(request).await;

    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    // Texts that a client chose are recorded as strings: they come out quoted and escaped, so nobody forges a field.
    tracing::info!(
        parent: span.get_ref(),
        method = method.as_str(),
        path,
        status = status.as_u16(),
        latency_us = start.elapsed().as_micros() as u64,
        request_id,
        "request"
    );
    if let (Ok(response), Ok(id)) = (&mut response, HeaderValue::from_str(&request_id)) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

/// One that no other process and no other thread makes: this pid, this nanosecond, and a number.
fn new_request_id() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{:x}-{:x}-{:x}", process::id(), now.as_nanos(), NUMBER.fetch_add(1, Relaxed))
}
