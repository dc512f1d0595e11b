//! What is in the files afterwards: the two events of each request, and lines that are none.

use crate::lines::Found;
use std::error::Error;
use std::fs;
use std::path::Path;

/// The ends of the lines of a request. The second one begins with the first text and ends with the second one.
const STARTED: &str = "started processing request";
const FINISHED: (&str, &str) = (": finished processing request latency=", " status=200");

/// Events of a request.
pub(crate) const EVENTS: u64 = 2;

/// Looks for the events of all requests that each process has counted.
pub(crate) fn find(directory: &Path, requests: &[u64]) -> Result<Found, Box<dyn Error>> {
    let mut search = Search::new(requests);
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Hidden files are the loggers' own.
        if entry.file_type()?.is_file() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            search.read(&fs::read(entry.path())?);
        }
    }
    Ok(search.found())
}

struct Search {
    /// A byte for each request of each process, with a bit for each event that was found.
    seen: Vec<Vec<u8>>,
    repeated: u64,
    torn: u64,
}

impl Search {
    fn new(requests: &[u64]) -> Self {
        Self { seen: requests.iter().map(|count| vec![0; *count as usize]).collect(), repeated: 0, torn: 0 }
    }

    fn read(&mut self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event = std::str::from_utf8(line).ok().and_then(event_of);
            let place =
                event.and_then(|(process, number, event)| Some((self.seen.get_mut(process)?.get_mut(number)?, event)));
            match place {
                Some((seen, event)) if *seen & event == 0 => *seen |= event,
                Some(_) => self.repeated += 1,
                None => self.torn += 1,
            }
        }
    }

    fn found(&self) -> Found {
        let seen = self.seen.iter().flatten();
        let lost = seen.map(|events| EVENTS - u64::from(events.count_ones())).sum();
        Found { lost, repeated: self.repeated, torn: self.torn }
    }
}

/// The number of the process, the number of the request, and the bit of the event. `None`: the line is no event, or
/// more than one.
fn event_of(line: &str) -> Option<(usize, usize, u8)> {
    let (before, rest) = line.split_once(" request{process=")?;
    let (process, rest) = rest.split_once(" number=")?;
    let (number, rest) = rest.split_once(' ')?;
    let is_alone = before.ends_with(" INFO") && !rest.contains("request{process=");
    let event = if rest.ends_with(STARTED) {
        1
    } else if rest.contains(FINISHED.0) && rest.ends_with(FINISHED.1) {
        2
    } else {
        return None;
    };
    is_alone.then_some((process.parse().ok()?, number.parse().ok()?, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(process: usize, number: usize, event: &str) -> String {
        let span = format!("request{{process={process} number={number} method=GET path=\"/\"}}");
        format!("2026-11-21T08:33:01.123456Z  INFO {span}: tower_http::trace: {event}\n")
    }

    fn lines() -> [String; 4] {
        let finished = "finished processing request latency=0 ms status=200";
        [line(0, 0, STARTED), line(0, 0, finished), line(1, 0, finished), line(1, 0, STARTED)]
    }

    fn found(lines: &[String]) -> Found {
        let mut search = Search::new(&[1, 1]);
        search.read(lines.concat().as_bytes());
        search.found()
    }

    #[test]
    fn each_fault_of_the_files_is_counted() {
        let lines = lines();
        assert_eq!(found(&lines), Found::default());
        assert_eq!(found(&lines[1..]), Found { lost: 1, ..Found::default() });
        assert_eq!(found(&[&lines[..], &lines[3..]].concat()), Found { repeated: 1, ..Found::default() });
        let of_nobody = [&lines[..], &[line(2, 0, STARTED), line(0, 1, STARTED)]].concat();
        assert_eq!(found(&of_nobody), Found { torn: 2, ..Found::default() });
        let glued = [&[lines[0].trim_end().to_owned()], &lines[1..]].concat();
        assert_eq!(found(&glued), Found { lost: 2, torn: 1, ..Found::default() });
        let cut = [&lines[..3], &[lines[3][..90].to_owned()]].concat();
        assert_eq!(found(&cut), Found { lost: 1, torn: 1, ..Found::default() });
    }

    #[test]
    fn an_answer_that_is_not_200_is_no_event() {
        let lines = lines().map(|line| line.replace("200", "500"));
        assert_eq!(found(&lines), Found { lost: 2, torn: 2, ..Found::default() });
    }
}
