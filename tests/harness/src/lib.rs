//! Lines that can be checked, the record of who wrote them, and the checker that compares files with the record.
//!
//! This crate does not know the library under test. [`load`] writes [lines](mod@line) through any [`writer::Writer`],
//! and notes each line in a [`ledger::Ledger`] that all processes share: once before its write and once after it. What
//! somebody did to the files from outside stands in the [`journal`]. In the end [`checker::Checker`] compares each file
//! with the ledger and the journal, and counts what is wrong in a [`report::Report`].
//!
//! [`bad`] are writers that do wrong on purpose. The tests of this crate demand that the checker finds each wrong line
//! of theirs.

pub mod archive;
pub mod bad;
pub mod checker;
pub mod clock;
pub mod date_format;
pub mod handed;
pub mod journal;
pub mod ledger;
pub mod limited;
pub mod line;
pub mod load;
pub mod page;
pub mod pattern;
pub mod process;
pub mod report;
pub mod stamp;
pub mod tree;
pub mod watch;
pub mod writer;
pub mod zone;
