//! Peers that know nothing of `tracing`.

use crate::events::{Global, Records};
use crate::loggers::{Files, Open, Opened};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Larger than any file of a measurement.
const NO_LIMIT: u64 = 1 << 40;

pub(crate) fn flexi(files: Files<'_>) -> Opened {
    use flexi_logger::{Age, Cleanup, Criterion, FileSpec, LogSpecification, Logger, Naming, WriteMode};
    let file = FileSpec::default().directory(files.directory).basename("app").suppress_timestamp();
    let mut logger = Logger::with(LogSpecification::info()).log_to_file(file).append();
    let criterion = match files.limit {
        Some(limit) => Some(Criterion::Size(limit)),
        None => files.each_second.then_some(Criterion::Age(Age::Second)),
    };
    if let Some(criterion) = criterion {
        logger = logger.rotate(criterion, Naming::Numbers, Cleanup::KeepLogFiles(files.kept));
    }
    let (log, handle) = logger.format(flexi_logger::detailed_format).write_mode(WriteMode::Direct).build()?;
    Ok(Box::new(Records { log, flush: move || handle.flush() }))
}

pub(crate) fn log4rs(files: Files<'_>) -> Opened {
    use log4rs::append::rolling_file::RollingFileAppender;
    use log4rs::append::rolling_file::policy::compound::CompoundPolicy;
    use log4rs::append::rolling_file::policy::compound::roll::fixed_window::FixedWindowRoller;
    use log4rs::append::rolling_file::policy::compound::trigger::Trigger;
    use log4rs::append::rolling_file::policy::compound::trigger::size::SizeTrigger;
    use log4rs::append::rolling_file::policy::compound::trigger::time::{
        TimeTrigger, TimeTriggerConfig, TimeTriggerInterval,
    };
    use log4rs::config::{Appender, Config, Root};
    let old = files.directory.join("app.{}.log");
    // The window is as large as a run needs: each file of it is renamed at each rollover.
    let window = files.kept.min(1000) as u32;
    let roller = FixedWindowRoller::builder().build(old.to_str().ok_or("a directory in UTF-8")?, window)?;
    let trigger: Box<dyn Trigger> = if files.each_second {
        let interval = TimeTriggerInterval::Second(1);
        Box::new(TimeTrigger::new(TimeTriggerConfig { interval, modulate: false, max_random_delay: 0 }))
    } else {
        Box::new(SizeTrigger::new(files.limit.unwrap_or(NO_LIMIT)))
    };
    let policy = CompoundPolicy::new(trigger, Box::new(roller));
    let file = RollingFileAppender::builder().build(files.directory.join("app.log"), Box::new(policy))?;
    let config = Config::builder()
        .appender(Appender::builder().build("file", Box::new(file)))
        .build(Root::builder().appender("file").build(log::LevelFilter::Info))?;
    Ok(Box::new(Records { log: Box::new(log4rs::Logger::new(config)), flush: || () }))
}

pub(crate) fn logforth(files: Files<'_>) -> Opened {
    use logforth::append::file::FileBuilder;
    use logforth::layout::TextLayout;
    let mut file = FileBuilder::new(files.directory, "app").filename_suffix("log");
    if let Some(limit) = files.limit.and_then(|limit| NonZeroUsize::new(limit as usize)) {
        file = file.rollover_size(limit).max_log_files(NonZeroUsize::new(files.kept).ok_or("more than none")?);
    }
    let file = file.layout(TextLayout::default().no_color()).build()?;
    logforth::starter_log::builder().dispatch(|dispatch| dispatch.append(file)).try_apply()?;
    Ok(Box::new(Records { log: Box::new(Global), flush: || log::logger().flush() }))
}

struct Spdlog(spdlog::Logger);

impl Open for Spdlog {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        for number in numbers {
            spdlog::info!(logger: self.0, "answered", kv: { writer, number });
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

pub(crate) fn spdlog(files: Files<'_>) -> Opened {
    use spdlog::sink::{FileSink, RotatingFileSink, RotationPolicy, Sink};
    let path = files.directory.join("app.log");
    let sink: Arc<dyn Sink> = match files.limit {
        Some(limit) => {
            let policy = RotationPolicy::FileSize(limit);
            Arc::new(RotatingFileSink::builder().base_path(path).rotation_policy(policy).max_files(files.kept).build()?)
        }
        None => Arc::new(FileSink::builder().path(path).build()?),
    };
    let mut logger = spdlog::Logger::builder();
    logger.sink(sink).flush_level_filter(spdlog::LevelFilter::All);
    Ok(Box::new(Spdlog(logger.build()?)))
}

pub(crate) fn ftlog(files: Files<'_>) -> Opened {
    use ftlog::appender::FileAppender;
    let file = FileAppender::builder().path(files.directory.join("app.log")).build();
    // A full queue blocks: nothing is dropped.
    let guard = ftlog::builder().root(file).bounded(100_000, true).try_init()?;
    let flush = move || {
        let _ = &guard;
        log::logger().flush();
    };
    Ok(Box::new(Records { log: Box::new(Global), flush }))
}

pub(crate) fn fast_log(files: Files<'_>) -> Opened {
    use fast_log::consts::LogSize;
    use fast_log::plugin::file_split::{DateType, KeepType, Rolling, RollingType};
    use fast_log::plugin::packer::LogPacker;
    let path = files.directory.join("app.log");
    let path = path.to_str().ok_or("a directory in UTF-8")?;
    let config = fast_log::Config::new().chan_len(Some(100_000)).level(log::LevelFilter::Info);
    let rolling = match files.limit {
        Some(limit) => Some(RollingType::BySize(LogSize::B(limit as usize))),
        None => files.each_second.then_some(RollingType::ByDate(DateType::Sec)),
    };
    let config = match rolling {
        Some(rolling) => config.file_split(path, Rolling::new(rolling), KeepType::All, LogPacker {}),
        None => config.file(path),
    };
    fast_log::init(config)?;
    Ok(Box::new(Records { log: Box::new(Global), flush: || log::logger().flush() }))
}

struct LowLatency(std::sync::Mutex<Option<low_latency_log::LoggerGuard>>);

impl Open for LowLatency {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        for number in numbers {
            low_latency_log::info!("answered writer={} number={}", writer, number);
        }
    }

    /// Its flush does not wait. Its end does, and comes once.
    fn flush(&self) {
        drop(self.0.lock().map(|mut guard| guard.take()));
    }

    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn low_latency(files: Files<'_>) -> Opened {
    let limit = low_latency_log::RollingCondition::new().max_size(files.limit.unwrap_or(NO_LIMIT));
    let directory = files.directory.to_str().ok_or("a directory in UTF-8")?.to_owned();
    let logger = low_latency_log::Logger::new(limit, directory, "app.log".to_owned()).max_files(files.kept);
    Ok(Box::new(LowLatency(std::sync::Mutex::new(Some(logger.init()?)))))
}

struct Emit(emit::setup::Init<'static, emit_file::FileSet>);

impl Open for Emit {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        for number in numbers {
            emit::info!("answered", writer, number);
        }
    }

    fn flush(&self) {
        assert!(self.0.blocking_flush(Duration::from_secs(60)), "emit_file takes more than a minute");
    }
}

pub(crate) fn emit_file(files: Files<'_>) -> Opened {
    let limit = files.limit.unwrap_or(NO_LIMIT) as usize;
    let set = emit_file::set(files.directory.join("app.log")).max_file_size_bytes(limit).max_files(files.kept);
    Ok(Box::new(Emit(emit::setup().emit_to(set.spawn()).init())))
}
