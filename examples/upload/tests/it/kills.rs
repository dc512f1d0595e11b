//! SIGKILL at any moment: of the process inside the hook, of a worker, of all, and of the server.

use crate::objects::{check, objects, periods};
use crate::program::{Place, Program, wait_until};
use crate::store::Store;
use nix::sys::signal::{Signal, kill};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::{env, fs};

/// Large files for so short a time: so kills meet uploads.
const OPTIONS: [&str; 4] = ["--events", "100", "--padding", "4000"];

#[test]
fn each_file_is_in_the_bucket_once_whoever_was_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(mut store) = Store::start(&directory.path().join("store")) else { return };
    fs::create_dir(store.bucket("bucket")).expect("a bucket");
    let place = Place::new(directory.path());
    let kills = env::var("UPLOAD_KILLS").map_or(10, |number| number.parse().expect("a number of kills"));

    let start = |store: &Store| place.start(&store.address, "s3://bucket/logs", &OPTIONS);
    let mut program = start(&store);
    let mut killed = BTreeMap::new();
    for number in 0..kills {
        let victim = kill_one(number, &place, &mut program, &mut store);
        *killed.entry(victim).or_insert(0) += 1;
        if program.ended().is_some() {
            // Its workers end by themselves, and meanwhile log together with the new ones.
            program = start(&store);
        }
    }
    let before = periods(&place.logs).len();
    wait_until("there is a further file", || periods(&place.logs).len() > before);
    let status = program.end();
    place.wait_for_the_workers();
    assert!(status.success(), "{status}: {}", place.output());
    let figures = check(&place, &store.bucket("bucket"));
    assert!(figures.fragments <= kills * 4, "{figures:?}");
    println!(
        "{kills} kills ({killed:?}): {figures:?}, {} calls of the hook found their object there, {} MB sent",
        place.were_there(),
        store.received.load(Relaxed) / 1_000_000
    );
}

fn kill_one(number: usize, place: &Place, program: &mut Program, store: &mut Store) -> &'static str {
    let mut uploader = None;
    wait_until("a file is being sent", || {
        uploader = place.in_the_hook();
        uploader.is_some() || program.ended().is_some()
    });
    // Not always at the beginning of the hook.
    let begin = store.received.load(Relaxed);
    let bytes = number * 79_190 % 1_000_000;
    wait_until("some bytes are sent", || {
        store.received.load(Relaxed) >= begin + bytes || place.in_the_hook().is_none()
    });
    match (number % 5, uploader) {
        (0 | 1, Some(pid)) => {
            let _ = kill(pid, Signal::SIGKILL);
            "process in the hook"
        }
        (2, _) => {
            if let Some(pid) = place.a_worker(number) {
                let _ = kill(pid, Signal::SIGKILL);
            }
            "worker"
        }
        (3, _) => {
            program.kill_all();
            "all"
        }
        _ => {
            store.kill_and_start();
            "server"
        }
    }
}

#[test]
fn a_large_file_is_whole_though_its_senders_are_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(mut store) = Store::start(&directory.path().join("store")) else { return };
    fs::create_dir(store.bucket("bucket")).expect("a bucket");
    let place = Place::new(directory.path());
    // Sent in three parts and more.
    let options = [
        "--events",
        "5",
        "--max-file-bytes",
        "16000000",
        "--padding",
        "100000",
        "--part-bytes",
        "5242880",
        "--rotation",
        "never",
    ];
    let options = [&options[..], &["--compress", "none"]].concat();
    let mut program = place.start(&store.address, "s3://bucket", &options);
    for number in 0..3 {
        let mut uploader = None;
        wait_until("a file is being sent", || {
            uploader = place.in_the_hook();
            uploader.is_some()
        });
        let begin = store.received.load(Relaxed);
        wait_until("two parts are sent", || store.received.load(Relaxed) >= begin + 7_000_000);
        match (number, place.in_the_hook()) {
            (0, Some(pid)) => drop(kill(pid, Signal::SIGKILL)),
            (1, _) => store.kill_and_start(),
            _ => program.kill_all(),
        }
        if program.ended().is_some() {
            // The senders that are left have nobody to end them.
            place.wait_for_the_workers();
            program = place.start(&store.address, "s3://bucket", &options);
        }
    }
    let logged = place.logged();
    wait_until("the last workers log", || place.logged() > logged);
    let status = program.end();
    place.wait_for_the_workers();
    assert!(status.success(), "{status}: {}", place.output());
    let figures = check(&place, &store.bucket("bucket"));
    let sizes = objects(&store.bucket("bucket"));
    let largest = sizes.values().map(|object| fs::metadata(object).expect("there").len()).max();
    assert!(largest > Some(15_000_000), "{largest:?}");
    println!("3 kills beside files in parts: {figures:?}, the largest object has {largest:?} bytes");
}
