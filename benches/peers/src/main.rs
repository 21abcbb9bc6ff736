//! Measures Floret beside what a user would pick instead: the same work, peer after peer, round
//! after round. `README.md` says how to run it and what the figures mean.

mod arguments;
mod calls;
mod floor;
mod floret;
mod graphs;
mod peers;
mod process;
mod table;

use std::path::PathBuf;

use peers_work::{Report, Round, crate_version};

use ::floret::storage::Durability;
use arguments::Arguments;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq(process::ROUND).is_some() {
        print!("{}", round(Round::from_arguments(arguments)).await);
        return;
    }
    let arguments = match Arguments::read(arguments) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n{}", arguments::usage());
            std::process::exit(2);
        }
    };
    process::build(&arguments.peers);
    let rounds = measure(&arguments).await;
    print!("{}", table::page(&arguments, &rounds));
}

/// Measures one round of a peer of this program.
async fn round(round: Round) -> Report {
    let mode = round.mode.as_str();
    let (mut report, measured) = match mode {
        "floor-normal" => (floor(&round, "NORMAL").await, None),
        "floor-full" => (floor(&round, "FULL").await, None),
        "floret-normal" => (floret(&round, Durability::Normal).await, Some("floret")),
        "floret-full" => (floret(&round, Durability::Full).await, Some("floret")),
        "joinset" => (graphs::measure(mode).await, Some("tokio")),
        "floret-memory" => (graphs::measure(mode).await, Some("floret")),
        "dagrs" | "dagx" => (graphs::measure(mode).await, Some(mode)),
        "floret-service" => (calls::measure(mode).await, Some("floret")),
        "axum" => (calls::measure(mode).await, Some(mode)),
        other => panic!("no such mode: {other}"),
    };
    let version = |name| crate_version(include_str!("../Cargo.lock"), name);
    report.versions.extend(measured.map(version));
    report
}

async fn floor(round: &Round, synchronous: &str) -> Report {
    let open = async |folder: PathBuf, in_flight, jobs| {
        floor::Floor::open(&folder, synchronous, in_flight, jobs)
    };
    with_sqlite(round.measure(open).await)
}

async fn floret(round: &Round, durability: Durability) -> Report {
    let open = async |folder: PathBuf, in_flight, jobs| {
        floret::FloretPeer::open(&folder, durability, in_flight, jobs).await
    };
    with_sqlite(round.measure(open).await)
}

fn with_sqlite(mut report: Report) -> Report {
    report
        .versions
        .push(format!("SQLite {}", rusqlite::version()));
    report
}

/// Measures all rounds: each peer once, then each peer again. The speed of the machine drifts, so
/// only figures of the same round are compared.
async fn measure(arguments: &Arguments) -> Vec<Vec<Report>> {
    let mut rounds = Vec::new();
    for number in 1..=arguments.rounds {
        let mut reports = Vec::new();
        for peer in &arguments.peers {
            eprintln!("round {number} of {}: {}", arguments.rounds, peer.name);
            reports.push(process::measure(*peer, arguments).await);
        }
        rounds.push(reports);
    }
    rounds
}
