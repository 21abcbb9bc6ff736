//! What one process measures in one round, as lines of text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A figure of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Durable triggers a second by 64 waiters.
    Trigger,
    /// Jobs a second with 16 in flight.
    Drain16,
    /// Jobs a second with 64 in flight.
    Drain64,
    /// The median time from an idle trigger to its start, in microseconds.
    Idle,
    /// A chain of 1,000 nodes in memory, in microseconds a node.
    Chain,
    /// A fan of 1,000 nodes in memory, in microseconds a node.
    Fan,
    /// Layers of 1,000 nodes in memory, in microseconds a node.
    Layered,
    /// A call of a service in process, in nanoseconds.
    Call,
}

impl Figure {
    /// All figures, in the order of the tables.
    pub const ALL: [Self; 8] = [
        Self::Trigger,
        Self::Drain16,
        Self::Drain64,
        Self::Idle,
        Self::Chain,
        Self::Fan,
        Self::Layered,
        Self::Call,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Drain16 => "drain-16",
            Self::Drain64 => "drain-64",
            Self::Idle => "idle",
            Self::Chain => "chain",
            Self::Fan => "fan",
            Self::Layered => "layered",
            Self::Call => "call",
        }
    }
}

/// The figures of one round, and the versions that were measured.
///
/// A line is `drain-16 10800.5` or `version effectum 0.7.0`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The values of each figure.
    pub figures: BTreeMap<Figure, Vec<f64>>,
    /// What was measured: crates, and the settings of SQLite as the peer left them.
    pub versions: Vec<String>,
}

impl Report {
    /// Adds a value of a figure.
    pub fn add(&mut self, figure: Figure, value: f64) {
        self.figures.entry(figure).or_default().push(value);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (figure, values) in &self.figures {
            for value in values {
                writeln!(f, "{} {value}", figure.name())?;
            }
        }
        for version in &self.versions {
            writeln!(f, "version {version}")?;
        }
        Ok(())
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut report = Self::default();
        for line in text.lines() {
            let (name, value) = line.split_once(' ').ok_or_else(|| unknown(line))?;
            if name == "version" {
                report.versions.push(value.to_owned());
                continue;
            }
            let mut figures = Figure::ALL.into_iter();
            let figure = figures
                .find(|figure| figure.name() == name)
                .ok_or_else(|| unknown(line))?;
            let value = value.parse().map_err(|_| unknown(line))?;
            report.add(figure, value);
        }
        Ok(report)
    }
}

fn unknown(line: &str) -> String {
    format!("not a line of a report: {line}")
}
