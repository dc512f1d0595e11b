mod build;
#[cfg(feature = "serde")]
mod config;
#[cfg(feature = "serde")]
mod config_attacks;
mod drop_in;
mod inspect;
mod inspect_attacks;
mod messages;
#[cfg(all(feature = "gzip", feature = "local-time", feature = "serde", feature = "zstd", target_os = "linux"))]
mod moving;
mod names_match_tracing_appender;
#[cfg(all(feature = "gzip", feature = "local-time", feature = "serde"))]
mod readme;
