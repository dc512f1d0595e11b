//! The example `systemd`: instances that are started as systemd starts them, and units that systemd reads.

use nix::sys::signal::Signal;
use nix::unistd::{Gid, chown};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use super::{Running, example, program, text};
use crate::common::{eventually, is_root, names, says, set_mode};

/// Users and their group as the units have them. No such user needs to be there.
const USERS: [(&str, u32); 2] = [("one", 61_001), ("two", 61_002)];
const GROUP: u32 = 61_000;

/// What systemd keeps for the units: a socket, a directory that the group may write to, and where it is told of them.
struct Manager {
    directory: tempfile::TempDir,
    program: PathBuf,
    listener: TcpListener,
    notify: UnixDatagram,
    /// Whether it may start an instance as another user.
    root: bool,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (root, logs) = (is_root(), directory.path().join("logs"));
        fs::create_dir(&logs).expect("made");
        let notify = UnixDatagram::bind(directory.path().join("notify")).expect("bound");
        notify.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        let mut program = program("systemd");
        if root {
            // Where other users find it.
            let copy = directory.path().join("program");
            fs::copy(program, &copy).expect("copied");
            program = copy;
            chown(&logs, None, Some(Gid::from_raw(GROUP))).expect("root may");
            set_mode(&logs, 0o2770);
            set_mode(directory.path(), 0o711);
            set_mode(&directory.path().join("notify"), 0o666);
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        Self { directory, program, listener, notify, root }
    }

    fn logs(&self) -> PathBuf {
        self.directory.path().join("logs")
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    /// Starts an instance with the environment, the umask, the user and the descriptors that systemd gives it.
    fn start(&self, (name, user): (&str, u32)) -> Running {
        // `exec` keeps the process id. The shell gets the socket as descriptor 0, and hands it on as 3.
        let script = r#"exec 3<&0 0</dev/null; umask 0077; LISTEN_PID=$$ exec "$@""#;
        let mut command = Command::new("/bin/sh");
        let socket = OwnedFd::from(self.listener.try_clone().expect("cloned"));
        command.args(["-c", script, "sh"]).arg(&self.program).arg(self.logs()).arg(name).stdin(Stdio::from(socket));
        command.env_clear().env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "app.socket");
        command.env("NOTIFY_SOCKET", self.directory.path().join("notify"));
        command.current_dir("/");
        if self.root {
            command.uid(user).gid(GROUP);
        }
        let instance = Running::start(&mut command);
        self.told("READY=1");
        instance
    }

    /// Waits until an instance says this.
    #[track_caller]
    fn told(&self, state: &str) {
        let mut bytes = [0; 100];
        let length = self.notify.recv(&mut bytes).expect("told");
        assert_eq!(std::str::from_utf8(&bytes[..length]), Ok(state));
    }
}

/// The answers to requests: the text of the request, the instance and its process.
type Answers = BTreeMap<String, (String, u32)>;

/// Sends a request on a connection of its own. `None` if the instance is killed meanwhile.
fn ask(address: SocketAddr, request: &str) -> Option<(String, u32)> {
    let mut connection = TcpStream::connect(address).ok()?;
    connection.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    writeln!(connection, "{request}").ok()?;
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).ok()?;
    let rest = answer.strip_suffix('\n')?.strip_prefix(request)?.strip_prefix(" from ")?;
    let (instance, process) = rest.split_once(" in process ")?;
    Some((instance.to_owned(), process.parse().ok()?))
}

/// Sends requests from four threads while `during` goes on. Returns the answers; `unanswered` counts the others.
fn load(address: SocketAddr, begin: &str, unanswered: &AtomicU64, during: impl FnOnce(&Mutex<Answers>)) -> Answers {
    let (answers, over) = (Mutex::new(Answers::new()), AtomicBool::new(false));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (answers, over) = (&answers, &over);
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Relaxed) {
                        break;
                    }
                    let request = format!("{begin}-{thread}-{number}");
                    match ask(address, &request) {
                        Some(answer) => _ = answers.lock().expect("unpoisoned").insert(request, answer),
                        None => _ = unanswered.fetch_add(1, Relaxed),
                    }
                }
            });
        }
        // The threads end, too, if `during` panics.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| during(&answers)));
        over.store(true, Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    answers.into_inner().expect("unpoisoned")
}

/// Waits until this process has answered so many requests.
fn answers(answers: &Mutex<Answers>, process: &Running, count: usize) {
    let of = |process: u32| answers.lock().expect("unpoisoned").values().filter(|it| it.1 == process).count();
    eventually("the instance answers", || of(process.0.id()) >= count);
}

/// The answered requests of the log, as in [`Answers`]; fails if one is there twice, or if a line is not whole.
fn logged(directory: &Path) -> Answers {
    let mut logged = Answers::new();
    let text = text(directory, "app.", ".log");
    for line in text.lines().filter(|line| line.contains(": answered request=")) {
        let parts = || {
            let rest = line.split_once(" INFO instance{name=\"")?.1;
            let (name, rest) = rest.split_once("\" pid=")?;
            let (process, rest) = rest.split_once("}: systemd: answered request=\"")?;
            Some((rest.strip_suffix('"')?.to_owned(), (name.to_owned(), process.parse().ok()?)))
        };
        let (request, answer) = parts().unwrap_or_else(|| panic!("{line}"));
        assert!(logged.insert(request, answer).is_none(), "twice: {line}");
    }
    logged
}

#[test]
fn two_instances_answer_on_one_socket_and_one_is_killed() {
    let manager = Manager::new();
    let unanswered = AtomicU64::new(0);
    let [one, two] = USERS.map(|user| manager.start(user));

    let mut all = load(manager.address(), "both", &unanswered, |seen| {
        [&one, &two].into_iter().for_each(|instance| answers(seen, instance, 20));
    });
    assert_eq!(unanswered.load(Relaxed), 0);
    all.extend(load(manager.address(), "kill", &unanswered, |seen| {
        answers(seen, &one, 5);
        one.send(Signal::SIGKILL);
        answers(seen, &two, 50);
    }));
    let killed = one.0.id();
    assert!(!one.ended().success());
    // Four threads have a request each, and those of the killed instance are in nobody's hands.
    assert!(unanswered.load(Relaxed) <= 4, "{unanswered:?}");

    // As `Restart=on-failure` says. The socket is the same one.
    let one = manager.start(USERS[0]);
    let before = unanswered.load(Relaxed);
    all.extend(load(manager.address(), "again", &unanswered, |seen| {
        [&one, &two].into_iter().for_each(|instance| answers(seen, instance, 20));
    }));
    assert_eq!(unanswered.load(Relaxed), before);
    for instance in [one, two] {
        instance.send(Signal::SIGTERM);
        manager.told("STOPPING=1");
        assert!(instance.ended().success());
    }

    let mut logged = logged(&manager.logs());
    assert!(all.values().any(|answer| answer.1 == killed));
    for (request, answer) in &all {
        assert_eq!(logged.remove(request).as_ref(), Some(answer), "{request}");
    }
    assert!(logged.len() <= 4 && logged.values().all(|answer| answer.1 == killed), "nobody has asked: {logged:?}");
    check_files(&manager);
}

/// One file for all, with the mode that the program gives it and not that of the umask.
fn check_files(manager: &Manager) {
    let logs = manager.logs();
    let text = text(&logs, "app.", ".log");
    let count = |word: &str| text.lines().filter(|line| line.ends_with(word)).count();
    assert_eq!((count("the instance serves"), count("the instance ends told=true")), (3, 2), "{text}");
    let files: Vec<_> = names(&logs).into_iter().filter(|name| name != "latest.log").collect();
    // Two, if midnight has been there.
    assert!((1..=2).contains(&files.len()), "{files:?}");
    for file in &files {
        let mode = fs::metadata(logs.join(file)).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o660, "{file}");
    }
    assert_eq!(fs::read_link(logs.join("latest.log")).expect("a link"), Path::new(&files[files.len() - 1]));
}

#[test]
fn a_socket_of_another_process_is_not_taken() {
    let directory = tempfile::tempdir().expect("a directory");
    for variables in [&[][..], &[("LISTEN_PID", "1"), ("LISTEN_FDS", "1")]] {
        let mut command = example("systemd");
        command.env_remove("LISTEN_PID").env_remove("LISTEN_FDS").envs(variables.iter().copied());
        let output = command.arg(directory.path()).arg("one").output().expect("runs");
        assert!(!output.status.success());
        says(&String::from_utf8_lossy(&output.stderr), &["no socket from systemd", "LISTEN_PID"]);
    }
}

#[test]
fn systemd_understands_the_units() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systemd");
    let directory = tempfile::tempdir().expect("a directory");
    let units = ["app@.service", "app.socket"].map(|name| {
        let unit = fs::read_to_string(folder.join(name)).expect("beside the example");
        // systemd looks whether the program is there.
        let unit = unit.replace("/usr/local/bin/app", program("systemd").to_str().expect("UTF-8"));
        let path = directory.path().join(name);
        fs::write(&path, unit).expect("written");
        path
    });
    let verify = || Command::new("systemd-analyze").arg("verify").args(&units).output();
    let Ok(output) = verify() else {
        return writeln!(std::io::stderr(), "SKIPPED: systemd-analyze is not installed").expect("told");
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !text.contains("app"), "{text}");

    // An error would be seen.
    let wrong = fs::read_to_string(&units[0]).expect("there").replace("Type=notify", "Type=notfy");
    fs::write(&units[0], wrong).expect("written");
    let text = String::from_utf8_lossy(&verify().expect("runs").stderr).into_owned();
    assert!(text.contains("notfy"), "{text}");
}
