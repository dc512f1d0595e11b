mod iso_weeks;
mod periods;
mod pieces;
mod schedule;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "local-time")]
mod zones;
