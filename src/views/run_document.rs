//! The JSON of a run, with the tag of its content.
//!
//! `finished_runs` keeps the documents of finished runs, and `api` compares tags.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The size up to which a document is hashed on the async thread: a millisecond without the
/// processor's own instructions for the hash.
pub(super) const INLINE_BYTES_MAX: usize = 256 * 1024;

/// The bytes of the hash in a tag. Half of it suffices: a tag is compared with those of the same
/// run only.
const TAG_BYTES: usize = 16;

/// A run as the bytes that a caller gets. Clones share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunDocument {
    pub(crate) json: Bytes,
    /// A strong entity tag in its quotes: the same for the same bytes only.
    pub(crate) tag: Bytes,
}

impl RunDocument {
    pub(super) fn new(json: Bytes) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hash = Sha256::digest(&json);
        let mut tag = BytesMut::with_capacity(TAG_BYTES * 2 + 2);
        tag.put_u8(b'"');
        for byte in hash.iter().take(TAG_BYTES) {
            tag.put_u8(DIGITS[usize::from(byte >> 4)]);
            tag.put_u8(DIGITS[usize::from(byte & 15)]);
        }
        tag.put_u8(b'"');
        Self {
            json,
            tag: tag.freeze(),
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
        let document = |json: &'static str| RunDocument::new(Bytes::from_static(json.as_bytes()));
        // The hash of the empty text, from the standard.
        assert_eq!(document("").tag, "\"e3b0c44298fc1c149afbf4c8996fb924\"");
        assert_eq!(document("{}"), document("{}"));
        assert_ne!(document("{}").tag, document("{ }").tag);
    }
}
