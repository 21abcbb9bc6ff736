//! Feeds `floret::testing::targets::cron`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floret::testing::targets::cron(bytes));
