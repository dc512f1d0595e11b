//! Any text: reading it as a rotation or a zone never panics, and what could be read is printed as a text that means
//! the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fmt::Display;
use std::str::FromStr;
use tracing_prefork::{BuildError, Rotation, Zone};

fn read_print_read<T: FromStr<Err = BuildError> + Display + PartialEq + std::fmt::Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            let again = printed.parse::<T>().expect("what it prints can be read");
            assert_eq!(again, value, "{text:?} is printed as {printed:?}");
            assert_eq!(again.to_string(), printed);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fuzz_target!(|text: &str| {
    read_print_read::<Rotation>(text);
    read_print_read::<Zone>(text);
});
