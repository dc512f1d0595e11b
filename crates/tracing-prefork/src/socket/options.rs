//! [`SocketBuilder`]: the options of a `SocketWriter`.

use crate::report::OnError;
use crate::time::clock::Clock;
use crate::time::zone::Zone;
use crate::{Appender, Error};
use std::time::{Duration, SystemTime};

/// Options for a [`SocketWriter`](crate::SocketWriter), from [`SocketWriter::builder`](crate::SocketWriter::builder).
///
/// | option | default |
/// |---|---|
/// | [`ring_bytes`](Self::ring_bytes) | 2 MiB |
/// | [`patience`](Self::patience) | 5 seconds |
/// | [`fallback`](Self::fallback) | none: lines wait in memory while nobody listens |
/// | [`server_uid`](Self::server_uid) | the receiver's user is root or that of this process |
/// | [`zone`](Self::zone) | that of the fallback, else UTC |
/// | [`clock`](Self::clock) | the system's clock |
/// | [`on_error`](Self::on_error) | a line on standard error |
#[must_use = "nothing is sent before `build`"]
#[derive(Debug)]
pub struct SocketBuilder {
    pub(super) ring_bytes: usize,
    pub(super) patience: Duration,
    pub(super) fallback: Option<Appender>,
    pub(super) server_uid: Option<u32>,
    pub(super) zone: Option<Zone>,
    pub(super) clock: Clock,
    pub(super) on_error: OnError,
}

impl Default for SocketBuilder {
    fn default() -> Self {
        Self {
            ring_bytes: 2 << 20,
            patience: Duration::from_secs(5),
            fallback: None,
            server_uid: None,
            zone: None,
            clock: Clock::default(),
            on_error: OnError::default(),
        }
    }
}

impl SocketBuilder {
    /// How much memory a process has for lines that the receiver has not acknowledged: 64 KiB to 1 GiB, rounded up to
    /// a power of two. A line takes 16 to 23 bytes more than its length. A longer line than fits goes to the files of
    /// the [`fallback`](Self::fallback), or is refused. Each forked child that logs has as much.
    pub fn ring_bytes(self, ring_bytes: usize) -> Self {
        Self { ring_bytes, ..self }
    }

    /// How long a write waits for room in the ring, and [`flush_all`](crate::SocketWriter::flush_all) for
    /// acknowledgements.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The files that this process writes to while nobody listens: first the lines that wait, then new ones, each to
    /// the file of its own time. Give the appender the options of the receiver. The process tries the socket again
    /// every second at most, and goes back to it.
    ///
    /// A line that waits in vain, because the receiver has stopped, goes to these files too. It may stand before
    /// earlier lines of its thread then.
    pub fn fallback(self, files: Appender) -> Self {
        Self { fallback: Some(files), ..self }
    }

    /// The user that the receiver may have, besides root and the user of this process. A socket of another user is not
    /// used, because somebody may have planted it.
    pub fn server_uid(self, uid: u32) -> Self {
        Self { server_uid: Some(uid), ..self }
    }

    /// The time zone of the [timer](crate::SocketWriter::timer).
    pub fn zone(self, zone: Zone) -> Self {
        Self { zone: Some(zone), ..self }
    }

    /// Where the time is read. This is for tests. See [`Builder::clock`](crate::Builder::clock).
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: Clock::custom(clock), ..self }
    }

    /// Who is told of failures, at most once a minute. See [`Builder::on_error`](crate::Builder::on_error).
    pub fn on_error(self, on_error: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self { on_error: OnError::new(on_error), ..self }
    }
}
