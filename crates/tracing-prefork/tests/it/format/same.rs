//! Gives the same events to a layer of ours and to one of `fmt`, and compares the bytes.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing::subscriber::with_default;
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry};

use crate::common::{Hand, NOW};

/// Where `fmt` writes.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("unpoisoned").clone()).expect("UTF-8")
    }
}

impl Write for Kept {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// An appender of ours and a place for the lines of `fmt`.
pub(super) struct Place {
    pub(super) logs: Appender,
    pub(super) kept: Kept,
    _directory: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = Hand::at(NOW).builder().rotation(Rotation::NEVER).on_error(|_| {});
        let logs = builder.build(directory.path()).expect("builds");
        Self { logs, kept: Kept::default(), _directory: directory }
    }

    /// The lines of ours.
    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(self.logs.path()).expect("its file")
    }

    /// Plays the scene for both layers, expects the same bytes, and returns them.
    #[track_caller]
    pub(super) fn compare(
        &self,
        ours: impl Layer<Registry> + Send + Sync,
        theirs: impl Layer<Registry> + Send + Sync,
        scene: impl Fn(),
    ) -> String {
        with_default(Registry::default().with(ours), &scene);
        with_default(Registry::default().with(theirs), &scene);
        let (ours, theirs) = (without_times(&self.text()), without_times(&self.kept.text()));
        assert_eq!(ours, theirs);
        ours
    }
}

/// How long a span was entered differs: its digits are replaced by `N`.
fn without_times(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("time.busy").into_iter().chain(rest.find("time.idle")).min() {
        // In text the time follows `=`, and in JSON `":"`.
        let (head, tail) = rest.split_at(at + "time.busy".len());
        let begin = tail.find(|character: char| character.is_ascii_digit()).unwrap_or(0);
        let (between, time) = tail.split_at(begin);
        let end = time.find([' ', '"', '\n']).unwrap_or(time.len());
        let (time, after) = time.split_at(end);
        assert!(is_duration(time), "{time:?}");
        kept += head;
        kept += between;
        kept += "N";
        rest = after;
    }
    kept + rest
}

/// Three digits, or fewer if it is less than 100 ns, and a unit.
fn is_duration(text: &str) -> bool {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit() || character == '.');
    let number = &text[..text.len() - unit.len()];
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    ["ns", "µs", "ms", "s"].contains(&unit) && number.parse::<f64>().is_ok() && (1..=4).contains(&digits)
}

/// A layer of ours and one of `fmt` with the same calls play the same scene. Gives what both printed.
macro_rules! same {
    (|$layer:ident| $with:expr, $scene:expr) => {{
        let place = $crate::format::same::Place::new();
        let ours = {
            let $layer = place.logs.layer();
            $with
        };
        let theirs = {
            let layer = tracing_subscriber::fmt::layer().with_ansi(false).log_internal_errors(false);
            let $layer = layer.with_timer(place.logs.timer()).with_writer(place.kept.clone());
            $with
        };
        place.compare(ours, theirs, $scene)
    }};
}
pub(super) use same;
