//! Which characters are not printed as they are: in a message, in a quoted text, in JSON.

use crate::format::line::Line;
use std::fmt::{self, Write};

/// Appends a message. A character that could give a terminal an order is printed as its code, such as `\x1b`.
#[inline]
pub(super) fn push_message(line: &mut Line, text: &str) {
    if any(text.as_bytes(), |word| beyond_ascii(word) | below(word, b' ')) {
        push_suspicious(line, text);
    } else {
        line.push(text);
    }
}

/// A [`Line`] for values whose text is a message.
pub(super) struct Message<'a>(pub(super) &'a mut Line);

impl Write for Message<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_message(self.0, text);
        Ok(())
    }
}

#[inline(never)]
fn push_suspicious(line: &mut Line, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(|letter| matches!(letter, '\x1b' | '\x07' | '\x08' | '\x0c' | '\x7f'..='\u{9f}')) {
        let (plain, tail) = rest.split_at(at);
        line.push(plain);
        let mut letters = tail.chars();
        match letters.next() {
            Some(letter @ '\u{80}'..) => drop(write!(line, "\\u{{{:x}}}", u32::from(letter))),
            Some(letter) => drop(write!(line, "\\x{:02x}", u32::from(letter))),
            None => {}
        }
        rest = letters.as_str();
    }
    line.push(rest);
}

/// Appends a text in quotes, as `{:?}` prints it.
#[inline]
pub(super) fn push_quoted(line: &mut Line, text: &str) {
    let is_special = |word| beyond_ascii(word) | below(word, b' ') | equal(word, b'"') | equal(word, b'\\');
    if any(text.as_bytes(), is_special) {
        let _ = write!(line, "{text:?}");
    } else {
        line.push("\"");
        line.push(text);
        line.push("\"");
    }
}

/// Appends the inside of a JSON string.
#[inline]
pub(super) fn push_json(line: &mut Line, text: &str) {
    if any(text.as_bytes(), |word| below(word, b' ') | equal(word, b'"') | equal(word, b'\\')) {
        push_special_json(line, text);
    } else {
        line.push(text);
    }
}

/// A [`Line`] for values that are printed in a JSON string.
pub(super) struct JsonText<'a>(pub(super) &'a mut Line);

impl Write for JsonText<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_json(self.0, text);
        Ok(())
    }
}

#[inline(never)]
fn push_special_json(line: &mut Line, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, 0..b' ' | b'"' | b'\\')) {
        // A byte of ASCII is a whole character.
        let (plain, tail) = rest.split_at(at);
        line.push(plain);
        match tail.as_bytes().first() {
            Some(b'"') => line.push("\\\""),
            Some(b'\\') => line.push("\\\\"),
            Some(b'\n') => line.push("\\n"),
            Some(b'\r') => line.push("\\r"),
            Some(b'\t') => line.push("\\t"),
            Some(b'\x08') => line.push("\\b"),
            Some(b'\x0c') => line.push("\\f"),
            other => drop(write!(line, "\\u{:04x}", other.copied().unwrap_or_default())),
        }
        rest = &tail[1..];
    }
    line.push(rest);
}

/// Whether a byte of the text is special. `special` looks at eight bytes at a time.
#[inline(always)]
fn any(text: &[u8], special: impl Fn(u64) -> u64) -> bool {
    let mut found = 0;
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        found |= special(u64::from_le_bytes(*word));
        rest = behind;
    }
    if !rest.is_empty() {
        found |= special(last_word(text, rest));
    }
    found != 0
}

/// The `rest` of a text, as a word that has no other bytes than those of the text.
#[inline(always)]
fn last_word(text: &[u8], rest: &[u8]) -> u64 {
    if let Some(word) = text.last_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    let [first, middle, last] = [rest[0], rest[rest.len() / 2], rest[rest.len() - 1]];
    u64::from_le_bytes([first, middle, last, last, last, last, last, last])
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Not 0 if a byte of the word is below `least`, which is 128 at most.
#[inline(always)]
fn below(word: u64, least: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(least)) & !word & HIGH
}

/// Not 0 if a byte of the word is `byte`.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// Not 0 if a byte of the word is 127 or more.
#[inline(always)]
fn beyond_ascii(word: u64) -> u64 {
    (word.wrapping_add(ONES) | word) & HIGH
}

#[cfg(test)]
mod tests {
    use super::{push_json, push_message, push_quoted};
    use crate::format::line::Line;

    fn printed(push: fn(&mut Line, &str), text: &str) -> String {
        let mut line = Line::new();
        push(&mut line, text);
        line.text().to_owned()
    }

    /// A special character is found wherever it stands, in a text of any length.
    #[test]
    fn each_character_is_found_at_each_place() {
        for letter in ('\0'..='\u{ff}').chain(['\u{301}', '\u{200b}', '\u{1f980}']) {
            for length in 0..20 {
                for place in 0..=length {
                    let text = format!("{}{letter}{}", "a".repeat(place), "~ ".repeat(length - place));
                    assert_eq!(printed(push_quoted, &text), format!("{text:?}"), "{text:?}");
                    let json = format!("\"{}\"", printed(push_json, &text));
                    assert_eq!(Some(json), serde_json::to_string(&text).ok(), "{text:?}");
                    let is_order = matches!(u32::from(letter), 0x1b | 7 | 8 | 0xc | 0x7f..0xa0);
                    assert_eq!(printed(push_message, &text) != text, is_order, "{text:?}");
                }
            }
        }
    }
}
