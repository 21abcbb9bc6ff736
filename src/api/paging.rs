//! The three ways to page a list, and the response of each.
//!
//! Storage orders and filters the lists.

use http::header::LINK;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::Body;
use super::call::Call;
use super::query::{self, Query};
use super::response;
use crate::error::{Error, Issue, Problem, Result};
use crate::limits::Room;
use crate::model::{Page, PageRequest};
use crate::views::{Listed, to_json};

/// The default number of items in a numbered page.
const PER_PAGE: u64 = 20;

/// The maximum number of items in a page.
const PAGE_MAX: u64 = PageRequest::SIZE_MAX as u64;

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "{T}Page", description = "A numbered page of a list.")
)]
pub(super) struct NumberedPage<'a, T> {
    items: &'a [T],
    total: u64,
    page: u32,
    per_page: u32,
    pages: u64,
}

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "{T}CursorPage",
        description = "A part of a list after a cursor."
    )
)]
pub(super) struct CursorPage<'a, T> {
    items: &'a [T],
    has_next: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

/// Reads which part of a list a query asks for.
///
/// # Errors
/// `Malformed` (`invalid-parameter`) when a number is out of range or the query mixes both ways of
/// paging.
pub(super) fn read(query: &Query) -> Result<PageRequest> {
    let numbered = ["page", "per_page"]
        .into_iter()
        .find(|name| query.get(name).is_some());
    let following = ["after", "limit"]
        .into_iter()
        .find(|name| query.get(name).is_some());
    let page = query.number("page", 1..=u64::from(u32::MAX))?;
    let per_page = query.number("per_page", 1..=PAGE_MAX)?;
    let limit = query.number("limit", 1..=PAGE_MAX)?;
    match (numbered, following) {
        (Some(one), Some(other)) => Err(query::invalid(
            other,
            format!(
                "cannot be combined with {one}; use either page and per_page, or after and limit"
            ),
        )),
        (Some(_), None) => Ok(PageRequest::Numbered {
            page: to_u32(page.unwrap_or(1)),
            per_page: to_u32(per_page.unwrap_or(PER_PAGE)),
        }),
        (None, Some(_)) => Ok(PageRequest::After {
            cursor: query.get("after").map(str::to_owned),
            limit: limit.map_or(PageRequest::SIZE, to_u32),
        }),
        (None, None) => Ok(PageRequest::Newest {
            limit: PageRequest::SIZE,
        }),
    }
}

/// Narrows a number that was checked against a bound below 2^32.
fn to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Returns the response with this part of a list.
///
/// # Errors
/// `Malformed` (`page-too-large`) when a numbered page has too many bytes.
pub(super) fn to_response<T: Listed>(
    call: &Call,
    request: &PageRequest,
    part: &Page<T>,
    query: &Query,
) -> Result<Response<Body>> {
    let bytes_max = call.engine().limits().page_bytes_max;
    within(bytes_max, request, part, query, |query| {
        call.link_here(query)
    })
}

/// Returns as JSON the items, from the first on, that have at most `bytes_max` bytes in total. It
/// is at least one, so that a client gets on.
fn fitting<T: Listed>(items: &[T], bytes_max: usize) -> Result<Vec<Box<RawValue>>> {
    let mut room = Room(bytes_max);
    let mut fitting = Vec::with_capacity(items.len());
    for item in items {
        let item = to_json(item)?;
        if !room.take(&item) && !fitting.is_empty() {
            break;
        }
        fitting.push(item);
    }
    Ok(fitting)
}

/// Returns the response with the items that have at most `bytes_max` bytes. `link` turns the query
/// of another part into a link.
fn within<T: Listed>(
    bytes_max: usize,
    request: &PageRequest,
    part: &Page<T>,
    query: &Query,
    link: impl Fn(&str) -> String,
) -> Result<Response<Body>> {
    let items = fitting(&part.items, bytes_max)?;
    let items = items.as_slice();
    let cut = part
        .items
        .get(..items.len())
        .filter(|cut| cut.len() < part.items.len());
    let cut_at = cut.and_then(<[T]>::last).map(T::cursor);
    let (mut response, links): (_, Vec<_>) = match request {
        PageRequest::Newest { .. } => {
            let links = cut_at.map(|cursor| ("next", query.with("after", &cursor)));
            (
                response::json(StatusCode::OK, &items),
                links.into_iter().collect(),
            )
        }
        PageRequest::Numbered { .. } if cut.is_some() => return Err(too_large(bytes_max)),
        PageRequest::Numbered { page, per_page } => {
            let total = part.total.unwrap_or_default();
            let pages = total.div_ceil(u64::from(*per_page).max(1));
            let numbered = NumberedPage {
                items,
                total,
                page: *page,
                per_page: *per_page,
                pages,
            };
            let links = adjacent_pages(*page, pages)
                .map(|(rel, page)| (rel, query.with("page", &page.to_string())));
            (response::json(StatusCode::OK, &numbered), links.collect())
        }
        PageRequest::After { .. } => {
            let cursor = cut_at.as_deref().or(part.next.as_deref());
            let following = CursorPage {
                items,
                has_next: cursor.is_some(),
                cursor,
            };
            let links = cursor.map(|cursor| ("next", query.with("after", cursor)));
            (
                response::json(StatusCode::OK, &following),
                links.into_iter().collect(),
            )
        }
    };
    let links: Vec<_> = links
        .into_iter()
        .map(|(rel, query): (&str, String)| format!("<{}>; rel=\"{rel}\"", link(&query)))
        .collect();
    if !links.is_empty() {
        response::set_header(&mut response, LINK, links.join(", "))?;
    }
    Ok(response)
}

fn too_large(bytes_max: usize) -> Error {
    let detail = format!(
        "this page has more than {bytes_max} bytes; ask for fewer items with per_page, or use after and limit"
    );
    Error::new(Problem::PageTooLarge, detail).with_issues(vec![Issue::parameter(
        "per_page",
        "is too large for these items",
    )])
}

/// Returns the adjacent pages that have items.
fn adjacent_pages(page: u32, pages: u64) -> impl Iterator<Item = (&'static str, u64)> {
    let page = u64::from(page);
    let next = (page < pages).then_some(("next", page + 1));
    let before = (page - 1).min(pages);
    let prev = (before > 0).then_some(("prev", before));
    next.into_iter().chain(prev)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::super::query::Parameter;
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter::Single("page"),
        Parameter::Single("per_page"),
        Parameter::Single("after"),
        Parameter::Single("limit"),
        Parameter::Single("status"),
    ];

    fn query(text: &str) -> Query {
        Query::read(Some(text), KNOWN).unwrap()
    }

    #[derive(Serialize)]
    struct Number(u8);

    impl Listed for Number {
        fn cursor(&self) -> String {
            format!("after {}", self.0)
        }
    }

    async fn body_and_link(text: &str, total: Option<u64>, next: Option<&str>) -> (String, String) {
        // Each number has a comma.
        cut_body_and_link(text, total, next, 4).await
    }

    async fn cut_body_and_link(
        text: &str,
        total: Option<u64>,
        next: Option<&str>,
        bytes_max: usize,
    ) -> (String, String) {
        let query = query(text);
        let part = Page::new(vec![Number(1), Number(2)], total, next.map(str::to_owned));
        let link = |query: &str| format!("/api/runs{query}");
        let response = within(bytes_max, &read(&query).unwrap(), &part, &query, link).unwrap();
        let link = response
            .headers()
            .get(LINK)
            .map_or("", |link| link.to_str().unwrap());
        let link = link.to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (String::from_utf8(body.to_vec()).unwrap(), link)
    }

    #[test]
    fn a_query_pages_in_one_of_three_ways() {
        let newest = PageRequest::Newest { limit: 50 };
        assert_eq!(read(&query("status=failed")).unwrap(), newest);
        let numbered = |page, per_page| PageRequest::Numbered { page, per_page };
        assert_eq!(read(&query("page=3")).unwrap(), numbered(3, 20));
        assert_eq!(read(&query("per_page=100")).unwrap(), numbered(1, 100));
        let after = |cursor: Option<&str>, limit| PageRequest::After {
            cursor: cursor.map(str::to_owned),
            limit,
        };
        assert_eq!(read(&query("after=x")).unwrap(), after(Some("x"), 50));
        assert_eq!(read(&query("limit=1")).unwrap(), after(None, 1));
    }

    #[test]
    fn numbers_out_of_range_and_mixed_parameters_are_refused() {
        for bad in [
            "page=0",
            "page=4294967296",
            "per_page=0",
            "per_page=101",
            "limit=0",
            "limit=101",
            "page=1&limit=1",
            "per_page=1&after=x",
        ] {
            let error = read(&query(bad)).unwrap_err();
            assert_eq!(error.problem(), Problem::InvalidParameter, "{bad}");
        }
    }

    #[tokio::test]
    async fn an_unpaged_list_is_an_array_of_the_newest() {
        assert_eq!(
            body_and_link("", None, Some("x")).await,
            ("[1,2]".to_owned(), String::new())
        );
    }

    #[tokio::test]
    async fn a_list_beyond_the_bytes_ends_early_with_its_cursor() {
        for bytes_max in [0, 2, 3] {
            let (body, link) = cut_body_and_link("", None, Some("x"), bytes_max).await;
            assert_eq!(body, "[1]");
            assert_eq!(link, "</api/runs?after=after%201>; rel=\"next\"");
            let (body, link) = cut_body_and_link("limit=2", None, None, bytes_max).await;
            assert_eq!(body, r#"{"items":[1],"has_next":true,"cursor":"after 1"}"#);
            assert_eq!(link, "</api/runs?limit=2&after=after%201>; rel=\"next\"");
        }
        let (query, part) = (
            query("page=1"),
            Page::new(vec![Number(1), Number(2)], Some(2), None),
        );
        let refused = within(3, &read(&query).unwrap(), &part, &query, |_| String::new());
        assert_eq!(refused.unwrap_err().problem(), Problem::PageTooLarge);
    }

    #[tokio::test]
    async fn a_numbered_page_has_the_total_and_links_to_adjacent_pages() {
        let (body, link) = body_and_link("page=2&per_page=2&status=a", Some(5), None).await;
        assert_eq!(
            body,
            r#"{"items":[1,2],"total":5,"page":2,"per_page":2,"pages":3}"#
        );
        assert_eq!(
            link,
            "</api/runs?per_page=2&status=a&page=3>; rel=\"next\", </api/runs?per_page=2&status=a&page=1>; rel=\"prev\""
        );
        let (_, link) = body_and_link("page=9&per_page=2", Some(5), None).await;
        assert_eq!(link, "</api/runs?per_page=2&page=3>; rel=\"prev\"");
        let (_, link) = body_and_link("page=1", Some(0), None).await;
        assert_eq!(link, "");
    }

    #[tokio::test]
    async fn a_page_after_a_cursor_links_to_the_next_page() {
        let (body, link) = body_and_link("limit=2", None, Some("c")).await;
        assert_eq!(body, r#"{"items":[1,2],"has_next":true,"cursor":"c"}"#);
        assert_eq!(link, "</api/runs?limit=2&after=c>; rel=\"next\"");
        let (body, link) = body_and_link("after=c", None, None).await;
        assert_eq!(body, r#"{"items":[1,2],"has_next":false}"#);
        assert_eq!(link, "");
    }
}
