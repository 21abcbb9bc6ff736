//! Handlers that return the log of a run as JSON or as a streamed file.
//!
//! `views` formats the lines.

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::call::Call;
use super::query::Query;
use super::response;
use crate::error::Result;
use crate::model::{Level, NodeId, SearchText};
use crate::views::{LogBounds, LogFilter, LogFormat, LogLine, LogRange, LogReader, search_text};

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(description = "A part of a log.")
)]
pub(super) struct LogPage<'a> {
    items: &'a [LogLine],
    has_next: bool,
    cursor: String,
}

const FORMATS: &[(&str, LogFormat)] = &[
    ("text", LogFormat::Text),
    ("ndjson", LogFormat::Ndjson),
    ("csv", LogFormat::Csv),
];

/// An export in progress.
struct Export {
    reader: LogReader,
    format: LogFormat,
    /// Text that is not sent yet and precedes the next page.
    text: String,
}

/// `GET /runs/{run_id}/logs`
pub(super) async fn list(mut call: Call) -> Result<Response<Body>> {
    let limit_max = call.engine().limits().log_page_max;
    let (query, filter, limit) = call
        .read(|call| {
            let query = call.query()?;
            let filter = filter(call, &query)?;
            let limit = query.number("limit", 1..=limit_max as u64)?;
            Ok((query, filter, limit))
        })
        .await?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let range = filter.range;
    let bounds = LogBounds::new(call.engine().limits(), limit.unwrap_or(limit_max));
    let mut page = call.views().logs(filter, bounds).await?;
    let pagings = ["after", "before", "limit"];
    let is_paged = pagings.iter().any(|name| query.get(name).is_some());
    let mut response = if is_paged {
        let following = LogPage {
            items: &page.lines,
            has_next: page.has_next,
            cursor: page.cursor.to_string(),
        };
        response::json(StatusCode::OK, &following)
    } else {
        for line in &mut page.lines {
            line.seq = None;
        }
        response::json(StatusCode::OK, &page.lines)
    };
    if page.has_next {
        let name = match range {
            LogRange::After(_) => "after",
            LogRange::Before(_) => "before",
        };
        let next = call.link_here(&query.with(name, &page.cursor.to_string()));
        response::set_header(&mut response, LINK, format!("<{next}>; rel=\"next\""))?;
    }
    Ok(response)
}

/// `GET /runs/{run_id}/logs/export`
pub(super) async fn export(mut call: Call) -> Result<Response<Body>> {
    let (format, filter) = call
        .read(|call| {
            let query = call.query()?;
            let format = query.choice("format", FORMATS)?;
            Ok((format.unwrap_or(LogFormat::Text), filter(call, &query)?))
        })
        .await?;
    let (content_type, ending) = match format {
        LogFormat::Text => ("text/plain; charset=utf-8", "txt"),
        LogFormat::Ndjson => ("application/x-ndjson", "ndjson"),
        LogFormat::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
    };
    // An id is a UUID, so the file name contains no text that a caller chose.
    let disposition = format!("attachment; filename=\"run-{}-logs.{ending}\"", filter.run);
    let export = Export {
        reader: call.views().open_log(filter).await?,
        format,
        text: format.header().to_owned(),
    };
    let mut response = Response::new(Body::stream(export, next_part));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response::set_header(&mut response, CONTENT_DISPOSITION, disposition)?;
    Ok(response)
}

fn filter(call: &Call, query: &Query) -> Result<LogFilter> {
    let levels = Level::ALL.map(|level| (level.as_str(), level));
    Ok(LogFilter {
        run: call.run_id()?,
        scope: call.scope.clone(),
        node: query.parse::<NodeId>("node_id")?,
        level: query.choice("level", &levels)?.unwrap_or(Level::Debug),
        text: match query.get("q") {
            None => None,
            text => Some(SearchText::new(&search_text(text)?)),
        },
        range: LogRange::new(
            query.number("after", 0..=u64::MAX)?,
            query.number("before", 0..=u64::MAX)?,
        )?,
    })
}

/// Returns the next part of the file and skips pages without a matching line.
async fn next_part(mut export: Export) -> Result<Option<(Bytes, Export)>> {
    while let Some(lines) = export.reader.next().await? {
        for line in lines {
            export.format.write(line, &mut export.text)?;
        }
        if !export.text.is_empty() {
            break;
        }
    }
    let text = std::mem::take(&mut export.text);
    Ok((!text.is_empty()).then(|| (text.into(), export)))
}
