//! The loggers that a server is measured with.

use std::error::Error;
use std::path::Path;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_prefork::{Appender, Buffering, Builder, Rotation};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// What is left to do when the server has answered its last request: all lines are in the file then.
pub(crate) type Flush = Box<dyn FnOnce()>;

type Opened = Result<Flush, Box<dyn Error>>;

/// One row of the tables.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether a child that is forked afterwards can log.
    pub(crate) before_fork: bool,
    /// Opens the files of a directory, for the whole program.
    pub(crate) open: fn(&Path) -> Opened,
}

impl Case {
    pub(crate) fn logs(&self) -> bool {
        self.name != NONE
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with("prefork")
    }
}

pub(crate) const NONE: &str = "no-logging";

/// In the order of the tables.
pub(crate) const ALL: &[Case] = &[
    Case { name: NONE, about: "no subscriber: spans and events are disabled", before_fork: true, open: none },
    Case { name: "prefork", about: "`layer()`", before_fork: true, open: layer },
    Case { name: "prefork-buffered", about: "`layer()`, `buffered`", before_fork: true, open: buffered },
    Case { name: "tracing-appender", about: "`fmt`, `rolling`", before_fork: true, open: rolling },
    Case { name: "tracing-appender-queue", about: "`fmt`, `non_blocking`, not lossy", before_fork: false, open: queue },
];

/// The case of that name.
pub(crate) fn named(name: &str) -> Result<&'static Case, String> {
    ALL.iter().find(|case| case.name == name).ok_or_else(|| format!("there is no logger {name:?}"))
}

const PREFIX: &str = "app.log";

fn none(_: &Path) -> Opened {
    Ok(Box::new(|| ()))
}

fn builder() -> Builder {
    Appender::builder().filename_prefix(PREFIX).rotation(Rotation::DAILY).on_error(|error| panic!("{error}"))
}

fn layer(directory: &Path) -> Opened {
    install(builder().build(directory)?.layer())?;
    Ok(Box::new(|| ()))
}

fn buffered(directory: &Path) -> Opened {
    let logs = builder().buffered(Buffering::default()).build(directory)?;
    install(logs.layer())?;
    Ok(Box::new(move || logs.flush().expect("the file takes the lines")))
}

fn rolling(directory: &Path) -> Opened {
    install(through_fmt(tracing_appender::rolling::daily(directory, PREFIX)))?;
    Ok(Box::new(|| ()))
}

fn queue(directory: &Path) -> Opened {
    let file = tracing_appender::rolling::daily(directory, PREFIX);
    let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(file);
    install(through_fmt(writer))?;
    Ok(Box::new(move || drop(guard)))
}

fn through_fmt(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> impl Layer<Registry> + Send + Sync {
    fmt::layer().with_ansi(false).with_writer(writer)
}

fn install(layer: impl Layer<Registry> + Send + Sync + 'static) -> Result<(), Box<dyn Error>> {
    Ok(Registry::default().with(layer).with(LevelFilter::INFO).try_init()?)
}
