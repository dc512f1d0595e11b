//! What must be in the log files, whatever their form. Findings come as text, so that the checks can be checked.

use crate::client::Journal;
use crate::{End, Example};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

/// The log files by name, which is also their order in time.
pub(crate) type Files = BTreeMap<String, String>;

const LATEST: &str = "latest.log";

/// All files of a directory that the server writes, of one kind. Hidden ones and the link are not logs.
pub(crate) fn files(directory: &Path, suffix: &str) -> Files {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| (entry.file_name().into_string().expect("a name in UTF-8"), entry.path()))
        .filter(|(name, _)| !name.starts_with('.') && name != LATEST)
        .filter(|(name, _)| {
            assert!(name.ends_with(".log") || name.ends_with(".json"), "{name} is no log file");
            name.ends_with(suffix)
        })
        .map(|(name, path)| (name, fs::read_to_string(path).expect("text")))
        .collect()
}

/// Where the link points.
pub(crate) fn latest(directory: &Path) -> Option<String> {
    fs::read_link(directory.join(LATEST)).ok()?.into_os_string().into_string().ok()
}

/// A line, taken apart.
#[derive(Debug)]
pub(crate) struct Line {
    /// The timestamp as it stands in the line.
    pub(crate) stamp: String,
    /// The pid of the process that serves; none for the parent.
    pub(crate) process: Option<i32>,
    pub(crate) event: Event,
}

#[derive(Debug)]
pub(crate) enum Event {
    Request {
        id: String,
        /// `method="GET" path="/" status=200`.
        fields: String,
    },
    /// Any other event: its message, and `status=` with that field's value if there is one.
    Other(String),
}

/// The pieces of lines that cannot be read, and the lines that can, in the order of the files. `read` reads a line.
///
/// A line that is in a file of another second is an error, and so is a colour.
pub(crate) fn lines(files: &Files, read: impl Fn(&str) -> Option<Line>) -> Result<(Vec<String>, Vec<Line>), String> {
    check_plain(files)?;
    let (mut fragments, mut lines) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
        for line in text.split_inclusive('\n') {
            // A piece without an end is a fragment, whatever it says.
            let Some(line) = line.strip_suffix('\n').and_then(&read) else {
                fragments.push(format!("{name}: {line}"));
                continue;
            };
            let second = line.stamp.get(..19).unwrap_or_default().replace(['T', ':'], "-");
            if *name != format!("app.{second}.{suffix}") {
                return Err(format!("{name}: misplaced: {line:?}"));
            }
            lines.push(line);
        }
    }
    Ok((fragments, lines))
}

/// No colours, neither as they are nor escaped.
pub(crate) fn check_plain(files: &Files) -> Result<(), String> {
    let is_coloured = |text: &str| ["\x1b", "\\u001b", "\\x1b"].iter().any(|escape| text.contains(escape));
    match files.iter().find(|(_, text)| is_coloured(text)) {
        None => Ok(()),
        Some((name, _)) => Err(format!("{name}: an escape sequence")),
    }
}

/// Every answered request once, with what the client knows of it; an unanswered one at most once; no other.
pub(crate) fn check_requests(lines: &[Line], journal: &Journal) -> Result<(), String> {
    let mut logged = HashSet::new();
    for line in lines {
        let Event::Request { id, fields } = &line.event else { continue };
        let request = journal.get(id).ok_or_else(|| format!("nobody sent {id}"))?;
        let route = &request.route;
        let expected = format!("method={:?} path={:?} status={}", route.method, route.path, route.status);
        if *fields != expected {
            return Err(format!("{id}: logged {fields}, sent {expected}"));
        }
        if request.process().is_some_and(|process| line.process != Some(process)) {
            return Err(format!("{id}: answered by {:?}, logged by {:?}", request.process(), line.process));
        }
        if !logged.insert(id) {
            return Err(format!("{id}: logged twice"));
        }
    }
    let lost: Vec<_> =
        journal.iter().filter(|(id, request)| request.answer.is_some() && !logged.contains(id)).collect();
    match lost.first() {
        None => Ok(()),
        Some((id, _)) => Err(format!("{} answered requests are not in the logs, {id} for one", lost.len())),
    }
}

/// The lives of the processes: each served and drained, but for a killed one; the ended ones were missed and replaced,
/// no other was; and the last word is the parent's.
pub(crate) fn check_lives(lines: &[Line], example: &Example, ended: &[i32]) -> Result<(), String> {
    let Example { process, processes, end, .. } = example;
    let told = |begin: &str| {
        let begins = |line: &&Line| matches!(&line.event, Event::Other(event) if event.starts_with(begin));
        lines.iter().filter(begins).collect::<Vec<_>>()
    };
    let pids = |begin: &str| {
        let mut pids: Vec<_> = told(begin).iter().map(|line| line.process).collect();
        pids.sort_unstable();
        pids
    };
    let started = pids(&format!("the {process} serves"));
    let drained = pids(&format!("the {process} has "));
    let killed = |pid: &Option<i32>| *end == End::Killed && pid.is_some_and(|pid| ended.contains(&pid));
    let lasting: Vec<_> = started.iter().copied().filter(|pid| !killed(pid)).collect();
    if started.len() != processes + ended.len() || started.contains(&None) || lasting != drained {
        return Err(format!("{processes} of them, ended {ended:?}: {started:?} served, {drained:?} drained"));
    }

    let missed: Vec<_> = told(&format!("a {process} has ended unasked"));
    let status = |pid: &i32| match end {
        End::Asked => format!(" status=Exited(Pid({pid}), 0)"),
        End::Killed => format!(" status=Signaled(Pid({pid}), SIGKILL, false)"),
    };
    let is_of = |line: &Line, pid| matches!(&line.event, Event::Other(event) if event.ends_with(&status(pid)));
    if missed.len() != ended.len() || !missed.iter().zip(ended).all(|(line, pid)| is_of(line, pid)) {
        return Err(format!("ended {ended:?}, but missed {missed:?}"));
    }
    match lines.last() {
        Some(Line { process: None, event: Event::Other(event), .. }) if *event == example.last_words() => Ok(()),
        last => Err(format!("the parent's last line is not the last: {last:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, check_requests};
    use crate::client::{Journal, Request, Route};
    use crate::{End, Example, json, text};

    const EXAMPLE: Example = Example {
        name: "server",
        program: "",
        process: "worker",
        processes: 1,
        end: End::Asked,
        json_and_console: true,
    };

    fn line(second: u8, id: &str) -> String {
        format!(
            "2026-11-21T08:33:{second:02}.123456Z  INFO worker{{n=1 pid=77}}: server: \
             request method=\"GET\" path=\"/\" status=200 latency_us=5 request_id=\"{id}\"\n"
        )
    }

    fn json_line(second: u8, id: &str) -> String {
        format!(
            "{{\"timestamp\":\"2026-11-21T08:33:{second:02}.123456Z\",\"level\":\"INFO\",\"fields\":\
             {{\"message\":\"request\",\"method\":\"GET\",\"path\":\"/\",\"status\":200,\"latency_us\":5,\
             \"request_id\":\"{id}\"}},\"target\":\"server\",\"span\":{{\"n\":1,\"pid\":77,\"name\":\"worker\"}},\
             \"spans\":[{{\"n\":1,\"pid\":77,\"name\":\"worker\"}}]}}\n"
        )
    }

    fn checked(suffix: &str, text: String) -> Result<(), String> {
        let answer = Some("worker 1, pid 77\n".to_owned());
        let answered = |id: &str| (id.to_owned(), Request { route: Route::PROCESS, answer: answer.clone() });
        let broken = ("c".to_owned(), Request { route: Route::PROCESS, answer: None });
        let journal = Journal::from([answered("a"), answered("b"), broken]);
        let files = Files::from([(format!("app.2026-11-21-08-33-01.{suffix}"), text)]);
        let read = if suffix == "json" { json::lines } else { text::lines };
        let (fragments, lines) = read(&EXAMPLE, &files)?;
        check_requests(&lines, &journal)?;
        if fragments.is_empty() { Ok(()) } else { Err(format!("fragments: {fragments:?}")) }
    }

    #[test]
    fn the_check_lets_the_unanswered_line_be_there_or_not() {
        for (suffix, line) in [("log", line as fn(u8, &str) -> String), ("json", json_line)] {
            assert_eq!(checked(suffix, line(1, "a") + &line(1, "b")), Ok(()));
            assert_eq!(checked(suffix, line(1, "a") + &line(1, "c") + &line(1, "b")), Ok(()));
        }
    }

    #[test]
    fn the_check_finds_lost_doubled_torn_misplaced_or_foreign_lines() {
        for (suffix, line) in [("log", line as fn(u8, &str) -> String), ("json", json_line)] {
            let finds = |text: String, finding: &str| {
                let found = checked(suffix, text).expect_err(finding);
                assert!(found.contains(finding), "{finding} expected: {found}");
            };
            let (a, b, c) = (line(1, "a"), line(1, "b"), line(1, "c"));
            finds(a.clone(), "not in the logs, b");
            finds(format!("{a}{b}{a}"), "a: logged twice");
            finds(format!("{a}{b}{c}{c}"), "c: logged twice");
            finds(format!("{a}{}{b}", &c[..40]), "not in the logs, b");
            finds(format!("{a}{}\n{b}", &c[..40]), "fragments");
            finds(format!("{a}{b}{}", &c[..40]), "fragments");
            finds(format!("{a}{b}{}", c.trim_end()), "fragments");
            finds(format!("{a}\n{b}"), "fragments");
            finds(format!("{a}{}", line(2, "b")), "misplaced");
            finds(format!("{a}{b}{}", line(1, "d")), "nobody sent d");
            finds(format!("{a}{}", b.replace("200", "500")), "b: logged");
            finds(format!("{a}{}", b.replace("77", "78")), "b: answered by");
            finds(format!("{a}{}", b.replace("77", "\x1b[3m77")), "an escape sequence");
            finds(format!("{a}{}", b.replace("GET", "\\u001b[3mGET")), "an escape sequence");
            finds(format!("{a}{}", b.replace("server", "other")), "not in the logs, b");
        }
    }
}
