//! The tables of results: medians over the rounds, and ratios within each round.

/// The values of one round, in the columns of its table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row(pub(crate) [Option<f64>; 4]);

/// Rows by name, in the order of their first round.
#[derive(Default)]
pub(crate) struct Table(Vec<(String, Vec<Row>)>);

/// The smallest value, the median and the largest value.
#[derive(Clone, Copy)]
struct Spread([f64; 3]);

impl Table {
    pub(crate) fn add(&mut self, name: &str, row: Row) {
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, rows)) => rows.push(row),
            None => self.0.push((name.to_owned(), vec![row])),
        }
    }

    /// Prints each row with these columns. `ratio` names the row that a row is compared with, by
    /// its first column.
    pub(crate) fn print(
        &self,
        title: &str,
        columns: &[&str],
        ratio: impl Fn(&str) -> Option<String>,
    ) {
        println!("| {title} | {} |", columns.join(" | "));
        println!("|---{}|", "|--:".repeat(columns.len()));
        for (name, rows) in &self.0 {
            let mut cells: Vec<_> = (0..columns.len().min(4))
                .map(|column| shown(spread(rows, column)))
                .collect();
            if columns.len() > 4 {
                let other = ratio(name).and_then(|other| self.rows(&other));
                cells.push(shown(other.and_then(|other| ratios(rows, other))));
            }
            println!("| {name} | {} |", cells.join(" | "));
        }
        println!();
    }

    fn rows(&self, name: &str) -> Option<&[Row]> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, rows)| rows.as_slice())
    }
}

/// Returns the spread of the ratios within each round.
fn ratios(rows: &[Row], others: &[Row]) -> Option<Spread> {
    let pairs = rows.iter().zip(others);
    of(pairs.filter_map(|(row, other)| Some(row.0[0]? / other.0[0]?)))
}

fn spread(rows: &[Row], column: usize) -> Option<Spread> {
    of(rows.iter().filter_map(|row| row.0[column]))
}

fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    Some(Spread([first, values[values.len() / 2], last]))
}

fn shown(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || "–".to_owned(),
        |Spread([from, median, to])| {
            format!("{} ({} – {})", number(median), number(from), number(to))
        },
    )
}

fn number(value: f64) -> String {
    let decimals = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
