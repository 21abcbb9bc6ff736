//! Deletes half of a million finished runs while others write:
//! `cargo bench -p floret-benches --bench purge`.
//!
//! Four tasks start runs and wait for their ends, before, during and after the purge. A purge is
//! over when all that belongs to its runs is deleted, too. Prints a Markdown table with the medians
//! over the rounds. The store is that of the bench `million`; each round purges a copy of it.
//! Arguments after `--`: `--runs N`, `--rounds N` (3) and `--seconds N` (20), for which the tasks
//! write before and after the purge.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark asks the time, prints, and stops when something fails"
)]

mod round;
#[path = "../million/store.rs"]
mod store;
mod table;
mod writers;

use std::time::Duration;

use store::Store;

const PIPELINES: u64 = 200;

struct Arguments {
    runs: u64,
    rounds: usize,
    /// How long the tasks write before and after the purge.
    around: Duration,
}

impl Arguments {
    fn read() -> Self {
        let mut read = Self {
            runs: 1_000_000,
            rounds: 3,
            around: Duration::from_secs(20),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut number = || arguments.next().and_then(|value| value.parse().ok());
            match name.as_str() {
                "--runs" => read.runs = number().unwrap(),
                "--rounds" => read.rounds = usize::try_from(number().unwrap()).unwrap(),
                "--seconds" => read.around = Duration::from_secs(number().unwrap()),
                // Cargo adds it.
                "--bench" => {}
                _ => panic!("there is no argument {name}"),
            }
        }
        read
    }
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::read();
    let store = Store::make(arguments.runs, PIPELINES).await;
    let mut rounds = Vec::new();
    for number in 1..=arguments.rounds {
        eprintln!("round {number} of {}", arguments.rounds);
        rounds.push(round::measure(&store, arguments.around).await);
    }
    print!("{}", table::page(&mut rounds));
}
