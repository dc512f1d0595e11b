//! The server: axum, in one process or in forked ones. It says where it listens, ends when its input ends, and prints
//! the figures of each process.

use crate::server::cases;
use axum::Router;
use axum::http::Request;
use axum::routing::get;
use clap::Args;
use nix::sys::socket::sockopt::ReusePort;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket};
use nix::sys::wait::{WaitStatus, wait};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{ForkResult, fork};
use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::runtime;
use tokio::sync::oneshot;
use tower_http::trace::{DefaultOnRequest, DefaultOnResponse, TraceLayer};
use tracing::{Level, info_span};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    case: String,
    #[arg(long)]
    directory: PathBuf,
    #[arg(long)]
    processes: usize,
}

/// The body of each answer.
pub(crate) const BODY: &str = "Hello, World!";

/// What a process prints in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// The number of the process.
    pub(crate) process: usize,
    pub(crate) requests: u64,
    /// Nanoseconds of processor time, of all threads, from the start of the runtime until all lines are in the file.
    pub(crate) cpu: u64,
}

impl Figures {
    fn print(self) -> String {
        format!("{} {} {}\n", self.process, self.requests, self.cpu)
    }

    pub(crate) fn parse(line: &str) -> Result<Self, Box<dyn Error>> {
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [process, requests, cpu] = numbers[..] else {
            return Err(format!("a server printed {} numbers", numbers.len()).into());
        };
        Ok(Self { process: usize::try_from(process)?, requests, cpu })
    }
}

pub(crate) fn serve(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let case = cases::named(&arguments.case)?;
    let mut listeners = listeners(arguments.processes)?;
    let flush = (case.open)(&arguments.directory)?;
    writeln!(stdout(), "{}", listeners[0].local_addr()?.port())?;
    if arguments.processes == 1 {
        return process(0, 1, listeners.remove(0), flush);
    }
    for number in 0..arguments.processes {
        // SAFETY: this process has no other thread, but for the one of a buffer, which is made for forks.
        if let ForkResult::Child = unsafe { fork() }? {
            return process(number, arguments.processes, listeners.remove(number), flush);
        }
    }
    for _ in 0..arguments.processes {
        match wait()? {
            WaitStatus::Exited(_, 0) => {}
            status => return Err(format!("a child ended: {status:?}").into()),
        }
    }
    Ok(())
}

/// Sockets that listen on the same port. The kernel spreads the connections over them.
fn listeners(count: usize) -> Result<Vec<TcpListener>, Box<dyn Error>> {
    let (mut listeners, mut address) = (Vec::new(), SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    for _ in 0..count {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let listener = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        setsockopt(&listener, ReusePort, &true)?;
        bind(listener.as_raw_fd(), &SockaddrIn::from(address))?;
        listen(&listener, Backlog::MAXCONN)?;
        let listener = TcpListener::from(listener);
        address.set_port(listener.local_addr()?.port());
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Answers requests until the input ends.
fn process(number: usize, of: usize, listener: TcpListener, flush: cases::Flush) -> Result<(), Box<dyn Error>> {
    let before = cpu()?;
    let threads = (std::thread::available_parallelism()?.get() / of).max(1);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(threads).enable_io().build()?;
    let requests = Arc::new(AtomicU64::new(0));
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = stdin().read_to_end(&mut Vec::new());
        drop(end);
    });
    let router = router(number, requests.clone());
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let ended = async { drop(ended.await) };
        axum::serve(listener, router).with_graceful_shutdown(ended).await
    })?;
    // All connections are closed, so each request has its two events.
    drop(runtime);
    flush();
    let figures = Figures { process: number, requests: requests.load(Relaxed), cpu: cpu()? - before };
    stdout().write_all(figures.print().as_bytes())?;
    Ok(())
}

/// The span of a request has the number of the process and of the request, so that each line can be looked for.
fn router(process: usize, requests: Arc<AtomicU64>) -> Router {
    let span = move |request: &Request<_>| {
        let number = requests.fetch_add(1, Relaxed);
        info_span!("request", process, number, method = %request.method(), path = request.uri().path())
    };
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_request(DefaultOnRequest::new().level(Level::INFO))
        .on_response(DefaultOnResponse::new().level(Level::INFO));
    Router::new().route("/", get(|| async { BODY })).layer(trace)
}

fn cpu() -> nix::Result<u64> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?).as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_are_printed() {
        let figures = Figures { process: 1, requests: 200_000, cpu: 3_000_000_000 };
        assert_eq!(Figures::parse(&figures.print()).expect("three numbers"), figures);
        assert!(Figures::parse("1 2").is_err());
    }
}
