//! Whole lists, read page by page.
//!
//! A list that a client asks for in parts is left to its noun.

use crate::model::{Page, PageRequest};

/// Items of a page: no question to storage is longer.
const PAGE: u32 = 100;

/// Where a reader of a whole list stands.
#[derive(Debug)]
pub(super) enum Pages {
    /// A page follows, behind this cursor.
    After(Option<String>),
    /// The last one was read.
    End,
}

impl Pages {
    pub(super) const fn begin() -> Self {
        Self::After(None)
    }

    /// What to ask for next; nothing at the end. The page that comes is to be given to [`Pages::take`].
    pub(super) fn next(&mut self) -> Option<PageRequest> {
        match std::mem::replace(self, Self::End) {
            Self::After(cursor) => Some(PageRequest::After {
                cursor,
                limit: PAGE,
            }),
            Self::End => None,
        }
    }

    /// The items of the page that was asked for.
    pub(super) fn take<T>(&mut self, page: Page<T>) -> Vec<T> {
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
        let mut pages = Pages::begin();
        let mut cursors = Vec::new();
        while let Some(PageRequest::After { cursor, .. }) = pages.next() {
            let next = (cursors.len() < 2).then(|| cursors.len().to_string());
            assert_eq!(
                pages.take(Page::new(vec![cursors.len()], None, next)).len(),
                1
            );
            cursors.push(cursor);
        }
        assert_eq!(cursors, [None, Some("0".to_owned()), Some("1".to_owned())]);
    }
}
