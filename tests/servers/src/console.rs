//! What the server says on standard error.

use crate::Example;

/// Checks that the events are there, with colours or without.
pub(crate) fn check(stderr: &str, example: &Example, colours: bool) -> Result<(), String> {
    let requests = stderr.lines().filter(|line| line.contains("request")).count();
    let last = stderr.lines().last().unwrap_or_default();
    if requests == 0 || !last.contains(&example.last_words()) {
        return Err(format!("{requests} requests on the console, and in the end {last:?}"));
    }
    match stderr.contains('\x1b') {
        coloured if coloured == colours => Ok(()),
        _ => Err(format!("colours on the console are to be there: {colours}, found: {last:?}")),
    }
}
