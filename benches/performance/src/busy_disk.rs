//! The process that keeps the disk busy: it writes large files and waits until they are on the disk (`fsync(2)`).

use crate::load::Process;
use crate::worker::READY;
use clap::Args;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use tempfile::TempDir;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    directory: PathBuf,
    /// Bytes of each file.
    #[arg(long)]
    bytes: u64,
}

/// Writes file after file until the input ends, and prints how many there were.
pub(crate) fn fill(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    stdout().write_all(READY.as_bytes())?;
    stdout().flush()?;
    thread::spawn(move || {
        let _ = stdin().read_to_end(&mut Vec::new());
        end.store(true, Relaxed);
    });
    let (block, path) = (vec![0x5a; 1 << 20], arguments.directory.join("filler"));
    let mut files = 0;
    while !ended.load(Relaxed) {
        let mut file = File::create(&path)?;
        let mut left = arguments.bytes;
        while left > 0 && !ended.load(Relaxed) {
            let length = left.min(block.len() as u64);
            file.write_all(&block[..length as usize])?;
            left -= length;
        }
        file.sync_all()?;
        files += 1;
    }
    println!("{files}");
    Ok(())
}

/// A disk that such a process keeps busy.
pub(crate) struct BusyDisk {
    process: Process,
    directory: TempDir,
}

impl BusyDisk {
    pub(crate) fn start(bytes: u64, parent: &Path) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::Builder::new().prefix("performance.").tempdir_in(parent)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("disk-filler").arg(format!("--bytes={bytes}")).arg("--directory").arg(directory.path());
        let mut process = Process::start(&mut command, tempfile::tempfile()?)?;
        process.expect_ready()?;
        Ok(Self { process, directory })
    }

    /// Says how many files were written meanwhile.
    pub(crate) fn end(mut self) -> Result<u64, Box<dyn Error>> {
        self.process.begin();
        let files = self.process.printed()?.trim().parse()?;
        self.directory.close()?;
        Ok(files)
    }
}
