//! The machine and the versions, so that a table says where its figures come from.

use std::env::consts::{ARCH, OS};
use std::process::Command;

/// Returns a line with the processor, the system, the versions, the date and the load.
pub(crate) fn line() -> String {
    let cores = std::thread::available_parallelism().unwrap();
    let processor = read("/proc/cpuinfo").and_then(|text| field(&text, "model name"));
    let processor = processor.unwrap_or_else(|| ARCH.to_owned());
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = format!("{OS} {}", version(&release));
    let sqlite = rusqlite::version();
    let date = chrono::Utc::now().date_naive();
    let load = read("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{cores} cores ({processor}), {}, {}, SQLite {sqlite}, {date}, load at the start: {}",
        system.trim_end(),
        compiler(),
        if load.is_empty() { "unknown" } else { load }
    )
}

/// Returns the version of the compiler of this folder.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().unwrap();
    assert!(output.status.success(), "rustc --version");
    let version = String::from_utf8(output.stdout).unwrap();
    version.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Returns the text of a file that only Linux has.
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(": ").map(|(_, value)| value.to_owned())
}

/// Returns the numbers at the start of a release, without what a distribution has added.
fn version(release: &str) -> &str {
    let end = release.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    &release[..end.unwrap_or(release.len())]
}
