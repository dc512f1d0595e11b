//! What a process knows of itself, and of the code of others that runs in it.

pub(crate) mod pieces;
pub(crate) mod user_code;
