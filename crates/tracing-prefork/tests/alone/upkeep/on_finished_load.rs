//! Everything at once: workers that are killed and forked anew, with all options of files, and hooks that fail, panic
//! and take their time. Each acknowledged line must have been handed over, or still be there. `STRESS_SECONDS=60` for
//! longer.

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing_prefork::{Appender, Builder, Compression, Rotation};

use crate::common;
use crate::common::{DAY, NOW, alone, files};

const WORKERS: usize = 6;

const LIVES: usize = 4000;

struct Shared {
    second: AtomicU64,
    lives: AtomicU64,
    acknowledged: [AtomicU64; LIVES],
}

fn shared() -> &'static Shared {
    let size = std::num::NonZeroUsize::new(size_of::<Shared>()).expect("more than none");
    // SAFETY: zeros, aligned to a page, of this size, and never unmapped.
    unsafe {
        mmap_anonymous(None, size, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED)
            .expect("mapped")
            .cast()
            .as_ref()
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn content(path: &Path) -> Option<Vec<u8>> {
    if path.extension().is_some_and(|ending| ending == "gz") {
        let output = Command::new("gzip").arg("-dc").arg(path).output().ok()?;
        return (output.status.success() || !path.exists()).then_some(output.stdout);
    }
    let mut text = Vec::new();
    File::open(path).ok()?.read_to_end(&mut text).ok()?;
    Some(text)
}

fn builder(kind: &str, shared: &'static Shared) -> Builder {
    let builder = Appender::builder().clock(|| common::at(shared.second.load(Relaxed))).on_error(|_| {});
    let named = |builder: Builder| builder.filename_prefix("app with % and space").filename_suffix("log");
    match kind {
        "never" => named(builder)
            .rotation(Rotation::NEVER)
            .max_file_bytes(40_000)
            .max_total_bytes(400_000)
            .compress(Compression::Gzip)
            .header(|_| "#header".to_owned())
            .latest_symlink("latest"),
        "directories" => builder
            .rotation(Rotation::HOURLY)
            .date_format("%Y/%m/%d/app-%H.log")
            .max_file_bytes(60_000)
            .max_total_bytes(600_000)
            .compress(Compression::Gzip)
            .lock_writes(true)
            .latest_symlink("latest")
            .latest_hard_link("hard"),
        "plain" => named(builder).rotation(Rotation::HOURLY).max_log_files(3).latest_hard_link("hard"),
        _ => named(builder).rotation(Rotation::HOURLY).max_log_files(3).max_age(Duration::from_secs(DAY)),
    }
}

fn work(kind: &str, life: usize, shared: &'static Shared, inherited: Option<Appender>, home: &Path) {
    let logs = inherited.unwrap_or_else(|| build(kind, shared, home));
    let own = &shared.acknowledged[life];
    let mut state = 88_172_645_463_325_252 ^ (life as u64) << 20 | 1;
    for number in 0.. {
        let padding = "x".repeat((random(&mut state) % 200) as usize);
        writeln!(&logs, "L {life} {number} {padding} E").expect("writes");
        own.store(number + 1, Relaxed);
        if random(&mut state) % 300 == 0 && (shared.lives.load(Relaxed) as usize) < LIVES - 50 {
            fork_at_any_moment(&logs, shared, random(&mut state));
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Perhaps while a thread of this process prunes, compresses or hands over.
fn fork_at_any_moment(logs: &Appender, shared: &'static Shared, chance: u64) {
    let life = shared.lives.fetch_add(1, Relaxed) as usize;
    // SAFETY: glibc's fork leaves the allocator usable; the child uses nothing else that another thread may have
    // locked.
    match unsafe { fork() }.expect("forks") {
        ForkResult::Child => {
            for number in 0..20 {
                let mut logs = logs;
                if writeln!(logs, "L {life} {number}  E").is_ok() {
                    shared.acknowledged[life].store(number + 1, Relaxed);
                }
            }
            if chance % 3 == 0 {
                let _ = logs.hand_over();
            }
            // SAFETY: nothing of the parent's is to run.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            let begun = Instant::now();
            while waitpid(child, Some(nix::sys::wait::WaitPidFlag::WNOHANG))
                .is_ok_and(|status| status == nix::sys::wait::WaitStatus::StillAlive)
            {
                if begun.elapsed() > Duration::from_secs(12) {
                    let _ = writeln!(std::io::stderr(), "HANG of {child}");
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn build(kind: &str, shared: &'static Shared, home: &Path) -> Appender {
    let (bucket, directory) = (home.join("bucket"), home.join("logs"));
    let top = directory.clone();
    builder(kind, shared)
        .try_on_finished(move |finished, _| {
            static CALLS: AtomicU64 = AtomicU64::new(0);
            let call = CALLS.fetch_add(1, Relaxed);
            match (u64::from(std::process::id()) + call) % 11 {
                3 => return Err("the network is down".to_owned()),
                5 => std::panic::panic_any("on purpose"),
                7 => std::thread::sleep(Duration::from_millis(30)),
                _ => {}
            }
            let Some(text) = content(finished) else { return Err("gone".to_owned()) };
            let found = fs::symlink_metadata(finished).map_err(|error| error.to_string())?;
            let name = finished.strip_prefix(&top).expect("below").to_str().expect("UTF-8").replace('/', "_");
            let version = format!("{name}@{}-{}-{}", found.mtime(), found.mtime_nsec(), found.ino());
            let hidden = bucket.join(format!(".{}-{call}", std::process::id()));
            fs::write(&hidden, text).expect("written");
            let mut target = bucket.join(&version);
            while target.exists() {
                target.set_file_name(format!("{}+", target.file_name().expect("a name").to_str().expect("UTF-8")));
            }
            fs::rename(hidden, target).expect("renamed");
            Ok(())
        })
        .build(directory)
        .expect("builds")
}

fn run(kind: &str, home: &Path) {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<&str>() != Some(&"on purpose") {
            let _ = writeln!(std::io::stderr(), "PANIC {info}");
        }
    }));
    let shared = shared();
    shared.second.store(NOW, Relaxed);
    fs::create_dir_all(home.join("bucket")).expect("made");
    nix::sys::prctl::set_child_subreaper(true).expect("set");
    let inherited = build(kind, shared, home);
    let mut children: Vec<Pid> = Vec::new();
    let start = |inherits: bool| {
        let life = shared.lives.fetch_add(1, Relaxed) as usize;
        // SAFETY: one thread.
        match unsafe { fork() }.expect("forks") {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                work(kind, life, shared, inherits.then(|| inherited.clone()), home);
                std::process::abort()
            }
        }
    };
    children.extend((0..WORKERS).map(|number| start(number % 2 == 0)));
    let seconds = std::env::var("STRESS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let step = std::env::var("STRESS_STEP").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut state, mut kills) = (0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()), 0);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
        shared.second.fetch_add(step, Relaxed);
        if kind == "steps" && random(&mut state) % 400 == 0 {
            let back = random(&mut state) % 20_000;
            shared.second.fetch_sub(back, Relaxed);
        }
        if random(&mut state) % 12 == 0 && (shared.lives.load(Relaxed) as usize) < LIVES {
            let which = (random(&mut state) % WORKERS as u64) as usize;
            kill(children[which], Signal::SIGKILL).expect("killed");
            waitpid(children[which], None).expect("gone");
            kills += 1;
            children[which] = start(random(&mut state) % 2 == 0);
        }
    }
    for child in children {
        kill(child, Signal::SIGKILL).expect("killed");
        waitpid(child, None).expect("gone");
    }
    // What workers have forked goes on for a moment, and is this process's child now.
    while waitpid(None, None).is_ok() {}
    // What is there and what was handed over.
    let mut places: HashMap<(usize, u64), BTreeMap<String, u32>> = HashMap::new();
    let (mut odd, mut versions, mut again) = (0, 0, 0);
    let mut take = |name: &str, text: &[u8]| {
        let mut seen = std::collections::HashSet::new();
        for line in String::from_utf8_lossy(text).lines() {
            let mut parts = line.split(' ');
            let parsed = (|| {
                (parts.next()? == "L").then_some(())?;
                let life = parts.next()?.parse().ok()?;
                let number = parts.next()?.parse().ok()?;
                (line.ends_with(" E") && line.matches(" E").count() == 1).then_some((life, number))
            })();
            let Some(key) = parsed else {
                if line != "#header" {
                    odd += 1;
                    let _ = writeln!(std::io::stderr(), "{name}: {line:?}");
                }
                continue;
            };
            assert!(seen.insert(key), "{name}: doubled {line}");
            *places.entry(key).or_default().entry(name.to_owned()).or_default() += 1;
        }
    };
    let plain = |name: &str| name.trim_end_matches(".gz").to_owned();
    for entry in fs::read_dir(home.join("bucket")).expect("read") {
        let entry = entry.expect("read");
        let name = entry.file_name().into_string().expect("UTF-8");
        if name.starts_with('.') {
            continue;
        }
        versions += 1;
        again += u32::from(name.ends_with('+'));
        take(&plain(name.split('@').next().expect("a part")), &fs::read(entry.path()).expect("read"));
    }
    let there = files(&home.join("logs"));
    for name in &there {
        if !["latest", "hard"].contains(&&**name) {
            let text = content(&home.join("logs").join(name)).expect("read");
            take(&plain(&name.replace('/', "_")), &text);
        }
    }
    let (mut lost, mut lines) = (0, 0);
    for life in 0..shared.lives.load(Relaxed) as usize {
        for number in 0..shared.acknowledged[life].load(Relaxed) {
            lines += 1;
            match places.get(&(life, number)) {
                None => {
                    lost += 1;
                    if lost < 10 {
                        let _ = writeln!(std::io::stderr(), "lost: {life} {number}");
                    }
                }
                Some(names) => assert!(names.len() == 1, "{life} {number} in {names:?}"),
            }
        }
    }
    writeln!(
        std::io::stderr(),
        "{kind}: {lines} lines, {lost} lost, {odd} odd, {kills} kills, {versions} handed over, {again} of them again \
         as they were, {} there, lines in several versions {}",
        there.len(),
        places.values().filter(|names| names.values().any(|times| *times > 1)).count()
    )
    .expect("told");
    assert!(lost == 0 && odd == 0);
}

#[test]
fn load_never() {
    alone(|home| run("never", home));
}

#[test]
fn load_directories() {
    alone(|home| run("directories", home));
}

#[test]
fn load_plain() {
    alone(|home| run("plain", home));
}

#[test]
fn load_steps() {
    alone(|home| run("steps", home));
}
