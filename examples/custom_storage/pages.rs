//! The pages of a list.
//!
//! The caller decides which items a list has.

use floret::{Error, Issue, PageRequest, Problem, Result};

pub(crate) use floret::Page;

/// Orders items by descending key and returns the requested page.
///
/// `read` parses a cursor into a key, and `write` formats a key as a cursor.
pub(crate) fn page<K: Ord, T>(
    mut items: Vec<(K, T)>,
    request: &PageRequest,
    read: impl Fn(&str) -> Option<K>,
    write: impl Fn(&K) -> String,
) -> Result<Page<T>> {
    items.sort_by(|(a, _), (b, _)| b.cmp(a));
    let count = items.len();
    let (skipped, limit, total) = match request {
        PageRequest::Newest { limit } => (0, *limit, None),
        PageRequest::Numbered { page, per_page } => {
            let before = page.saturating_sub(1).saturating_mul(*per_page);
            (
                usize::try_from(before).unwrap_or(usize::MAX),
                *per_page,
                Some(count as u64),
            )
        }
        PageRequest::After { cursor, limit } => {
            let key = cursor
                .as_ref()
                .map(|text| read(text).ok_or_else(|| unknown_cursor(text)));
            let skipped = match key.transpose()? {
                Some(key) => items.partition_point(|(other, _)| *other >= key),
                None => 0,
            };
            (skipped, *limit, None)
        }
        other => return Err(Error::internal(format!("cannot page by {other:?}"))),
    };
    let end = usize::try_from(limit).map_or(count, |limit| skipped.saturating_add(limit));
    let part: Vec<_> = items.into_iter().take(end).skip(skipped).collect();
    let next = part
        .last()
        .filter(|_| end < count)
        .map(|(key, _)| write(key));
    let items = part.into_iter().map(|(_, item)| item).collect();
    Ok(Page::new(items, total, next))
}

fn unknown_cursor(text: &str) -> Error {
    let message = format!("must be the cursor of an earlier page, not {text:?}");
    Error::new(Problem::InvalidParameter, message.clone())
        .with_issues(vec![Issue::parameter("cursor", message)])
}
