#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress;
mod latest;
mod on_rollover;
mod on_rollover_attacks;
mod retention;
mod turns;
