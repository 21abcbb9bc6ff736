//! The page of results: a Markdown table a figure, with medians, spreads and ratios.

use std::fmt::Write;

use peers_work::{Figure, Report};

use crate::arguments::Arguments;
use crate::peers::{RIVAL, Spec};

/// Returns the page. `rounds` has the reports of each round, in the order of the peers.
pub(crate) fn page(arguments: &Arguments, rounds: &[Vec<Report>]) -> String {
    let mut page = format!(
        "{} rounds in turn, {} jobs, {} singles, {} cores. Medians, with the smallest and the \
         largest value of all rounds. A ratio is the median of the ratios within each round.\n\n",
        arguments.rounds,
        arguments.jobs,
        arguments.singles,
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    for figure in Figure::ALL {
        page += &table(figure, &arguments.peers, rounds);
        page.push('\n');
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
    }
}

fn table(figure: Figure, peers: &[Spec], rounds: &[Vec<Report>]) -> String {
    let mut table = format!(
        "| {} | median | from – to | × floor | × {RIVAL} |\n|---|--:|--:|--:|--:|\n",
        title(figure)
    );
    for (index, peer) in peers.iter().enumerate() {
        let measured = rounds
            .iter()
            .flat_map(|reports| &reports[index].figures[&figure]);
        let measured: Vec<_> = measured.copied().collect();
        let ratio = |other: &str| {
            let other = peers.iter().position(|peer| peer.name == other)?;
            let of = |reports: &[Report], peer: usize| median(&reports[peer].figures[&figure]);
            let ratios = rounds
                .iter()
                .map(|reports| of(reports, index) / of(reports, other));
            Some(median(&ratios.collect::<Vec<_>>()))
        };
        writeln!(
            table,
            "| {} | {:.0} | {:.0} – {:.0} | {} | {} |",
            peer.name,
            median(&measured),
            measured.iter().copied().fold(f64::INFINITY, f64::min),
            measured.iter().copied().fold(0.0, f64::max),
            shown(ratio(peer.floor)),
            shown(ratio(RIVAL)),
        )
        .unwrap();
    }
    table
}

fn shown(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Returns the value in the middle, or the mean of the two there.
fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
