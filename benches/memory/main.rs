//! Measures the memory of Floret at rest and at work:
//! `cargo bench -p floret-benches --bench memory`.
//!
//! Each case and backend has a process of its own, so that no figure holds what another one left.
//! `process` reads the memory, `cases` does the work, `table` prints a Markdown table with medians
//! over `--rounds N` (3).
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark waits, prints, and stops when something fails"
)]

mod cases;
mod engine;
mod process;
mod table;

use std::process::{Command, Stdio};

use cases::{CASES, Case};
use engine::{BACKENDS, Backend};
use table::Table;

/// The first argument of this program when it measures one case itself.
const CASE: &str = "case";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [CASE, case, backend] => measure(case, backend),
        // `cargo test` can build benches, and runs them without `--bench`.
        [.., "--bench"] => measure_all(rounds(&arguments)),
        _ => {}
    }
}

fn measure_all(rounds: usize) {
    let mut table = Table::default();
    for _ in 0..rounds {
        for case in &CASES {
            for backend in BACKENDS {
                table.add(backend, &run(case, backend));
            }
        }
    }
    println!(
        "{rounds} rounds, medians with the smallest and the largest value. RSS is the memory of \
         the process, live is what the program itself has allocated and not freed. SQLite and the \
         stacks of threads are in RSS only.\n\n{table}"
    );
}

/// Measures one case in this process and prints its figures.
fn measure(case: &str, backend: &str) {
    let case = CASES.iter().find(|it| it.name == case).unwrap();
    let backend = BACKENDS.into_iter().find(|it| it.name() == backend);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let figures = runtime.block_on((case.measure)(backend.unwrap()));
    for figure in figures {
        println!("{figure}");
    }
}

/// Measures one case in a new process and returns what that prints.
fn run(case: &Case, backend: Backend) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([CASE, case.name, backend.name()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{} {backend:?}", case.name);
    String::from_utf8(output.stdout).unwrap()
}

fn rounds(arguments: &[&str]) -> usize {
    match arguments {
        ["--bench"] => 3,
        ["--rounds", rounds, "--bench"] => rounds.parse().unwrap(),
        _ => panic!("the arguments are [--rounds N]"),
    }
}
