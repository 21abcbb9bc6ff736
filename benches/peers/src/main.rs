//! Measures Floret beside what a user would pick instead: the same work, peer after peer, round
//! after round. `README.md` says how to run it and what the figures mean.

mod arguments;
mod floor;
mod floret;
mod peers;
mod process;
mod table;

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
    let floor = async |synchronous: &str| {
        round
            .measure(async |folder, in_flight, jobs| {
                floor::Floor::open(&folder, synchronous, in_flight, jobs)
            })
            .await
    };
    let floret = async |durability| {
        round
            .measure(async |folder, in_flight, jobs| {
                floret::FloretPeer::open(&folder, durability, in_flight, jobs).await
            })
            .await
    };
    let mut report = match round.mode.as_str() {
        "floor-normal" => floor("NORMAL").await,
        "floor-full" => floor("FULL").await,
        "floret-normal" => floret(Durability::Normal).await,
        "floret-full" => floret(Durability::Full).await,
        other => panic!("no such mode: {other}"),
    };
    if round.mode.starts_with("floret") {
        let lock_file = include_str!("../Cargo.lock");
        report.versions.push(crate_version(lock_file, "floret"));
    }
    let library = format!("SQLite {}", rusqlite::version());
    report.versions.push(library);
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
