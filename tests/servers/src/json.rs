//! The lines of a JSON log file, as `tracing_subscriber::fmt::layer().json()` writes them.

use crate::Example;
use crate::logs::{self, Event, Files, Line};
use serde_json::Value;

/// The fragments and the lines, as [`logs::lines`] returns them.
pub(crate) fn lines(example: &Example, files: &Files) -> Result<(Vec<String>, Vec<Line>), String> {
    logs::lines(files, |line| read(example, line))
}

fn read(example: &Example, line: &str) -> Option<Line> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if line["target"] != example.name || !["INFO", "WARN"].contains(&line["level"].as_str()?) {
        return None;
    }
    let process = match &line["span"] {
        Value::Null => None,
        span if span["name"] == example.process => Some(span["pid"].as_i64()?.try_into().ok()?),
        _ => return None,
    };
    let fields = &line["fields"];
    let message = text(&fields["message"])?;
    let event = if message == "request" {
        fields["latency_us"].as_u64()?;
        let (method, path) = (text(&fields["method"])?, text(&fields["path"])?);
        let fields_as_text = format!("method={method:?} path={path:?} status={}", fields["status"].as_u64()?);
        Event::Request { id: text(&fields["request_id"])?, fields: fields_as_text }
    } else {
        let status = fields["status"].as_str().map(|status| format!(" status={status}"));
        Event::Other(message + &status.unwrap_or_default())
    };
    Some(Line { stamp: text(&line["timestamp"])?, process, event })
}
