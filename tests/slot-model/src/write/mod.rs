//! The slots and the counts of writers, as they are in the library.

#[path = "../../../../crates/tracing-prefork/src/write/in_flight.rs"]
pub(crate) mod in_flight;
#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../../crates/tracing-prefork/src/write/pin.rs"]
pub(crate) mod pin;
#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../../crates/tracing-prefork/src/write/rolling.rs"]
pub(crate) mod rolling;
#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../../crates/tracing-prefork/src/write/slots.rs"]
pub(crate) mod slots;
#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../../crates/tracing-prefork/src/write/status.rs"]
pub(crate) mod status;
