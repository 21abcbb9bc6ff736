//! The token with which a webhook starts a run of a pipeline, and what storage keeps of it.
//!
//! `engine/webhook` compares them.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::MASKED;

/// A token in plain text. Its `Debug` shows `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookToken(String);

impl WebhookToken {
    /// The lengths that a token may have, in bytes.
    pub(crate) const BYTES: std::ops::RangeInclusive<usize> = 16..=255;

    /// Returns the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text that stands for a stored token.
    pub(crate) fn mask() -> Self {
        Self::from(MASKED)
    }

    /// Returns whether the text stands for the stored token.
    pub(crate) fn is_mask(&self) -> bool {
        self.0 == MASKED
    }

    /// Returns whether the text asks for a new token: it is empty.
    pub(crate) const fn is_request(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the text has the length and the characters of a token: visible ASCII.
    pub(crate) fn is_well_formed(&self) -> bool {
        Self::BYTES.contains(&self.0.len()) && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Returns what storage keeps of the token.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl From<String> for WebhookToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for WebhookToken {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for WebhookToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The SHA-256 of a [`WebhookToken`]. Its `Debug` shows `***`.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Creates a hash from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Compares in constant time: the time reveals nothing of a hash.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(other.0);
        pairs.fold(0, |different, (own, other)| different | (own ^ other)) == 0
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_visible_ascii() {
        for (text, expected) in [
            ("", false),
            ("fifteen-bytes-x", false),
            ("sixteen-bytes-xx", true),
            ("sixteen bytes xx", false),
            ("sixteen-bytes-xé", false),
            ("sixteen-bytes-x\n", false),
            (&"x".repeat(255), true),
            (&"x".repeat(256), false),
        ] {
            let token = WebhookToken::from(text);
            assert_eq!(token.is_well_formed(), expected, "{text:?}");
        }
    }

    #[test]
    fn hashes_are_equal_if_every_bit_is() {
        let hash = WebhookToken::from("token").hash();
        assert_eq!(hash, WebhookToken::from("token".to_owned()).hash());
        for byte in 0..32 {
            let mut bytes = *hash.as_bytes();
            bytes[byte] ^= 1;
            assert_ne!(hash, TokenHash::from_bytes(bytes), "{byte}");
        }
    }

    #[test]
    fn neither_shows_itself() {
        let token = WebhookToken::from("sixteen-bytes-xx");
        assert_eq!(format!("{token:?} {:?}", token.hash()), "*** ***");
    }
}
