//! What the operator is told on standard error, at a bounded rate.

use super::peer::Peer;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tracing_prefork::{Error, Operation};

/// Between two messages of one kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// What is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Refused,
    TooMany,
    Silent,
    Malformed,
    TooLong,
    WrongTime,
    NotWritten,
    Accept,
    Journal,
}

/// Tells each kind once a minute at most, with the number of messages between.
#[derive(Debug, Default)]
pub(crate) struct Tell {
    told: HashMap<Kind, (Instant, u64)>,
}

impl Tell {
    pub(crate) fn peer(&mut self, kind: Kind, peer: Peer, text: &str) {
        self.say(kind, &format!("{peer}: {text}"));
    }

    pub(crate) fn say(&mut self, kind: Kind, text: &str) {
        let now = Instant::now();
        let suppressed = match self.told.get_mut(&kind) {
            Some((last, suppressed)) if now.duration_since(*last) < INTERVAL => {
                *suppressed += 1;
                return;
            }
            Some((_, suppressed)) => *suppressed,
            None => 0,
        };
        self.told.insert(kind, (now, 0));
        match suppressed {
            0 => eprintln!("prefork-log: {text}"),
            more => eprintln!("prefork-log: {text}; {more} more like this since the last report"),
        }
    }
}

/// A failure of the appender. One to write is left to the server, which tries again: no line is lost.
pub(crate) fn appender(error: &Error) {
    if error.operation() != Operation::Write {
        eprintln!("prefork-log: {error}");
    }
}
