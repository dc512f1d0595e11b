//! A load generator with a fixed rate: each request has its time, whether the last answer is there or not. A request
//! that must wait for its connection has waited since its time.

use crate::server::serve::BODY;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What one run came to, in microseconds: the median, p99, p99.9 and the longest.
pub(crate) type Times = [f64; 4];

pub(crate) const NAMES: [&str; 4] = ["p50", "p99", "p99.9", "longest"];

/// Each of them is a thread of this program, and at any time only few are at work.
pub(crate) const CONNECTIONS: u32 = 16;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Sends so many requests a second, for so long.
pub(crate) fn load(port: u16, rate: u32, length: Duration) -> Result<Times, Box<dyn Error>> {
    // The first answer of a connection is not timed.
    let streams = (0..CONNECTIONS).map(|_| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        ask(&mut stream)?;
        Ok(stream)
    });
    let streams: Vec<TcpStream> = streams.collect::<io::Result<_>>()?;
    let (start, step) = (Instant::now() + Duration::from_millis(20), Duration::from_secs(1) / rate);
    let times = thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(streams)
            .map(|(at, stream)| {
                scope.spawn(move || timed(stream, start + step * at, step * CONNECTIONS, start + length))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| io::Error::other("a connection panicked"))?)
            .collect::<io::Result<Vec<_>>>()
    })?;
    percentiles(times.concat()).ok_or_else(|| "no request was sent".into())
}

/// Nanoseconds from the time that a request has to the end of its answer.
fn timed(mut stream: TcpStream, mut due: Instant, step: Duration, end: Instant) -> io::Result<Vec<u64>> {
    // The kernel may let a thread sleep 50 microseconds longer than it asked for, unless it is told otherwise.
    nix::sys::prctl::set_timerslack(1)?;
    let mut times = Vec::new();
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        ask(&mut stream)?;
        times.push(due.elapsed().as_nanos() as u64);
        due += step;
    }
    Ok(times)
}

/// Sends a request, and reads the whole answer.
fn ask(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(REQUEST)?;
    let (mut answer, mut length) = ([0; 1024], 0);
    while !is_whole(&answer[..length]) {
        match stream.read(&mut answer[length..])? {
            0 => return Err(io::Error::other(format!("an answer ends after {length} bytes"))),
            more => length += more,
        }
    }
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other("an answer is not 200")) }
}

fn is_whole(answer: &[u8]) -> bool {
    answer.strip_suffix(BODY.as_bytes()).is_some_and(|head| head.ends_with(b"\r\n\r\n"))
}

fn percentiles(mut times: Vec<u64>) -> Option<Times> {
    times.sort_unstable();
    let last = times.len().checked_sub(1)? as f64;
    Some([0.5, 0.99, 0.999, 1.0].map(|share| times[(share * last).round() as usize] as f64 / 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn percentiles_are_those_of_all_connections() {
        assert_eq!(percentiles((0..=1000).rev().map(|us| us * 1000).collect()), Some([500.0, 990.0, 999.0, 1000.0]));
        assert_eq!(percentiles(Vec::new()), None);
    }

    /// The server answers each request a fifth of a second late; the requests behind it have waited as well.
    #[test]
    fn a_request_has_waited_since_its_time() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
        let (mut peer, _) = listener.accept().expect("a connection");
        let server = thread::spawn(move || {
            let mut request = [0; REQUEST.len()];
            while peer.read_exact(&mut request).is_ok() {
                thread::sleep(Duration::from_millis(200));
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
                peer.write_all(answer.as_bytes()).expect("the client reads");
            }
        });
        let start = Instant::now();
        let step = Duration::from_millis(50);
        let times = timed(stream, start, step, start + step * 4).expect("answers");
        server.join().expect("the server ends");
        // Their times are 0, 50, 100 and 150; the answers end at 200, 400, 600 and 800 or later.
        assert_eq!(times.len(), 4);
        let least = [200, 350, 500, 650].map(|ms| ms * 1_000_000);
        assert!(times.iter().zip(least).all(|(time, least)| *time >= least), "{times:?}");
    }
}
