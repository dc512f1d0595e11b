//! Forks and re-executes real processes that write one log directory, and checks every line.
//!
//! A [`scenario::Scenario`] says how the processes start, how their appender is built, what they write, what happens to
//! them, and what must be true in the end. [`run::Stage`] plays the scenario. Each line is noted in a
//! [`harness::ledger::Ledger`] that all processes share: once before its write and once after it. In the end the
//! [`harness::checker::Checker`] compares each file with the ledger. The program `fork-tests` plays the scenarios. Its
//! own process has one thread, which the process of a test has not.
//!
//! [`attacks`] are the scenarios of the worst day: disks that run [full](filler), [kills](killer), what somebody does
//! to the files from [`outside`], [`limits`]. The [`harness::journal`] says what was taken from the writers, and when.
//! All attacks together make a [`table`].
//!
//! [`chaos`] draws options, clocks and faults by a seed, and lets them come together.
//!
//! [`cutter`] has the kills that hurt a buffered appender, some of them inside a system call ([`tracer`]).
//!
//! [`sizes`] are those whose files are bounded, compressed and begin with a line of their own.

pub mod attacks;
pub mod chaos;
pub mod cutter;
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
pub mod tracer;
