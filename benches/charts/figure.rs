//! What the rounds have measured: the figures behind a chart and its table.

use std::time::Duration;

/// The figures of a chart. A panel has series, and a series has a point for each size.
pub(crate) struct Figure {
    pub(crate) title: &'static str,
    /// What the sizes count.
    pub(crate) sizes: &'static str,
    /// What the values are, with their unit.
    pub(crate) values: &'static str,
    points: Vec<Point>,
}

struct Point {
    panel: &'static str,
    series: &'static str,
    size: u64,
    /// A value of each round.
    values: Vec<f64>,
}

/// The smallest value of the rounds, their median and the largest one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) smallest: f64,
    pub(crate) median: f64,
    pub(crate) largest: f64,
}

impl Figure {
    pub(crate) fn new(title: &'static str, sizes: &'static str, values: &'static str) -> Self {
        Self {
            title,
            sizes,
            values,
            points: Vec::new(),
        }
    }

    /// Adds the value of one round.
    pub(crate) fn add(&mut self, panel: &'static str, series: &'static str, size: u64, value: f64) {
        let key = (panel, series, size);
        let mut points = self.points.iter_mut();
        match points.find(|point| (point.panel, point.series, point.size) == key) {
            Some(point) => point.values.push(value),
            None => self.points.push(Point {
                panel,
                series,
                size,
                values: vec![value],
            }),
        }
    }

    /// Returns the panels, in the order in which they were added.
    pub(crate) fn panels(&self) -> Vec<&'static str> {
        distinct(self.points.iter().map(|point| point.panel))
    }

    /// Returns the series of all panels, in the order in which they were added.
    pub(crate) fn series(&self) -> Vec<&'static str> {
        distinct(self.points.iter().map(|point| point.series))
    }

    /// Returns the sizes in ascending order.
    pub(crate) fn axis(&self) -> Vec<u64> {
        let mut sizes = distinct(self.points.iter().map(|point| point.size));
        sizes.sort_unstable();
        sizes
    }

    /// Returns the points of a series in a panel, in ascending order of their sizes.
    pub(crate) fn line(&self, panel: &str, series: &str) -> Vec<(u64, Spread)> {
        let points = self.points.iter();
        let mut line: Vec<_> = points
            .filter(|point| point.panel == panel && point.series == series)
            .map(|point| (point.size, Spread::of(&point.values)))
            .collect();
        line.sort_by_key(|(size, _)| *size);
        line
    }

    /// Returns how often everything was measured.
    pub(crate) fn rounds(&self) -> usize {
        self.points.first().map_or(0, |point| point.values.len())
    }

    /// Returns the smallest and the largest value.
    pub(crate) fn range(&self) -> (f64, f64) {
        let values = || self.points.iter().flat_map(|point| &point.values);
        let smallest = values().copied().reduce(f64::min);
        let largest = values().copied().reduce(f64::max);
        (smallest.unwrap(), largest.unwrap())
    }
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Self {
            smallest: values[0],
            median: values[values.len() / 2],
            largest: values[values.len() - 1],
        }
    }
}

fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// Returns the smallest of the times that this percentage of all times does not exceed.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let index = (times.len() * percent).div_ceil(100);
    times[index.max(1) - 1]
}
