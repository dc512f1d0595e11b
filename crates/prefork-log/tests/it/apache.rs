//! Apache from a package, with the lines of the page in its configuration: several processes, restarts in the middle of
//! requests, and all lines are there.

use crate::common::{PROGRAM, wait_until};
use crate::page::blocks;
use nix::unistd::geteuid;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 4;
/// The bytes of the large document.
const LARGE: usize = 32 << 20;

struct Apache {
    directory: tempfile::TempDir,
    port: u16,
}

/// Where Debian has the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

impl Apache {
    /// `None`, with a word on standard error, where Apache is missing.
    fn start() -> Option<Self> {
        if !Path::new("/usr/sbin/apache2").exists() || !Path::new(MODULES).exists() || !geteuid().is_root() {
            eprintln!("skipped: apache2 of Debian's package apache2-bin is missing, or this is not root");
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(directory.path().join("docs")).expect("made");
        fs::write(directory.path().join("docs/index.html"), "hello\n").expect("written");
        fs::write(directory.path().join("docs/large"), vec![b'x'; LARGE]).expect("written");
        // Apache's processes that serve have another user.
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("changed");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let apache = Self { directory, port };
        fs::write(apache.directory.path().join("httpd.conf"), apache.configuration()).expect("written");
        assert!(apache.tell("start").success(), "apache2 starts");
        wait_until("apache2 listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(apache)
    }

    fn configuration(&self) -> String {
        let root = self.directory.path().to_str().expect("UTF-8");
        let logs: String =
            blocks().into_iter().filter(|block| block.language == "apache").map(|block| block.code).collect();
        let logs = logs.replace("/usr/bin/prefork-log", PROGRAM).replace("/var/log/app", &format!("{root}/logs"));
        let logs = logs.replace("daily", "secondly --linger '20 seconds'");
        let port = self.port;
        format!(
            "ServerRoot {root}\nPidFile {root}/pid\nDefaultRuntimeDir {root}\nMutex file:{root}\nServerName localhost\n\
             Listen 127.0.0.1:{port}\n\
             LoadModule mpm_event_module {MODULES}/mod_mpm_event.so\n\
             LoadModule authz_core_module {MODULES}/mod_authz_core.so\n\
             User daemon\nGroup daemon\nStartServers 3\nServerLimit 8\nThreadsPerChild 4\nMaxRequestWorkers 16\n\
             MinSpareThreads 4\nMaxSpareThreads 16\nDocumentRoot {root}/docs\nLogFormat \"%r %>s end\" common\n{logs}"
        )
    }

    fn tell(&self, what: &str) -> std::process::ExitStatus {
        let conf = self.directory.path().join("httpd.conf");
        Command::new("/usr/sbin/apache2").arg("-f").arg(conf).args(["-k", what]).status().expect("it starts")
    }

    /// Asks for a document, and reads the answer at this pace for the first two seconds.
    fn get(&self, document: &str, pace: Duration) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(format!("GET /{document} HTTP/1.0\r\n\r\n").as_bytes())?;
        let (mut answer, mut piece) = (0, vec![0; 1 << 20]);
        let (mut is_ok, begin) = (false, Instant::now());
        loop {
            let length = stream.read(&mut piece)?;
            is_ok |= answer == 0 && piece.starts_with(b"HTTP/1.1 200 ");
            answer += length;
            if length == 0 {
                // An answer that was cut off is none.
                return Ok(is_ok && (!document.starts_with("large") || answer > LARGE));
            }
            if begin.elapsed() < Duration::from_secs(2) {
                thread::sleep(pace);
            }
        }
    }

    fn lines(&self, prefix: &str) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path().join("logs")).expect("logs");
        let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
        let ours =
            paths.iter().filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
        ours.flat_map(|path| {
            let text = fs::read_to_string(path).expect("readable");
            assert!(text.is_empty() || text.ends_with('\n'), "{path:?} ends with a newline");
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
    }

    /// Whether Apache or one of its pipes runs.
    fn runs(&self) -> bool {
        let root = self.directory.path().to_str().expect("UTF-8");
        let processes = fs::read_dir("/proc").expect("processes").flatten();
        processes.map(|process| fs::read(process.path().join("cmdline")).unwrap_or_default()).any(|line| {
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(root) && !line.contains("-k graceful")
        })
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        if self.directory.path().join("pid").exists() {
            self.tell("stop");
        }
    }
}

#[test]
fn apache_restarts_and_stops_and_all_lines_are_there() {
    let Some(apache) = Apache::start() else { return };
    let (answered, over) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    let ask = |document: String, pace| {
        if apache.get(&document, pace).unwrap_or(false) {
            answered.lock().expect("not poisoned").insert(document);
        } else {
            thread::sleep(Duration::from_millis(5)); // Apache is between two lives.
        }
    };
    thread::scope(|threads| {
        for client in 0..CLIENTS {
            let (ask, over) = (&ask, &over);
            threads.spawn(move || {
                for number in (0..).take_while(|_| !over.load(Relaxed)) {
                    ask(format!("index.html?{client}-{number}"), Duration::ZERO);
                }
            });
        }
        // `restart` and `stop` kill the processes that serve, some between an answer and its line. `graceful` does not.
        for (round, what) in ["graceful", "graceful", "graceful", "graceful-stop"].into_iter().enumerate() {
            let ask = &ask;
            // An answer that is read slowly, and is logged long after the restart.
            threads.spawn(move || ask(format!("large?{round}"), Duration::from_millis(60)));
            thread::sleep(Duration::from_millis(700));
            assert!(apache.tell(what).success());
        }
        thread::sleep(Duration::from_millis(300));
        over.store(true, Relaxed);
    });
    wait_until("apache2 and its pipes have ended", || !apache.runs());

    let lines = apache.lines("access");
    let whole = lines
        .iter()
        .all(|line| line.starts_with("GET /") && line.ends_with(" HTTP/1.0 200 end") || !line.contains("GET"));
    assert!(whole, "each line is whole");
    let logged: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("GET /")?.split(' ').next()).collect();
    let once: BTreeSet<_> = logged.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(once.len(), logged.len(), "each request is logged once");
    let answered = answered.into_inner().expect("not poisoned");
    let missing: Vec<_> = answered.difference(&once).collect();
    assert!(answered.len() > 500 && answered.iter().any(|name| name.starts_with("large?")), "{}", answered.len());
    assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), answered.len());
    let errors = apache.lines("error");
    assert!(errors.iter().any(|line| line.contains("resuming normal operations")), "{errors:#?}");
}

#[test]
fn apache_stops_at_once_and_its_pipes_end() {
    let Some(apache) = Apache::start() else { return };
    for number in 0..50 {
        assert!(apache.get(&format!("index.html?{number}"), Duration::ZERO).expect("an answer"));
    }
    wait_until("all are logged", || apache.lines("access").iter().filter(|line| line.contains("GET")).count() == 50);
    assert!(apache.tell("stop").success());
    wait_until("apache2 and its pipes have ended", || !apache.runs());
    // Apache kills the pipe of its own log if that has not ended 3 seconds after SIGTERM.
    assert!(apache.lines("error").iter().any(|line| line.contains("resuming normal operations")));
}
