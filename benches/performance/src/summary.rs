//! The sentences of the page that README.md has, too.

use crate::chart::number;
use crate::latency::time;
use crate::load::Measured;
use crate::page::{PEER, row_of, wrapped};
use crate::rounds::Row;
use std::error::Error;
use std::fs;
use std::path::Path;

/// What all of it comes to. README.md has the same sentences: each is found there by its begin and its end.
pub(crate) struct Summary {
    sentences: [Sentence; 2],
}

struct Sentence {
    begin: &'static str,
    middle: String,
    end: &'static str,
}

impl Sentence {
    fn text(&self) -> String {
        format!("{}{}{}", self.begin, self.middle, self.end)
    }

    /// The page with this sentence in the place of its older form.
    fn put_into(&self, page: &str) -> Option<String> {
        // One paragraph or one point of a list, as one line.
        let mut blocks: Vec<String> = Vec::new();
        let (mut is_code, mut is_new) = (false, true);
        for line in page.lines() {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            let goes_on = !is_new && !is_code && !is_fence && !line.is_empty() && !line.starts_with(['*', '|', '#']);
            match blocks.last_mut() {
                Some(block) if goes_on => *block += &format!("\n{line}"),
                _ => blocks.push(line.to_owned()),
            }
            is_new = line.is_empty() || is_fence || is_code;
        }
        let is_found = |block: &String| joined(block).contains(self.begin);
        let block = blocks.iter_mut().find(|block| is_found(block))?;
        let text = joined(block);
        let (before, rest) = text.split_once(self.begin)?;
        let (_, after) = rest.split_once(self.end)?;
        *block = wrapped(&format!("{before}{}{after}", self.text())).trim_end().to_owned();
        Some(blocks.join("\n") + "\n")
    }
}

fn joined(block: &str) -> String {
    block.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

impl Summary {
    /// From the measurements of one and two threads and of four processes, and from those beside a busy disk.
    pub(crate) fn of(thread: &[Row], threads: &[Row], processes: &[Row], busy: &[Row]) -> Result<Self, Box<dyn Error>> {
        let row = |rows, name| row_of(rows, name).ok_or_else(|| format!("no row {name}"));
        let ratio = |rows, name, to, figure: fn(&Measured) -> f64| -> Result<String, Box<dyn Error>> {
            let ratio = row(rows, name)?.ratio(row(rows, to)?, figure);
            Ok(format!("{:.2}", ratio.ok_or("a ratio is missing")?))
        };
        let (cpu, flushed) = (|it: &Measured| it.cpu, |it: &Measured| it.flushed);
        let cost = Sentence {
            begin: "On one thread, an event of `layer()` takes ",
            middle: format!(
                "{} times the processor time of a bare `write(2)` (`fmt` with tracing-appender: {} times). With two \
                 threads, this crate writes {} times as many events a second as tracing-appender, and with four \
                 processes {}",
                ratio(thread, "prefork", "write", cpu)?,
                ratio(thread, PEER, "write", cpu)?,
                ratio(threads, PEER, "prefork", flushed)?,
                ratio(processes, PEER, "prefork", flushed)?,
            ),
            end: " times as many.",
        };
        let time = |name, at| -> Result<String, Box<dyn Error>> {
            Ok(number(time(row(busy, name)?, at).ok_or("a time is missing")?))
        };
        let disk = Sentence {
            begin: "Beside a process that keeps the disk busy, 99.9 % of the calls take at most ",
            middle: format!(
                "{} us, and 99.99 % at most {} us; with `buffered`, these are {} us and {}",
                time("prefork", 2)?,
                time("prefork", 3)?,
                time("prefork-buffered", 2)?,
                time("prefork-buffered", 3)?,
            ),
            end: " us.",
        };
        Ok(Self { sentences: [cost, disk] })
    }

    /// The section of the page.
    pub(crate) fn section(&self) -> String {
        let points: String = self.sentences.iter().map(|sentence| format!("* {}\n", sentence.text())).collect();
        format!("\n## In short\n\n{points}")
    }

    /// Puts the sentences into a page that has older ones.
    pub(crate) fn update(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut page = fs::read_to_string(path)?;
        for sentence in &self.sentences {
            let missing =
                || format!("{} has no sentence from {:?} to {:?}", path.display(), sentence.begin, sentence.end);
            page = sentence.put_into(&page).ok_or_else(missing)?;
        }
        Ok(fs::write(path, page)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCE: Sentence = Sentence { begin: "It takes ", middle: String::new(), end: " us." };

    #[test]
    fn a_sentence_takes_the_place_of_its_older_form() {
        let page = "# A\n\nOne. It\ntakes 1 us. Two.\n\n```sh\nb\nc\n```\n\n* x\n* y\n  z\n\n| t |\n|---|\n";
        let sentence = Sentence { middle: "23".to_owned(), ..SENTENCE };
        let expected = page.replace("It\ntakes 1 us.", "It takes 23 us.");
        assert_eq!(sentence.put_into(page), Some(expected.clone()));
        assert_eq!(sentence.put_into(&expected), Some(expected));
    }

    #[test]
    fn a_point_of_a_list_is_wrapped_as_one() {
        let words = "w ".repeat(55);
        let page = format!("* a\n* {words}It takes 1\n  us. Two\n* b\n");
        let sentence = Sentence { middle: "23".to_owned(), ..SENTENCE };
        let expected = format!("* a\n* {words}It\n  takes 23 us. Two\n* b\n");
        assert_eq!(sentence.put_into(&page), Some(expected));
    }

    #[test]
    fn a_page_without_the_sentence_is_refused() {
        assert_eq!(SENTENCE.put_into("It takes long.\n"), None);
        assert_eq!(SENTENCE.put_into("```\nIt takes\n```\n 1 us.\n"), None);
    }
}
