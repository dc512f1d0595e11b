//! `release` and `close` among processes: the last one that has the current file finishes it.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::common::hook::noting;
use crate::common::{Hand, NOW, TODAY, alone, child, log, noted};

#[test]
fn a_forked_child_keeps_its_parents_file_until_it_releases() {
    alone(|home| {
        let handed_over = home.join("handed over");
        let logs = noting(&Hand::at(NOW), &handed_over).build(home.join("logs")).expect("builds");
        log(&logs, "of the parent");
        let (told, tell) = UnixStream::pair().expect("made");
        // Both children stay for as long as the parent has not closed.
        let stay = || _ = (&tell).read(&mut [0]);
        let released = child(|| {
            logs.release().expect("released");
            (&tell).write_all(b"r").expect("told");
            stay();
        });
        let idle = child(stay);
        (&told).read_exact(&mut [0]).expect("the child has released");
        logs.close().expect("closed");
        assert_eq!(noted(&handed_over), [""; 0], "the idle child has the file");
        kill(idle, Signal::SIGKILL).expect("killed");
        waitpid(idle, None).expect("gone");
        logs.close().expect("closed");
        assert_eq!(noted(&handed_over), [format!("{TODAY} 14")]);
        kill(released, Signal::SIGKILL).expect("killed");
        waitpid(released, None).expect("gone");
    });
}
