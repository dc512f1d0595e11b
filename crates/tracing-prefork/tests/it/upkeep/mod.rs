mod closing;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress;
#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compress_again;
mod latest;
mod on_finished;
mod on_finished_attacks;
mod retention;
mod turns;
