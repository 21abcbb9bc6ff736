//! Feeds `floret::testing::targets::template`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floret::testing::targets::template(bytes));
