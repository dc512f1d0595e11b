//! Forks and re-executes real processes that write one log directory, and checks every line.
//!
//! A [`scenario::Scenario`] says how the processes start, how their appender is built, what they
//! write, what befalls them, and what must be true in the end. [`run::Stage`] plays it: every line
//! is noted in a [`ledger::Ledger`] that all processes share before its write and after it, and in
//! the end the [`checker::Checker`] holds each file against the ledger. Scenarios are played by the
//! program `fork-tests`, whose own process has one thread, never by a test's.
//!
//! [`attacks`] are the scenarios of the worst day: disks that run [full](filler), [kills](killer), what somebody does
//! to the files from [`outside`], [`limits`]. What was taken from the writers, and when, stands in the [`journal`]. All
//! of them together make a [`table`].
//!
//! [`chaos`] draws options, clocks and faults by a seed, and lets them come together.
//!
//! [`sizes`] are those whose files are bounded, compressed and begin with a line of their own.

pub mod archive;
pub mod attacks;
pub mod bad;
pub mod chaos;
pub mod checker;
pub mod clock;
pub mod date_format;
pub mod disk;
mod family;
pub mod faults;
pub mod filler;
pub mod handed;
pub mod heap;
pub mod journal;
pub mod keeper;
pub mod killer;
pub mod ledger;
pub mod limited;
pub mod limits;
pub mod line;
pub mod links;
pub mod load;
pub mod outside;
pub mod page;
pub mod pattern;
pub mod peer;
pub mod process;
pub mod report;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod sizes;
pub mod speed;
pub mod stamp;
pub mod table;
pub mod tree;
pub mod watch;
pub mod writer;
pub mod zone;
