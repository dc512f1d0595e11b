//! `SocketWriter`: lines go through a Unix socket to one receiver, which writes the files.

mod build;
mod connection;
pub(crate) mod engine;
pub(crate) mod event;
pub(crate) mod options;
pub mod protocol;
mod ring;
pub(crate) mod stats;
mod worker;
pub(crate) mod writer;
