//! A secret as storage holds it: sealed bytes that reveal nothing without the key.
//!
//! `secret` seals and opens secrets.

use std::fmt;

use bytes::Bytes;

/// The text that stands for a secret in answers. A client that sends it back leaves the stored
/// secret unchanged.
pub(crate) const MASKED: &str = "********";

/// A sealed secret: the id of the key, a nonce and the ciphertext, as one sequence of bytes.
///
/// A storage MUST return the bytes unchanged. It needs no key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(Bytes);

impl Sealed {
    /// Creates a sealed secret from its bytes. Damaged bytes are detected when the secret is
    /// opened.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}
