//! The Markdown table behind a chart.

use crate::figure::{Figure, Spread};
use crate::number;

/// Returns a row for each series of each panel, with a column for each size.
pub(crate) fn markdown(figure: &Figure) -> String {
    let sizes = figure.axis();
    let columns: Vec<_> = sizes.iter().map(|size| number::whole(*size)).collect();
    let mut rows = vec![
        format!("| {} | {} |", figure.values, columns.join(" | ")),
        format!("|---{}|", "|--:".repeat(columns.len())),
    ];
    for panel in figure.panels() {
        for series in figure.series() {
            let line = figure.line(panel, series);
            if !line.is_empty() {
                let cells: Vec<_> = line.iter().map(|(_, spread)| cell(*spread)).collect();
                rows.push(format!("| {panel}, {series} | {} |", cells.join(" | ")));
            }
        }
    }
    rows.join("\n")
}

fn cell(spread: Spread) -> String {
    let [smallest, median, largest] =
        [spread.smallest, spread.median, spread.largest].map(number::value);
    format!("{median} ({smallest} – {largest})")
}
