//! What one process does for all: pruning, compressing, handing over, and the links.

pub(crate) mod age;
pub(crate) mod busy;
pub(crate) mod compress;
pub(crate) mod compression;
pub(crate) mod copy;
pub(crate) mod hook;
pub(crate) mod job;
pub(crate) mod link;
pub(crate) mod link_note;
pub(crate) mod prune;
pub(crate) mod record;
pub(crate) mod refusals;
