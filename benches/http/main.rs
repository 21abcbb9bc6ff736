//! Measures the standalone example over HTTP, beside hyper's hello:
//! `cargo bench -p floret-benches --bench http`.
//!
//! The example is the real executable, built here and started with its default options. The load
//! comes from this process; each server is a process of its own. `figures` says what is measured.
//! Prints Markdown tables with medians over `--rounds N` (5) in turn. A wrong answer stops it.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark asks the time, prints, and stops when something fails"
)]

mod bare_write;
mod connection;
mod crowd;
mod fan_out;
mod figures;
mod hello;
mod host;
mod listener;
mod load;
mod open;
mod server;
mod stream;
mod table;

use std::path::Path;

use crowd::Crowd;
use figures::{Tables, at, hello_of};
use table::Table;

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["hello", _] => hello::serve().await,
        ["host", folder] => host::serve(Path::new(folder)).await,
        ["bare-write", folder, clients, runs] => {
            let (clients, runs) = (clients.parse().unwrap(), runs.parse().unwrap());
            bare_write::serve(Path::new(folder), Crowd { clients, runs });
        }
        // `cargo test` can build benches, and runs them without `--bench`.
        [.., "--bench"] => measure(rounds(&arguments)).await,
        _ => {}
    }
}

async fn measure(rounds: usize) {
    let program = server::standalone();
    let mut tables = Tables {
        loads: Table::default(),
        starts: Table::default(),
        fan_out: Table::default(),
    };
    for _ in 0..rounds {
        // The target folder is on a disk.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        figures::round(&program, folder, &mut tables).await;
    }
    print(rounds, &tables);
}

fn print(rounds: usize, tables: &Tables) {
    println!(
        "{rounds} rounds in turn, {} cores, which the load generator shares. Medians, with the \
         smallest and the largest value. A ratio is that of the same round.\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    let columns = [
        "a second",
        "p50 µs",
        "p99 µs",
        "server's CPU µs each",
        "× hello",
    ];
    tables.loads.print("closed loop", &columns, |name| {
        let mut widths = [1, 8, 32].into_iter();
        let width = widths.find(|width| name.ends_with(&format!(", {}", at(*width))));
        width.map(hello_of)
    });
    tables
        .starts
        .print("500 triggers a second", &["p50 ms", "p99 ms"], |_| None);
    let columns = ["Floret, CPU µs", "bare write, CPU µs"];
    tables
        .fan_out
        .print("for each event and client", &columns, |_| None);
}

fn rounds(arguments: &[&str]) -> usize {
    match arguments {
        ["--bench"] => 5,
        ["--rounds", rounds, "--bench"] => rounds.parse().unwrap(),
        _ => panic!("the arguments are [--rounds N]"),
    }
}
