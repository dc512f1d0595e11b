//! Closed files for the housekeeping that `latency` measures beside: one that is compressed and many that are pruned.
//! They are made aside, and moved in when everybody is ready.

use std::{
    error::Error,
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::fcntl::{FallocateFlags, PosixFadviseAdvice, fallocate, posix_fadvise};

use crate::window::Packing;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Lines that do not repeat within what a compressor looks back on; the text of a file is this, again and again.
const TEXT: usize = 16 << 20;

/// What there is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Of the file that is compressed.
    pub(crate) bytes: u64,
    /// How many are pruned.
    pub(crate) files: u32,
    /// Of each of these.
    pub(crate) pruned_bytes: u64,
}

/// The files, with the days of their names before today.
#[derive(Debug)]
pub(crate) struct Closed {
    aside: PathBuf,
    names: Vec<OsString>,
}

impl Closed {
    /// On the disk, and not in memory: yesterday's file has text, those before it are extents without any, since nobody
    /// reads them.
    pub(crate) fn make(aside: &Path, sizes: Sizes, text: &[u8]) -> Result<Self, Box<dyn Error>> {
        fs::create_dir(aside)?;
        let naming = Packing::Gzip.appender(&aside.join("naming"))?;
        let mut names = Vec::new();
        for days in 1..=sizes.files + 1 {
            let path = naming.path_at(SystemTime::now() - days * DAY);
            let name = path.file_name().ok_or("a path without a name")?.to_owned();
            let mut file = File::create(aside.join(&name))?;
            if days == 1 {
                let mut left = sizes.bytes;
                while left > 0 {
                    let piece = &text[..text.len().min(usize::try_from(left)?)];
                    file.write_all(piece)?;
                    left -= piece.len() as u64;
                }
            } else if sizes.pruned_bytes > 0 {
                fallocate(&file, FallocateFlags::empty(), 0, sizes.pruned_bytes.try_into()?)?;
            }
            file.sync_all()?;
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
            names.push(name);
        }
        Ok(Self { aside: aside.to_owned(), names })
    }

    pub(crate) fn move_into(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        for name in &self.names {
            fs::rename(self.aside.join(name), directory.join(name))?;
        }
        Ok(())
    }

    /// An error unless the first has become an archive and all others have gone.
    pub(crate) fn expect_done(&self, directory: &Path, packing: Packing) -> Result<(), Box<dyn Error>> {
        let left = self.names.iter().filter(|name| directory.join(name).exists()).count();
        let mut archive = directory.join(&self.names[0]).into_os_string();
        archive.push(packing.ending());
        if left > 0 || !Path::new(&archive).exists() {
            return Err(format!("housekeeping is not over: {left} plain files left, {archive:?} wanted").into());
        }
        Ok(())
    }
}

/// What a web server logs: a time that goes on, and fields that vary as much as such fields do.
pub(crate) fn text() -> Vec<u8> {
    const LEVELS: [&str; 8] = ["INFO", "INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"];
    const PATHS: [&str; 6] = ["/orders", "/customers", "/cart/items", "/search", "/static/app.js", "/health"];
    const STATUS: [u16; 8] = [200, 200, 200, 200, 304, 404, 201, 500];
    let mut text = String::with_capacity(TEXT + 256);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut micros = 0_u64;
    while text.len() < TEXT {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let pick = |shift: u32, below: usize| (state >> shift) as usize % below;
        micros += state % 20_000;
        let (seconds, micro) = (micros / 1_000_000 % 86_400, micros % 1_000_000);
        writeln!(
            text,
            "2026-11-20T{:02}:{:02}:{:02}.{micro:06}Z {:>5} shop::http: answered request={:016x} method=GET path={}/{} \
             status={} us={} client=10.{}.{}.{}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            LEVELS[pick(3, LEVELS.len())],
            state.wrapping_mul(0x2545_f491_4f6c_dd1d),
            PATHS[pick(9, PATHS.len())],
            pick(13, 50_000),
            STATUS[pick(29, STATUS.len())],
            pick(32, 30_000),
            pick(40, 4),
            pick(44, 256),
            pick(52, 256),
        )
        .expect("a string takes a line");
    }
    text.into_bytes()
}
