//! The parts of a list query: its conditions and its page.
//!
//! The file of each list defines the order and the meaning of a cursor.

use rusqlite::types::Value;

use crate::model::{Page, PageRequest};

/// The conditions of a query, joined by AND, with their values.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition with the values of its `?` in order.
    pub(super) fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(if self.sql.is_empty() {
            " WHERE "
        } else {
            " AND "
        });
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    /// Adds the condition that a column has one of these numbers. Without numbers, adds nothing.
    pub(super) fn add_any(&mut self, column: &str, numbers: &[i64]) {
        if numbers.is_empty() {
            return;
        }
        let marks = vec!["?"; numbers.len()].join(", ");
        let numbers = numbers.iter().copied().map(Value::Integer);
        self.add(&format!("{column} IN ({marks})"), numbers);
    }

    /// Returns the WHERE clause, which is empty without conditions.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// Returns the values in the order of their `?`.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}

/// How many items a page skips and how many it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) skip: i64,
    pub(super) limit: usize,
}

impl Window {
    pub(super) fn new(request: &PageRequest) -> Self {
        let (skip, limit) = match request {
            PageRequest::Newest { limit } | PageRequest::After { cursor: _, limit } => (0, *limit),
            PageRequest::Numbered { page, per_page } => {
                let before = i64::from(page.saturating_sub(1)) * i64::from(*per_page);
                (before, *per_page)
            }
        };
        Self {
            skip,
            limit: limit as usize,
        }
    }

    /// Returns how many rows to read: one more than the page holds, to learn whether more follow.
    pub(super) fn row_count_max(self) -> i64 {
        i64::try_from(self.limit)
            .unwrap_or(i64::MAX)
            .saturating_add(1)
    }

    /// Builds the page from the rows that were read.
    pub(super) fn into_page<T>(
        self,
        mut items: Vec<T>,
        total: Option<u64>,
        cursor: impl FnOnce(&T) -> String,
    ) -> Page<T> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| has_more).map(cursor);
        Page::new(items, total, next)
    }
}

/// Returns whether the request wants the total.
pub(super) const fn wants_total(request: &PageRequest) -> bool {
    match request {
        PageRequest::Numbered {
            page: _,
            per_page: _,
        } => true,
        PageRequest::Newest { limit: _ }
        | PageRequest::After {
            cursor: _,
            limit: _,
        } => false,
    }
}

/// Returns the cursor of a request, if it has one.
pub(super) fn cursor(request: &PageRequest) -> Option<&str> {
    match request {
        PageRequest::After { cursor, limit: _ } => cursor.as_deref(),
        PageRequest::Newest { limit: _ }
        | PageRequest::Numbered {
            page: _,
            per_page: _,
        } => None,
    }
}
