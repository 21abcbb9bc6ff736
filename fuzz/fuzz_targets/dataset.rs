//! Feeds `floret::testing::targets::dataset`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floret::testing::targets::dataset(bytes));
