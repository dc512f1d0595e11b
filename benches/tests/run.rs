//! The benchmark runs to its end and measures what it says. Times are never looked at.

use std::process::{Command, Output};

fn peer_benches(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new(env!("CARGO_BIN_EXE_peer-benches"))
        .args(arguments)
        .arg("--dir")
        .arg(directory.path())
        .output()
        .expect("the binary starts");
    let left: Vec<_> = directory.path().read_dir().expect("still there").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    output
}

fn printed(arguments: &[&str]) -> String {
    let output = peer_benches(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The first column of all rows of a table, by its title.
fn rows<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let table = text.lines().skip_while(|line| *line != title).skip(2);
    table.take_while(|line| !line.is_empty()).map(|row| row.split("  ").nth(1).unwrap_or(row)).collect()
}

#[test]
fn every_subject_is_measured_in_every_shape() {
    let text = printed(&["--rounds", "2", "--lines", "400"]);
    for shape in ["1 thread", "2 threads, one file", "2 processes, one file"] {
        assert_eq!(
            rows(&text, &format!("lines, {shape}")),
            [
                "write(2), O_APPEND",
                "pwrite(2), O_APPEND",
                "tracing_prefork, make_writer().write_all()",
                "the same, max_file_bytes(1 GiB)",
                "the same, buffered(Buffering::default())",
                "tracing_appender, make_writer().write_all()",
                "the same, non_blocking, not lossy",
            ],
            "{text}"
        );
        assert_eq!(
            rows(&text, &format!("events, {shape}")),
            [
                "fmt::layer() into io::sink()",
                "fmt::layer() into a File, O_APPEND",
                "tracing_prefork, layer()",
                "tracing_prefork, fmt::layer().with_writer()",
                "the same, buffered(Buffering::default())",
                "tracing_prefork, buffered, layer()",
                "tracing_appender, fmt::layer().with_writer()",
                "the same, non_blocking, not lossy",
            ],
            "{text}"
        );
        for group in ["lines", "events"] {
            let ends = rows(&text, &format!("{group}, {shape}, with the flush and all threads"));
            assert_eq!(ends, rows(&text, &format!("{group}, {shape}")), "{text}");
        }
    }
    assert_eq!(
        rows(&text, "short, 1 thread"),
        [
            "fmt::layer() into a File, O_APPEND",
            "tracing_prefork, layer()",
            "tracing_prefork, buffered, layer()",
            "tracing_appender, non_blocking, not lossy",
            "tracing_prefork, fmt::layer().with_writer()",
            "tracing_appender, fmt::layer().with_writer()",
            "spdlog-rs, FileSink",
            "flexi_logger, log_to_file()",
        ],
        "{text}"
    );
    for title in ["formats", "formats-spans"] {
        let rows = rows(&text, &format!("{title}, 1 thread"));
        assert_eq!(rows, ["tracing_prefork, layer()", "fmt::layer()"], "{text}");
    }
    for title in ["formats-json", "formats-json-spans"] {
        let rows = rows(&text, &format!("{title}, 1 thread"));
        assert_eq!(rows, ["tracing_prefork, layer().json()", "fmt::layer().json()"], "{text}");
    }
}

#[test]
fn a_limit_on_the_size_is_compared_with_none() {
    let text = printed(&["--rounds", "1", "--lines", "20", "--only", "prefork,prefork-sized"]);
    assert_eq!(text.matches("  prefork-sized / prefork: ").count(), 3, "{text}");
}

#[test]
fn latency_is_measured_while_files_are_compressed_and_pruned() {
    let sizes = ["--bytes", "2000000", "--files", "3", "--pruned-bytes", "4096", "--seconds", "0.1"];
    let text = printed(&[&["latency", "--rounds", "1"], &sizes[..]].concat());
    for pace in ["sleeping", "spinning"] {
        let title = format!("latency, {pace}");
        let busy = ["gzip, own thread", "gzip, other process", "zstd, own thread", "zstd, other process"];
        assert_eq!(rows(&text, &title), [&["quiet"], &busy[..]].concat(), "{text}");
    }
    assert_eq!(text.matches("; 3 files pruned after ").count(), 8, "{text}");
}

#[test]
fn only_what_was_asked_for_is_measured() {
    let text = printed(&["--rounds", "1", "--lines", "20", "--only", "pwrite,formats"]);
    assert_eq!(rows(&text, "lines, 1 thread"), ["pwrite(2), O_APPEND"]);
    assert_eq!(rows(&text, "formats, 1 thread").len(), 2, "{text}");
    assert!(!text.contains("events,"), "{text}");
}

#[test]
fn an_unknown_name_is_refused_with_the_names_that_there_are() {
    let output = peer_benches(&["--only", "pwrites"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("tracing-appender"), "{text}");
}

#[test]
fn a_loop_for_counting_instructions_runs_for_each_kind() {
    let refusal = peer_benches(&["--callgrind-loop", "1", "?"]);
    let text = String::from_utf8_lossy(&refusal.stderr);
    let (_, kinds) = text.trim().split_once("there are: ").expect("the refusal lists the kinds");
    let kinds: Vec<&str> = kinds.split(", ").collect();
    assert_eq!(kinds.len(), 31, "{kinds:?}");
    for kind in kinds {
        assert_eq!(printed(&["--callgrind-loop", "10", kind]), "");
    }
}

#[test]
fn pipes_are_measured_where_prefork_log_is_built() {
    // A program that does not write the lines is refused.
    let output = peer_benches(&["pipes", "--rounds", "1", "--lines", "80", "--prefork-log", "/bin/true"]);
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && told.contains("prefork-log pipe"), "{told}");
    let output = peer_benches(&["pipes", "--prefork-log", "/nowhere"]);
    let told = String::from_utf8(output.stderr).expect("text");
    assert_eq!(told, "peer-benches: /nowhere is missing: cargo build --release -p prefork-log\n");
}
