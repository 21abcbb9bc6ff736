//! The part of a list that a query of host code asks for.
//!
//! `storage` finds it.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::error::{Error, Result};
use crate::model::PageRequest;

/// The page that a query asks for: the first of 50 items, if it names none.
#[derive(Debug, Clone, Default)]
pub(super) struct PageChoice {
    pub(super) size: Option<u32>,
    pub(super) after: Option<String>,
    pub(super) number: Option<u32>,
}

impl PageChoice {
    /// Returns the request that storage answers.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if a number is out of range, or the query names a page in
    /// both ways.
    pub(super) fn into_request(self) -> Result<PageRequest> {
        let size = self.size.unwrap_or(PageRequest::SIZE);
        within("page", size, 1..=PageRequest::SIZE_MAX)?;
        match (self.number, self.after) {
            (Some(_), Some(_)) => Err(Error::invalid_parameter(
                "after",
                "cannot be combined with number; a page has either a cursor or a number",
            )),
            (Some(page), None) => Ok(PageRequest::Numbered {
                page: within("number", page, 1..=u32::MAX)?,
                per_page: size,
            }),
            (None, cursor) => Ok(PageRequest::After {
                cursor,
                limit: size,
            }),
        }
    }
}

/// Returns a number that the host has given, if it is in range.
///
/// # Errors
/// `Malformed` (`invalid-parameter`).
pub(super) fn within<N: PartialOrd + Display>(
    name: &str,
    number: N,
    range: RangeInclusive<N>,
) -> Result<N> {
    if range.contains(&number) {
        return Ok(number);
    }
    let (min, max) = (range.start(), range.end());
    let detail = format!("must be from {min} to {max}, received {number}");
    Err(Error::invalid_parameter(name, detail))
}

/// The methods that choose a page, for a query with the field `page`.
macro_rules! page_methods {
    () => {
        /// Sets the number of items of a page, from 1 to 100. Without it, a page has 50.
        pub const fn page(mut self, size: u32) -> Self {
            self.page.size = Some(size);
            self
        }

        /// Asks for the page after this cursor, the [`Page::next`](crate::Page::next) of the page
        /// before.
        pub fn after(mut self, cursor: impl Into<String>) -> Self {
            self.page.after = Some(cursor.into());
            self
        }

        /// Asks for the page with this number, from 1. The page then has the
        /// [`Page::total`](crate::Page::total) of the list. A page has either a number or a cursor.
        pub const fn number(mut self, page: u32) -> Self {
            self.page.number = Some(page);
            self
        }
    };
}

pub(super) use page_methods;
