//! The page of results: a Markdown table a figure, with medians, spreads and ratios.

use std::fmt::Write;

use peers_work::{Figure, Report};

use crate::arguments::Arguments;
use crate::peers::Spec;

/// Returns the page. `rounds` has the reports of each round, in the order of the peers.
pub(crate) fn page(arguments: &Arguments, rounds: &[Vec<Report>]) -> String {
    let mut page = format!(
        "{} rounds in turn, {} jobs, {} singles, {} cores. Medians, with the smallest and the \
         largest value of all rounds. A ratio is the median of the ratios within each round, \
         with the smallest and the largest. The limit is the floor with the same durability, or \
         what a table's first peer does.\n\n",
        arguments.rounds,
        arguments.jobs,
        arguments.singles,
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    for figure in Figure::ALL {
        page += &table(figure, &arguments.peers, rounds);
    }
    page += "| peer | what was measured | an acknowledged write survives |\n|---|---|---|\n";
    for (peer, report) in arguments.peers.iter().zip(&rounds[0]) {
        let versions = report.versions.join(", ");
        writeln!(page, "| {} | {versions} | {} |", peer.name, peer.durability).unwrap();
    }
    page
}

const fn title(figure: Figure) -> &'static str {
    match figure {
        Figure::Trigger => "triggers/s, 64 waiters",
        Figure::Drain16 => "drain, 16 in flight, jobs/s",
        Figure::Drain64 => "drain, 64 in flight, jobs/s",
        Figure::Idle => "idle trigger → start, p50 in µs (smaller is better)",
        Figure::Chain => "chain of 1,000 nodes, µs a node (smaller is better)",
        Figure::Fan => "fan of 1,000 nodes, µs a node (smaller is better)",
        Figure::Layered => "layers of 8, 1,000 nodes, µs a node (smaller is better)",
        Figure::Call => "call in process, ns (smaller is better)",
    }
}

/// Returns the table of a figure, or nothing if no peer has the figure.
fn table(figure: Figure, peers: &[Spec], rounds: &[Vec<Report>]) -> String {
    let has_figure = |index: &usize| rounds[0][*index].figures.contains_key(&figure);
    let indexes: Vec<_> = (0..peers.len()).filter(has_figure).collect();
    let Some(first) = indexes.first() else {
        return String::new();
    };
    let mut table = format!(
        "| {} | median | from – to | × limit | × {} |\n|---|--:|--:|--:|--:|\n",
        title(figure),
        peers[*first].rival
    );
    for index in indexes {
        let peer = peers[index];
        let measured = rounds
            .iter()
            .flat_map(|reports| &reports[index].figures[&figure]);
        let measured = Spread::of(measured.copied());
        let ratio = |other: &str| {
            let other = peers.iter().position(|peer| peer.name == other)?;
            let of = |reports: &[Report], peer: usize| {
                Spread::of(reports[peer].figures[&figure].iter().copied()).median
            };
            let ratios = rounds.iter();
            Some(Spread::of(
                ratios.map(|reports| of(reports, index) / of(reports, other)),
            ))
        };
        writeln!(
            table,
            "| {} | {} | {} – {} | {} | {} |",
            peer.name,
            number(measured.median),
            number(measured.from),
            number(measured.to),
            shown(ratio(peer.limit)),
            shown(ratio(peer.rival)),
        )
        .unwrap();
    }
    table + "\n"
}

fn number(value: f64) -> String {
    let decimals = if value < 100.0 { 1 } else { 0 };
    format!("{value:.decimals$}")
}

fn shown(ratio: Option<Spread>) -> String {
    ratio.map_or_else(
        || "–".to_owned(),
        |ratio| format!("{:.2} ({:.2} – {:.2})", ratio.median, ratio.from, ratio.to),
    )
}

/// Values of several rounds.
struct Spread {
    from: f64,
    /// The value in the middle, or the mean of the two there.
    median: f64,
    to: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let below = if values.len() % 2 == 1 {
            middle
        } else {
            middle - 1
        };
        Self {
            from: values[0],
            median: f64::midpoint(values[below], values[middle]),
            to: values[values.len() - 1],
        }
    }
}
