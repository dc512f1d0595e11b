//! Whose socket it is, and what becomes of one that is there already.

use super::receiver::{Stage, text, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Output};
use tracing_prefork::SocketWriter;

/// Starts a second receiver, which is to end by itself.
fn serve(stage: &Stage, socket: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prefork-log"));
    command.args(["serve", "--socket"]).arg(stage.path(socket)).args(["--prefix", "other"]).arg(stage.logs());
    command.output().expect("it starts")
}

fn refusal(stage: &Stage, socket: &str) -> String {
    let ended = serve(stage, socket);
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8(ended.stderr).expect("UTF-8")
}

#[test]
fn a_socket_has_its_exact_mode_and_goes_with_its_receiver() {
    let stage = Stage::new();
    let receiver = stage.receiver(&["--socket-mode", "620"]);
    let found = fs::symlink_metadata(stage.socket()).expect("there");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o620);
    receiver.end();
    assert!(!stage.socket().exists());
    // The next one takes the place of one that was killed.
    stage.receiver(&[]).kill();
    assert!(stage.socket().exists());
    let receiver = stage.receiver(&[]);
    assert_eq!(fs::symlink_metadata(stage.socket()).expect("there").permissions().mode() & 0o7777, 0o600);
    receiver.end();
}

#[test]
fn a_live_socket_and_what_is_no_socket_stay_as_they_are() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let error = refusal(&stage, "socket");
    assert!(error.contains("another prefork-log serves it"), "{error}");
    receiver.end();
    fs::write(stage.path("file"), "a file").expect("written");
    let error = refusal(&stage, "file");
    assert!(error.contains("something that is no socket"), "{error}");
    assert_eq!(fs::read_to_string(stage.path("file")).expect("there"), "a file");
    let _other = UnixListener::bind(stage.path("other")).expect("binds");
    let error = refusal(&stage, "other");
    assert!(error.contains("another program listens"), "{error}");
    assert!(std::os::unix::net::UnixStream::connect(stage.path("other")).is_ok());
    let error = refusal(&stage, &"x".repeat(200));
    assert!(error.contains("the path is too long"), "{error}");
}

#[test]
fn sighup_opens_the_files_anew() {
    let stage = Stage::new();
    let socket = stage.path("quiet");
    let mut command = Command::new(env!("CARGO_BIN_EXE_prefork-log"));
    command.args(["serve", "--socket"]).arg(&socket).args(["--prefix", "app.log"]).arg(stage.logs());
    let mut child = command.spawn().expect("it starts");
    wait_until("the socket is there", || socket.exists());
    let logs = SocketWriter::connect(&socket).expect("builds");
    writeln!(&logs, "before").expect("taken");
    logs.flush_all().expect("written");
    fs::rename(stage.logs().join("app.log"), stage.logs().join("app.log.1")).expect("renamed");
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, Signal::SIGHUP).expect("a child");
    wait_until("the file is there again", || stage.logs().join("app.log").exists());
    writeln!(&logs, "after").expect("taken");
    logs.flush_all().expect("written");
    nix::sys::signal::kill(pid, Signal::SIGTERM).expect("a child");
    assert!(child.wait().expect("a child").success());
    assert_eq!(fs::read_to_string(stage.logs().join("app.log")).expect("there"), "after\n");
}

#[test]
fn systemd_hands_sockets_over_and_is_told() {
    let stage = Stage::new();
    fs::create_dir(stage.logs()).expect("made");
    let notices = UnixDatagram::bind(stage.path("notify")).expect("binds");
    // Python stands for systemd: it listens, and executes the program with the sockets as 3 and 4.
    let script = "import os, socket, sys\n\
                  kinds = [socket.SOCK_SEQPACKET, socket.SOCK_STREAM]\n\
                  listening = [socket.socket(socket.AF_UNIX, kind) for kind in kinds]\n\
                  for each, path in zip(listening, sys.argv[1:3]): each.bind(path); each.listen()\n\
                  numbers = [os.dup(each.fileno()) for each in listening]\n\
                  [os.dup2(number, at, inheritable=True) for at, number in zip((3, 4), numbers)]\n\
                  os.environ.update(LISTEN_FDS='2', LISTEN_PID=str(os.getpid()))\n\
                  os.execv(sys.argv[3], ['prefork-log', 'serve', '--prefix', 'app.log', sys.argv[4]])";
    let mut command = Command::new("python3");
    command.args(["-c", script]).args([stage.path("one"), stage.path("two")]);
    command.arg(env!("CARGO_BIN_EXE_prefork-log")).arg(stage.logs()).env("NOTIFY_SOCKET", stage.path("notify"));
    let Ok(mut child) = command.spawn() else { return eprintln!("skipped: there is no python3") };
    let mut notice = [0; 64];
    let length = notices.recv(&mut notice).expect("a notice");
    assert_eq!(&notice[..length], b"READY=1\n");
    let logs = SocketWriter::connect(stage.path("one")).expect("builds");
    writeln!(&logs, "a packet").expect("taken");
    logs.flush_all().expect("written");
    let mut stream = std::os::unix::net::UnixStream::connect(stage.path("two")).expect("connects");
    stream.write_all(b"a line\n").expect("sent");
    wait_until("both are there", || text(&stage.logs()) == "a packet\na line\n");
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, Signal::SIGTERM).expect("a child");
    assert!(child.wait().expect("a child").success());
    let length = notices.recv(&mut notice).expect("a notice");
    assert_eq!(&notice[..length], b"STOPPING=1\n");
    assert!(stage.path("one").exists(), "systemd's sockets stay");
}
