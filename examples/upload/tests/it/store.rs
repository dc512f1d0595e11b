//! The S3 server, and the line to it.

use crate::program::{KEY, SECRET};
use nix::sys::signal::Signal;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How much the line takes at a time, and how long it rests after that.
const PIECE: usize = 1 << 16;
const REST: Duration = Duration::from_millis(10);

/// A server over a directory. The address stays the same when the server is killed and started again.
pub(crate) struct Store {
    server: Child,
    root: PathBuf,
    /// Where the server listens: another port each time.
    behind: Arc<AtomicU16>,
    pub(crate) address: String,
    /// Bytes that clients have sent.
    pub(crate) received: Arc<AtomicUsize>,
}

impl Store {
    /// `None`, and a word about it: there is no server to start.
    pub(crate) fn start(root: &Path) -> Option<Self> {
        let paths = env::var_os("PATH").unwrap_or_default();
        if !env::split_paths(&paths).any(|path| path.join("s3s-fs").is_file()) {
            println!("skipped: s3s-fs is not on the path; tests/shipping/upload.sh installs it");
            return None;
        }
        fs::create_dir_all(root).expect("a directory");
        let behind = Arc::default();
        let received = Arc::default();
        let address = line_to(&behind, &received);
        let server = start(root, &behind);
        Some(Self { server, root: root.to_owned(), behind, address, received })
    }

    /// Kills the server and starts it again.
    pub(crate) fn kill_and_start(&mut self) {
        self.kill();
        self.server = start(&self.root, &self.behind);
    }

    fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// The directory of a bucket.
    pub(crate) fn bucket(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(root: &Path, behind: &AtomicU16) -> Child {
    // Nobody else gets this port so soon: the kernel gives free ports in turn.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let mut command = Command::new("s3s-fs");
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--access-key", KEY, "--secret-key", SECRET]);
    command.arg(root).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // For a test that is killed itself. SAFETY: prctl(2) is a bare system call; it neither allocates nor locks.
    unsafe { command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?)) };
    let server = command.spawn().expect("s3s-fs starts");
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(60), "s3s-fs does not listen");
        thread::sleep(Duration::from_millis(5));
    }
    behind.store(port, Relaxed);
    server
}

/// A slow line, so that kills meet uploads. Returns the address of its near end.
fn line_to(behind: &Arc<AtomicU16>, received: &Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("a port"));
    let (behind, received) = (behind.clone(), received.clone());
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(("127.0.0.1", behind.load(Relaxed))) else { continue };
            let (Ok(near_too), Ok(far_too), received) = (near.try_clone(), far.try_clone(), received.clone()) else {
                continue;
            };
            thread::spawn(move || copy(near, far, REST, &received));
            thread::spawn(move || copy(far_too, near_too, Duration::ZERO, &AtomicUsize::new(0)));
        }
    });
    address
}

/// Copies until one end is gone. Then the other end goes, too: a killed server has no half-open connections.
fn copy(mut from: TcpStream, mut to: TcpStream, rest: Duration, count: &AtomicUsize) {
    let mut piece = vec![0; PIECE];
    let mut next = || -> io::Result<bool> {
        let length = from.read(&mut piece)?;
        to.write_all(&piece[..length])?;
        count.fetch_add(length, Relaxed);
        thread::sleep(rest);
        Ok(length > 0)
    };
    while let Ok(true) = next() {}
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
