//! Instants, zones, rotations, and the periods that follow from them.

pub(crate) mod calendar;
pub(crate) mod clock;
pub(crate) mod rotation;
#[cfg(feature = "serde")]
pub(crate) mod serialize;
pub(crate) mod times;
#[cfg(feature = "local-time")]
pub(crate) mod tzdata;
pub(crate) mod zone;
