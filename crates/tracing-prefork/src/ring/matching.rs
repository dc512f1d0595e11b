//! How much of some lines a file has already.

/// What a file has of some lines, from a place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    /// So many bytes of the lines are in the file, and need not be written again.
    pub(crate) bytes: usize,
    /// The file ends there, perhaps in the middle of a line.
    pub(crate) is_at_end: bool,
}

/// Compares `lines` with what a file has from the place on where they were about to be appended.
///
/// As a rule that is the beginning of the lines, or nothing: whoever takes the write lock next finishes them. Where
/// others have written without the lock, the lines may begin later, and a piece of a line in the middle of the file
/// counts as not written: nobody can go on with it.
pub(crate) fn matched(file: &[u8], lines: &[u8]) -> Matched {
    let common = |from: usize| file[from..].iter().zip(lines).take_while(|(one, other)| one == other).count();
    let first = lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |newline| newline + 1);
    let begins = (0..file.len()).filter(|&from| from == 0 || file[from - 1] == b'\n');
    for from in begins {
        let bytes = common(from);
        let is_at_end = from + bytes == file.len();
        if bytes == 0 || bytes < first && !is_at_end {
            continue;
        }
        if bytes == lines.len() || is_at_end {
            return Matched { bytes, is_at_end };
        }
        let whole = lines[..bytes].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        return Matched { bytes: whole, is_at_end: false };
    }
    Matched { bytes: 0, is_at_end: file.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::{Matched, matched};

    #[test]
    fn what_a_file_has_of_some_lines() {
        let lines = b"one\ntwo\nthree\n";
        let table: [(&str, usize, bool); 12] = [
            ("", 0, true),
            ("o", 1, true),
            ("one\n", 4, true),
            ("one\ntw", 6, true),
            ("one\ntwo\nthree\n", 14, true),
            ("one\ntwo\nthree\nother\n", 14, false),
            ("one\ntwother\n", 4, false),
            ("one\nother\n", 4, false),
            ("other\n", 0, false),
            ("other\none\ntw", 6, true),
            ("other\none\ntwo\nthree\nother\n", 14, false),
            ("onother\none\ntwo\n", 8, true),
        ];
        for (file, bytes, is_at_end) in table {
            assert_eq!(matched(file.as_bytes(), lines), Matched { bytes, is_at_end }, "{file:?}");
        }
    }

    /// All texts of these letters up to this length.
    fn texts(most: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut begin = 0;
        for _ in 0..most {
            let end = all.len();
            for index in begin..end {
                all.extend([b'a', b'b', b'\n'].map(|letter| [&all[index][..], &[letter]].concat()));
            }
            begin = end;
        }
        all
    }

    #[test]
    fn what_counts_as_written_is_in_the_file() {
        let all = texts(6);
        for lines in all.iter().filter(|lines| lines.len() <= 5 && lines.ends_with(b"\n")) {
            for file in &all {
                let Matched { bytes, is_at_end } = matched(file, lines);
                let begins = (0..=file.len()).filter(|&from| from == 0 || file[from - 1] == b'\n');
                let is_there = |from: usize| file[from..].starts_with(&lines[..bytes]);
                let ends = |from: usize| from + bytes == file.len();
                let found = begins.filter(|&from| is_there(from)).any(|from| !is_at_end || ends(from));
                assert!(found || bytes == 0, "{file:?} {lines:?} {bytes}");
                // A piece of a line counts only if the rest of it can come behind.
                assert!(is_at_end || bytes == 0 || lines[bytes - 1] == b'\n', "{file:?} {lines:?} {bytes}");
                // Whatever is at the beginning of the file alone is the process's own write.
                if lines.starts_with(file) {
                    assert_eq!((bytes, is_at_end), (file.len(), true), "{file:?} {lines:?}");
                }
                if file.starts_with(lines) {
                    assert_eq!(bytes, lines.len(), "{file:?} {lines:?}");
                }
            }
        }
    }
}
