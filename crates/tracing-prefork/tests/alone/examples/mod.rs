//! The example, as a user starts it. The test logs nothing itself, so it needs no process of its own.

mod reopen_on_sighup;
