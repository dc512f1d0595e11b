//! Which file systems may not append atomically: those whose files other machines, or other mounts, change as well.

use std::path::Path;

/// A file system of which an `O_APPEND` write is not known to be atomic (`open(2)`).
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "nobody can tell there"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remote {
    /// Its files are on another machine. The name of the file system.
    Network(&'static str),
    /// A program serves its files. The program may read them from a local disk, or from anywhere else.
    UserSpace,
}

/// The numbers of `statfs(2)`, and of `linux/magic.h`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const KINDS: [(u32, Remote); 11] = [
    (0x6969, Remote::Network("NFS")),
    (0x517b, Remote::Network("SMB")),
    (0xff53_4d42, Remote::Network("SMB")),
    (0xfe53_4d42, Remote::Network("SMB")),
    (0x0102_1997, Remote::Network("9p")),
    (0x00c3_6400, Remote::Network("Ceph")),
    (0x5346_414f, Remote::Network("AFS")),
    (0x6b41_4653, Remote::Network("AFS")),
    (0x7375_7245, Remote::Network("Coda")),
    (0x786f_4256, Remote::Network("VirtualBox shared folder")),
    // virtiofs has this number, too: a host serves its files.
    (0x6573_5546, Remote::UserSpace),
];

/// The kind of file system that a directory is on. `None`: a local one, or nobody can tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn remote_file_system(directory: &Path) -> Option<Remote> {
    let found = super::again(|| nix::sys::statfs::statfs(directory)).ok()?;
    remote_kind(found.filesystem_type().0 as u32)
}

/// `kind`: the low 32 bits, which are all that any file system uses. The width of the field differs between processors.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn remote_kind(kind: u32) -> Option<Remote> {
    KINDS.into_iter().find(|(number, _)| *number == kind).map(|(_, remote)| remote)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn remote_file_system(_directory: &Path) -> Option<Remote> {
    None
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::{KINDS, Remote, remote_kind};
    use nix::sys::statfs;
    use std::collections::BTreeSet;

    #[test]
    fn the_numbers_are_the_systems_and_none_is_a_local_one() {
        let known = [
            (statfs::NFS_SUPER_MAGIC, Remote::Network("NFS")),
            (statfs::SMB_SUPER_MAGIC, Remote::Network("SMB")),
            (statfs::AFS_SUPER_MAGIC, Remote::Network("AFS")),
            (statfs::CODA_SUPER_MAGIC, Remote::Network("Coda")),
            (statfs::FUSE_SUPER_MAGIC, Remote::UserSpace),
        ];
        for (number, remote) in known {
            assert_eq!(remote_kind(number.0 as u32), Some(remote));
        }
        let local = [
            statfs::EXT4_SUPER_MAGIC,
            statfs::XFS_SUPER_MAGIC,
            statfs::BTRFS_SUPER_MAGIC,
            statfs::TMPFS_MAGIC,
            statfs::OVERLAYFS_SUPER_MAGIC,
            statfs::MSDOS_SUPER_MAGIC,
        ];
        assert!(local.iter().all(|number| remote_kind(number.0 as u32).is_none()));
        assert_eq!(KINDS.iter().map(|(number, _)| number).collect::<BTreeSet<_>>().len(), KINDS.len());
    }
}
