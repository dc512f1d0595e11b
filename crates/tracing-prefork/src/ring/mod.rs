//! Rings: lines in a hidden file that outlives its process, and what a writer of log files owes to the rings of the
//! dead.
//!
//! The room knows the layout of a ring and the protocol of its entries, and finishes in a log file what a killed
//! process has left half-written there. `buffer` above fills rings and empties them.

#[cfg(all(any(test, fuzzing), any(target_os = "linux", target_os = "android")))]
pub(crate) mod any_bytes;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod cells;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod dead;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod entries;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod finish;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod found;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod head;
pub(crate) mod journal;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod layout;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod look;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod marks;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod matching;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod note;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod pending;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "nowhere.rs"]
pub(crate) mod pending;
