//! What is in the files afterwards: which events, and which lines are none.

use regex::bytes::Regex;
use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a measurement has left in its directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Events that are nowhere.
    pub(crate) lost: u64,
    /// Events that are there twice or more.
    pub(crate) repeated: u64,
    /// Lines that are no event, or more than one.
    pub(crate) torn: u64,
}

/// The log files of a directory: how many, and how many bytes they have together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

pub(crate) fn size(directory: &Path) -> io::Result<Size> {
    let mut size = Size::default();
    for path in files(directory)? {
        let bytes = path.metadata()?.len();
        size = Size { files: size.files + u64::from(bytes > 0), bytes: size.bytes + bytes };
    }
    Ok(size)
}

/// Hidden files are the loggers' own. A link leads to a file that is read by its own name.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names: Vec<_> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    names.retain(|path| path.is_file() && !path.is_symlink() && !is_hidden(path));
    names.sort();
    Ok(names)
}

/// Looks for the events of so many writers, each with the numbers below `events`.
pub(crate) fn find(directory: &Path, writers: u64, events: u64) -> Result<Found, Box<dyn Error>> {
    let mut search = Search::new()?;
    for path in files(directory)? {
        search.read(&fs::read(path)?);
    }
    Ok(search.found(writers, events))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

struct Search {
    event: Regex,
    seen: HashSet<(u64, u64)>,
    repeated: u64,
    torn: u64,
}

impl Search {
    fn new() -> Result<Self, regex::Error> {
        // `answered writer=1 number=2`, `"message":"answered","writer":1,"number":2`, `"number":2,"writer":1`
        let number = r#""?[:=] ?(\d+)\b"#;
        let event =
            format!(r#"answered\b(?:.*?\bwriter{number}.*?\bnumber{number}|.*?\bnumber{number}.*?\bwriter{number})"#);
        Ok(Self { event: Regex::new(&event)?, seen: HashSet::new(), repeated: 0, torn: 0 })
    }

    fn read(&mut self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match self.event_of(line) {
                Some(event) if self.seen.insert(event) => {}
                Some(_) => self.repeated += 1,
                None => self.torn += 1,
            }
        }
    }

    fn event_of(&self, line: &[u8]) -> Option<(u64, u64)> {
        let mut events = self.event.captures_iter(line);
        let event = events.next()?;
        let number = |at: usize| std::str::from_utf8(event.get(at)?.as_bytes()).ok()?.parse::<u64>().ok();
        let found = match (number(1), number(2)) {
            (Some(writer), Some(number)) => (writer, number),
            _ => (number(4)?, number(3)?),
        };
        events.next().is_none().then_some(found)
    }

    fn found(&self, writers: u64, events: u64) -> Found {
        let expected = self.seen.iter().filter(|(writer, number)| *writer < writers && *number < events).count() as u64;
        Found {
            lost: writers * events - expected,
            repeated: self.repeated,
            torn: self.torn + self.seen.len() as u64 - expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        let mut search = Search::new().expect("a pattern");
        search.read(text.as_bytes());
        search.found(2, 2)
    }

    #[test]
    fn events_are_found_in_each_format() {
        let text = "2026-11-21T08:33:01Z  INFO a: answered writer=0 number=0\n\
                    {\"message\":\"answered\",\"writer\":0,\"number\":1}\n\
                    [INFO] answered { writer=1, number=0 }\n\
                    {\"msg\":\"answered\",\"number\":1,\"writer\":1}\n";
        assert_eq!(found(text), Found::default());
    }

    #[test]
    fn each_fault_is_counted() {
        let rest = "answered writer=0 number=1\nanswered writer=1 number=0\nanswered writer=1 number=1\n";
        assert_eq!(found(rest), Found { lost: 1, ..Found::default() });
        assert_eq!(found(&format!("answered writer=1 number=1\nanswered writer=0 number=0\n{rest}")).repeated, 1);
        let glued = found(&format!("answered wrianswered writer=0 number=0\n{rest}"));
        assert_eq!(glued, Found::default(), "a piece before a whole event is part of its line");
        let torn = found(&format!("answered writer=0 num\n{rest}"));
        assert_eq!(torn, Found { lost: 1, torn: 1, ..Found::default() });
        let two = found(&format!("answered writer=0 number=0 answered writer=0 number=1\n{rest}"));
        assert_eq!((two.lost, two.torn), (1, 1));
    }
}
