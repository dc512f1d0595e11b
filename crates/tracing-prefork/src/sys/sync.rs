//! The standard library's atomics. The model checker (`tests/slot-model`) puts its own module in the place of this one.

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, compiler_fence, fence,
};
