//! Any bytes as the file of a ring: reading it never panics, and each line that is read lies in the ring and is whole.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tracing_prefork::check_ring(bytes));
