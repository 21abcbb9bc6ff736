//! Feeds `floret::testing::targets::row`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floret::testing::targets::row(bytes));
