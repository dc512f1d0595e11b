//! What a log directory lies on: a directory of the machine, or a small file system of its own that can be filled.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

/// A file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Disk {
    /// The one that the run's own directory is on.
    Host,
    /// The same; the run may mount others over it, which nobody else sees.
    Covered,
    /// ext4 in a file, 32 MiB.
    Ext4,
    /// xfs in a file, 2 GiB.
    Xfs,
    /// btrfs in a file, 128 MiB.
    Btrfs,
    /// btrfs with a quota, see [`limit`].
    BtrfsQuota,
    /// tmpfs, 16 MiB.
    Tmpfs,
}

/// The first that is made in a new btrfs.
const SUBVOLUME: &str = "0/256";
const MIB: u64 = 1 << 20;

impl Disk {
    /// Makes and mounts it below `home`, where nobody but this process and its children see it; `None`: nothing to
    /// mount.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] with the reason where it cannot be had: not root, no such program or file system.
    pub fn mount(self, home: &Path) -> io::Result<Option<Mount>> {
        let (make, size): (&[&str], u64) = match self {
            Self::Host => return Ok(None),
            Self::Covered => (&[], 0),
            Self::Ext4 => (&["mkfs.ext4", "-q", "-m", "0"], 32 * MIB),
            Self::Xfs => (&["mkfs.xfs", "-q"], 2048 * MIB),
            Self::Btrfs | Self::BtrfsQuota => (&["mkfs.btrfs", "-q"], 128 * MIB),
            Self::Tmpfs => (&[], 16 * MIB),
        };
        if !geteuid().is_root() {
            return Err(skipped("only root can mount a file system"));
        }
        hide_mounts()?;
        if self == Self::Covered {
            return Ok(None);
        }
        let path = home.join("disk");
        fs::create_dir_all(&path)?;
        if let [program, options @ ..] = make {
            let image = home.join("image");
            File::create(&image)?.set_len(size)?;
            run(Command::new(program).args(options).arg(&image))?;
            run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&path))?;
        } else {
            run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&path))?;
        }
        let mount = Mount(path);
        if self == Self::BtrfsQuota {
            run(Command::new("btrfs").args(["quota", "enable"]).arg(mount.path()))?;
            run(Command::new("btrfs").args(["subvolume", "create"]).arg(mount.path().join("logs")))?;
        }
        Ok(Some(mount))
    }
}

/// A mounted file system, for as long as this lives.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// Sets how many bytes may lie in the log directory of [`Disk::BtrfsQuota`], which is mounted here.
///
/// # Errors
///
/// When `btrfs` says no.
pub fn limit(path: &Path, bytes: i64) -> io::Result<()> {
    run(Command::new("btrfs").args(["qgroup", "limit", &bytes.to_string(), SUBVOLUME]).arg(path))
}

/// Freezes the file system of `path`, or lets it go on: meanwhile, whoever writes waits.
///
/// # Errors
///
/// When `fsfreeze` says no.
pub fn freeze(path: &Path, frozen: bool) -> io::Result<()> {
    run(Command::new("fsfreeze").arg(if frozen { "-f" } else { "-u" }).arg(path))
}

/// Lets another directory be seen where `path` is.
///
/// # Errors
///
/// When that is not allowed.
pub fn cover(path: &Path, by: &Path) -> io::Result<()> {
    Ok(mount(Some(by), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Ends that, although files may be open there.
///
/// # Errors
///
/// When nothing covers `path`.
pub fn uncover(path: &Path) -> io::Result<()> {
    Ok(umount2(path, MntFlags::MNT_DETACH)?)
}

/// Whether the file system of `path` lets itself be made read-only while its files are open for writing. It is made
/// writable again if so.
#[must_use]
pub fn becomes_read_only(path: &Path) -> bool {
    let remount = |how: &str| run(Command::new("mount").args(["-o", how]).arg(path)).is_ok();
    remount("remount,ro") && remount("remount,rw")
}

/// Gives this process mounts of its own: they go with the last process of the run, whatever happens to it.
fn hide_mounts() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| skipped(&format!("unshare: {error}")))?;
    let all = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, all, None::<&str>).map_err(|error| skipped(&format!("mount: {error}")))
}

fn run(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| skipped(&format!("{program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(skipped(&format!("{program}: {}", said.lines().next().unwrap_or("failed"))))
}

fn skipped(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, reason.to_owned())
}
