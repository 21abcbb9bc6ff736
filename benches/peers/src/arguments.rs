//! The arguments of the command.

use crate::peers::{PEERS, Spec};

/// What to measure.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    /// The jobs that are enqueued and drained.
    pub(crate) jobs: usize,
    /// The jobs that are enqueued one by one.
    pub(crate) singles: usize,
    pub(crate) peers: Vec<Spec>,
}

impl Arguments {
    /// Reads `--rounds N`, `--jobs N`, `--singles N` and `--peers A,B`.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self {
            rounds: 5,
            jobs: 10_000,
            singles: 300,
            peers: PEERS.to_vec(),
        };
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--rounds" => read.rounds = positive(&value)?,
                "--jobs" => read.jobs = positive(&value)?,
                "--singles" => read.singles = positive(&value)?,
                "--peers" => read.peers = value.split(',').map(peer).collect::<Result<_, _>>()?,
                _ => return Err(format!("there is no argument {name}")),
            }
        }
        Ok(read)
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text} is not a positive number")),
    }
}

fn peer(name: &str) -> Result<Spec, String> {
    let found = PEERS.into_iter().find(|peer| peer.name == name);
    found.ok_or_else(|| format!("there is no peer {name}"))
}

/// Describes the arguments.
pub(crate) fn usage() -> String {
    let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
    format!(
        "arguments: [--rounds 5] [--jobs 10000] [--singles 300] [--peers A,B]\npeers: {}",
        names.join(",")
    )
}
