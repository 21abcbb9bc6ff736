//! Feeds `floret::testing::targets::definition`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floret::testing::targets::definition(bytes));
