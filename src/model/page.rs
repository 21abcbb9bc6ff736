//! Pages of a list: which part is asked for and what comes back.
//!
//! Parsing the query parameters is left to `api`.

/// Which part of a list is asked for, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageRequest {
    /// The newest `limit` items.
    Newest {
        /// How many at most, 1 to 100.
        limit: u32,
    },
    /// Page `page` (from 1) of pages of `per_page` items; the answer has the total.
    Numbered {
        /// The page, from 1.
        page: u32,
        /// Items a page, 1 to 100.
        per_page: u32,
    },
    /// The `limit` items that follow the one named `cursor`, which itself may be gone; the first
    /// ones without a cursor.
    After {
        /// What the answer before gave as its cursor.
        cursor: Option<String>,
        /// How many at most, 1 to 100.
        limit: u32,
    },
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// How many there are in all; only where [`PageRequest::Numbered`] asked.
    pub total: Option<u64>,
    /// The cursor of the last item, where more follow.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of these items.
    #[must_use]
    pub const fn new(items: Vec<T>, total: Option<u64>, next: Option<String>) -> Self {
        Self { items, total, next }
    }
}
