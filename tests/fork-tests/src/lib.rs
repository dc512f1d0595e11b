//! Forks and re-executes real processes that write one log directory, and checks every line.
//!
//! A [`scenario::Scenario`] says how the processes start, how their appender is built, what they
//! write, what befalls them, and what must be true in the end. [`run::Stage`] plays it: every line
//! is noted in a [`harness::ledger::Ledger`] that all processes share before its write and after it, and in
//! the end the [`harness::checker::Checker`] holds each file against the ledger. Scenarios are played by the
//! program `fork-tests`, whose own process has one thread, never by a test's.
//!
//! [`attacks`] are the scenarios of the worst day: disks that run [full](filler), [kills](killer), what somebody does
//! to the files from [`outside`], [`limits`]. What was taken from the writers, and when, stands in the [`harness::journal`]. All
//! of them together make a [`table`].
//!
//! [`chaos`] draws options, clocks and faults by a seed, and lets them come together.
//!
//! [`sizes`] are those whose files are bounded, compressed and begin with a line of their own.

pub mod attacks;
pub mod chaos;
pub mod disk;
mod family;
pub mod faults;
pub mod filler;
pub mod heap;
pub mod keeper;
pub mod killer;
pub mod limits;
pub mod links;
pub mod outside;
pub mod peer;
pub mod prefork;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod sizes;
pub mod speed;
pub mod table;
