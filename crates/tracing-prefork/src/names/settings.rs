//! The settings of a process: the options that all processes of a pattern should have alike, as a text.
//!
//! ```text
//! tracing-prefork settings 1
//! rotation daily
//! zone UTC
//! max_log_files 14
//! end
//! ```
//!
//! An option that is left out has no line. So a later version may add options: a process that does not know an option
//! finds a line for it only where somebody has set the option.

use crate::names::hidden::hash;
use crate::sys::{CELL_BYTES, Holder, TextInUse};
use std::collections::BTreeMap;

const FIRST_LINE: &str = "tracing-prefork settings 1\n";
/// A text without this line was not written to its end.
const LAST_LINE: &str = "\nend\n";
/// A value with more bytes is cut, and gets its hash.
const LONGEST: usize = 100;
/// A report names so many of the values that others have for one option.
const NAMED: usize = 3;
/// A report names so many options. Another program could write any number of them.
const OPTIONS: usize = 30;

/// An option, and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) option: &'static str,
    /// `None`: it is left out.
    pub(crate) value: Option<String>,
    /// What follows if another process has another value.
    pub(crate) effect: &'static str,
}

/// The settings of this process, and their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedSettings {
    all: Vec<Setting>,
    text: String,
}

impl SharedSettings {
    pub(crate) fn new(mut all: Vec<Setting>) -> Self {
        for value in all.iter_mut().filter_map(|setting| setting.value.as_mut()) {
            *value = one_line(value);
        }
        let line = |setting: &Setting| setting.value.as_ref().map(|value| format!("{} {value}", setting.option));
        let lines: Vec<String> = all.iter().filter_map(line).collect();
        let text = format!("{FIRST_LINE}{}{LAST_LINE}", lines.join("\n"));
        Self { all, text }
    }

    /// `None`: the text is longer than a cell.
    pub(crate) fn text(&self) -> Option<&[u8]> {
        Some(self.text.as_bytes()).filter(|text| text.len() <= CELL_BYTES)
    }

    /// Whether another process has the same settings.
    pub(crate) fn are_those_of(&self, other: &Other) -> bool {
        matches!(&other.values, Some(values) if self.differences(values).next().is_none())
    }

    /// The options that differ, with all values, and what follows from that.
    pub(crate) fn compare_with(&self, others: &[Other]) -> String {
        let readable = || others.iter().filter_map(|other| Some((other, other.values.as_ref()?)));
        let mut options: Vec<&str> = readable().flat_map(|(_, values)| self.differences(values)).collect();
        options.sort_by_key(|option| self.all.iter().position(|own| own.option == *option).unwrap_or(self.all.len()));
        options.dedup();
        options.truncate(OPTIONS);
        let describe = |option: &str| {
            let own = self.all.iter().find(|own| own.option == option);
            let here = own.map_or(UNKNOWN, |own| own.value.as_deref().unwrap_or(UNSET));
            let mut there: Vec<String> = Vec::new();
            for (other, values) in readable() {
                let value = values.get(option).map_or(UNSET, String::as_str);
                if value != here && !there.iter().any(|known| known.starts_with(&format!("{value} in "))) {
                    there.push(format!("{value} in {}", other.name()));
                }
            }
            let more = there.len().saturating_sub(NAMED);
            there.truncate(NAMED);
            let more = if more > 0 { format!(", and {more} other values") } else { String::new() };
            let effect = own.map_or(String::new(), |own| format!(" ({})", own.effect));
            format!("{option} is {here} here, {}{more}{effect}", there.join(", "))
        };
        let mut parts: Vec<String> = options.into_iter().map(describe).collect();
        if let Some(other) = others.iter().find(|other| other.values.is_none()) {
            parts.push(format!("{} has options that this version of tracing-prefork cannot read", other.name()));
        }
        parts.join("; ")
    }

    fn differences<'a>(&'a self, others: &'a BTreeMap<String, String>) -> impl Iterator<Item = &'a str> {
        let own = self.all.iter().filter(|own| own.value.as_ref() != others.get(own.option)).map(|own| own.option);
        let is_unknown = |option: &&str| self.all.iter().all(|own| own.option != *option);
        own.chain(others.keys().map(String::as_str).filter(is_unknown))
    }
}

const UNSET: &str = "not set";
const UNKNOWN: &str = "unknown";

/// The settings of another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// `None`: nobody can read them, or they are those of a version that has another form.
    values: Option<BTreeMap<String, String>>,
    user: Holder,
    /// Tells these settings from those of a third process.
    pub(crate) hash: u32,
}

impl Other {
    pub(crate) fn new(found: &TextInUse) -> Self {
        let text = std::str::from_utf8(&found.bytes).ok().or_else(|| valid(&found.bytes)).unwrap_or_default();
        let whole = text.find(LAST_LINE).map(|end| &text[..end]);
        let lines = whole.and_then(|whole| whole.strip_prefix(FIRST_LINE));
        let pair = |line: &str| line.split_once(' ').map(|(option, value)| (one_line(option), one_line(value)));
        let values = lines.map(|lines| lines.lines().filter_map(pair).collect());
        Self { values, user: found.user, hash: hash(whole.unwrap_or(text)).max(1) }
    }

    fn name(&self) -> String {
        match self.user {
            Holder::Process(_) => self.user.to_string(),
            _ => "another appender".to_owned(),
        }
    }
}

/// The text before the first byte that is not UTF-8. A later text may have cut an earlier, longer one anywhere.
fn valid(bytes: &[u8]) -> Option<&str> {
    let end = std::str::from_utf8(bytes).err()?.valid_up_to();
    std::str::from_utf8(&bytes[..end]).ok()
}

/// A value as it stands in a line and in a report.
fn one_line(value: &str) -> String {
    let clean: String = value.chars().map(|character| if character.is_control() { '?' } else { character }).collect();
    if clean.len() <= LONGEST {
        return clean;
    }
    let cut = (0..=LONGEST - 20).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
    format!("{}... ({:08x})", &clean[..cut], hash(value))
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(values: &[(&'static str, Option<&str>)]) -> SharedSettings {
        let setting = |&(option, value): &(&'static str, Option<&str>)| Setting {
            option,
            value: value.map(str::to_owned),
            effect: "the lower one wins",
        };
        SharedSettings::new(values.iter().map(setting).collect())
    }

    fn other(bytes: &[u8]) -> Other {
        Other::new(&TextInUse { bytes: bytes.to_owned(), user: Holder::Process(4711) })
    }

    fn of(values: &[(&'static str, Option<&str>)]) -> Other {
        other(settings(values).text().expect("short"))
    }

    #[test]
    fn each_option_that_differs_is_named_with_both_values() {
        let own = settings(&[("rotation", Some("daily")), ("max_log_files", Some("14")), ("compress", None)]);
        let same = of(&[("rotation", Some("daily")), ("max_log_files", Some("14"))]);
        assert!(own.are_those_of(&same));
        let others = [of(&[("rotation", Some("daily")), ("max_log_files", Some("30")), ("compress", Some("Gzip"))])];
        assert!(!own.are_those_of(&others[0]));
        assert_eq!(
            own.compare_with(&others),
            "max_log_files is 14 here, 30 in process 4711 (the lower one wins); compress is not set here, Gzip in \
             process 4711 (the lower one wins)"
        );
    }

    #[test]
    fn an_option_of_a_later_version_is_named_where_it_is_set() {
        let own = settings(&[("rotation", Some("daily"))]);
        let others = [of(&[("rotation", Some("daily")), ("keep_uncompressed", Some("3"))])];
        assert_eq!(own.compare_with(&others), "keep_uncompressed is unknown here, 3 in process 4711");
        let later = [other(b"tracing-prefork settings 2\nall new\nend\n")];
        assert!(!own.are_those_of(&later[0]));
        assert!(own.compare_with(&later).contains("process 4711 has options that this version"));
    }

    #[test]
    fn many_values_of_others_are_counted_and_long_ones_cut() {
        let own = settings(&[("max_total_bytes", Some("1"))]);
        let values: Vec<String> = (2..20).map(|value| value.to_string()).collect();
        let others: Vec<_> = values.iter().map(|value| of(&[("max_total_bytes", Some(value))])).collect();
        let text = own.compare_with(&others);
        assert!(
            text.contains("1 here, 2 in process 4711, 3 in process 4711, 4 in process 4711, and 15 other"),
            "{text}"
        );
        let (long, longer) = ("x".repeat(5000), "x".repeat(5001));
        let own = settings(&[("latest_symlink", Some(&long))]);
        assert!(own.text().is_some_and(|text| text.len() < 300));
        assert!(own.are_those_of(&of(&[("latest_symlink", Some(&long))])));
        assert!(!own.are_those_of(&of(&[("latest_symlink", Some(&longer))])));
    }

    #[test]
    fn what_an_earlier_text_has_left_behind_does_not_count() {
        let own = settings(&[("max_log_files", Some("14"))]);
        let mut cell = vec![b'\xe4'; CELL_BYTES];
        cell[100..4000].fill(b'\n');
        let text = own.text().expect("short");
        cell[..text.len()].copy_from_slice(text);
        assert!(own.are_those_of(&other(&cell)));
        // The end is missing: nobody has written the text to its end.
        assert!(!own.are_those_of(&other(&text[..text.len() - 2])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..CELL_BYTES)) {
            let own = settings(&[("max_log_files", Some("14"))]);
            let text = own.compare_with(&[other(&bytes)]);
            prop_assert!(!text.is_empty() && text.chars().all(|character| !character.is_control()));
        }

        #[test]
        fn any_lines_make_one_short_line_of_a_report(
            lines in "(\\PC{0,40} \\PC{0,300}\n){0,9}",
            end in "\nend\n|end\n|",
        ) {
            let own = settings(&[("max_log_files", Some("14"))]);
            let text = own.compare_with(&[other(format!("{FIRST_LINE}{lines}{end}").as_bytes())]);
            prop_assert!(text.len() < 4000 && text.chars().all(|character| !character.is_control()));
        }

        #[test]
        fn a_text_is_read_back_as_it_was_set(values in proptest::collection::vec(proptest::option::of(".{0,200}"), 5)) {
            let options = ["rotation", "zone", "max_log_files", "latest_symlink", "header"];
            let values: Vec<_> = options.into_iter().zip(values.iter().map(Option::as_deref)).collect();
            let own = settings(&values);
            let text = own.text().expect("short");
            prop_assert!(own.are_those_of(&other(text)));
            let others = of(&[("rotation", Some("something else"))]);
            prop_assert!(!own.are_those_of(&others));
        }
    }
}
