//! The examples as executables: cargo builds them once for a whole run of the tests.
//!
//! `examples`, `examples_hosts` and `standalone` start them.

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
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(build);
    let path = built.get(name);
    path.unwrap_or_else(|| panic!("there is no example {name}"))
        .clone()
}

/// Builds all examples in the folder and with the profile of this test.
fn build() -> BTreeMap<String, PathBuf> {
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
    messages.lines().filter_map(executable).collect()
}

/// Returns the name and the path of an example, if this message of cargo is about one.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).unwrap();
    let is_example = message["target"]["kind"][0] == "example";
    let path = message["executable"].as_str().filter(|_| is_example)?;
    let name = message["target"]["name"].as_str()?;
    Some((name.to_owned(), path.into()))
}
