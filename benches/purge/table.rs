//! The page of the rounds as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use crate::round::Round;
use crate::writers::Waits;

type Column = fn(&mut Round) -> &mut Waits;

const COLUMNS: [Column; 3] = [
    |round| &mut round.before,
    |round| &mut round.during,
    |round| &mut round.after,
];

type Times = fn(&mut Waits) -> &mut Vec<Duration>;

/// The rows: their names, the times that they show, and a percentile.
const ROWS: [(&str, Times, usize); 4] = [
    ("trigger, p50", |waits| &mut waits.triggers, 50),
    ("trigger, p99", |waits| &mut waits.triggers, 99),
    ("trigger → end, p50", |waits| &mut waits.ends, 50),
    ("trigger → end, p99", |waits| &mut waits.ends, 99),
];

/// Returns the medians of the rounds. A ratio is that of the purge to what is before it, within the
/// same round.
pub(crate) fn page(rounds: &mut [Round]) -> String {
    let mut page = purges(rounds);
    page += "| ms | before | during the purge | after | during × before |\n";
    page += "|---|--:|--:|--:|--:|\n";
    for (name, times, percent) in ROWS {
        let columns = COLUMNS.map(|column| {
            let millis = rounds.iter_mut();
            let millis = millis.map(|round| percentile(times(column(round)), percent));
            millis.collect::<Vec<_>>()
        });
        let ratios = columns[1].iter().zip(&columns[0]);
        let ratio = median(ratios.map(|(during, before)| during / before).collect());
        let [before, during, after] = columns.map(median);
        let row = format!("| {name} | {before:.2} | {during:.2} | {after:.2} | {ratio:.1} |");
        writeln!(page, "{row}").unwrap();
    }
    page
}

/// Describes the purges.
fn purges(rounds: &[Round]) -> String {
    let seconds = |time: fn(&Round) -> Duration| {
        median(
            rounds
                .iter()
                .map(|round| time(round).as_secs_f64())
                .collect(),
        )
    };
    let rates = rounds.iter().map(|round| {
        let runs = u32::try_from(round.deleted).unwrap();
        f64::from(runs) / round.whole.as_secs_f64()
    });
    let (call, whole) = (seconds(|round| round.call), seconds(|round| round.whole));
    let deleted = rounds[0].deleted;
    let rate = median(rates.collect());
    format!(
        "{deleted} runs: {call:.0} s until the call returned, {whole:.0} s until all their rows \
         were deleted, {rate:.0} runs a second.\n\n"
    )
}

/// Returns a percentile in milliseconds.
fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let index = (times.len() * percent).div_ceil(100);
    times[index.max(1) - 1].as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
