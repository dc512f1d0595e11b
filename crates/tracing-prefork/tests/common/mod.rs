//! A clock that is set by hand, and short words for files. Shared by the tests of this folder.

#![allow(dead_code, reason = "no test file uses all of it")]

#[cfg(any(feature = "gzip", feature = "zstd"))]
pub(crate) mod compress;
pub(crate) mod header;
pub(crate) mod hook;
pub(crate) mod latest;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod leases;
pub(crate) mod lock_writes;
pub(crate) mod on_finished;
pub(crate) mod on_finished_attacks;
pub(crate) mod ownership;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod rings;
pub(crate) mod settings;
pub(crate) mod sizes;
pub(crate) mod turns;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Builder, Operation, Rotation};

/// 2026-11-21 08:33:01 UTC, a Saturday.
pub(crate) const NOW: u64 = 1_795_249_981;
pub(crate) const DAY: u64 = 86_400;
/// The daily file of [`NOW`].
pub(crate) const TODAY: &str = "app.2026-11-21.log";
/// A `date_format` that leads through two directories below the log directory.
pub(crate) const BY_MONTH: &str = "%Y/%m/app-%d.log";
/// The lock behind which daily files of [`Hand::builder`] are pruned.
pub(crate) const LOCK: &str = ".app.DATE.log.d10ea686.lock";

/// A clock that is set by hand, in nanoseconds since 1970.
#[derive(Clone, Default)]
pub(crate) struct Hand(pub(crate) Arc<AtomicU64>);

impl Hand {
    pub(crate) fn at(seconds: u64) -> Self {
        let hand = Self::default();
        hand.set(seconds, 0);
        hand
    }

    pub(crate) fn set(&self, seconds: u64, nanos: u64) {
        self.0.store(seconds * 1_000_000_000 + nanos, Relaxed);
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.0.load(Relaxed))
    }

    pub(crate) fn builder(&self) -> Builder {
        let clock = self.clone();
        Appender::builder().filename_prefix("app").filename_suffix("log").clock(move || clock.now())
    }
}

/// A builder of daily files, such as [`TODAY`].
pub(crate) fn daily(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY)
}

/// The same with a clock that stands at [`NOW`].
pub(crate) fn builder() -> Builder {
    daily(&Hand::at(NOW))
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The names in a directory, sorted, without hidden ones.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    all_names(directory).into_iter().filter(|name| !name.starts_with('.')).collect()
}

pub(crate) fn all_names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("the directory is there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

pub(crate) fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// An appender without a prefix and a suffix: the date is the whole name.
pub(crate) fn dated(hand: &Hand, rotation: Rotation, format: &str) -> Builder {
    let clock = hand.clone();
    Appender::builder().rotation(rotation).date_format(format).clock(move || clock.now())
}

/// All files below a directory, and all directories with a slash behind their names, sorted; hidden ones left out.
pub(crate) fn tree(directory: &Path) -> Vec<String> {
    fn walk(directory: &Path, above: &str, found: &mut Vec<String>) {
        for name in all_names(directory).into_iter().filter(|name| !name.starts_with('.')) {
            let (path, name) = (directory.join(&name), format!("{above}{name}"));
            if path.is_dir() && !path.is_symlink() {
                walk(&path, &format!("{name}/"), found);
                found.push(name + "/");
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(directory, "", &mut found);
    found.sort();
    found
}

/// Only the files of a [`tree`].
pub(crate) fn files(directory: &Path) -> Vec<String> {
    tree(directory).into_iter().filter(|name| !name.ends_with('/')).collect()
}

/// A path as it stands in [`files`].
pub(crate) fn below(directory: &Path, path: &Path) -> String {
    path.strip_prefix(directory).expect("below the directory").to_str().expect("UTF-8").to_owned()
}

/// Makes files with a line in them, and their directories.
pub(crate) fn write_files(directory: &Path, names: &[&str]) {
    for name in names {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, "x\n").expect("written");
        written_now(&path);
    }
}

/// Sets the time of a file's last write to now, as programs see it: a tool that fakes their clock (`faketime`) leaves
/// the kernel's as it is.
pub(crate) fn written_now(path: &Path) {
    let file = fs::File::options().write(true).open(path).expect("opens");
    file.set_modified(SystemTime::now()).expect("sets the time");
}

/// A directory in memory, if there is a place for one: for tests that kill processes. A kill is no crash of the
/// machine, so the disk has nothing to do with it, and `fsync` takes no time in memory.
pub(crate) fn directory_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// Logs a line.
pub(crate) fn log(mut logs: &Appender, text: &str) {
    writeln!(logs, "{text}").expect("writes");
}

/// Waits, for as long as it takes and a minute at most, for what another thread does: a busy disk takes seconds for
/// `fsync`.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The full name of the test that calls this, as libtest takes it on the command line: libtest names the thread of a
/// test after the test.
pub(crate) fn this_test() -> String {
    std::thread::current().name().expect("the thread of a test").to_owned()
}

/// The command that runs this very test again, behind the words of `wrapper`, such as `strace` and its arguments.
pub(crate) fn again(wrapper: &[&str]) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut command = match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.args([&this_test(), "--exact", "--nocapture", "--test-threads=1"]);
    command
}

/// Runs this very test again under `strace` with these arguments and this variable in the environment, and fails if the
/// test fails there. `false`, and a word about it, where there is no `strace`.
pub(crate) fn again_under_strace(arguments: &[&str], (variable, value): (&str, &Path)) -> bool {
    let wrapper: Vec<_> = ["strace", "-f", "-qq"].iter().chain(arguments).copied().collect();
    let Ok(output) = again(&wrapper).env(variable, value).output() else {
        writeln!(std::io::stderr(), "SKIPPED: strace is not installed").expect("told");
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    true
}

/// Runs `test` in a fresh process with a single thread, so that the test may fork, close and set what it likes. The
/// test gets a directory, which is removed afterwards.
pub(crate) fn alone(test: impl FnOnce(&Path)) {
    alone_with(&[], test);
}

/// The same with these variables in the environment, or without those that have no value.
pub(crate) fn alone_with(variables: &[(&str, Option<&str>)], test: impl FnOnce(&Path)) {
    const MARK: &str = "TEST_RUNS_ALONE_IN";
    if let Some(directory) = std::env::var_os(MARK) {
        return test(Path::new(&directory));
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = again(&[]);
    command.env(MARK, directory.path());
    for (variable, value) in variables {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    let output = command.output().expect("starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// The same for a test that limits how large its files may become: with SIGXFSZ ignored, as the documentation says.
pub(crate) fn limited(test: impl FnOnce(&Path)) {
    use nix::sys::signal::{SigHandler, Signal, signal};
    alone(|directory| {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.expect("ignored");
        test(directory);
    });
}

/// From now on no file of this process can be written beyond so many bytes (`setrlimit(2)`, RLIMIT_FSIZE).
pub(crate) fn limit(bytes: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).expect("read");
    setrlimit(Resource::RLIMIT_FSIZE, bytes.min(hard), hard).expect("set");
}

/// A tmpfs at `directory`, with these mount options, which only this process sees. `false`, and a word about it, where
/// that is not allowed.
pub(crate) fn small_disk(directory: &Path, options: &str) -> bool {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    let (flags, nothing) = (CloneFlags::CLONE_NEWNS, None::<&str>);
    // As an ordinary user in a namespace of users, too.
    let mounted = unshare(flags)
        .or_else(|_| unshare(flags | CloneFlags::CLONE_NEWUSER))
        .and_then(|()| mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing))
        .and_then(|()| mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some(options)));
    if let Err(error) = mounted {
        // Not by `println!`, which a test that passes does not show.
        writeln!(std::io::stderr(), "SKIPPED: no file system may be mounted: {error}").expect("told");
    }
    mounted.is_ok()
}

/// Mounts `directory/files` at `directory/mount` by FUSE. `None`, and a word about it, where that is not possible.
pub(crate) fn mount_by_fuse(directory: &Path) -> Option<std::path::PathBuf> {
    let [files, mount] = ["files", "mount"].map(|name| directory.join(name));
    [&files, &mount].into_iter().for_each(|directory| fs::create_dir(directory).expect("made"));
    let mounted = Command::new("bindfs").args([&files, &mount]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        writeln!(std::io::stderr(), "SKIPPED: bindfs cannot mount").expect("told");
        return None;
    }
    Some(mount)
}

/// What an appender has told its hook, and a hook for it.
pub(crate) type Told = Arc<Mutex<Vec<(Operation, String)>>>;

pub(crate) fn telling(builder: Builder) -> (Told, Builder) {
    let told = Told::default();
    let notes = told.clone();
    let builder =
        builder.on_error(move |error| notes.lock().expect("unpoisoned").push((error.operation(), error.to_string())));
    (told, builder)
}

pub(crate) fn reporting(hand: &Hand) -> (Told, Builder) {
    telling(daily(hand))
}

/// What has been told so far.
pub(crate) fn operations(told: &Told) -> Vec<Operation> {
    told.lock().expect("unpoisoned").iter().map(|(operation, _)| *operation).collect()
}

/// Builds in a fresh directory, expects an error, and that the directory stayed empty.
pub(crate) fn refused(builder: Builder) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let error = builder.build(directory.path()).expect_err("refused");
    assert_eq!(all_names(directory.path()), [""; 0], "something was left behind by: {error}");
    error.to_string()
}

#[track_caller]
pub(crate) fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

/// From now on that system call fails with that error in this process.
pub(crate) fn refuse_system_call(number: nix::libc::c_long, errno: nix::errno::Errno) {
    use nix::libc;
    let filter = |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    filter_system_calls(&mut [
        // The number of the system call is the first word.
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, number as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ]);
}

/// Has the kernel run that filter before each system call of this process, for good.
pub(crate) fn filter_system_calls(filters: &mut [nix::libc::sock_filter]) {
    use nix::libc;
    let program = libc::sock_fprog { len: filters.len() as u16, filter: filters.as_mut_ptr() };
    // SAFETY: the program outlives the calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program), 0);
    }
}

/// Logs a line, and says what the writer answered.
pub(crate) fn try_log(mut logs: &Appender, text: &str) -> std::io::Result<()> {
    writeln!(logs, "{text}")
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Waits so long that a file that is written from now on has another time (`inode(7)`: one of the kernel's ticks).
pub(crate) fn a_tick() {
    std::thread::sleep(Duration::from_millis(12));
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

/// Forks a child that does this and ends, in a test that is [`alone`].
pub(crate) fn child(work: impl FnOnce()) -> nix::unistd::Pid {
    use nix::unistd::{ForkResult, fork};
    // SAFETY: the process of a test that is alone has one thread of the test's.
    match unsafe { fork() }.expect("forks") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: nothing of the parent's is to run.
            unsafe { nix::libc::_exit(i32::from(done.is_err())) }
        }
    }
}

/// Runs `work` in a forked child, waits for the child, and fails if the child panics.
pub(crate) fn in_child(work: impl FnOnce()) {
    use nix::sys::wait::{WaitStatus, waitpid};
    let child = child(work);
    assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0), "the child failed");
}

/// The lines of a file; none if it is not there.
pub(crate) fn noted(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Whether this process may become another user. If not, says that the test is skipped.
pub(crate) fn is_root() -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        writeln!(std::io::stderr(), "SKIPPED: only root can become another user").expect("told");
    }
    root
}
