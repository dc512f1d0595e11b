//! [`Sink`]: where the line of an event goes: straight to its file, or into the ring of its process.

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::buffer::{buffer::Buffer, options::Buffering};
use crate::report::{Error, Operation};
use crate::time::clock::Second;
use crate::write::log::Log;
use crate::write::unwritten::Unwritten;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use tracing_core::Level;

/// What all handles of an appender share.
#[derive(Debug)]
pub(crate) struct Sink {
    log: Arc<Log>,
    /// `None`: events go straight to their files.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    buffer: Option<Arc<Buffer>>,
}

impl Sink {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn new(log: Arc<Log>, buffer: Option<Arc<Buffer>>) -> Self {
        Self { log, buffer }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self { log }
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    #[cfg(all(test, any(target_os = "linux", target_os = "android")))]
    pub(crate) fn buffer(&self) -> Option<&Arc<Buffer>> {
        self.buffer.as_ref()
    }

    /// The same engine behind a ring with these options. If it has one already, that is it. If there can be none, this
    /// is reported, and events go straight to their files.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn buffered(self: &Arc<Self>, options: Buffering) -> Arc<Self> {
        if self.buffer.is_some() {
            return self.clone();
        }
        // Before a line is in the ring.
        self.log.slots.lock_writes();
        match Buffer::before(self.log.clone(), options) {
            Ok(buffer) => Arc::new(Self::new(self.log.clone(), Some(buffer))),
            Err(error) => {
                self.log.site.report(Operation::Ring, self.log.site.directory(), error);
                self.clone()
            }
        }
    }

    /// Writes the lines of the ring. If they cannot be written, they stay there, and this is reported.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn flush_at_end(&self) {
        if let Some(buffer) = &self.buffer {
            buffer.flush_at_end();
        }
    }

    /// Takes a line of an event. If its second is not `known`, it is that of now. `urgent`: the line is in its file
    /// when this returns.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[inline]
    pub(crate) fn put(&self, line: &[u8], known: Option<Second>, urgent: bool) -> Result<(), Unwritten> {
        match &self.buffer {
            None => self.log.put(line, known),
            Some(buffer) => buffer.put(line, known, urgent),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[inline]
    pub(crate) fn put(&self, line: &[u8], known: Option<Second>, _urgent: bool) -> Result<(), Unwritten> {
        self.log.put(line, known)
    }

    /// Whether an event of that level is to be in its file when its call returns.
    pub(crate) fn is_urgent(&self, level: &Level) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self
            .buffer
            .as_ref()
            .is_some_and(|buffer| buffer.options.flush_level.is_some_and(|least| *level <= least));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return level > level;
    }

    /// Returns when each line that was taken before is in its file.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(buffer) = &self.buffer {
            return buffer.flush().map_err(|error| self.ring_error(error));
        }
        Ok(())
    }

    /// Writes the lines of the rings whose processes have ended. Returns how many.
    pub(crate) fn recover(&self) -> Result<u64, Error> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self.log.recover().map_err(|error| self.ring_error(error));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return Ok(0);
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.flush()?;
        self.log.sync()
    }

    pub(crate) fn release(&self) -> Result<(), Error> {
        self.flush()?;
        self.log.release()
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(buffer) = &self.buffer {
            buffer.end_ring(false).map_err(|error| self.ring_error(error))?;
        }
        self.log.close()
    }

    fn ring_error(&self, error: io::Error) -> Error {
        self.log.site.reporter.error(Operation::Ring, self.log.site.directory(), error)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(buffer) = &self.buffer {
            buffer.end_with_last_handle();
        }
    }
}

impl Deref for Sink {
    type Target = Arc<Log>;

    fn deref(&self) -> &Arc<Log> {
        &self.log
    }
}
