//! Feeds `floret::testing::targets::request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floret::testing::targets::request(bytes));
