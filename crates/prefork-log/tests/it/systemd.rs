//! The units of the page, in a systemd that this test starts for a user, in mounts of its own.
//!
//! systemd starts only where the machine was booted with it (`sd_booted(3)`: `/run/systemd/system` exists). So the test
//! gives it a `/run` of its own. It also gives it control groups of its own. Without them, systemd would take the root
//! of the machine's control groups for its own: it would move all processes of the machine, and two tests would have
//! one group for the unit of both, which never becomes empty in time. All that takes root, and `unshare(1)`.

use crate::common::{PROGRAM, all_lines, text};
use crate::page::blocks;
use nix::unistd::geteuid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const SYSTEMD: &str = "/lib/systemd/systemd";

/// Starts systemd for a user, runs commands, and stops systemd. It ends with 77 where that cannot be.
const SCRIPT: &str = r#"
cannot() { echo "$1"; exit 77; }
mount --make-rprivate / && mount -t tmpfs none /run || cannot "no mounts"
mkdir -p /run/systemd/system /run/user/0
chmod 700 /run/user/0
group=prefork-log-test-$$
clean() {
    for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ -d "$tree/$group" ] || continue
        echo $$ > "$tree/cgroup.procs" || continue
        find "$tree/$group" -depth -type d -exec rmdir {} + || true
    done
}
trap clean EXIT
joined=0
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -e "$tree/cgroup.procs" ] || continue
    mkdir "$tree/$group" && echo $$ > "$tree/$group/cgroup.procs" || cannot "no control groups"
    joined=1
done
[ $joined = 1 ] || cannot "no control groups"
export XDG_RUNTIME_DIR=/run/user/0
"$SYSTEMD" --user > /dev/null 2>&1 &
manager=$!
trap 'kill $manager; wait $manager || true; clean' EXIT
n=0
until [ "$(systemctl --user is-system-running)" = running ]; do
    n=$((n + 1)); [ $n -lt 300 ] || cannot "systemd does not start"
    sleep 0.1
done
await() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 300 ] || { echo "never: $*"; exit 1; }; sleep 0.1; done; }
has() { cat logs/app.*.log 2> /dev/null | grep -q "$1"; }
"#;

/// A program that says three lines, and its last words at SIGTERM. systemd can send the signal twice.
const PROGRAM_OF_THE_UNIT: &str = "#!/bin/sh
exec 2> /dev/null
sleep 1000 & child=$!
trap 'trap : TERM; kill $child; wait; echo last words of $$; exit 0' TERM
echo one; echo two; echo three of $$
while :; do wait; done
";

/// Why this test does not even try to start systemd.
fn cannot_try() -> Option<&'static str> {
    let may_mount = || Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    match () {
        () if !Path::new(SYSTEMD).exists() => Some("it is not installed"),
        () if !geteuid().is_root() => Some("this user is not root"),
        () if !may_mount() => Some("this process may not have mounts of its own"),
        () => None,
    }
}

/// Runs commands where systemd has the units `numbers` of the page. `None`, with a word, where systemd cannot run.
fn with_units(numbers: std::ops::Range<usize>, commands: &str) -> Option<Vec<String>> {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().to_str().expect("UTF-8");
    let units = directory.path().join("home/.config/systemd/user");
    fs::create_dir_all(&units).expect("made");
    let program = directory.path().join("program");
    fs::write(&program, PROGRAM_OF_THE_UNIT).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("changed");
    let ini: Vec<_> = blocks().into_iter().filter(|block| block.language == "ini").collect();
    for block in &ini[numbers] {
        let name = block.code.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a name");
        let unit =
            block.code.replace("/usr/bin/prefork-log", PROGRAM).replace("/usr/bin/program", &format!("{root}/program"));
        let unit = unit.replace("/var/log/app", &format!("{root}/logs")).replace("daily", "hourly");
        fs::write(units.join(name), unit).expect("written");
    }
    if let Some(why) = cannot_try() {
        eprintln!("skipped: systemd cannot run here: {why}");
        return None;
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["-m", "sh", "-euc", &format!("{SCRIPT}\n{commands}")]).current_dir(directory.path());
    unshare.env("HOME", directory.path().join("home")).env("SYSTEMD", SYSTEMD).env("LC_ALL", "C");
    let ended = unshare.output().expect("it starts");
    if ended.status.code() == Some(77) {
        eprintln!("skipped: systemd cannot run here: {}", text(ended.stdout));
        return None;
    }
    assert!(ended.status.success(), "{}\n{}", text(ended.stdout), text(ended.stderr));
    Some(all_lines(&directory.path().join("logs")))
}

/// The lines of one life of the program, with its process id.
fn life(lines: &[String], from: usize) -> &str {
    let pid = lines[from + 2].strip_prefix("three of ").expect("the third line");
    assert_eq!(lines[from..from + 2], ["one", "two"]);
    pid
}

#[test]
fn a_pipeline_of_systemd_has_all_lines() {
    let lines =
        with_units(0..1, "systemctl --user start app.service; await has three; systemctl --user stop app.service");
    let Some(lines) = lines else { return };
    assert_eq!(lines[3..], [format!("last words of {}", life(&lines, 0))]);
}

#[test]
fn a_fifo_of_systemd_keeps_lines_while_the_pipe_is_restarted() {
    let commands = "systemctl --user start app-log.service app.service
        await has three
        systemctl --user stop app-log.service
        systemctl --user restart app.service
        systemctl --user start app-log.service
        await has 'last words'
        await has_twice
        systemctl --user stop app.service app-log.service";
    let commands = format!("has_twice() {{ [ $(cat logs/app.*.log | grep -c three) = 2 ]; }}\n{commands}");
    let Some(lines) = with_units(1..4, &commands) else { return };
    let first = life(&lines, 0).to_owned();
    assert_eq!(lines[3], format!("last words of {first}"));
    let second = life(&lines, 4).to_owned();
    assert_eq!(lines[7..], [format!("last words of {second}")]);
}
