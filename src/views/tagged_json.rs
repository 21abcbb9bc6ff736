//! A JSON answer with the tag of its content.
//!
//! `finished_runs` keeps those of finished runs, and `api` compares tags.

use bytes::Bytes;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The size up to which an answer is hashed on the async thread: a millisecond without the
/// processor's own instructions for the hash.
pub(super) const INLINE_BYTES_MAX: usize = 256 * 1024;

/// An answer as the bytes that a caller gets. Clones share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaggedJson {
    pub(crate) json: Bytes,
    /// A strong entity tag in its quotes: the same for the same bytes only.
    pub(crate) tag: Bytes,
}

impl TaggedJson {
    pub(crate) fn new(json: Bytes) -> Self {
        let hash: [u8; 32] = Sha256::digest(&json).into();
        // Half of it suffices: a tag is compared with those of the same resource only.
        let start = u128::from_be_bytes(hash.first_chunk().copied().unwrap_or_default());
        Self {
            json,
            tag: format!("\"{start:032x}\"").into(),
        }
    }
}

/// Returns the bytes of a JSON text without a copy.
pub(super) fn bytes_of(json: Box<RawValue>) -> Bytes {
    String::from(Box::<str>::from(json)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_that_of_the_content() {
        let document = |json: &'static str| TaggedJson::new(Bytes::from_static(json.as_bytes()));
        // The hash of the empty text, from the standard.
        assert_eq!(document("").tag, "\"e3b0c44298fc1c149afbf4c8996fb924\"");
        assert_eq!(document("{}"), document("{}"));
        assert_ne!(document("{}").tag, document("{ }").tag);
    }
}
