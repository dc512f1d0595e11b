//! Buffering: the ends of a process, kills, full disks; what cannot be relied on, and what cannot be had.

mod direct;
mod ends;
mod full;
mod trust;
