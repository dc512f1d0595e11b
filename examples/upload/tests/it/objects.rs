//! What is in a bucket, compared with what was logged.

use crate::program::Place;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The objects of a bucket, by name.
pub(crate) fn objects(bucket: &Path) -> BTreeMap<String, PathBuf> {
    fn below(folder: &Path, above: &str, found: &mut BTreeMap<String, PathBuf>) {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a name").to_str().expect("UTF-8");
            if path.is_dir() {
                below(&path, &format!("{above}{name}/"), found);
            } else {
                found.insert(format!("{above}{name}"), path.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    below(bucket, "", &mut found);
    found
}

/// The log files, without hidden ones.
pub(crate) fn log_files(logs: &Path) -> BTreeMap<String, PathBuf> {
    let files = fs::read_dir(logs).expect("readable").map(|entry| entry.expect("readable").path());
    let named = files.map(|path| (path.file_name().expect("a name").to_str().expect("UTF-8").to_owned(), path));
    named.filter(|(name, _)| !name.starts_with('.')).collect()
}

/// The periods that have a log file. A file and its archive stand together for a moment.
pub(crate) fn periods(logs: &Path) -> BTreeSet<String> {
    if !logs.exists() {
        return BTreeSet::new();
    }
    let plain = |name: &String| name.trim_end_matches(".gz").trim_end_matches(".zst").to_owned();
    log_files(logs).keys().map(plain).collect()
}

/// What `check` has found.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) files: usize,
    pub(crate) lines: usize,
    pub(crate) fragments: usize,
}

/// Each file is in the bucket once, byte for byte, and nothing else is. In the files each event stands once.
pub(crate) fn check(place: &Place, bucket: &Path) -> Figures {
    let objects = objects(bucket);
    let files = log_files(&place.logs);
    let by_file: BTreeMap<_, _> =
        objects.iter().map(|(name, path)| (name.rsplit('/').next().expect("a name").to_owned(), path)).collect();
    assert_eq!(by_file.len(), objects.len(), "two objects of one name: {:?}", objects.keys());
    assert!(by_file.keys().eq(files.keys()), "objects {:?}, files {:?}", by_file.keys(), files.keys());
    for (name, file) in &files {
        let (file, object) = (fs::read(file).expect("readable"), fs::read(by_file[name]).expect("readable"));
        assert!(file == object, "{name} has {} bytes here and {} in the bucket", file.len(), object.len());
    }
    let (lines, fragments) = check_lines(place, objects.values());
    Figures { files: files.len(), lines, fragments }
}

/// Each event that a worker has logged stands once in the objects. Returns the numbers of lines and of fragments.
pub(crate) fn check_lines<'a>(place: &Place, objects: impl Iterator<Item = &'a PathBuf>) -> (usize, usize) {
    let mut seen: BTreeMap<i32, BTreeSet<u64>> = BTreeMap::new();
    let (mut lines, mut fragments) = (0, 0);
    for object in objects {
        for line in unpack(object).lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                fragments += 1;
                continue;
            };
            let (worker, number) =
                (event["worker"].as_i64().expect("a pid"), event["event"].as_u64().expect("a number"));
            let is_new = seen.entry(worker.try_into().expect("a pid")).or_default().insert(number);
            assert!(is_new, "event {number} of worker {worker} is there twice");
            lines += 1;
        }
    }
    for (worker, logged) in place.workers() {
        let numbers = seen.remove(&worker).unwrap_or_default();
        let last = numbers.last().copied().unwrap_or_default();
        // A worker may be killed between an event and the note of it.
        assert!((logged..=logged + 1).contains(&last), "worker {worker} has logged {logged} events, {last} are there");
        assert_eq!(numbers.len() as u64, last, "events of worker {worker} are missing");
    }
    assert!(seen.is_empty(), "lines of workers that nobody knows: {:?}", seen.keys());
    (lines, fragments)
}

fn unpack(object: &Path) -> String {
    let program = match object.extension().and_then(|suffix| suffix.to_str()) {
        Some("gz") => "gzip",
        Some("zst") => "zstd",
        _ => return fs::read_to_string(object).expect("readable"),
    };
    let output = Command::new(program).arg("-dc").arg(object).output().expect("it is installed");
    assert!(output.status.success(), "{}: {}", object.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
