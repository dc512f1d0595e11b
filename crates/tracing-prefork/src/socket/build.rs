//! [`SocketBuilder::build`]: checks the options and makes a writer.

use crate::BuildError;
use crate::process::Process;
use crate::report::Reporter;
use crate::socket::engine::{Engine, Options};
use crate::socket::options::SocketBuilder;
use crate::socket::ring::Ring;
use crate::socket::writer::SocketWriter;
use crate::sys::socket::Address;
use crate::sys::{self, Descriptor, ForkWiped};
use crate::time::times::{self, Times};
use crate::time::zone::{Offsets, Zone};
use std::io;
use std::path::{Path, absolute};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A ring of less would make a writer wait at each burst.
const LEAST_RING: usize = 64 * 1024;
const MOST_RING: usize = 1 << 30;

impl SocketBuilder {
    /// Makes the writer. Nothing is connected before the first event, and nobody need listen yet. A relative path is
    /// made absolute now.
    ///
    /// # Errors
    ///
    /// If the path is too long for a socket, `ring_bytes` is out of its range or cannot be had, or the zone is unknown.
    pub fn build(self, path: impl AsRef<Path>) -> Result<SocketWriter, BuildError> {
        // This comes before anything is opened, even the data of a zone. If it fails, `Process::new` fails below.
        let _ = sys::watch_forks();
        if !(LEAST_RING..=MOST_RING).contains(&self.ring_bytes) {
            let reason = "give 64 KiB (65536) at least, and 1 GiB at most";
            return Err(BuildError::Limit { value: format!("ring_bytes({})", self.ring_bytes), reason });
        }
        let failed = |error: io::Error| BuildError::Socket { path: path.as_ref().to_owned(), error };
        let path = absolute(&path).map_err(failed)?;
        let address = Address::of(&path).map_err(failed)?;
        let offsets = match (&self.zone, &self.fallback) {
            (Some(zone), _) => Offsets::resolve(zone)?,
            (None, Some(files)) => files.offsets().clone(),
            (None, None) => Offsets::resolve(&Zone::Utc)?,
        };
        let process = Arc::new(Process::new().map_err(failed)?);
        let reporter = Arc::new(Reporter::new(self.on_error, process.clone()).map_err(failed)?);
        let times = Arc::new(Times { id: times::new_id(), clock: self.clock, offsets });
        times.clock.report_to(&reporter, &path);
        process.start();
        Ok(SocketWriter::of(Engine {
            options: Options { patience: self.patience, server_uid: self.server_uid },
            fallback: self.fallback,
            ring: Ring::new(self.ring_bytes).map_err(failed)?,
            connection: Descriptor::none(),
            state: ForkWiped::new().map_err(failed)?,
            counts: ForkWiped::new().map_err(failed)?,
            address,
            path,
            process,
            reporter,
            times,
            made: Instant::now(),
            ended: AtomicBool::new(false),
        }))
    }
}
