//! Measures the figures of the charts in `docs/performance.md`, and draws them:
//! `cargo bench -p floret-benches --bench charts`.
//!
//! `nodes`, `starts` and `lists` measure one chart each. Prints the Markdown table behind each
//! chart, with medians over the rounds and their smallest and largest values, and writes the charts
//! to `docs/charts/`. Arguments after `--`:
//!
//! - `--chart NAME` measures only this chart.
//! - `--rounds N` (5) is how often everything is measured in turn.
//! - `--quick` measures two rounds of the two smallest sizes within seconds. Its charts go to the
//!   target folder, because they show only that the bench works.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::future_not_send,
    clippy::print_stdout,
    reason = "a benchmark asks the time, prints, and stops when something fails"
)]

mod axis;
mod drawing;
#[path = "../spine/engine.rs"]
mod engine;
mod figure;
mod lists;
mod machine;
mod nodes;
mod number;
#[path = "../million/questions.rs"]
mod questions;
mod starts;
#[path = "../million/store.rs"]
mod store;
mod table;

use std::path::{Path, PathBuf};

use engine::Backend;
use figure::Figure;

type Measure = fn(Scale) -> Figure;

/// The charts by name.
const CHARTS: [(&str, Measure); 3] = [
    ("nodes", nodes::measure),
    ("starts", starts::measure),
    ("lists", lists::measure),
];

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    rounds: usize,
    is_quick: bool,
}

impl Scale {
    /// Returns the sizes to measure, of these.
    fn of<T>(self, sizes: &[T]) -> &[T] {
        if self.is_quick { &sizes[..2] } else { sizes }
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    // `cargo test` can build benches, and runs them without `--bench`.
    if let Some((_, arguments)) = arguments
        .split_last()
        .filter(|(last, _)| *last == "--bench")
    {
        measure(arguments);
    }
}

fn measure(arguments: &[String]) {
    let (scale, chart) = read(arguments);
    println!(
        "{}\n\n```sh\n{}\n```\n",
        machine::line(),
        command(arguments)
    );
    for (name, measure) in CHARTS {
        if chart.as_ref().is_none_or(|chart| chart == name) {
            let figure = measure(scale);
            let path = out(scale).join(name).with_extension("svg");
            std::fs::write(&path, drawing::svg(&figure)).unwrap();
            println!("{}\n", table::markdown(&figure));
            println!("The chart is in {}\n", path.display());
        }
    }
}

/// Returns the command that measures the same again.
fn command(arguments: &[String]) -> String {
    let command = "cargo bench -p floret-benches --bench charts";
    match arguments {
        [] => command.to_owned(),
        _ => format!("{command} -- {}", arguments.join(" ")),
    }
}

fn read(arguments: &[String]) -> (Scale, Option<String>) {
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let rounds = if is_quick { 2 } else { 5 };
    let (mut scale, mut chart) = (Scale { rounds, is_quick }, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => {}
            "--rounds" => scale.rounds = arguments.next().unwrap().parse().unwrap(),
            "--chart" => chart = Some(arguments.next().unwrap().clone()),
            other => panic!("there is no argument {other}"),
        }
    }
    let names = CHARTS.map(|(name, _)| name);
    let is_known = chart
        .as_ref()
        .is_none_or(|chart| names.contains(&chart.as_str()));
    assert!(is_known, "the charts are {names:?}");
    (scale, chart)
}

/// Returns the folder for the charts.
fn out(scale: Scale) -> PathBuf {
    let folder = match scale.is_quick {
        true => Path::new(env!("CARGO_TARGET_TMPDIR")).join("charts"),
        false => Path::new(env!("CARGO_MANIFEST_DIR"))
            .with_file_name("docs")
            .join("charts"),
    };
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Creates a folder for a store. The target folder is on a disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

const fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::Memory => "memory",
        Backend::Normal => "SQLite, NORMAL",
        Backend::Full => "SQLite, FULL",
    }
}
