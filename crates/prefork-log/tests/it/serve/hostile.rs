//! Peers that do not keep to the protocol harm nobody.

use super::receiver::{Receiver, Stage, text, wait_until};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::SocketWriter;

fn seqpacket(path: &Path) -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

/// A packet of one line of that client.
fn packet(client: u64, number: u64, seconds: i64, line: &[u8]) -> Vec<u8> {
    let mut packet = b"PFL1\x01\0\x01\0".to_vec();
    packet.extend(client.to_le_bytes());
    packet.extend(number.to_le_bytes());
    packet.extend(seconds.to_le_bytes());
    packet.extend(0_u32.to_le_bytes());
    packet.extend((line.len() as u32).to_le_bytes());
    packet.extend(line);
    packet
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// Whether the receiver has closed the connection.
fn is_closed(socket: &OwnedFd) -> bool {
    // What is not taken is lost, so the end may come as an error.
    matches!(recv(socket.as_raw_fd(), &mut [0; 64], MsgFlags::empty()), Ok(0) | Err(Errno::ECONNRESET))
}

/// The bytes that a process has in memory.
fn resident(receiver: &Receiver) -> usize {
    let text = fs::read_to_string(format!("/proc/{}/statm", receiver.child.id())).expect("it runs");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

/// The receiver still serves others.
fn assert_serves(stage: &Stage) {
    let logs = SocketWriter::connect(stage.socket()).expect("builds");
    writeln!(&logs, "an honest line").expect("taken");
    logs.flush_all().expect("written");
    assert!(text(&stage.logs()).ends_with("an honest line\n"));
}

#[test]
fn packets_that_are_malformed_end_their_connection_alone() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let honest = seqpacket(&stage.socket()).expect("connects");
    let whole = packet(1, 1, now(), b"a line");
    let mut long_inside = whole.clone();
    long_inside[36..40].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut many = whole.clone();
    many[6..8].copy_from_slice(&u16::MAX.to_le_bytes());
    let cases = [b"GET / HTTP/1.1\r\n".to_vec(), whole[..20].to_vec(), long_inside, many, vec![0; 65_537]];
    for (number, case) in cases.iter().enumerate() {
        let socket = seqpacket(&stage.socket()).expect("connects");
        send(socket.as_raw_fd(), case, MsgFlags::MSG_NOSIGNAL).expect("sent");
        assert!(is_closed(&socket), "case {number}");
    }
    // A number that does not follow.
    let socket = seqpacket(&stage.socket()).expect("connects");
    for number in [5, 7] {
        let _ = send(socket.as_raw_fd(), &packet(2, number, now(), b"numbered"), MsgFlags::MSG_NOSIGNAL);
    }
    let mut ack = [0; 16];
    assert_eq!(recv(socket.as_raw_fd(), &mut ack, MsgFlags::empty()), Ok(16), "the first one is in its file");
    assert!(is_closed(&socket));
    send(honest.as_raw_fd(), &whole, MsgFlags::MSG_NOSIGNAL).expect("sent");
    assert_eq!(recv(honest.as_raw_fd(), &mut ack, MsgFlags::empty()), Ok(16), "the others are served");
    assert_serves(&stage);
    let (errors, own) = (receiver.errors(), format!("process {} of user", std::process::id()));
    assert!(errors.contains(&own) && errors.contains("its connection is closed"), "{errors}");
    assert_eq!(errors.lines().count(), 1, "once a minute: {errors}");
    assert_eq!(text(&stage.logs()).matches("a line").count(), 1);
}

#[test]
fn a_gigabyte_without_a_newline_takes_no_memory() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let mut stream = UnixStream::connect(stage.path("stream")).expect("connects");
    stream.write_all(b"before\n").expect("sent");
    let chunk = vec![b'x'; 1 << 20];
    let sent = (0..1024).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 8, "the connection ends after a megabyte: {sent}");
    let memory = resident(&receiver);
    assert!(memory < 64 << 20, "{memory} bytes");
    assert_serves(&stage);
    assert_eq!(text(&stage.logs()), "before\nan honest line\n");
    assert!(receiver.errors().contains("longer than 1 MiB"), "{}", receiver.errors());
}

#[test]
fn a_client_that_takes_no_acknowledgements_is_served() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let socket = seqpacket(&stage.socket()).expect("connects");
    for number in 1..=5000 {
        send(socket.as_raw_fd(), &packet(1, number, now(), b"never told"), MsgFlags::MSG_NOSIGNAL).expect("sent");
    }
    wait_until("all lines are there", || text(&stage.logs()).lines().count() == 5000);
    assert_serves(&stage);
    // It is told in the end.
    let mut last = [0; 16];
    wait_until("the last number is told", || {
        assert_eq!(recv(socket.as_raw_fd(), &mut last, MsgFlags::empty()), Ok(16));
        last[8..] == 5000_u64.to_le_bytes()
    });
    drop(receiver);
}

#[test]
fn ten_thousand_connections_keep_nobody_out() {
    let stage = Stage::new();
    let receiver = stage.receiver(&["--max-connections", "100", "--max-per-process", "50"]);
    let held: Vec<_> = (0..10_000)
        .filter_map(|_| {
            let mut stream = UnixStream::connect(stage.path("stream")).ok()?;
            stream.set_nonblocking(true).ok()?;
            // Those that are closed at once need not be held.
            let is_open = stream.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            is_open.then_some(stream)
        })
        .take(600)
        .collect();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", receiver.child.id())).expect("it runs").count();
    assert!(descriptors() < 80, "{}", descriptors());
    wait_until("it is told", || receiver.errors().contains("--max-per-process"));
    drop(held);
    wait_until("there is a place again", || descriptors() < 40);
    assert_serves(&stage);
}

#[test]
fn silent_connections_give_their_places_to_others() {
    let stage = Stage::new();
    let receiver = stage.receiver(&["--max-connections", "5"]);
    // More than there are places, for longer than a second.
    let connect = |_| {
        std::thread::sleep(Duration::from_millis(10));
        UnixStream::connect(stage.path("stream")).expect("connects")
    };
    let silent: Vec<_> = (0..10).map(connect).collect();
    std::thread::sleep(Duration::from_millis(1100));
    assert_serves(&stage);
    wait_until("it is told", || receiver.errors().contains("it has sent nothing"));
    drop(silent);
}

#[test]
fn times_that_cannot_be_right_make_no_files() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let socket = seqpacket(&stage.socket()).expect("connects");
    for (number, seconds) in (1..).zip([0, i64::MIN, i64::MAX, now() + 100_000]) {
        send(socket.as_raw_fd(), &packet(1, number, seconds, b"from nowhere"), MsgFlags::MSG_NOSIGNAL).expect("sent");
    }
    wait_until("the lines are there", || text(&stage.logs()).lines().count() == 4);
    let names: Vec<_> = super::receiver::files(&stage.logs()).into_iter().map(|(name, _)| name).collect();
    assert!(names.len() <= 3, "{names:?}");
    assert!(receiver.errors().contains("the time of its receipt"), "{}", receiver.errors());
}

#[test]
fn who_is_not_allowed_is_refused_and_told_of() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let stage = Stage::new();
    fs::set_permissions(stage.home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    let receiver = stage.receiver(&["--socket-mode", "666", "--allow-uid", "4242"]);
    for (user, is_served) in [("4242", true), ("4243", false)] {
        let script = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); \
                      s.connect(sys.argv[1]); s.send(b'of another user\\n'); s.shutdown(1); s.recv(1)";
        let mut command = std::process::Command::new("python3");
        std::os::unix::process::CommandExt::uid(&mut command, user.parse().expect("a number"));
        let ended = command.args(["-c", script]).arg(stage.path("stream")).current_dir("/").output();
        let Ok(ended) = ended else { return eprintln!("skipped: there is no python3") };
        if ended.status.code() == Some(127) || ended.status.code() == Some(126) {
            return eprintln!("skipped: another user cannot start python3");
        }
        let found = text(&stage.logs()).contains("of another user");
        assert!(found, "the first one's line is there");
        if !is_served {
            let errors = receiver.errors();
            assert!(errors.contains("user 4243: it may not send"), "{errors}");
            assert_eq!(text(&stage.logs()).lines().count(), 1);
        }
    }
}
