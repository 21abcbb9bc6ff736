//! Cutting a page out of an ordered list.
//!
//! Order, filter and the position of a cursor are left to the noun of the list.

use crate::model::{Page, PageRequest};

/// Returns the page that a request asks for.
///
/// `rows` are the rows after the cursor, each with its key.
pub(super) fn cut_page<T, K: ToString>(
    request: &PageRequest,
    total: impl FnOnce() -> u64,
    mut rows: impl Iterator<Item = (K, T)>,
) -> Page<T> {
    let (skip, limit, total) = match request {
        PageRequest::Newest { limit } | PageRequest::After { limit, .. } => (0, *limit, None),
        PageRequest::Numbered { page, per_page } => {
            let before = u64::from(page.saturating_sub(1)) * u64::from(*per_page);
            (before, *per_page, Some(total()))
        }
    };
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let mut last = None;
    let mut items = Vec::new();
    for (key, item) in rows.by_ref().skip(skip).take(limit as usize) {
        last = Some(key);
        items.push(item);
    }
    let follows = rows.next().is_some();
    let next = last.filter(|_| follows).map(|key| key.to_string());
    Page::new(items, total, next)
}

/// Returns the cursor of a request, if it has one.
pub(super) fn cursor(request: &PageRequest) -> Option<&str> {
    match request {
        PageRequest::After { cursor, .. } => cursor.as_deref(),
        PageRequest::Newest { .. } | PageRequest::Numbered { .. } => None,
    }
}
