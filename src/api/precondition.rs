//! Entity tags and the conditional headers of a request (RFC 9110, sections 8.8.3 and 13.1).
//!
//! The engine and storage check the expected version in one step with the change.

use http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::response;
use crate::engine::{Precondition, Revision};
use crate::error::{Error, Problem, Result, quote};
use crate::model::StoredPipeline;
use crate::views::TaggedJson;

/// The entity tags of one header.
#[derive(Debug, PartialEq, Eq)]
enum Tags<'a> {
    /// `*`: any current state.
    Any,
    These(Vec<Tag<'a>>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag<'a> {
    is_weak: bool,
    text: &'a [u8],
}

/// The strong entity tag of an answer.
#[derive(Debug)]
pub(crate) struct EntityTag(HeaderValue);

impl EntityTag {
    /// Returns the tag of a pipeline, which changes with its version and its pause.
    pub(super) fn of_pipeline(stored: &StoredPipeline) -> Result<Self> {
        let mut text = format!("{}.{}", stored.qualified_id(), stored.version);
        if let Some(pause) = &stored.paused {
            text.push_str(PAUSED_AT);
            text.push_str(&pause.at.timestamp_millis().to_string());
        }
        Self::of_text(&text)
    }

    /// Returns the tag with this text between its quotes.
    pub(crate) fn of_text(text: &str) -> Result<Self> {
        let tag = HeaderValue::try_from(format!("\"{text}\""));
        let no_tag = |error| Error::internal("a text is no entity tag").with_source(error);
        tag.map(Self).map_err(no_tag)
    }

    /// Returns the tag of an answer, which changes with its bytes.
    fn of_content(answer: &TaggedJson) -> Result<Self> {
        let tag = HeaderValue::from_maybe_shared(answer.tag.clone()).map_err(|error| {
            Error::internal("the tag of an answer is no entity tag").with_source(error)
        })?;
        Ok(Self(tag))
    }

    /// Returns the text between the quotes.
    fn text(&self) -> &[u8] {
        let tag = self.0.as_bytes();
        tag.get(1..tag.len().saturating_sub(1)).unwrap_or_default()
    }

    /// Sets the `ETag` of a response.
    pub(crate) fn set(self, response: &mut Response<Body>) {
        response.headers_mut().insert(ETAG, self.0);
    }
}

/// Precedes the time of a pause in the tag of a pipeline. It is in no number of a version.
const PAUSED_AT: &str = "+";

/// Reads from `If-Match` which state of a pipeline a change expects.
///
/// # Errors
/// `Malformed` (`invalid-parameter`) when the header is neither `*` nor a list of tags.
pub(super) fn expected(headers: &HeaderMap) -> Result<Precondition> {
    let tags = match read(headers, &IF_MATCH)? {
        None | Some(Tags::Any) => return Ok(Precondition::Anything),
        Some(Tags::These(tags)) => tags,
    };
    // Strong comparison: a weak tag equals no other, and a tag that was never issued equals no
    // state.
    let strong = tags.iter().filter(|tag| !tag.is_weak);
    Ok(Precondition::OneOf(
        strong.filter_map(|tag| revision(tag.text)).collect(),
    ))
}

/// Returns whether `If-None-Match` says that the caller already has the answer with this tag.
///
/// # Errors
/// `Malformed` (`invalid-parameter`) when the header is neither `*` nor a list of tags.
pub(crate) fn is_known(headers: &HeaderMap, tag: &EntityTag) -> Result<bool> {
    Ok(match read(headers, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        // Weak comparison: the mark of a weak tag does not count.
        Some(Tags::These(tags)) => tags.iter().any(|own| own.text == tag.text()),
    })
}

/// Returns the 304 response, with the tag of the answer that the caller has.
pub(crate) fn not_modified(tag: EntityTag) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    tag.set(&mut response);
    response
}

/// Returns the response with an answer, or the 304 response if the caller has it.
///
/// # Errors
/// The same as [`is_known`].
pub(super) fn if_changed(headers: &HeaderMap, answer: TaggedJson) -> Result<Response<Body>> {
    let tag = EntityTag::of_content(&answer)?;
    if is_known(headers, &tag)? {
        return Ok(not_modified(tag));
    }
    whole(answer)
}

/// Returns the response with an answer and its tag.
pub(super) fn whole(answer: TaggedJson) -> Result<Response<Body>> {
    let tag = EntityTag::of_content(&answer)?;
    let mut response = response::json_text(answer.json);
    tag.set(&mut response);
    Ok(response)
}

fn revision(text: &[u8]) -> Option<Revision> {
    let (id, version) = str::from_utf8(text).ok()?.rsplit_once('.')?;
    // A pause changes no definition, so that a save may come from before or after it.
    let version = match version.split_once(PAUSED_AT) {
        Some((version, at)) => {
            let millis = at.parse::<i64>().ok()?;
            (at == format!("{millis}")).then_some(version)?
        }
        None => version,
    };
    let number = version.parse().ok()?;
    // A tag with another spelling of the same number was never issued.
    let is_ours = version == format!("{number}");
    is_ours.then(|| Revision {
        id: id.to_owned(),
        version: number,
    })
}

fn read<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Tags<'a>>> {
    let mut tags = Vec::new();
    let mut is_present = false;
    for value in headers.get_all(name) {
        is_present = true;
        let text = value.as_bytes();
        match list(text).ok_or_else(|| malformed(name, &String::from_utf8_lossy(text)))? {
            Tags::Any => return Ok(Some(Tags::Any)),
            Tags::These(these) => tags.extend(these),
        }
    }
    Ok(is_present.then_some(Tags::These(tags)))
}

/// Parses a list of tags. A tag may contain a comma.
fn list(text: &[u8]) -> Option<Tags<'_>> {
    // A header has no white space but spaces and tabs.
    if text.trim_ascii() == b"*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
            continue;
        }
        let weak = rest.strip_prefix(b"W/");
        let mut parts = weak
            .unwrap_or(rest)
            .strip_prefix(b"\"")?
            .splitn(2, |byte| *byte == b'"');
        let (text, after) = (parts.next()?, parts.next()?);
        // A tag may have bytes beyond ASCII, though ours have none.
        let is_tag = text
            .iter()
            .all(|byte| byte.is_ascii_graphic() || !byte.is_ascii());
        rest = after.trim_ascii_start();
        let is_complete = rest.is_empty() || rest.starts_with(b",");
        if !is_tag || !is_complete {
            return None;
        }
        tags.push(Tag {
            is_weak: weak.is_some(),
            text,
        });
    }
    (!tags.is_empty()).then_some(Tags::These(tags))
}

fn malformed(name: &HeaderName, received: &str) -> Error {
    Error::new(
        Problem::InvalidParameter,
        format!(
            "the header {name} must be * or a list of entity tags like \"daily.3\", received {}",
            quote(received)
        ),
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn strong(texts: &[&str]) -> Option<Vec<(bool, String)>> {
        Some(
            texts
                .iter()
                .map(|text| (false, (*text).to_owned()))
                .collect(),
        )
    }

    fn read_one(text: &str) -> Option<Vec<(bool, String)>> {
        match list(text.as_bytes())? {
            Tags::Any => Some(Vec::new()),
            Tags::These(tags) => Some(
                tags.iter()
                    .map(|tag| (tag.is_weak, String::from_utf8(tag.text.to_vec()).unwrap()))
                    .collect(),
            ),
        }
    }

    #[test]
    fn a_list_of_tags_follows_the_grammar_of_the_standard() {
        for (text, expected) in [
            ("*", strong(&[])),
            (" * ", strong(&[])),
            (r#""a""#, strong(&["a"])),
            (r#""""#, strong(&[""])),
            (r#""a,b" , "c""#, strong(&["a,b", "c"])),
            (r#",, "a" ,"#, strong(&["a"])),
            (r#""é","b""#, strong(&["é", "b"])),
            (r#"W/"a""#, Some(vec![(true, "a".to_owned())])),
            ("", None),
            (",", None),
            ("a", None),
            (r#""a"#, None),
            (r#""a" "b""#, None),
            (r#""a"b"#, None),
            (r#"w/"a""#, None),
            (r#""a b""#, None),
            (r#""a", *"#, None),
        ] {
            assert_eq!(read_one(text), expected, "{text}");
        }
    }

    #[test]
    fn a_weak_or_foreign_tag_matches_no_state() {
        let mut headers = HeaderMap::new();
        for value in [r#"W/"daily.3", "daily""#, r#""daily.03", "a.b.4""#] {
            headers.append(IF_MATCH, HeaderValue::from_static(value));
        }
        let Precondition::OneOf(revisions) = expected(&headers).unwrap() else {
            panic!("a list expects something");
        };
        let found: Vec<_> = revisions
            .iter()
            .map(|revision| (revision.id.as_str(), revision.version))
            .collect();
        assert_eq!(found, [("a.b", 4)]);
    }
}
