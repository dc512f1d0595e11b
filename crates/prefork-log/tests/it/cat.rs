//! `prefork-log cat`: the order of lines, times, archives, limits, and what cannot be read.

use crate::support::{Logs, START, gzip, program, stamp, text, zstd};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};
use tracing_prefork::{Appender, Rotation};

/// A line of a random file.
#[derive(Clone, Debug)]
struct Line {
    /// Microseconds after the beginning of the file's hour. `None`: the line has no timestamp.
    at: Option<u64>,
    is_json: bool,
}

/// A random file: prefix, hour, number, how it is compressed, and lines.
#[derive(Clone, Debug)]
struct RandomFile {
    row: usize,
    hour: u64,
    index: u32,
    archive: usize,
    ends_with_newline: bool,
    lines: Vec<Line>,
}

/// In the order of their names.
const PREFIXES: [&str; 4] = ["app", "app.w1", "app.w2", "main"];
const HOUR: u64 = 3_600_000_000;

fn lines() -> impl Strategy<Value = Vec<Line>> {
    // Times that are often the same, and often out of order.
    let at = prop_oneof![4 => (0..20_u64).prop_map(|at| Some(at * 100_000_000)), 1 => Just(None)];
    any::<bool>()
        .prop_flat_map(move |is_json| prop::collection::vec(at.clone().prop_map(move |at| Line { at, is_json }), 0..12))
}

fn files() -> impl Strategy<Value = Vec<RandomFile>> {
    let file = (0..PREFIXES.len(), 0..3_u64, 0..2_u32, 0..4_usize, any::<bool>(), lines());
    let file = file.prop_map(|(row, hour, index, archive, ends_with_newline, lines)| RandomFile {
        row,
        hour,
        index,
        archive,
        ends_with_newline,
        lines,
    });
    prop::collection::vec(file, 1..14).prop_map(|files| {
        // One of each place.
        let places: BTreeMap<_, _> = files.into_iter().map(|file| ((file.row, file.hour, file.index), file)).collect();
        places.into_values().collect()
    })
}

impl RandomFile {
    /// The lines, each with its place in the order of time and its time. `latest`: that of the lines before these.
    fn lines(&self, latest: &mut BTreeMap<usize, u64>) -> Vec<(u64, Option<u64>, String)> {
        let begin = self.hour * HOUR;
        let latest = latest.entry(self.row).or_default();
        *latest = begin.max(*latest);
        let mut last = None;
        let lines = self.lines.iter().enumerate().map(|(number, line)| {
            let name = format!("{} {} {} {number}", PREFIXES[self.row], self.hour, self.index);
            last = line.at.map(|at| begin + at).or(last);
            *latest = line.at.map_or(0, |at| begin + at).max(*latest);
            let line = match line.at.map(|at| stamp(begin + at)) {
                Some(at) if line.is_json => format!("{{\"timestamp\":\"{at}\",\"message\":\"{name}\"}}\n"),
                Some(at) => format!("{at}  INFO {name}\n"),
                None => format!("    {name}, a further line\n"),
            };
            (*latest, Some(last.unwrap_or(begin)), line)
        });
        lines.collect()
    }

    fn write(&self, logs: &Logs) {
        let mut texts: Vec<_> = self.lines(&mut BTreeMap::new()).into_iter().map(|(_, _, line)| line).collect();
        if let Some(last) = texts.last_mut().filter(|_| !self.ends_with_newline) {
            last.pop();
        }
        let number = if self.index == 0 { String::new() } else { format!(".{}", self.index) };
        let name = format!("{}.2026-11-21-{:02}{number}.log", PREFIXES[self.row], 8 + self.hour);
        let (head, tail) = texts.split_at(texts.len() / 2);
        let (head, tail) = (head.concat(), tail.concat());
        match self.archive {
            0 => logs.write(&name, format!("{head}{tail}").as_bytes()),
            1 => logs.write(&format!("{name}.gz"), &[gzip(head.as_bytes()), gzip(tail.as_bytes())].concat()),
            2 => logs.write(&format!("{name}.zst"), &[zstd(head.as_bytes()), zstd(tail.as_bytes())].concat()),
            // Late lines have made the plain file anew.
            _ => {
                logs.write(&format!("{name}.gz"), &gzip(head.as_bytes()));
                logs.write(&name, tail.as_bytes())
            }
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_in_the_order_of_time(files in files(), since in 0..4_u64, length in 0..9_u64, last in 0..9_usize) {
        let logs = Logs::of(&PREFIXES);
        files.iter().for_each(|file| file.write(&logs));
        let mut latest = BTreeMap::new();
        let mut expected: Vec<_> = files.iter().flat_map(|file| file.lines(&mut latest)).collect();
        // It is stable: the files are in the order of their names' prefixes, periods and numbers.
        expected.sort_by_key(|(key, _, _)| *key);
        let all = |wanted: &dyn Fn(u64) -> bool| -> Vec<&str> {
            let lines = expected.iter().filter(|(_, at, _)| at.is_none_or(wanted));
            lines.map(|(_, _, line)| &**line).collect()
        };
        let lines = all(&|_| true);
        prop_assert_eq!(logs.cat(&[]), lines.concat());
        let most = last.to_string();
        prop_assert_eq!(logs.cat(&["-n", &most]), lines[lines.len().saturating_sub(last)..].concat());

        let (since, until) = (since * HOUR / 3, (since + length) * HOUR / 3);
        let (begin, end) = (stamp(since), stamp(until));
        let window = ["--since", &*begin, "--until", &*end];
        let lines = all(&|at| (since..until).contains(&at));
        prop_assert_eq!(logs.cat(&window), lines.concat());
        let last = [&window[..], &["--tail", &most]].concat();
        prop_assert_eq!(logs.cat(&last), lines[lines.len().saturating_sub(most.parse().unwrap())..].concat());
    }
}

#[test]
fn only_the_tags_and_prefixes_that_are_named_are_printed() {
    let logs = Logs::of(&["app", "app.w1", "app.w2", "app-2.w1", "main"]);
    for prefix in ["app", "app.w1", "app.w2", "app-2.w1", "main"] {
        logs.write(&format!("{prefix}.2026-11-21-08.log"), format!("{} {prefix}\n", stamp(0)).as_bytes());
    }
    let names = |arguments: &[&str]| -> Vec<String> {
        logs.cat(arguments).lines().map(|line| line.split_once(' ').expect("a name").1.to_owned()).collect()
    };
    assert_eq!(names(&[]), ["app-2.w1", "app", "app.w1", "app.w2", "main"]);
    assert_eq!(names(&["--tag", "w1"]), ["app-2.w1", "app.w1"]);
    assert_eq!(names(&["--prefix", "app"]), ["app", "app.w1", "app.w2"]);
    assert_eq!(names(&["--prefix", "app", "--tag", "w1", "--tag", "w2"]), ["app.w1", "app.w2"]);
    let options = ["--rotate", "hourly", "--prefix", "app", "--suffix", "log", "--tag", "w2"];
    assert_eq!(names(&options), ["app.w2"]);
}

/// Lines of so many bytes in all.
fn lines_of(name: &str, from: u64, step: u64, count: u64) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}  INFO {name}: number={number} {:x}", stamp(from + number * step), number * 7919);
        text
    })
}

#[test]
fn lines_that_are_longer_than_the_buffer_stay_whole() {
    let logs = Logs::of(&["app", "audit"]);
    let long = |name: &str, at: u64, length: usize| format!("{} {}\n", stamp(at), name.repeat(length));
    let (one, two) = ([long("a", 0, 1 << 20), long("b", 2, 70)], [long("c", 1, 600_000), long("d", 1, 4 << 20)]);
    logs.write("app.2026-11-21-08.log", one.concat().as_bytes());
    logs.write("audit.2026-11-21-08.log.gz", &gzip(two.concat().trim_end().as_bytes()));
    let expected = [&*one[0], &*two[0], &*two[1], &*one[1]].concat();
    assert!(logs.cat(&[]) == expected, "another order, or something is missing");
    assert!(logs.cat(&["-n", "3"]) == expected[one[0].len()..], "the last lines");
    assert_eq!(logs.cat(&["--since", &stamp(2)]), one[1]);
}

#[test]
fn a_plain_file_that_is_in_its_archive_is_printed_once() {
    let logs = Logs::of(&["app"]);
    let (early, late) = (lines_of("early", 0, 1, 3), lines_of("late", 3, 1, 3));
    // A process was killed between the two steps of compressing. The plain file is the older one.
    logs.write("app.2026-11-21-08.log", late.as_bytes());
    std::thread::sleep(std::time::Duration::from_millis(30));
    logs.write("app.2026-11-21-08.log.gz", &[gzip(early.as_bytes()), gzip(late.as_bytes())].concat());
    assert_eq!(logs.cat(&[]), format!("{early}{late}"));
    logs.append("app.2026-11-21-08.log", b"and more\n");
    assert_eq!(logs.cat(&[]), format!("{early}{late}and more\n"));
}

#[test]
fn what_can_be_read_of_a_damaged_archive_is_printed() {
    let logs = Logs::of(&["app"]);
    let text = lines_of("app", 0, 1000, 20_000);
    logs.write("app.2026-11-21-08.log", lines_of("first", 0, 1, 1).as_bytes());
    for (name, mut archive) in [("09.log.gz", gzip(text.as_bytes())), ("10.log.zst", zstd(text.as_bytes()))] {
        archive.truncate(archive.len() / 2);
        logs.write(&format!("app.2026-11-21-{name}"), &archive);
    }
    logs.write("app.2026-11-21-11.log", lines_of("last", 3 * HOUR, 1, 1).as_bytes());
    let ended = logs.run("cat", &[]);
    assert_eq!(ended.status.code(), Some(1));
    let told = text_of(&ended.stderr);
    assert!(told.contains("app.2026-11-21-09.log.gz") && told.contains("app.2026-11-21-10.log.zst"), "{told}");
    let printed = text_of(&ended.stdout);
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines.len() > 2000 && lines[0].contains("first") && lines[lines.len() - 1].contains("last"));
}

fn text_of(bytes: &[u8]) -> String {
    text(bytes.to_vec())
}

#[test]
fn cat_says_what_is_wrong_with_its_arguments() {
    let logs = Logs::of(&["app"]);
    for (arguments, told) in [
        (&["--since", "soon"][..], "cannot read the time \"soon\""),
        (&["--prefix", "other"], "--rotate daily"),
        (&["-n", "many"], "expected a number of lines, or `all`"),
        (&["--rotate", "now and then"], "now and then"),
        (&["-f", "--until", "now"], "cannot be used with"),
    ] {
        let ended = logs.run("cat", arguments);
        let text = text_of(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{text}");
        assert!(text.contains(told), "{text}");
    }
    let nowhere = program().args(["cat", "/nowhere/at/all"]).output().expect("it starts");
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text_of(&nowhere.stderr).contains("/nowhere/at/all"));
}

#[test]
fn a_directory_without_a_record_is_read_by_the_options() {
    let logs = Logs::of(&[]);
    let text = lines_of("app", 0, 1000, 3);
    logs.write("app.2026-11-21-08.log", text.as_bytes());
    logs.write("app.2026-11-21-08.1.log.zst", &zstd(text.as_bytes()));
    logs.write("other.2026-11-21-08.log", b"no");
    let options = ["--rotate", "hourly", "--prefix", "app", "--suffix", "log"];
    assert_eq!(logs.cat(&options), text.repeat(2));
}

#[test]
fn cat_ends_quietly_when_nobody_reads() {
    let logs = Logs::of(&["app", "audit"]);
    for prefix in ["app", "audit"] {
        logs.write(&format!("{prefix}.2026-11-21-08.log"), lines_of(prefix, 0, 1000, 100_000).as_bytes());
    }
    let mut child = program().arg("cat").arg(logs.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().expect("it starts");
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut told).expect("UTF-8");
    assert_eq!((child.wait().expect("it ends").code(), &*told), (Some(0), ""));
}

/// The most memory that the program has had, in KiB, and what it has printed.
fn most_memory(mut command: Command) -> (u64, usize) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut output = child.stdout.take().expect("piped");
    let (mut most, mut bytes, mut piece) = (0, 0, vec![0; 1 << 20]);
    loop {
        let read = output.read(&mut piece).expect("readable");
        if read == 0 {
            break;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = most.max(peak.map_or(0, |kib| kib.parse().expect("a number")));
        bytes += read;
    }
    assert!(child.wait().expect("it ends").success());
    (most, bytes)
}

/// 300 files of one hour, each of another tag, with half a MiB of text each.
fn many(ending: &str, pack: fn(&[u8]) -> Vec<u8>) -> (Logs, usize) {
    let names: Vec<_> = (0..300).map(|number| format!("app.{number}")).collect();
    let logs = Logs::of(&["app.0"]);
    let mut bytes = 0;
    for (number, name) in names.iter().enumerate() {
        let text = lines_of(name, number as u64, 350_000, 8_000);
        bytes += text.len();
        logs.write(&format!("{name}.2026-11-21-08.log{ending}"), &pack(text.as_bytes()));
    }
    (logs, bytes)
}

#[test]
fn many_files_of_one_period_take_less_than_64_mib() {
    for (ending, pack) in [("", <[u8]>::to_vec as fn(&[u8]) -> _), (".gz", gzip), (".zst", zstd)] {
        let (logs, bytes) = many(ending, pack);
        let mut command = program();
        command.arg("cat").arg(logs.path());
        let (most, printed) = most_memory(command);
        assert_eq!(printed, bytes);
        assert!(most < 64 << 10, "{most} KiB with {ending:?}");
        println!("{ending:?}: {most} KiB");
    }
}

#[test]
fn few_descriptors_are_enough() {
    let names: Vec<_> = (0..200).map(|number| format!("app.{number}")).collect();
    let logs = Logs::of(&["app.0"]);
    let mut expected = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let text = lines_of(name, number as u64, 150_000, 2000);
        expected.extend(text.lines().map(str::to_owned));
        match number % 3 {
            0 => logs.write(&format!("{name}.2026-11-21-08.log"), text.as_bytes()),
            1 => logs.write(&format!("{name}.2026-11-21-08.log.gz"), &gzip(text.as_bytes())),
            _ => logs.write(&format!("{name}.2026-11-21-08.log.zst"), &zstd(text.as_bytes())),
        };
    }
    expected.sort();
    let script = format!("ulimit -n 64 && exec {} cat {}", env!("CARGO_BIN_EXE_prefork-log"), logs.path().display());
    let ended = Command::new("sh").args(["-c", &script]).output().expect("it starts");
    assert!(ended.status.success(), "{}", text_of(&ended.stderr));
    assert!(text_of(&ended.stdout).lines().eq(expected.iter().map(String::as_str)), "another order");
}

#[test]
fn a_time_without_an_offset_is_in_the_zone_of_the_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let daily = Appender::builder().rotation(Rotation::DAILY).zone("+08:00".parse().expect("a zone"));
    let daily = daily.filename_prefix("app").clock(|| UNIX_EPOCH + Duration::from_secs(START));
    let logs = daily.build(directory.path()).expect("builds");
    for line in ["2026-11-21T15:59:00+08:00 early", "2026-11-21T16:01:00+08:00 late"] {
        writeln!(&logs, "{line}").expect("written");
    }
    let printed = |arguments: &[&str]| {
        let ended = program().arg("cat").arg(directory.path()).args(arguments).output().expect("it starts");
        assert!(ended.status.success());
        String::from_utf8(ended.stdout).expect("UTF-8")
    };
    assert_eq!(printed(&["--since", "2026-11-21 16:00"]), "2026-11-21T16:01:00+08:00 late\n");
    assert_eq!(printed(&["--until", "2026-11-21 16:00"]), "2026-11-21T15:59:00+08:00 early\n");
    assert_eq!(printed(&["--since", "2026-11-21 16:00", "--zone", "UTC"]), "");
}
