//! The event that all loggers log, through `tracing`, and through `log`.

use crate::loggers::Open;
use std::ops::Range;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

/// Through a layer of `tracing`. What is to be done until all lines are in the file is told by `flush`.
pub(crate) struct Events<F> {
    dispatch: Dispatch,
    flush: F,
}

impl<F> Events<F> {
    pub(crate) fn of(layer: impl Layer<Registry> + Send + Sync, flush: F) -> Self {
        Self { dispatch: Dispatch::new(Registry::default().with(layer)), flush }
    }

    pub(crate) fn through(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, flush: F) -> Self {
        Self::of(fmt::layer().with_ansi(false).with_writer(writer), flush)
    }
}

impl<F: Fn() + Send + Sync> Open for Events<F> {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        dispatcher::with_default(&self.dispatch, || {
            for number in numbers {
                tracing::info!(writer, number, "answered");
            }
        });
    }

    fn flush(&self) {
        (self.flush)();
    }
}

/// Through records of `log`, which have the two numbers in their text.
pub(crate) struct Records<F> {
    pub(crate) log: Box<dyn log::Log>,
    pub(crate) flush: F,
}

impl<F: Fn() + Send + Sync> Open for Records<F> {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        for number in numbers {
            let mut record = log::Record::builder();
            record.level(log::Level::Info).target(module_path!()).module_path_static(Some(module_path!()));
            record.file_static(Some(file!())).line(Some(line!()));
            self.log.log(&record.args(format_args!("answered writer={writer} number={number}")).build());
        }
    }

    fn flush(&self) {
        (self.flush)();
    }
}

/// A logger that is set for the whole program.
pub(crate) struct Global;

impl log::Log for Global {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        log::logger().enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        log::logger().log(record);
    }

    fn flush(&self) {
        log::logger().flush();
    }
}
