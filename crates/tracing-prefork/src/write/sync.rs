//! Atomics, and waiting: the standard library's. The model checker (`tests/slot-model`) puts its own in this module's place.

pub(crate) use crate::sys::this_thread;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, compiler_fence, fence};
pub(crate) use std::thread;
