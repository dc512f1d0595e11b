//! Short events with two fields: through a layer, and through two loggers that know nothing of `tracing`.

use std::{error::Error, path::Path, sync::Arc};

use spdlog::sink::FileSink;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{
    Layer, Registry,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

use crate::subject::Subject;

/// Through a layer.
pub(crate) struct Short {
    dispatch: Dispatch,
    in_spans: bool,
}

impl Short {
    pub(crate) fn of(layer: impl Layer<Registry> + Send + Sync) -> Self {
        Self { dispatch: Dispatch::new(Registry::default().with(layer)), in_spans: false }
    }

    pub(crate) fn through(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> Self {
        Self::of(fmt::layer().with_ansi(false).with_writer(writer))
    }

    /// Each event in two spans, of two fields each.
    pub(crate) fn in_spans(self) -> Self {
        Self { in_spans: true, ..self }
    }
}

impl Subject for Short {
    fn run(&self, times: u64) {
        let events = || {
            for request in 0..times {
                tracing::info!(request, path = "/orders/17", "answered");
            }
        };
        dispatcher::with_default(&self.dispatch, || {
            if self.in_spans {
                let _outer = tracing::info_span!("connection", id = 17, peer = "192.0.2.7").entered();
                let _inner = tracing::info_span!("request", method = "GET", attempt = 1).entered();
                events();
            } else {
                events();
            }
        });
    }
}

/// Through spdlog-rs, into a file. Each event empties the buffer.
pub(crate) struct Spdlog(spdlog::Logger);

impl Spdlog {
    pub(crate) fn open(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let sink = FileSink::builder().path(directory.join("app.log")).build()?;
        let mut logger = spdlog::Logger::builder();
        logger.sink(Arc::new(sink)).flush_level_filter(spdlog::LevelFilter::All);
        Ok(Self(logger.build()?))
    }
}

impl Subject for Spdlog {
    fn run(&self, times: u64) {
        for request in 0..times {
            spdlog::info!(logger: self.0, "answered", kv: { request, path = "/orders/17" });
        }
    }
}

/// Through flexi_logger, into a file, without a buffer.
pub(crate) struct Flexi {
    log: Box<dyn log::Log>,
    _handle: flexi_logger::LoggerHandle,
}

impl Flexi {
    pub(crate) fn open(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let file = flexi_logger::FileSpec::default().directory(directory).basename("app").suppress_timestamp();
        let logger = flexi_logger::Logger::with(flexi_logger::LogSpecification::info()).log_to_file(file);
        let logger = logger.format(flexi_logger::with_thread).write_mode(flexi_logger::WriteMode::Direct);
        let (log, handle) = logger.build()?;
        Ok(Self { log, _handle: handle })
    }
}

impl Subject for Flexi {
    fn run(&self, times: u64) {
        for request in 0..times {
            let mut record = log::Record::builder();
            record.level(log::Level::Info).target(module_path!()).module_path_static(Some(module_path!()));
            record.file_static(Some(file!())).line(Some(line!()));
            let path = "/orders/17";
            self.log.log(&record.args(format_args!("answered request={request} path={path:?}")).build());
        }
    }
}
