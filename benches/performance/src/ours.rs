//! The floor, and tracing-prefork.

use crate::events::Events;
use crate::loggers::{Files, Open, Opened};
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::Write;
use std::ops::Range;
use tracing_prefork::{Appender, Buffering, BuildError, Builder, Rotation};

/// `write(2)`, and nothing else: the line is put together before.
struct Floor(File);

impl Open for Floor {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        for number in numbers {
            let mut line = [0; 128];
            let mut rest = &mut line[..];
            let written = writeln!(
                rest,
                "2026-11-21T08:33:01.123456Z  INFO performance::events: answered writer={writer} number={number}"
            );
            let length = 128 - rest.len();
            written.and_then(|()| (&self.0).write_all(&line[..length])).expect("the file takes the line");
        }
    }

    fn flush(&self) {}
}

pub(crate) fn floor(files: Files<'_>) -> Opened {
    let file = OpenOptions::new().append(true).create(true).open(files.directory.join("app.log"))?;
    Ok(Box::new(Floor(file)))
}

struct Nothing;

impl Open for Nothing {
    fn log(&self, writer: u64, numbers: Range<u64>) {
        black_box((writer, numbers));
    }

    fn flush(&self) {}
}

pub(crate) fn nothing(_: Files<'_>) -> Opened {
    Ok(Box::new(Nothing))
}

fn builder(files: Files<'_>) -> Builder {
    let builder = Appender::builder().filename_prefix("app.log").on_error(|error| panic!("{error}"));
    let builder = match files.limit {
        Some(limit) => builder.max_file_bytes(limit).max_log_files(files.kept),
        None => builder,
    };
    if files.each_second { builder.rotation(Rotation::SECONDLY) } else { builder }
}

fn open(builder: Builder, files: Files<'_>) -> Result<Appender, BuildError> {
    builder.build(files.directory)
}

pub(crate) fn layer(files: Files<'_>) -> Opened {
    Ok(Box::new(Events::of(open(builder(files), files)?.layer(), || ())))
}

pub(crate) fn through_fmt(files: Files<'_>) -> Opened {
    let logs = open(builder(files), files)?;
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(logs.timer()).with_writer(logs);
    Ok(Box::new(Events::of(layer, || ())))
}

pub(crate) fn json(files: Files<'_>) -> Opened {
    Ok(Box::new(Events::of(open(builder(files), files)?.layer().json(), || ())))
}

pub(crate) fn locked(files: Files<'_>) -> Opened {
    Ok(Box::new(Events::of(open(builder(files).lock_writes(true), files)?.layer(), || ())))
}

pub(crate) fn buffered(files: Files<'_>) -> Opened {
    buffered_by(Buffering::default(), files)
}

/// No file system writes that memory back.
pub(crate) fn buffered_in_memory(files: Files<'_>) -> Opened {
    buffered_by(Buffering::default().ring_directory("/dev/shm"), files)
}

fn buffered_by(buffering: Buffering, files: Files<'_>) -> Opened {
    let logs = open(builder(files).buffered(buffering), files)?;
    Ok(Box::new(Events::of(logs.layer(), move || logs.flush().expect("the file takes the lines"))))
}
