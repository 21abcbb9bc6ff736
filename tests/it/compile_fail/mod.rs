//! The messages of the compiler for functions that cannot execute nodes: each says what to write.
//!
//! The text beside a case has the error, the labels of its spans and its notes, but neither lines
//! nor excerpts of the sources. To write the texts again:
//!
//! ```text
//! FLORET_WRITE_MESSAGES=1 cargo test --test it -- compile_fail
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use floret::testing::scratch;
use serde_json::Value;

use crate::built_examples::library;
use crate::tidy::root;

/// The compiler whose messages are stored. Another one may word what it adds differently.
const COMPILER: &str = "rustc 1.95.";

/// With this variable the test writes the texts.
const WRITE: &str = "FLORET_WRITE_MESSAGES";

/// The beginnings of messages that say nothing about the case: the sum, and types of other crates.
const NOISE: [&str; 3] = [
    "aborting due to",
    "For more information",
    "the following other types implement",
];

#[test]
fn a_function_that_cannot_be_a_node_is_refused_with_what_to_write() {
    if !rustc(["--version"]).stdout.starts_with(COMPILER.as_bytes()) {
        return;
    }
    let cases = cases();
    assert!(cases.len() > 10, "{cases:?}");
    for case in cases {
        let messages = messages(&case);
        let stored = case.with_extension("stderr");
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(stored, messages).unwrap();
        } else {
            let expected = std::fs::read_to_string(&stored).unwrap();
            assert_eq!(messages, expected, "{}", stored.display());
        }
    }
}

fn rustc<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).args(arguments).output();
    output.unwrap()
}

fn cases() -> Vec<PathBuf> {
    let dir = root().join("tests/it/compile_fail/cases");
    let files = std::fs::read_dir(dir).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut cases: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .collect();
    cases.sort();
    cases
}

/// Compiles a case against the built libraries and returns what the compiler says.
fn messages(case: &Path) -> String {
    let libraries = ["floret", "schemars", "serde"].map(|name| (name, library(name)));
    let scratch = scratch();
    let folder = libraries[0].1.parent().unwrap();
    let mut arguments = vec![
        "--edition=2024".to_owned(),
        "--error-format=json".to_owned(),
        "--emit=metadata".to_owned(),
        // A narrower message would have shortened types.
        "--diagnostic-width=1000".to_owned(),
        format!("--out-dir={}", scratch.path().display()),
        format!("-Ldependency={}", folder.display()),
    ];
    arguments.extend(
        libraries
            .iter()
            .map(|(name, path)| format!("--extern={name}={}", path.display())),
    );
    arguments.push(case.display().to_string());
    let output = rustc(arguments.iter().map(String::as_str));
    assert!(!output.status.success(), "{} compiles", case.display());
    let mut text = String::new();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        write_message(&mut text, &message, "");
    }
    text.replace(&*case.to_string_lossy(), "CASE")
}

/// Writes a message, the labels of its spans, and what the compiler adds to it.
fn write_message(text: &mut String, message: &Value, indent: &str) {
    let level = message["level"].as_str().unwrap();
    let code = message["code"]["code"].as_str();
    let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
    let content = message["message"].as_str().unwrap();
    if NOISE.iter().any(|noise| content.starts_with(noise)) {
        return;
    }
    writeln!(text, "{indent}{level}{code}: {content}").unwrap();
    for label in message["spans"].as_array().into_iter().flatten() {
        if let Some(label) = label["label"].as_str() {
            writeln!(text, "{indent}  {label}").unwrap();
        }
    }
    for child in message["children"].as_array().into_iter().flatten() {
        write_message(text, child, "  ");
    }
}
