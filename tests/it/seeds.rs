//! Fuzzing seeds: every seed, and every input that ever failed, passes its fuzz target.
//!
//! Finding new inputs is left to `fuzz/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use floret::testing::targets;

use crate::tidy::root;

/// The least number of seeds per target. A fuzzer needs every shape of input to start with.
const SEEDS_MIN: usize = 8;

fn fuzz_path(folder: &str) -> PathBuf {
    root().join("fuzz").join(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_passes_its_target() {
    for (name, target) in targets::ALL {
        let seeds = files(&fuzz_path("seeds").join(name));
        assert!(seeds.len() >= SEEDS_MIN, "{name} has {} seeds", seeds.len());
        for seed in seeds {
            let bytes = std::fs::read(&seed).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{} fails", seed.display());
        }
    }
}

#[test]
fn every_target_has_a_fuzzer_and_every_fuzzer_a_target() {
    let fuzzers: BTreeSet<_> = files(&fuzz_path("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<_> = targets::ALL
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(fuzzers, named);
    let manifest = std::fs::read_to_string(fuzz_path("Cargo.toml")).unwrap();
    for name in named {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}
