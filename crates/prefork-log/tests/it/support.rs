//! Log directories for the tests, and the program that reads them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;
use tracing_prefork::{Appender, Compression, Rotation};

/// 2026-11-21T08:00:00Z.
pub(crate) const START: u64 = 1_795_248_000;

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_prefork-log"))
}

/// A log directory with hourly files.
pub(crate) struct Logs {
    pub(crate) home: TempDir,
}

impl Logs {
    /// With the hidden records of these prefixes, each perhaps with a tag behind a dot, and no files.
    pub(crate) fn of(prefixes: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        for prefix in prefixes {
            let (prefix, tag) = prefix.split_once('.').map_or((*prefix, None), |(prefix, tag)| (prefix, Some(tag)));
            let hourly = Appender::builder().rotation(Rotation::HOURLY).filename_prefix(prefix);
            let hourly = match tag {
                Some(tag) => hourly.tag(tag),
                None => hourly,
            };
            let hourly = hourly.filename_suffix("log").max_file_bytes(1 << 30).compress(Compression::Gzip);
            let hourly = hourly.clock(|| UNIX_EPOCH + Duration::from_secs(START - 7 * 3600));
            drop(hourly.build(home.path()).expect("built"));
        }
        let logs = Self { home };
        for (name, _) in logs.files() {
            fs::remove_file(logs.path().join(name)).expect("removed");
        }
        logs
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// The names and sizes of the files that are not hidden.
    pub(crate) fn files(&self) -> Vec<(String, u64)> {
        let entries = fs::read_dir(self.path()).expect("readable").map(|entry| entry.expect("readable"));
        let mut files: Vec<_> = entries
            .map(|entry| (entry.file_name().into_string().expect("UTF-8"), entry.metadata().expect("there").len()))
            .filter(|(name, _)| !name.starts_with('.'))
            .collect();
        files.sort();
        files
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    pub(crate) fn append(&self, name: &str, bytes: &[u8]) {
        let file = fs::OpenOptions::new().append(true).create(true).open(self.path().join(name));
        file.expect("opened").write_all(bytes).expect("written");
    }

    /// What `prefork-log COMMAND DIRECTORY ...` does.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Output {
        program().arg(command).arg(self.path()).args(arguments).output().expect("it starts")
    }

    /// What it prints, if nothing is wrong.
    pub(crate) fn cat(&self, arguments: &[&str]) -> String {
        let ended = self.run("cat", arguments);
        assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
        text(ended.stdout)
    }
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// `2026-11-21T08:00:00.000000Z`, so many microseconds after [`START`].
pub(crate) fn stamp(micros: u64) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (8 + seconds / 3600, seconds / 60 % 60, seconds % 60);
    assert!(hour < 24, "a time of that day");
    format!("2026-11-21T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// One member of an archive.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("written");
    encoder.finish().expect("written")
}

pub(crate) fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(text, 3).expect("written")
}
