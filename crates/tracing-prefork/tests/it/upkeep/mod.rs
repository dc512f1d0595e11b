#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress_again;
mod latest;
mod on_rollover;
mod on_rollover_attacks;
mod retention;
mod turns;
