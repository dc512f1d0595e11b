//! The engine: one line, one second, one `write(2)` to the file of that second.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod apart;
pub(crate) mod fallback;
pub(crate) mod file_lease;
pub(crate) mod header;
pub(crate) mod in_flight;
pub(crate) mod lease;
mod letting_go;
pub(crate) mod lines;
pub(crate) mod locked;
pub(crate) mod log;
pub(crate) mod next_file;
pub(crate) mod opener;
pub(crate) mod pin;
pub(crate) mod recheck;
pub(crate) mod retry;
pub(crate) mod rolling;
pub(crate) mod rollover;
pub(crate) mod room;
pub(crate) mod seconds;
pub(crate) mod shortfall;
pub(crate) mod size_limit;
pub(crate) mod slots;
pub(crate) mod status;
mod to_disk;
pub(crate) mod unwritten;
