mod closing;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod closing_kills;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress_kills;
mod latest;
mod on_finished;
mod on_finished_attacks;
#[cfg(feature = "gzip")]
mod on_finished_load;
mod turns;
