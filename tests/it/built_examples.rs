//! The examples as executables, and the libraries that they link: cargo builds them once for a
//! whole run of the tests.
//!
//! `examples`, `examples_hosts` and `standalone` start the examples. `compile_fail` gives the
//! libraries to the compiler.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::tidy::root;

/// Returns the executable of an example, built from the sources as they are now.
///
/// A run of all tests has already built it. With `--test it`, cargo builds only the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let path = built().executables.get(name);
    path.unwrap_or_else(|| panic!("there is no example {name}"))
        .clone()
}

/// Returns a library that the examples link, built from the sources as they are now.
pub(crate) fn library(name: &str) -> PathBuf {
    match built().libraries.get(name).map(Vec::as_slice) {
        Some([path]) => path.clone(),
        // With several, nothing says which one the others link.
        found => panic!("the examples link one library {name}, not {found:?}"),
    }
}

/// The files that cargo built, by the names of their targets.
#[derive(Default)]
struct Built {
    executables: BTreeMap<String, PathBuf>,
    libraries: BTreeMap<String, Vec<PathBuf>>,
}

impl Built {
    /// Notes the file of an artifact, if this message of cargo is about one.
    fn read(&mut self, message: &str) {
        let message: Value = serde_json::from_str(message).unwrap();
        let Some(name) = message["target"]["name"].as_str().map(str::to_owned) else {
            return;
        };
        let kind = &message["target"]["kind"][0];
        if let Some(path) = message["executable"].as_str().filter(|_| kind == "example") {
            self.executables.insert(name, path.into());
        } else if let Some(path) = message["filenames"][0].as_str().filter(|_| kind == "lib") {
            self.libraries.entry(name).or_default().push(path.into());
        }
    }
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// Builds all examples in the folder and with the profile of this test.
fn build() -> Built {
    let test = std::env::current_exe().unwrap();
    // The executable is `target/debug/deps/it-…`, or `target/TRIPLE/debug/deps/it-…`.
    let target = test.ancestors().find(|it| it.join("CACHEDIR.TAG").exists());
    let profile = test.ancestors().nth(2).and_then(Path::file_name).unwrap();
    let profile = if profile == "debug" {
        "dev".as_ref()
    } else {
        profile
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let built = Command::new(cargo)
        .args(["build", "--locked", "--examples"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(target.unwrap())
        .arg("--profile")
        .arg(profile)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "the examples do not compile");
    let messages = String::from_utf8(built.stdout).unwrap();
    let mut files = Built::default();
    for message in messages.lines() {
        files.read(message);
    }
    files
}
