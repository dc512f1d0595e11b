//! `tracing_appender::rolling` under the same load, to show what it loses.

use std::io::{self, Write};
use std::path::Path;

use tracing::Dispatch;
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::prefork::{Setup, event};
use harness::line::Way;
use harness::pattern::Unit;
use harness::writer::{Text, Writer};

/// The peer, with the layer that its users put on top.
#[derive(Debug)]
pub struct Peer {
    appender: std::sync::Arc<RollingFileAppender>,
    layer: Dispatch,
}

/// Hands out the peer's own writers; it is not `Clone` itself.
struct Shared(std::sync::Arc<RollingFileAppender>);

impl<'a> MakeWriter<'a> for Shared {
    type Writer = <RollingFileAppender as MakeWriter<'a>>::Writer;

    fn make_writer(&'a self) -> Self::Writer {
        self.0.make_writer()
    }
}

impl Peer {
    /// Builds the peer on `directory`.
    ///
    /// # Errors
    ///
    /// Those of its builder.
    pub fn build(directory: &Path, setup: &Setup) -> Result<Self, InitError> {
        let mut builder = RollingFileAppender::builder()
            .rotation(match setup.pattern.unit {
                Unit::Never => Rotation::NEVER,
                // It knows no shorter period; see the speed of the clock for how a run gets many.
                Unit::Secondly | Unit::Minutely => Rotation::MINUTELY,
                Unit::Hourly => Rotation::HOURLY,
                Unit::Daily | Unit::Monthly => Rotation::DAILY,
                Unit::Weekly => Rotation::WEEKLY,
            })
            .filename_prefix(&setup.pattern.prefix)
            .filename_suffix(&setup.pattern.suffix);
        if let Some(count) = setup.max_log_files {
            builder = builder.max_log_files(count);
        }
        if let Some(name) = setup.latest_symlink {
            builder = builder.latest_symlink(name);
        }
        let appender = std::sync::Arc::new(builder.build(directory)?);
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Shared(appender.clone()));
        let layer = Dispatch::new(tracing_subscriber::registry().with(layer));
        Ok(Self { appender, layer })
    }
}

impl Writer for Peer {
    fn put(&self, _: Way, text: Text<'_>) -> io::Result<()> {
        match text {
            // The layer swallows the answer; what it took counts as acknowledged.
            Text::Message(message) => {
                event(&self.layer, message);
                Ok(())
            }
            Text::Line(line) => self.appender.make_writer().write_all(line),
        }
    }
}
