mod iso_weeks;
mod periods;
mod schedule;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "local-time")]
mod zones;
