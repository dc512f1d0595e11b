//! [`WorkerGuard`]: at the end, the lines of the ring go to their files.

use crate::sink::Sink;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// When it is dropped, the lines of the ring go to their files. Keep it until the end of `main`, in a variable whose
/// name is not `_`.
///
/// The drop returns when the lines that were in the ring before are in their files. If another thread has been writing
/// lines for ten seconds, or if lines cannot be written, they stay in the ring, which is reported
/// ([`Operation::Ring`](crate::Operation::Ring)). From there the next process that builds or rolls over writes them.
///
/// Lines that are logged after the drop are written, too. A process that exits writes its lines even if the guard was
/// not dropped (`exit(3)`). A process that is killed leaves its lines in the ring, with the guard or without it.
///
/// A forked child that drops the guard writes the lines of its own ring, and nothing of its parent's. It does not hang,
/// whatever the threads of the parent were doing.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// fn main_of(logs: tracing_prefork::Appender) {
///     let (non_blocking, _guard) = tracing_prefork::non_blocking(logs);
///     let subscriber = tracing_subscriber::fmt().with_writer(non_blocking).finish();
///     tracing::subscriber::with_default(subscriber, || tracing::info!("in the file when this function returns"));
/// }
/// main_of(tracing_prefork::rolling::never(directory.path(), "app.log"));
/// # assert!(std::fs::read_to_string(directory.path().join("app.log"))?.ends_with("function returns\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropped at once, it flushes nothing at the end"]
pub struct WorkerGuard {
    sink: Arc<Sink>,
}

impl WorkerGuard {
    pub(super) fn of(sink: Arc<Sink>) -> Self {
        Self { sink }
    }
}

impl UnwindSafe for WorkerGuard {}
impl RefUnwindSafe for WorkerGuard {}

impl fmt::Debug for WorkerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerGuard").field("directory", &self.sink.site.directory()).finish_non_exhaustive()
    }
}

impl Drop for WorkerGuard {
    fn drop(&mut self) {
        self.sink.flush_at_end();
    }
}
