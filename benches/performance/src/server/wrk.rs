//! `wrk`: a load generator whose connections each send a request as soon as the answer to the last one is there.

use std::error::Error;
use std::io::ErrorKind;
use std::process::{Command, Output};

/// What one run came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Report {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Microseconds.
    pub(crate) median: f64,
    pub(crate) p99: f64,
    /// Connections that failed, answers that came too late, and answers that say that something went wrong.
    pub(crate) errors: u64,
}

pub(crate) const CONNECTIONS: usize = 64;

/// One thread: it shares the processors with the server.
pub(crate) const THREADS: usize = 1;

/// The version of the program.
pub(crate) fn version() -> Result<String, Box<dyn Error>> {
    // It prints its version with its usage, and fails.
    let output = run(&["--version".to_owned()])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // `wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer`
    let version = text.split_whitespace().nth(1).ok_or("wrk prints no version")?;
    Ok(version.rsplit('/').next().unwrap_or(version).to_owned())
}

pub(crate) fn load(port: u16, seconds: u64) -> Result<Report, Box<dyn Error>> {
    let output = run(&[
        "--latency".to_owned(),
        format!("--threads={THREADS}"),
        format!("--connections={CONNECTIONS}"),
        format!("--duration={seconds}s"),
        format!("http://127.0.0.1:{port}/"),
    ])?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("wrk ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    parse(&text).ok_or_else(|| format!("wrk printed something else than its report:\n{text}").into())
}

fn run(arguments: &[String]) -> Result<Output, Box<dyn Error>> {
    let output = Command::new("wrk").args(arguments).output();
    output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => "wrk is not installed: apt-get install wrk".into(),
        _ => format!("cannot start wrk: {error}").into(),
    })
}

fn parse(text: &str) -> Option<Report> {
    let after = |word: &str| text.lines().find_map(|line| line.trim().strip_prefix(word)).map(str::trim);
    let bad = after("Non-2xx or 3xx responses:").map_or(Some(0), |count| count.parse().ok())?;
    // `connect 0, read 0, write 0, timeout 3`
    let failed = match after("Socket errors:") {
        None => 0,
        Some(kinds) => {
            let counts = kinds.split(", ").map(|kind| kind.split(' ').nth(1)?.parse::<u64>().ok());
            counts.sum::<Option<u64>>()?
        }
    };
    Some(Report {
        rate: after("Requests/sec:")?.parse().ok()?,
        median: microseconds(after("50%")?)?,
        p99: microseconds(after("99%")?)?,
        errors: bad + failed,
    })
}

/// `677.00us`, `6.30ms`, `1.02s`, `1.50m`.
fn microseconds(time: &str) -> Option<f64> {
    let unit = time.find(|letter: char| letter.is_ascii_alphabetic())?;
    let factor = match &time[unit..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    Some(time[..unit].parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by wrk 4.1.0 about the server of this program.
    const REPORT: &str = "\
Running 2s test @ http://127.0.0.1:54681/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.13ms    2.81ms  28.96ms   86.76%
    Req/Sec    21.33k     5.31k   38.38k    75.00%
  Latency Distribution
     50%    2.21ms
     75%    4.42ms
     90%    6.38ms
     99%   14.57ms
  42961 requests in 2.03s, 5.33MB read
Requests/sec:  21146.87
Transfer/sec:      2.62MB
";

    /// Printed by wrk 4.1.0 about a server that answers 503, closes some connections, and lets others wait.
    const FAILURES: &str = "\
Running 4s test @ http://127.0.0.1:33943/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.89ms    2.15ms  31.85ms   90.45%
    Req/Sec    19.86k     7.91k   34.81k    55.00%
  Latency Distribution
     50%   75.00us
     75%  683.00us
     90%    2.91ms
     99%   10.08ms
  80169 requests in 4.04s, 2.91MB read
  Socket errors: connect 0, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 80169
Requests/sec:  19826.24
Transfer/sec:    735.74KB
";

    #[test]
    fn the_report_of_wrk_is_read() {
        let expected = Report { rate: 21_146.87, median: 2_210.0, p99: 14_570.0, errors: 0 };
        assert_eq!(parse(REPORT), Some(expected));
        let expected = Report { rate: 19_826.24, median: 75.0, p99: 10_080.0, errors: 80_174 };
        assert_eq!(parse(FAILURES), Some(expected));
    }

    #[test]
    fn what_is_no_report_gives_no_figures() {
        assert_eq!(parse(""), None);
        assert_eq!(parse(&REPORT.replace("99%  ", "98%  ")), None);
        assert_eq!(parse(&REPORT.replace("2.21ms", "2.21")), None);
        assert_eq!(parse(&REPORT.replace("21146.87", "-")), None);
        assert_eq!(parse(&FAILURES.replace("timeout 3", "timeout")), None);
    }

    #[test]
    fn times_have_units() {
        let times = ["677.00us", "6.30ms", "1.02s", "1.50m", "0.00us", "3"].map(microseconds);
        assert_eq!(times, [Some(677.0), Some(6300.0), Some(1_020_000.0), Some(90_000_000.0), Some(0.0), None]);
    }
}
