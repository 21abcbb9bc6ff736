//! The parts of a list query: its conditions and its page.
//!
//! The file of each list defines the order and the meaning of a cursor.

use rusqlite::types::Value;
use rusqlite::{Row, ToSql, params_from_iter};

use super::reader::Reader;
use super::store_error::StoreError;
use super::unreadable::row_key;
use super::values::to_u64;
use crate::model::{Page, PageRequest, Scope};

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

    /// Adds the condition that the tenant in a column belongs to the scope.
    pub(super) fn add_scope(&mut self, column: &str, scope: &Scope) {
        match scope {
            Scope::All => {}
            Scope::NoTenant => self.add(&format!("{column} IS NULL"), []),
            Scope::Tenant(tenant) => {
                let tenant = Value::Text(tenant.to_string());
                self.add(&format!("{column} = ?"), [tenant]);
            }
        }
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
}

/// A list query, whose rows fill a page.
pub(super) struct ListQuery<'a> {
    /// What a row is, for the log.
    pub(super) what: &'static str,
    /// The query without its limit.
    pub(super) sql: String,
    /// Makes the query of the page from the limited one, for example by joining columns to its
    /// keys.
    pub(super) complete: fn(&str) -> String,
    pub(super) values: &'a [Value],
    pub(super) window: Window,
    /// The number of all items, if the request wants it.
    pub(super) total: Option<u64>,
}

impl Reader {
    /// Returns how many rows of these tables meet the conditions.
    pub(super) fn count(&self, tables: &str, conditions: &Conditions) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {tables}{}", conditions.sql());
        let values = params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, to_u64))
    }

    /// Reads a page. A row that cannot be read is missing from it and does not end the list.
    /// Nothing is read for a page without room.
    pub(super) fn page<T>(
        &self,
        query: &ListQuery<'_>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
        cursor: impl Fn(&T) -> String,
    ) -> Result<Page<T>, StoreError> {
        let ListQuery {
            what,
            sql,
            complete,
            values,
            window,
            total,
        } = query;
        let Window { mut skip, limit } = *window;
        if limit == 0 {
            return Ok(Page::new(Vec::new(), *total, None));
        }
        let row_count_max = window.row_count_max();
        // The number of skipped rows is a parameter, so that all pages share a prepared statement.
        // The limit is not, because the choice of an index may depend on it.
        let sql = complete(&format!("{sql} LIMIT {row_count_max} OFFSET ?"));
        loop {
            let values = values.iter().map(|value| value as &dyn ToSql);
            let values = params_from_iter(values.chain([&skip as &dyn ToSql]));
            let mut rows = self.rows(&sql, values, |row| {
                self.unreadable.skip(what, row_key(row), read(row))
            })?;
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            let items: Vec<_> = rows.into_iter().flatten().collect();
            let next = items.last().filter(|_| has_more).map(&cursor);
            // A page continues after its last item. Without one, the next rows fill it.
            if !items.is_empty() || !has_more || total.is_some() {
                return Ok(Page::new(items, *total, next));
            }
            skip = skip.saturating_add(row_count_max - 1);
        }
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
