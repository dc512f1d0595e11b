//! Peers that get their lines from `tracing_subscriber::fmt`.

use crate::counted::Counted;
use crate::events::Events;
use crate::loggers::{Files, Open, Opened};
use file_rotate::{ContentLimit, FileRotate, compression::Compression, suffix::AppendCount};
use rolling_file::{BasicRollingFileAppender, RollingConditionBasic};
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

pub(crate) fn rolling(files: Files<'_>) -> Opened {
    Ok(Box::new(Events::through(tracing_appender::rolling::never(files.directory, "app.log"), || ())))
}

/// The peer flushes at its end only, so the lines that are in the file are counted.
struct Queue {
    events: Events<fn()>,
    sent: AtomicU64,
    written: Arc<AtomicU64>,
    _guard: WorkerGuard,
}

impl Open for Queue {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        self.sent.fetch_add(numbers.end - numbers.start, Relaxed);
        self.events.log(writer, numbers);
    }

    fn flush(&self) {
        while self.written.load(Acquire) < self.sent.load(Relaxed) {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

pub(crate) fn queue(files: Files<'_>) -> Opened {
    let written = Arc::new(AtomicU64::new(0));
    let file = Counted { file: tracing_appender::rolling::never(files.directory, "app.log"), written: written.clone() };
    let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(file);
    let events = Events::through(writer, (|| ()) as fn());
    Ok(Box::new(Queue { events, sent: AtomicU64::new(0), written, _guard: guard }))
}

/// The documented way to give such a writer to `fmt`.
fn behind_a_mutex(writer: impl Write + Send + 'static) -> Opened {
    Ok(Box::new(Events::through(Mutex::new(writer), || ())))
}

pub(crate) fn file_rotate(files: Files<'_>) -> Opened {
    let limit = match files.limit {
        // `Bytes` would cut lines.
        Some(limit) => ContentLimit::BytesSurpassed(limit as usize),
        None => ContentLimit::None,
    };
    let path = files.directory.join("app.log");
    behind_a_mutex(FileRotate::new(path, AppendCount::new(files.kept), limit, Compression::None, None))
}

pub(crate) fn rolling_file(files: Files<'_>) -> Opened {
    let condition = RollingConditionBasic::new().max_size(files.limit.unwrap_or(u64::MAX));
    // Without a buffer of its own, which a kill would lose.
    let path = files.directory.join("app.log");
    behind_a_mutex(BasicRollingFileAppender::new_with_buffer_capacity(path, condition, files.kept, 0)?)
}

pub(crate) fn logroller(files: Files<'_>) -> Opened {
    use logroller::{LogRollerBuilder, Rotation, RotationSize};
    let limit = Rotation::SizeBased(RotationSize::Bytes(files.limit.unwrap_or(u64::MAX)));
    let builder = LogRollerBuilder::new(files.directory, "app.log".as_ref()).rotation(limit);
    behind_a_mutex(builder.max_keep_files(files.kept as u64).build()?)
}
