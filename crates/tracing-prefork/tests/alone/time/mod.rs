#[cfg(feature = "local-time")]
mod local_time;
