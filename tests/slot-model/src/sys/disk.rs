//! A log file and the file of a ring, in memory. Each byte of a write is a step at which a process may be killed.

use super::kill;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static RING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What of a ring's file cannot be written, because the test breaks it on purpose.
    static DEAF: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// What the log file has.
pub(crate) fn log() -> Vec<u8> {
    LOG.with_borrow(Vec::clone)
}

pub(crate) fn set_log(bytes: Vec<u8>) {
    LOG.set(bytes);
}

pub(crate) fn ring() -> Vec<u8> {
    RING.with_borrow(Vec::clone)
}

pub(crate) fn set_ring(bytes: Vec<u8>) {
    RING.set(bytes);
}

/// From now on nothing is written to those bytes of the ring, and nobody is told.
pub(crate) fn set_deaf(place: Option<(u64, u64)>) {
    DEAF.set(place);
}

pub(crate) fn append(_file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    for &byte in bytes {
        kill::step();
        LOG.with_borrow_mut(|log| log.push(byte));
    }
    Ok(bytes.len())
}

pub(crate) fn size(_file: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(LOG.with_borrow(Vec::len) as u64)
}

pub(crate) fn read_at(_file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(LOG.with_borrow(|log| copy(log, buffer, offset)))
}

fn copy(from: &[u8], buffer: &mut [u8], offset: u64) -> usize {
    let from = from.get(offset as usize..).unwrap_or_default();
    let length = from.len().min(buffer.len());
    buffer[..length].copy_from_slice(&from[..length]);
    length
}

pub(crate) fn other_than_file(_path: &Path) -> Option<&'static str> {
    None
}

#[derive(Clone, Debug)]
#[allow(dead_code, reason = "the files of the model are good")]
pub(crate) enum Trust {
    Trusted,
    Bad(String),
    OfAnother(u32),
}

#[derive(Debug)]
pub(crate) struct RingFile;

#[derive(Debug)]
pub(crate) struct RingLock<'a>(std::marker::PhantomData<&'a RingFile>);

impl RingFile {
    pub(crate) fn open(_path: &Path) -> io::Result<Option<Self>> {
        Ok(Some(Self))
    }

    pub(crate) fn trust(&self, _path: &Path) -> io::Result<Trust> {
        Ok(Trust::Trusted)
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(RING.with_borrow(Vec::len) as u64)
    }

    /// One process at a time is at work here.
    pub(crate) fn try_lock(&self) -> io::Result<Option<RingLock<'_>>> {
        Ok(Some(RingLock(std::marker::PhantomData)))
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(RING.with_borrow(|ring| copy(ring, buffer, offset)))
    }

    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // The kernel copies words.
        for (word, offset) in bytes.chunks(8).zip((offset..).step_by(8)) {
            kill::step();
            if !DEAF.get().is_some_and(|(begin, end)| (begin..end).contains(&offset)) {
                RING.with_borrow_mut(|ring| ring[offset as usize..][..word.len()].copy_from_slice(word));
            }
        }
        Ok(())
    }

    pub(crate) fn unlink(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}
