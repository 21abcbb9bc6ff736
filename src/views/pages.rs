//! What all lists have in common, a reader of a whole list, page by page, and what is cut to fit
//! into one answer.
//!
//! Lists that a client pages through are left to the files of their nouns.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Error, Result};
use crate::model::{Page, PageRequest};

/// An item of a list that a client pages through.
pub(crate) trait Listed: Serialize {
    /// Returns the cursor of a page that ends with this item.
    fn cursor(&self) -> String;
}

/// A whole answer, without what does not fit into it.
#[derive(Debug)]
pub(crate) struct Cut<T> {
    pub(crate) value: T,
    /// Whether something is left out.
    pub(crate) is_cut: bool,
}

/// Returns an answer or an item of a list as JSON, so that its size is known before it is sent.
///
/// # Errors
/// `Internal` if it cannot be serialized: a key of a map is no text.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Box<RawValue>> {
    to_raw_value(value)
        .map_err(|error| Error::internal("an answer could not be serialized").with_source(error))
}

/// The number of items that one query reads.
const PAGE_SIZE: u32 = 100;

/// The position of a reader in a list.
#[derive(Debug)]
pub(super) enum PageWalker {
    /// A page follows after this cursor.
    After(Option<String>),
    /// The last page was read.
    Exhausted,
}

impl PageWalker {
    pub(super) const fn new() -> Self {
        Self::After(None)
    }

    /// Returns the next request, or `None` at the end. The caller passes the page to
    /// [`PageWalker::accept`].
    pub(super) fn next_request(&mut self) -> Option<PageRequest> {
        match std::mem::replace(self, Self::Exhausted) {
            Self::After(cursor) => Some(PageRequest::After {
                cursor,
                limit: PAGE_SIZE,
            }),
            Self::Exhausted => None,
        }
    }

    /// Takes the requested page and returns its items.
    pub(super) fn accept<T>(&mut self, page: Page<T>) -> Vec<T> {
        if page.next.is_some() {
            *self = Self::After(page.next);
        }
        page.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_to_the_last() {
        let mut pages = PageWalker::new();
        let mut cursors = Vec::new();
        while let Some(PageRequest::After { cursor, .. }) = pages.next_request() {
            let next = (cursors.len() < 2).then(|| cursors.len().to_string());
            assert_eq!(
                pages
                    .accept(Page::new(vec![cursors.len()], None, next))
                    .len(),
                1
            );
            cursors.push(cursor);
        }
        assert_eq!(cursors, [None, Some("0".to_owned()), Some("1".to_owned())]);
    }
}
