//! Which processes have a file open to write to, from `/proc` (`proc_pid_fd(5)`, `proc_pid_fdinfo(5)`).

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process that has a file open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Opener {
    pub(crate) pid: u32,
    /// The name of the program, as `ps` shows it: 15 bytes at most.
    pub(crate) command: String,
}

/// The processes that have files open to write to, by the files.
#[derive(Debug, Default)]
pub(crate) struct Openers(HashMap<(u64, u64), Vec<Opener>>);

impl Openers {
    /// Looks at all processes. Those of other users are left out, unless the administrator looks.
    pub(crate) fn find() -> Self {
        let mut found = Self::default();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid {
                found.look_at(pid, &entry.path());
            }
        }
        found.0.values_mut().for_each(|openers| openers.sort());
        found
    }

    fn look_at(&mut self, pid: u32, process: &Path) {
        let mut opener = None;
        for descriptor in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            // The link is followed, because a file that was renamed is still open.
            let Ok(file) = fs::metadata(descriptor.path()) else { continue };
            if !file.is_file() || !is_open_to_write(&process.join("fdinfo").join(descriptor.file_name())) {
                continue;
            }
            let opener = opener.get_or_insert_with(|| {
                let command = fs::read_to_string(process.join("comm")).unwrap_or_default();
                Opener { pid, command: command.trim_end().to_owned() }
            });
            let openers = self.0.entry((file.dev(), file.ino())).or_default();
            if !openers.contains(opener) {
                openers.push(opener.clone());
            }
        }
    }

    /// The processes that have a file open to write to.
    pub(crate) fn of(&self, path: &Path) -> &[Opener] {
        let openers = fs::metadata(path).ok().and_then(|file| self.0.get(&(file.dev(), file.ino())));
        openers.map_or(&[], Vec::as_slice)
    }
}

/// Whether the flags of a descriptor say O_WRONLY or O_RDWR.
fn is_open_to_write(info: &Path) -> bool {
    let text = fs::read_to_string(info).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim);
    flags.and_then(|flags| u32::from_str_radix(flags, 8).ok()).is_some_and(|flags| flags & 3 != 0)
}
