//! The lines of a plain log file.

use crate::Example;
use crate::logs::{self, Event, Files, Line};

/// The fragments and the lines, as [`logs::lines`] returns them.
pub(crate) fn lines(example: &Example, files: &Files) -> Result<(Vec<String>, Vec<Line>), String> {
    logs::lines(files, |line| read(example, line))
}

/// Reads a line such as `2026-11-21T08:33:01.123456Z  INFO worker{n=1 pid=77}: prefork_axum: the worker serves`.
fn read(example: &Example, line: &str) -> Option<Line> {
    let (stamp, rest) = line.split_at_checked(27)?;
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (level, rest) = rest.split_at_checked(7)?;
    if shape != "0000-00-00T00:00:00.000000Z" || !["  INFO ", "  WARN "].contains(&level) {
        return None;
    }
    let target = format!("{}: ", example.name);
    let (process, text) = match rest.strip_prefix(&format!("{}{{n=", example.process)) {
        None => (None, rest.strip_prefix(&target)?),
        Some(span) => {
            let (number, rest) = span.split_once(" pid=")?;
            number.parse::<u16>().ok()?;
            let (pid, rest) = rest.split_once("}: ")?;
            (Some(pid.parse().ok()?), rest.strip_prefix(&target)?)
        }
    };
    Some(Line { stamp: stamp.to_owned(), process, event: event(text)? })
}

/// The message and its fields, such as `request method="GET" path="/" status=200 latency_us=5 request_id="a"`.
fn event(text: &str) -> Option<Event> {
    let Some(request) = text.strip_prefix("request ") else { return Some(Event::Other(text.to_owned())) };
    let (rest, id) = request.strip_suffix('"')?.split_once(" request_id=\"")?;
    let (fields, latency) = rest.split_once(" latency_us=")?;
    latency.parse::<u64>().ok()?;
    Some(Event::Request { id: id.to_owned(), fields: fields.to_owned() })
}

/// The processes that have begun to serve, in that order. Fit for a server that still writes: it looks at nothing else.
pub(crate) fn started(example: &Example, files: &Files) -> Vec<i32> {
    let end = format!("}}: {}: the {} serves", example.name, example.process);
    let lines = files.values().flat_map(|text| text.lines());
    lines.filter_map(|line| line.strip_suffix(&end)?.rsplit_once(" pid=")?.1.parse().ok()).collect()
}
