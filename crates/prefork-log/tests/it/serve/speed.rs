//! What a line costs through the socket, beside a line that the process writes itself. It is no test:
//! `cargo test --release -p prefork-log --test it -- --ignored --nocapture figures_of_the_socket`

use super::receiver::{Stage, files};
use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tracing_prefork::{Appender, SocketWriter};

const JOB: &str = "PREFORK_LOG_SPEED";
const LINES: usize = 300_000;
const LINE: [u8; 120] = {
    let mut line = [b'x'; 120];
    line[119] = b'\n';
    line
};

/// Writes the lines. Returns how long each took, in nanoseconds.
fn write(mut logs: impl Write) -> Vec<u64> {
    let mut times = Vec::with_capacity(LINES);
    for _ in 0..LINES {
        let began = Instant::now();
        logs.write_all(&LINE).expect("taken");
        times.push(began.elapsed().as_nanos() as u64);
    }
    times
}

#[test]
#[ignore = "a client, which the figures are taken from"]
fn measured() {
    let Ok(through_socket) = env::var(JOB) else { return };
    let (times, stats) = if through_socket == "true" {
        let logs = SocketWriter::connect("socket").expect("builds");
        let times = write(&logs);
        logs.flush_all().expect("written");
        (times, format!("{:?}", logs.stats()))
    } else {
        let logs = Appender::builder().filename_prefix("own").build("logs").expect("builds");
        (write(&logs), String::new())
    };
    let mut sorted = times;
    sorted.sort_unstable();
    let [median, late] = [sorted.len() / 2, sorted.len() * 999 / 1000].map(|place| sorted[place]);
    fs::write(format!("figures.{}", std::process::id()), format!("{median} {late}")).expect("written");
    if !stats.contains("dropped: 0") && !stats.is_empty() {
        eprintln!("{stats}");
    }
}

fn figures(home: &Path) -> Vec<(u64, u64)> {
    let entries = fs::read_dir(home).expect("a directory").map(|entry| entry.expect("readable").path());
    let figures =
        entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("figures.")));
    let read = |path| {
        let text = fs::read_to_string(&path).expect("readable");
        fs::remove_file(path).expect("there");
        let (median, late) = text.split_once(' ').expect("two numbers");
        (median.parse().expect("a number"), late.parse().expect("a number"))
    };
    figures.map(read).collect()
}

#[test]
#[ignore = "figures, and no test"]
fn figures_of_the_socket() {
    for round in 1..=3 {
        for processes in [1, 4] {
            for through_socket in [false, true] {
                let stage = Stage::new();
                fs::create_dir(stage.logs()).expect("made");
                let receiver = stage.receiver(&[]);
                let began = Instant::now();
                let start = |_| {
                    let mut command = Command::new(env::current_exe().expect("a program"));
                    command.args(["--exact", "serve::speed::measured", "--ignored", "--nocapture"]);
                    command.env(JOB, through_socket.to_string()).current_dir(stage.home.path());
                    command.stdout(Stdio::null()).spawn().expect("it starts")
                };
                let clients: Vec<_> = (0..processes).map(start).collect();
                for mut client in clients {
                    assert!(client.wait().expect("a child").success());
                }
                let seconds = began.elapsed().as_secs_f64();
                receiver.end();
                let written: usize = files(&stage.logs()).iter().map(|(_, text)| text.len() / LINE.len()).sum();
                assert_eq!(written, processes * LINES);
                let figures = figures(stage.home.path());
                let median = figures.iter().map(|(median, _)| median).sum::<u64>() / figures.len() as u64;
                let late = figures.iter().map(|(_, late)| late).max().expect("one at least");
                let way = if through_socket { "socket" } else { "direct" };
                println!(
                    "round {round} {way} processes={processes}: median {median} ns, 99.9 % {late} ns, {:.0} lines/s",
                    written as f64 / seconds
                );
            }
        }
    }
}
