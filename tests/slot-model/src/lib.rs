//! The slot protocol under a model checker: `slots.rs`, `rolling.rs`, `pin.rs`, `status.rs`, `in_flight.rs`, `turn.rs`
//! and `zero_is_empty.rs` of `tracing-prefork`, as they are. Beside it the protocol of the rings: `entries.rs`,
//! `marks.rs`, `head.rs`, `note.rs`, `dead.rs`, `matching.rs`, `finish.rs` and `bell.rs`. Other modules
//! stand in the place of those that they use. Every interleaving of a few threads is run, with every value that the
//! memory model of C11 lets a load return.
//!
//! ```sh
//! cargo test --release -p slot-model
//! ```
//!
//! What is in whose place:
//!
//! | module | of the library | here |
//! |---|---|---|
//! | `sync` | the standard library's atomics | loom's, which are made when they are touched first: all zero is empty here too |
//! | `sys` | descriptors, files, `membarrier(2)` | a cell that tells when it is read and changed at once; barriers that interrupt |
//! | `seat` | a thread's own number | the same with fewer seats, given out by the test |
//! | `futex` | `futex(2)` | the sleeper lets the others go on |
//! | `disk` | a log file, the file of a ring | bytes in memory; a process can be killed between any two of them |
//! | `layout` | rings of at least 64 KiB | rings of 8 entries |
//! | `names` | tags | none |
//!
//! `protocol.rs` has the promises of the slots; `ring/queue.rs`, `ring/sleep.rs` and `ring/kills.rs` have those of the
//! rings.

#![cfg(test)]

mod names;
mod protocol;
mod ring;
mod sys;
mod write;

mod time {
    pub(crate) mod calendar {
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Span {
            pub(crate) start: i64,
            pub(crate) end: i64,
        }
    }

    pub(crate) mod clock {
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Second {
            pub(crate) at: i64,
            pub(crate) behind: i64,
        }

        impl Second {
            pub(crate) fn exact(at: i64) -> Self {
                Self { at, behind: 0 }
            }
        }
    }
}

mod process {
    #[derive(Debug)]
    pub(crate) struct Process;

    impl Process {
        pub(crate) fn may_allocate(&self) -> bool {
            true
        }
    }
}
