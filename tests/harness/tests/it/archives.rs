//! Numbered files, archives, first lines and temporary names, as the checker reads them.

use super::checker::{Desk, START, compressed, numbered};
use super::limits::limits;
use harness::checker::{Demands, Keeps, first_line};
use harness::limited::Limits;
use harness::pattern::Archive;
use std::fs::{self};

#[test]
fn numbered_files_and_archives_are_read_in_their_order() {
    for archive in [None, Some(Archive::Gzip), Some(Archive::Zstd)] {
        let desk = Desk::new(1);
        let texts = desk.number(archive);
        let counts = desk.check_archives(archive);
        assert_eq!((counts.lines, counts.files, counts.wrong()), (60, 4, 0), "{counts}");
        assert_eq!(counts.archives, if archive.is_some() { 3 } else { 0 });
        assert_eq!(counts.largest, texts.iter().map(Vec::len).max().unwrap() as u64);
        // Where nobody asked for such names, they do not belong there.
        let counts = desk.check(None);
        assert_eq!(counts.other, 3 + u64::from(archive.is_some()), "{counts}");
    }
    let desk = Desk::new(1);
    desk.append(&numbered("01.1.log"), &desk.lines(10));
    desk.append(&numbered("01.log"), &desk.lines(10));
    let counts = desk.check_archives(None);
    assert_eq!((counts.out_of_order, counts.wrong()), (10, 10), "{counts}");
}

#[test]
fn an_archive_of_several_members_is_read_to_its_end() {
    for kind in [Archive::Gzip, Archive::Zstd] {
        let desk = Desk::new(1);
        desk.number(Some(kind));
        let name = numbered(&format!("01.2.log{}", kind.ending()));
        desk.append(&name, &compressed(kind, &desk.lines(7)));
        let counts = desk.check_archives(Some(kind));
        assert_eq!((counts.lines, counts.members, counts.wrong()), (67, 5, 0), "{counts}");
        // A line that was glued to what the member before ends with.
        desk.append(&name, &compressed(kind, b"2026-11-21T08:33:01.12"));
        desk.append(&name, &compressed(kind, &desk.lines(1)));
        let counts = desk.check_archives(Some(kind));
        assert_eq!((counts.glued, counts.torn, counts.wrong()), (1, 1, 2), "{counts}");
    }
}

#[test]
fn an_archive_that_lacks_a_line_is_found() {
    for kind in [Archive::Gzip, Archive::Zstd] {
        let desk = Desk::new(1);
        let texts = desk.number(Some(kind));
        let mut lines: Vec<_> = texts[1].split_inclusive(|byte| *byte == b'\n').collect();
        lines.remove(7);
        desk.replace(&format!("01.1.log{}", kind.ending()), &compressed(kind, &lines.concat()));
        let counts = desk.check_archives(Some(kind));
        assert_eq!((counts.lost, counts.wrong()), (1, 1), "{counts}");
    }
}

#[test]
fn a_damaged_archive_is_found() {
    for kind in [Archive::Gzip, Archive::Zstd] {
        let damage: [fn(&mut Vec<u8>); 5] = [
            |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
            },
            // In the checksum.
            |bytes| *bytes.last_mut().unwrap() ^= 1,
            |bytes| bytes.truncate(bytes.len() - 1),
            |bytes| bytes.push(b'\n'),
            Vec::clear,
        ];
        for (number, damage) in damage.iter().enumerate() {
            let desk = Desk::new(1);
            let texts = desk.number(Some(kind));
            let mut bytes = compressed(kind, &texts[1]);
            damage(&mut bytes);
            desk.replace(&format!("01.1.log{}", kind.ending()), &bytes);
            let counts = desk.check_archives(Some(kind));
            assert!(counts.other >= 1, "{kind:?}, {number}: {counts}");
        }
    }
}

#[test]
fn a_line_in_an_archive_and_in_a_plain_file_beside_it_is_found() {
    let desk = Desk::new(1);
    let texts = desk.number(Some(Archive::Gzip));
    let line = texts[1].split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
    desk.append(&numbered("01.1.log"), line);
    let counts = desk.check_archives(Some(Archive::Gzip));
    // Besides, the plain file is one too many, and not compressed.
    assert_eq!((counts.duplicated, counts.other, counts.wrong()), (1, 2, 3), "{counts}");
    desk.remove("01.1.log");
    assert_eq!(desk.check_archives(Some(Archive::Gzip)).wrong(), 0);
    // Of the other kind.
    desk.append(&numbered("01.1.log.zst"), &compressed(Archive::Zstd, &texts[1]));
    assert_eq!(desk.check_archives(Some(Archive::Gzip)).other, 1);
}

#[test]
fn a_line_in_a_file_taken_away_and_in_its_archive_is_found() {
    // Where the plain file and its archive are: taken away in one go, or not; what was done; whether a process was
    // killed.
    let cases = [
        (false, "moved", false, 1),
        (false, "moved", true, 0),
        (false, "deleted", false, 1),
        (true, "moved", false, 1),
        (true, "moved", true, 0),
        (true, "deleted", false, 0),
    ];
    for (both, deed, kills, duplicated) in cases {
        let desk = Desk::new(1);
        let texts = desk.number(Some(Archive::Gzip));
        let (plain, archive) = (numbered("01.1.log"), numbered("01.1.log.gz"));
        let line = texts[1].split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
        let room = desk.home.path().join("attic/1");
        fs::create_dir_all(&room).unwrap();
        fs::write(room.join(&plain), line).unwrap();
        if both {
            fs::rename(desk.logs().join(&archive), room.join(&archive)).unwrap();
        }
        fs::write(desk.home.path().join("journal"), format!("{deed} {} 1\n", START + 1_000_000_000)).unwrap();
        let demands = Demands { largest: Some(u64::MAX), archive: Some(Archive::Gzip), header: false };
        let counts = desk.check_as(Keeps::Limits(Limits { kills, ..limits() }), demands);
        assert_eq!(counts.duplicated, duplicated, "{both}, {deed}, {kills}: {counts}");
        // A line that was written twice is never excused.
        fs::write(room.join(&plain), [line, line].concat()).unwrap();
        let counts = desk.check_as(Keeps::Limits(Limits { kills, ..limits() }), demands);
        assert_eq!(counts.duplicated, duplicated + 1, "{both}, {deed}, {kills}: {counts}");
    }
}

#[test]
fn a_closed_file_that_has_not_been_compressed_is_found() {
    let desk = Desk::new(1);
    desk.number(None);
    assert_eq!(desk.check_archives(None).wrong(), 0);
    let counts = desk.check_archives(Some(Archive::Gzip));
    assert_eq!((counts.other, counts.wrong()), (3, 3), "{counts}");
}

#[test]
fn a_number_that_is_missing_is_found_but_before_the_oldest_file() {
    let bytes = Keeps::Bytes(0, 0);
    for (name, all, pruned) in [("01.log", 2, 0), ("01.1.log", 2, 1), ("01.2.log", 1, 1), ("01.3.log", 0, 0)] {
        let desk = Desk::new(1);
        desk.number(None);
        desk.append(&numbered("02.log"), b"");
        desk.remove(name);
        let demands = Demands { largest: Some(u64::MAX), ..Demands::default() };
        // What is lost with the file is counted by itself.
        let gaps = |keeps| desk.check_as(keeps, demands).other;
        assert_eq!(gaps(Keeps::All), u64::from(all > 0), "{name}");
        let too_large = 1;
        assert_eq!(gaps(bytes) - too_large, pruned, "{name}");
    }
    // Only the oldest period may begin behind its first file.
    let desk = Desk::new(1);
    desk.number(None);
    desk.append(&numbered("02.1.log"), b"");
    assert_eq!(
        desk.check_as(Keeps::Bytes(u64::MAX, 0), Demands { largest: Some(1 << 20), ..Demands::default() }).other,
        1
    );
}

#[test]
fn a_file_that_is_too_large_is_found_also_in_an_archive() {
    for archive in [None, Some(Archive::Gzip), Some(Archive::Zstd)] {
        let desk = Desk::new(1);
        let texts = desk.number(archive);
        let longest = texts.iter().map(Vec::len).max().unwrap() as u64;
        let count = texts.iter().filter(|text| text.len() as u64 == longest).count() as u64;
        let check = |largest| desk.check_as(Keeps::All, Demands { largest: Some(largest), archive, header: false });
        assert_eq!(check(longest).wrong(), 0);
        assert_eq!(check(longest - 1).other, count);
    }
}

#[test]
fn a_first_line_that_is_missing_wrong_or_there_twice_is_found() {
    let (right, other) = (first_line(START / 1_000_000_000), first_line(START / 1_000_000_000 + 1));
    let cases = [
        (format!("{right}LINES"), 0),
        (right.clone(), 0),
        ("LINES".to_owned(), 1),
        (String::new(), 1),
        (format!("{right}{right}LINES"), 1),
        (format!("{right}LINES{right}"), 1),
        // Not at the beginning, and so not there.
        (format!("LINES{right}"), 2),
        (format!("{other}LINES"), 1),
        // A piece of it.
        (right[..right.len() - 4].to_owned(), 1),
    ];
    for (text, wrong) in cases {
        for archive in [None, Some(Archive::Gzip)] {
            let desk = Desk::new(1);
            let lines = if text.contains("LINES") { desk.lines(20) } else { Vec::new() };
            let text = text.replace("LINES", &String::from_utf8(lines).unwrap());
            match archive {
                None => desk.append(&numbered("01.log"), text.as_bytes()),
                // Each member was a file.
                Some(kind) => {
                    let late = format!("{right}{}", String::from_utf8(desk.lines(3)).unwrap());
                    let members = [compressed(kind, text.as_bytes()), compressed(kind, late.as_bytes())];
                    desk.append(&numbered("01.log.gz"), &members.concat());
                }
            }
            let counts = desk.check_as(Keeps::All, Demands { largest: None, archive, header: true });
            assert_eq!(counts.other, wrong, "{text:?}: {counts}");
        }
    }
}

#[test]
fn a_temporary_name_that_was_left_is_found() {
    let desk = Desk::new(1);
    desk.number(Some(Archive::Gzip));
    for name in [".app.2026-11-21-08-33-01.log.gz.65a2-187a0d6ef0c4a1b2.prefork.tmp", ".app.log.1-2.prefork.tmp"] {
        desk.append(name, b"");
        assert_eq!(desk.check_archives(Some(Archive::Gzip)).other, 1);
        fs::remove_file(desk.logs().join(name)).unwrap();
    }
    for name in ["app.2026-11-21-08-33-01.0.log", "app.2026-11-21-08-33-01.04.log", "app.2026-11-21-08-33-01.log.1"] {
        desk.append(name, b"");
        // Three archives where there are to be none, and what comes after these.
        assert_eq!(desk.check_archives(None).other, 3 + 1 + 1, "{name}");
        fs::remove_file(desk.logs().join(name)).unwrap();
    }
}
