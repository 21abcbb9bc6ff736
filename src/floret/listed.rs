//! The part of a list that a query of host code asks for.
//!
//! `storage` finds it.

use crate::error::{Error, Issue, Problem, Result};
use crate::model::PageRequest;

/// The number of items of a page, if the query names none.
const SIZE: u32 = 50;

/// The most items of a page.
const SIZE_MAX: u32 = 100;

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
        let size = self.size.unwrap_or(SIZE);
        if !(1..=SIZE_MAX).contains(&size) {
            let detail = format!("a page has 1 to {SIZE_MAX} items, received {size}");
            return Err(refusal("page", detail));
        }
        match (self.number, self.after) {
            (Some(_), Some(_)) => Err(refusal(
                "after",
                "a page has either a number or a cursor, and both are given",
            )),
            (Some(0), None) => Err(refusal("number", "pages count from 1, received 0")),
            (Some(page), None) => Ok(PageRequest::Numbered {
                page,
                per_page: size,
            }),
            (None, cursor) => Ok(PageRequest::After {
                cursor,
                limit: size,
            }),
        }
    }
}

fn refusal(name: &str, detail: impl Into<String>) -> Error {
    Error::invalid(
        Problem::InvalidParameter,
        vec![Issue::parameter(name, detail)],
    )
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
