//! Replays what fuzzers begin with, and every input that ever failed, through the functions that
//! fuzzers feed.
//!
//! Finding inputs is left to `fuzz/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use floret::testing::targets;

/// Inputs that a target has at least, so that a fuzzer begins with every shape.
const SEEDS_MIN: usize = 8;

fn below(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(folder)
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
        let seeds = files(&below("seeds").join(name));
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
    let fuzzers: BTreeSet<_> = files(&below("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<_> = targets::ALL
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(fuzzers, named);
    let manifest = std::fs::read_to_string(below("Cargo.toml")).unwrap();
    for name in named {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}
