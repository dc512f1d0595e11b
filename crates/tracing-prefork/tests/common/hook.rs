//! Hooks of the user's: those of `on_finished` note what they are given.

use super::{Hand, daily};
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tracing_prefork::Builder;

pub(crate) const RECORD: &str = ".app.DATE.log.d10ea686.rollover";

pub(crate) fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_str().expect("UTF-8").to_owned()
}

/// Names of files, in the order in which a hook was given them.
pub(crate) type Given = Arc<Mutex<Vec<String>>>;

pub(crate) fn given(builder: Builder) -> (Given, Builder) {
    let given = Given::default();
    let notes = given.clone();
    let builder = builder.on_finished(move |finished, _| notes.lock().expect("unpoisoned").push(name(finished)));
    (given, builder)
}

pub(crate) fn all(given: &Given) -> Vec<String> {
    given.lock().expect("unpoisoned").clone()
}

/// What the hooks of all processes were given, a line each.
pub(crate) fn note(path: &Path, text: &str) {
    let mut notes = File::options().append(true).create(true).open(path).expect("opens");
    notes.write_all(format!("{text}\n").as_bytes()).expect("noted");
}

/// Daily files. The hook notes the name of each finished file, and its size.
pub(crate) fn noting(hand: &Hand, notes: &Path) -> Builder {
    let notes = notes.to_owned();
    daily(hand).on_finished(move |finished, _| {
        let bytes = finished.metadata().expect("there").len();
        note(&notes, &format!("{} {bytes}", name(finished)));
    })
}

/// What a hook may panic with: its `Drop` panics too.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's own fault");
    }
}

/// An error of a hook, with a cause.
#[derive(Debug)]
pub(crate) struct Upload(pub(crate) io::Error);

impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upload has failed")
    }
}

impl Error for Upload {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
