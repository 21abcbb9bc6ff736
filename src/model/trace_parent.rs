//! The place of a request in a distributed trace, as the header `traceparent` names it.
//!
//! `api/trace` reads the header, and `notifier/webhook` sends it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{NodeIndex, RunId};

/// The place of a request in a distributed trace: a `traceparent` of [W3C Trace Context].
///
/// It has the id of the trace, the id of the span that asks, and whether that span is recorded.
/// `tracestate` is not kept.
///
/// ```
/// use floret::TraceParent;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parent: TraceParent = text.parse()?;
/// assert_eq!(parent.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(parent.span_id().to_string(), "00f067aa0ba902b7");
/// assert!(parent.is_sampled());
/// assert_eq!(parent.to_string(), text);
/// # Ok::<(), floret::TraceParentError>(())
/// ```
///
/// [W3C Trace Context]: https://www.w3.org/TR/trace-context-2/
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TraceParent {
    trace: TraceId,
    span: SpanId,
    flags: u8,
}

/// The id of a trace: 16 bytes, not all zero. Its text has 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// The id of a span: 8 bytes, not all zero. Its text has 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a traceparent is like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct TraceParentError(());

impl TraceId {
    /// Returns the bytes of the id.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl SpanId {
    /// Returns the bytes of the id.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Returns the id of a span that Floret names itself.
    ///
    /// The same name has the same id, so that a later part of a trace can refer to the span without
    /// a stored id. The names contain the id of a run, so that no two spans share one.
    fn named(name: &str) -> Self {
        let hash = Sha256::digest(name.as_bytes());
        let id = hash.first_chunk().map_or(0, |id| u64::from_be_bytes(*id));
        Self(id.max(1))
    }
}

impl TraceParent {
    const SAMPLED: u8 = 1;
    /// The flags that are defined: the span is recorded, and the id of the trace is random.
    const FLAGS: u8 = 3;

    /// Returns the id of the trace.
    #[must_use]
    pub const fn trace_id(self) -> TraceId {
        self.trace
    }

    /// Returns the id of the span.
    #[must_use]
    pub const fn span_id(self) -> SpanId {
        self.span
    }

    /// Returns whether the span may be recorded.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// Returns the place of the span in which a run executes.
    pub(crate) fn of_run(self, run: RunId) -> Self {
        self.named(&run.to_string())
    }

    /// Returns the place of the span of an attempt at a node.
    pub(crate) fn of_attempt(self, run: RunId, node_index: NodeIndex, attempt: u32) -> Self {
        self.named(&format!("{run}.{node_index}.{attempt}"))
    }

    /// Returns the place of the span that sends an event of a run.
    #[cfg(feature = "webhook")]
    pub(crate) fn of_event(self, run: RunId, seq: u64) -> Self {
        self.named(&format!("{run}.event.{seq}"))
    }

    fn named(self, name: &str) -> Self {
        let span = SpanId::named(name);
        Self { span, ..self }
    }
}

/// The characters of version 00.
const LENGTH: usize = 55;

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Parses the text of a header. Of a later version, only what the version 00 defines is read.
    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        parse(text).ok_or(TraceParentError(()))
    }
}

fn parse(text: &str) -> Option<TraceParent> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let mut fields = known.split('-');
    let version = number(fields.next()?, 2)?;
    let trace = number(fields.next()?, 32)?;
    let span = u64::try_from(number(fields.next()?, 16)?).ok()?;
    let flags = u8::try_from(number(fields.next()?, 2)?).ok()?;
    let flags = match version {
        0 if rest.is_empty() => flags & TraceParent::FLAGS,
        1..=0xfe if rest.is_empty() || rest.starts_with('-') => flags & TraceParent::SAMPLED,
        _ => return None,
    };
    let is_valid = fields.next().is_none() && trace != 0 && span != 0;
    is_valid.then_some(TraceParent {
        trace: TraceId(trace),
        span: SpanId(span),
        flags,
    })
}

/// Reads a number of this many hexadecimal digits in lower case.
fn number(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let is_number = text.len() == digits && text.bytes().all(is_digit);
    is_number.then(|| u128::from_str_radix(text, 16).ok())?
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for TraceParent {
    /// Writes the text of version 00.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

impl TryFrom<String> for TraceParent {
    type Error = TraceParentError;

    fn try_from(text: String) -> Result<Self, TraceParentError> {
        text.parse()
    }
}

#[cfg(test)]
inline_schema! {
    TraceParent => schemars::json_schema!({
        "type": "string",
        "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::contract::fixtures::run_id;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parsed(text: &str) -> Option<String> {
        let parent = text.parse::<TraceParent>().ok()?;
        Some(parent.to_string())
    }

    #[test]
    fn a_text_of_a_later_version_is_read_as_version_00() {
        for (given, flags) in [
            (format!("00-{TRACE}-{SPAN}-00"), "00"),
            (format!("00-{TRACE}-{SPAN}-01"), "01"),
            (format!("00-{TRACE}-{SPAN}-03"), "03"),
            (format!("00-{TRACE}-{SPAN}-ff"), "03"),
            (format!("01-{TRACE}-{SPAN}-03"), "01"),
            (format!("cc-{TRACE}-{SPAN}-01-what-follows"), "01"),
            (format!("fe-{TRACE}-{SPAN}-00-"), "00"),
        ] {
            let expected = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(parsed(&given), Some(expected), "{given}");
        }
    }

    #[test]
    fn a_text_that_the_standard_refuses_is_refused() {
        let upper = TRACE.to_uppercase();
        for given in [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-what-follows"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("01-{TRACE}-{SPAN}-01what-follows"),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}_{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}_01"),
            format!("00-{}-{SPAN}-01", TRACE.replace('4', "g")),
            format!("00-{}-{SPAN}-01", "\u{e9}".repeat(16)),
            format!("00-{TRACE}-{SPAN}-0x"),
        ] {
            assert_eq!(parsed(&given), None, "{given}");
        }
    }

    #[test]
    fn each_span_of_a_run_has_its_own_id_in_the_same_trace() {
        let parent: TraceParent = format!("00-{TRACE}-{SPAN}-01").parse().unwrap();
        let (run, other) = (run_id(1), run_id(2));
        let mut spans = vec![
            parent,
            parent.of_run(run),
            parent.of_run(other),
            parent.of_attempt(run, 0, 1),
            parent.of_attempt(run, 0, 2),
            parent.of_attempt(run, 1, 1),
            parent.of_attempt(other, 0, 1),
        ];
        assert_eq!(parent.of_run(run), parent.of_attempt(run, 0, 1).of_run(run));
        for span in &spans {
            assert_eq!((span.trace, span.flags), (parent.trace, 1));
        }
        let count = spans.len();
        spans.sort_unstable_by_key(|span| span.span.to_bytes());
        spans.dedup();
        assert_eq!(spans.len(), count);
    }

    proptest! {
        #[test]
        fn every_valid_text_is_written_as_it_was_read(
            trace in "[0-9a-f]{31}[1-9a-f]",
            span in "[0-9a-f]{15}[1-9a-f]",
            flags in 0_u8..4,
        ) {
            let text = format!("00-{trace}-{span}-{flags:02x}");
            prop_assert_eq!(parsed(&text), Some(text.clone()));
            let json = serde_json::to_string(&text).unwrap();
            let read: TraceParent = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }

        #[test]
        fn no_text_ends_the_parser(text in "\\PC{0,70}|[0-9a-f-]{50,60}") {
            if let Some(read) = parsed(&text) {
                prop_assert_eq!(parsed(&read), Some(read));
            }
        }
    }
}
