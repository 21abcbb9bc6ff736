//! The table of figures, one row a figure and backend.

use std::fmt;

use crate::engine::Backend;

/// The figures of all rounds.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

struct Row {
    name: String,
    backend: Backend,
    unit: String,
    goal: String,
    rss: Vec<f64>,
    live: Vec<f64>,
}

impl Table {
    /// Adds the figures that one process has printed.
    pub(crate) fn add(&mut self, backend: Backend, printed: &str) {
        for line in printed.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            let [name, unit, goal, rss, live] = fields.as_slice() else {
                panic!("{line}");
            };
            let row = self.row(name, backend, unit, goal);
            row.rss.extend(rss.parse::<f64>());
            row.live.extend(live.parse::<f64>());
        }
    }

    fn row(&mut self, name: &str, backend: Backend, unit: &str, goal: &str) -> &mut Row {
        let found = self
            .0
            .iter()
            .position(|row| row.name == name && row.backend == backend);
        let index = found.unwrap_or_else(|| {
            self.0.push(Row {
                name: name.to_owned(),
                backend,
                unit: unit.to_owned(),
                goal: goal.to_owned(),
                rss: Vec::new(),
                live: Vec::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | storage | unit | RSS | live | goal |")?;
        writeln!(f, "|---|---|---|--:|--:|--:|")?;
        for row in &self.0 {
            let (rss, live) = (spread(&row.rss), spread(&row.live));
            writeln!(
                f,
                "| {} | {} | {} | {rss} | {live} | {} |",
                row.name,
                row.backend.name(),
                row.unit,
                row.goal
            )?;
        }
        Ok(())
    }
}

/// Returns the median with the smallest and the largest value, or a dash if there is none.
fn spread(values: &[f64]) -> String {
    let mut values = values.to_owned();
    values.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return "–".to_owned();
    };
    let median = values[values.len() / 2];
    format!(
        "{} ({} – {})",
        number(median),
        number(*first),
        number(*last)
    )
}

fn number(value: f64) -> String {
    let decimals = if value.abs() < 100.0 { 2 } else { 0 };
    format!("{value:.decimals$}")
}
