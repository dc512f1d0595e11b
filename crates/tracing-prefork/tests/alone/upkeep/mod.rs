#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress_kills;
mod latest;
mod on_rollover;
mod on_rollover_attacks;
#[cfg(feature = "gzip")]
mod on_rollover_load;
mod turns;
