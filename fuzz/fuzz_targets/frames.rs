//! Feeds `floret::testing::targets::frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floret::testing::targets::frames(bytes));
