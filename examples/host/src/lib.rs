#![doc = include_str!("../README.md")]

use pyo3::prelude::pymodule;

/// The module that Python imports.
#[pymodule]
pub mod prefork_host {
    use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
    use pyo3::prelude::*;
    use pyo3::types::PyString;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{Arc, OnceLock};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;
    use tracing_log::AsTrace;
    use tracing_prefork::{Appender, Rotation};
    use tracing_subscriber::{filter::Targets, prelude::*};

    /// For `flush`. Whoever logs does not look here. `get` takes no lock, so a forked child cannot find one taken.
    static LOGS: OnceLock<Appender> = OnceLock::new();

    /// Builds the appender, and sends all events of this process and of its forked children there.
    ///
    /// A second call changes nothing, and returns False: gunicorn runs its configuration file again at SIGHUP.
    #[pyfunction]
    #[pyo3(signature = (directory, *, rotation="daily", levels="info", max_log_files=14, buffered=false))]
    fn build(
        py: Python<'_>,
        directory: PathBuf,
        rotation: &str,
        levels: &str,
        max_log_files: usize,
        buffered: bool,
    ) -> PyResult<bool> {
        if LOGS.get().is_some() {
            return Ok(false);
        }
        let rotation: Rotation = rotation.parse().map_err(value_error)?;
        let levels: Targets = levels.parse().map_err(value_error)?;
        let builder = Appender::builder()
            .rotation(rotation)
            .filename_prefix("app")
            .filename_suffix("log")
            .max_log_files(max_log_files)
            // Workers are killed as a matter of course, and a kill can cut a line in two.
            .lock_writes(true);
        let builder = if buffered { with_buffer(builder)? } else { builder };
        py.detach(|| {
            let logs = builder.build(&directory).map_err(os_error)?;
            let subscriber = tracing_subscriber::registry().with(levels).with(logs.layer());
            subscriber.try_init().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
            prepare_levels();
            Ok(LOGS.set(logs).is_ok())
        })
    }

    /// The error and its causes.
    fn os_error(error: impl std::error::Error) -> PyErr {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        PyOSError::new_err(causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")))
    }

    fn value_error(error: impl std::error::Error) -> PyErr {
        PyValueError::new_err(error.to_string())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn with_buffer(builder: tracing_prefork::Builder) -> PyResult<tracing_prefork::Builder> {
        Ok(builder.buffered(tracing_prefork::Buffering::default()))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn with_buffer(_: tracing_prefork::Builder) -> PyResult<tracing_prefork::Builder> {
        Err(PyValueError::new_err("buffered: on Linux and Android only"))
    }

    /// `tracing-log` makes a table at the first record of each level, under a lock. A child that is forked in that
    /// moment would find the lock taken for ever. So the tables are made here, while no other thread logs.
    fn prepare_levels() {
        for level in log::Level::iter() {
            let _ = log::Metadata::builder().level(level).build().as_trace();
        }
    }

    /// Logs a record of Python's `logging`. Its logger is the target: `levels` of `build` can name it.
    ///
    /// When the call returns, the line is written, or in the ring if `buffered`. Other threads of Python run meanwhile.
    #[pyfunction]
    #[pyo3(name = "log")]
    fn log_record(py: Python<'_>, level: i32, logger: &str, message: &Bound<'_, PyString>) {
        let level = match level {
            40.. => log::Level::Error,
            30.. => log::Level::Warn,
            20.. => log::Level::Info,
            10.. => log::Level::Debug,
            _ => log::Level::Trace,
        };
        // Python's text can have surrogates, which UTF-8 does not have.
        let message = message.to_string_lossy();
        py.detach(|| {
            let mut record = log::Record::builder();
            record.level(level).target(logger);
            // It always returns `Ok`. The appender counts and reports what fails.
            let _ = tracing_log::format_trace(&record.args(format_args!("{message}")).build());
        });
    }

    /// Writes what waits in the ring of this process.
    #[pyfunction]
    fn flush(py: Python<'_>) -> PyResult<()> {
        by_hand(py, Appender::flush)
    }

    /// Writes what killed processes have left in their rings, and returns the number of these lines.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[pyfunction]
    fn recover(py: Python<'_>) -> PyResult<u64> {
        by_hand(py, Appender::recover)
    }

    fn by_hand<T: Send>(
        py: Python<'_>,
        call: impl Fn(&Appender) -> Result<T, tracing_prefork::Error> + Sync,
    ) -> PyResult<T> {
        let logs = LOGS.get().ok_or_else(|| PyRuntimeError::new_err("nothing is built"))?;
        py.detach(|| call(logs)).map_err(os_error)
    }

    /// Threads of Rust that log all the time, as the thread pool of an extension might. They are in the process that
    /// made them, and in none of its children.
    #[pyclass]
    struct Ticks {
        is_over: Arc<AtomicBool>,
        threads: Vec<JoinHandle<()>>,
    }

    #[pymethods]
    impl Ticks {
        /// Starts the threads. Each of them logs, and then rests for so many microseconds.
        #[new]
        fn new(threads: usize, rest_us: u64) -> Self {
            let is_over = Arc::new(AtomicBool::new(false));
            let threads = (0..threads).map(|thread| {
                let is_over = Arc::clone(&is_over);
                thread::spawn(move || tick(thread, Duration::from_micros(rest_us), &is_over))
            });
            let threads = threads.collect();
            Self { is_over, threads }
        }

        /// Ends the threads. A process should not end while its threads log: that can cut a line in two.
        fn end(&mut self, py: Python<'_>) {
            self.is_over.store(true, Relaxed);
            let threads = std::mem::take(&mut self.threads);
            py.detach(|| threads.into_iter().for_each(|thread| thread.join().expect("no thread panics")));
        }
    }

    fn tick(thread: usize, rest: Duration, is_over: &AtomicBool) {
        let mut number = 0_u64;
        while !is_over.load(Relaxed) {
            number += 1;
            tracing::info!(target: "rust.ticks", "tick {number} of thread {thread}");
            thread::sleep(rest);
        }
        tracing::info!(target: "rust.ticks", "thread {thread} ends after {number} ticks");
    }
}
