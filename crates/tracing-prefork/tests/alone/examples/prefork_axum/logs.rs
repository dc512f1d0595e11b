//! What must be in the log files, line by line. Findings come as text, so that the checks can be checked.

use super::client::Journal;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

/// The log files by name, which is also their order in time.
pub(crate) type Files = BTreeMap<String, String>;

/// All files of a directory that the server writes. Hidden ones and the link are not logs, anything else is.
pub(crate) fn files(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| (entry.file_name().into_string().expect("a name in UTF-8"), entry.path()))
        .filter(|(name, _)| !name.starts_with('.') && name != LATEST)
        .map(|(name, path)| (name, fs::read_to_string(path).expect("text")))
        .collect()
}

const LATEST: &str = "latest.log";

/// Where the link points.
pub(crate) fn latest(directory: &Path) -> Option<String> {
    fs::read_link(directory.join(LATEST)).ok()?.into_os_string().into_string().ok()
}

/// A line, taken apart.
struct Line<'a> {
    /// The worker's pid; none for the parent.
    worker: Option<i32>,
    /// The message and its fields.
    event: &'a str,
}

/// Reads a line such as `2026-11-21T08:33:01.123456Z  INFO worker{n=1 pid=77}: prefork_axum: the worker serves`.
fn read<'a>(file: &str, line: &'a str) -> Result<Line<'a>, String> {
    let read = || {
        let (stamp, rest) = line.split_at_checked(27)?;
        let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let (level, rest) = rest.split_at_checked(7)?;
        if shape != "0000-00-00T00:00:00.000000Z" || !["  INFO ", "  WARN "].contains(&level) {
            return None;
        }
        let Some(span) = rest.strip_prefix("worker{n=") else {
            return Some((stamp, Line { worker: None, event: rest.strip_prefix("prefork_axum: ")? }));
        };
        let (number, rest) = span.split_once(" pid=")?;
        let (pid, event) = rest.split_once("}: prefork_axum: ")?;
        number.parse::<u16>().ok()?;
        Some((stamp, Line { worker: Some(pid.parse().ok()?), event }))
    };
    let (stamp, line) = read().ok_or_else(|| format!("{file}: damaged: {line}"))?;
    let named = format!("app.{}.log", stamp[..19].replace(['T', ':'], "-"));
    if named == file { Ok(line) } else { Err(format!("{file}: misplaced, of {stamp}: {}", line.event)) }
}

/// All lines in the order of the files, each whole and in its place.
fn lines(files: &Files) -> Result<Vec<Line<'_>>, String> {
    let mut lines = Vec::new();
    for (name, text) in files {
        let text = text.strip_suffix('\n').ok_or_else(|| format!("{name}: does not end with a whole line"))?;
        for line in text.split('\n') {
            lines.push(read(name, line)?);
        }
    }
    Ok(lines)
}

/// Every answered request once, with what the client knows of it; an unanswered one at most once; no other.
pub(crate) fn check_requests(files: &Files, journal: &Journal) -> Result<(), String> {
    let mut logged = HashSet::new();
    for line in lines(files)? {
        let Some(fields) = line.event.strip_prefix("request ") else { continue };
        let damaged = || format!("damaged: {fields}");
        let (fields, id) = fields.split_once(" request_id=\"").ok_or_else(damaged)?;
        let id = id.strip_suffix('"').ok_or_else(damaged)?;
        let (fields, latency) = fields.split_once(" latency_us=").ok_or_else(damaged)?;
        latency.parse::<u64>().map_err(|_| damaged())?;

        let request = journal.get(id).ok_or_else(|| format!("nobody sent {id}"))?;
        let route = &request.route;
        let expected = format!("method={:?} path={:?} status={}", route.method, route.path, route.status);
        if fields != expected {
            return Err(format!("{id}: logged {fields}, sent {expected}"));
        }
        if request.worker().is_some_and(|worker| line.worker != Some(worker)) {
            return Err(format!("{id}: answered by {:?}, logged by {:?}", request.worker(), line.worker));
        }
        if !logged.insert(id) {
            return Err(format!("{id}: logged twice"));
        }
    }
    let lost: Vec<_> =
        journal.iter().filter(|(id, request)| request.answer.is_some() && !logged.contains(id.as_str())).collect();
    match lost.first() {
        None => Ok(()),
        Some((id, _)) => Err(format!("{} answered requests are not in the logs, {id} for one", lost.len())),
    }
}

/// The workers that have begun to serve, in that order. Fit for a server that still writes: it looks at nothing else.
pub(crate) fn started_workers(files: &Files) -> Vec<i32> {
    let lines = files.values().flat_map(|text| text.lines());
    lines
        .filter_map(|line| line.strip_suffix("}: prefork_axum: the worker serves"))
        .filter_map(|line| line.rsplit_once(" pid=")?.1.parse().ok())
        .collect()
}

/// The lives of the processes: each worker served and drained, the killed ones were missed and replaced, no other was,
/// and the last word is the parent's.
pub(crate) fn check_lives(files: &Files, workers: usize, killed: &[i32]) -> Result<(), String> {
    let lines = lines(files)?;
    let of = |event: &str| {
        let mut pids: Vec<_> = lines.iter().filter(|line| line.event == event).map(|line| line.worker).collect();
        pids.sort_unstable();
        pids
    };
    let started = of("the worker serves");
    let drained = of("the worker has answered all its requests");
    if started.len() != workers + killed.len() || started.contains(&None) || started != drained {
        return Err(format!("{workers} workers, killed {killed:?}: {started:?} served, {drained:?} drained"));
    }

    let missed: Vec<_> =
        lines.iter().filter_map(|line| line.event.strip_prefix("a worker has ended unasked")).collect();
    let ends: Vec<_> = killed.iter().map(|pid| format!(" status=Exited(Pid({pid}), 0)")).collect();
    if missed.len() != ends.len() || !missed.iter().zip(&ends).all(|(missed, end)| missed.ends_with(end)) {
        return Err(format!("killed {killed:?}, but missed {missed:?}"));
    }
    match lines.last() {
        Some(Line { worker: None, event: "all workers have ended" }) => Ok(()),
        _ => Err("the parent's last line is not the last".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::{Journal, Request, Route};
    use super::{Files, check_requests};

    const FILE: &str = "app.2026-11-21-08-33-01.log";

    fn line(second: u8, id: &str) -> String {
        format!(
            "2026-11-21T08:33:{second:02}.123456Z  INFO worker{{n=1 pid=77}}: prefork_axum: \
             request method=\"GET\" path=\"/\" status=200 latency_us=5 request_id=\"{id}\"\n"
        )
    }

    fn checked(text: String) -> Result<(), String> {
        let answer = Some("worker 1, pid 77\n".to_owned());
        let answered = |id: &str| (id.to_owned(), Request { route: Route::WORKER, answer: answer.clone() });
        let broken = ("c".to_owned(), Request { route: Route::WORKER, answer: None });
        let journal = Journal::from([answered("a"), answered("b"), broken]);
        check_requests(&Files::from([(FILE.to_owned(), text)]), &journal)
    }

    #[test]
    fn the_check_lets_the_unanswered_line_be_there_or_not() {
        assert_eq!(checked(line(1, "a") + &line(1, "b")), Ok(()));
        assert_eq!(checked(line(1, "a") + &line(1, "c") + &line(1, "b")), Ok(()));
    }

    #[test]
    fn the_check_finds_lost_doubled_torn_misplaced_or_foreign_lines() {
        let finds = |text: String, finding: &str| {
            let found = checked(text).expect_err(finding);
            assert!(found.contains(finding), "{finding} expected: {found}");
        };
        let (a, b) = (line(1, "a"), line(1, "b"));
        finds(a.clone(), "not in the logs, b");
        finds(format!("{a}{b}{a}"), "a: logged twice");
        finds(format!("{a}{b}{0}{0}", line(1, "c")), "c: logged twice");
        finds(format!("{a}{}{b}", &b[..40]), "damaged");
        finds(format!("{a}{b}{}", &b[..40]), "does not end with a whole line");
        finds(format!("{a}\n{b}"), "damaged");
        finds(format!("{a}{}", line(2, "b")), "misplaced");
        finds(format!("{a}{b}{}", line(1, "d")), "nobody sent d");
        finds(format!("{a}{}", b.replace("200", "500")), "b: logged");
        finds(format!("{a}{}", b.replace("77", "78")), "b: answered by");
    }
}
