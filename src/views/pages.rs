//! Whole lists, read page by page.
//!
//! A list that a client asks for in parts is left to its noun.

use crate::model::{Page, PageRequest};

/// Items of a page: no question to storage is longer.
const PAGE_SIZE: u32 = 100;

/// Where a reader of a whole list stands.
#[derive(Debug)]
pub(super) enum PageWalker {
    /// A page follows, behind this cursor.
    After(Option<String>),
    /// The last one was read.
    Exhausted,
}

impl PageWalker {
    pub(super) const fn new() -> Self {
        Self::After(None)
    }

    /// What to ask for next; nothing at the end. The page that comes is to be given to [`PageWalker::take`].
    pub(super) fn next_request(&mut self) -> Option<PageRequest> {
        match std::mem::replace(self, Self::Exhausted) {
            Self::After(cursor) => Some(PageRequest::After {
                cursor,
                limit: PAGE_SIZE,
            }),
            Self::Exhausted => None,
        }
    }

    /// The items of the page that was asked for.
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
