//! The examples, as a user starts them. These tests log nothing themselves, so they run side by side in this process.

mod prefork_axum;
mod reopen_on_sighup;
