//! [`PerProcess`]: a value that each process makes for itself. A forked child finds none.

use super::fork_wiped::ForkWiped;
use super::sync::{AtomicBool, AtomicUsize};
use super::zero_is_empty::fork_wiped;
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

fork_wiped! {
    /// All zero: this process has made no value.
    #[derive(Debug)]
    struct Current {
        /// Where the value is; 0 for none.
        address: AtomicUsize,
        has_made: AtomicBool,
    }
}

/// At most one value at a time. The values before it are kept, because a thread may be using them.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    current: ForkWiped<Current>,
    kept: Mutex<Vec<Arc<T>>>,
}

impl<T> PerProcess<T> {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { current: ForkWiped::new()?, kept: Mutex::new(Vec::new()) })
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&T> {
        let address = self.current.address.load(Acquire);
        // SAFETY: null, or a value of this process that `kept` keeps as long as `self` is there.
        unsafe { std::ptr::with_exposed_provenance::<T>(address).as_ref() }
    }

    /// Keeps a value that is to be [used](Self::use_it). One thread at a time. An error in a child that was forked in
    /// the moment of such a call.
    pub(crate) fn keep(&self, value: Arc<T>) -> io::Result<()> {
        let mut kept = match self.kept.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        };
        if !self.current.has_made.swap(true, Relaxed) {
            // What a child has inherited belongs to its parent: dropping it would undo what does not exist here.
            std::mem::forget(std::mem::take(&mut *kept));
        }
        kept.push(value);
        Ok(())
    }

    /// From now on the value that was kept last is the one.
    pub(crate) fn use_it(&self) {
        let kept = self.kept.try_lock();
        let address = kept.ok().and_then(|kept| kept.last().map(Arc::as_ptr)).map_or(0, <*const T>::expose_provenance);
        self.current.address.store(address, Release);
    }

    /// From now on there is none.
    pub(crate) fn clear(&self) {
        self.current.address.store(0, Release);
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        if !self.current.has_made.load(Relaxed) {
            let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(std::mem::take(kept));
        }
    }
}
