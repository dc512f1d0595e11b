//! Options that cannot work are refused before the first event.

use crate::objects::{check_lines, log_files, periods};
use crate::program::{Place, wait_until};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::{fs, io, thread};

fn refused(options: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = directory.path().join("logs");
    let mut command = Command::new(env!("CARGO_BIN_EXE_upload"));
    let output = command.env_clear().arg("--logs").arg(&logs).args(options).output().expect("the program starts");
    assert!(!output.status.success() && !logs.exists(), "it has begun to log");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn an_address_that_is_none_is_named_with_the_remedy() {
    for address in ["bucket", "s3:bucket", "ftp://bucket/logs", "http://bucket/logs", "s3:///logs"] {
        let error = refused(&["--to", address]);
        assert!(error.contains(&format!("--to `{address}`")) && error.contains("s3://BUCKET/FOLDER"), "{error}");
    }
}

#[test]
fn a_template_without_the_file_is_named_with_the_remedy() {
    let error = refused(&["--to", "s3://bucket", "--name", "{app}/{host}"]);
    assert!(error.contains("--name {app}/{host}") && error.contains("{file} is missing"), "{error}");
}

#[test]
fn a_store_that_does_not_answer_is_named_with_the_remedy() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_upload"));
    command.env_clear().envs([("AWS_ACCESS_KEY_ID", "KEY"), ("AWS_SECRET_ACCESS_KEY", "SECRET")]);
    command.envs([("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ALLOW_HTTP", "true")]);
    command.args(["--to", "s3://bucket/logs", "--retry-for", "0", "--check"]).current_dir(directory.path());
    let output = command.output().expect("the program starts");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && error.contains("s3://bucket/logs"), "{error}");
    assert!(error.contains("127.0.0.1:1/bucket") && error.contains("check the address"), "{error}");
}

/// A store without buckets, at this address: it has one answer to everything.
fn store_without_buckets() -> String {
    fn answer(mut client: TcpStream) -> io::Result<()> {
        let mut request = BufReader::new(client.try_clone()?);
        let (mut line, mut length) = (String::new(), 0);
        while request.read_line(&mut line)? > 2 {
            if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = bytes.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        io::copy(&mut request.take(length), &mut io::sink())?;
        let body = "<Error><Code>NoSuchBucket</Code></Error>";
        let head = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length:";
        write!(client, "{head} {}\r\n\r\n{body}", body.len())
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("a port"));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || answer(client));
        }
    });
    address
}

#[test]
fn a_missing_bucket_is_named_and_loses_no_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = Place::new(directory.path());
    // Limits that would remove all files but two.
    let program = place.start(&store_without_buckets(), "s3://logs-of-all", &["--keep", "2"]);
    wait_until("there are files", || periods(&place.logs).len() > 5);
    wait_until("it is reported", || place.output().contains("NoSuchBucket"));
    assert!(!program.end().success(), "the last file is not in the bucket");
    let output = place.output();
    assert!(output.contains("s3://logs-of-all") && output.contains("create the bucket `logs-of-all`"), "{output}");
    let files = log_files(&place.logs);
    assert!(periods(&place.logs).len() > 5, "{:?}", files.keys());
    check_lines(&place, files.values());
}

#[test]
fn the_page_has_the_table_of_what_it_costs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let output = match Command::new("python3").arg("examples/upload/cost.py").current_dir(root).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return writeln!(io::stderr(), "SKIPPED: python3 is missing").expect("told");
        }
        output => output.expect("the program starts"),
    };
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    let page = fs::read_to_string(root.join("docs/object-storage.md")).expect("the page");
    assert!(output.status.success() && table.lines().count() > 5 && page.contains(table.trim_end()), "{table}");
}

#[test]
fn the_page_names_each_option_of_the_program() {
    let help = Command::new(env!("CARGO_BIN_EXE_upload")).arg("-h").output().expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let page = fs::read_to_string(root.join("docs/object-storage.md")).expect("the page");
    let options = help.lines().filter_map(|line| line.trim_start().split_once("--")?.1.split([' ', '=']).next());
    let options: BTreeSet<_> = options.filter(|name| *name != "help").collect();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `--")?.split('`').next());
    assert_eq!(rows.collect::<BTreeSet<_>>(), options, "rows of the page, and options of the program");
}
