//! A secret as storage keeps it: sealed bytes that nothing can be read from.
//!
//! Sealing and opening are `secret`'s.

use std::fmt;

use bytes::Bytes;

/// What a secret reads as, and what keeps the one that is stored when it is sent back.
pub(crate) const MASKED: &str = "********";

/// A sealed secret: the id of the key that sealed it, a nonce and the ciphertext, in one run of
/// bytes.
///
/// A storage keeps the bytes as they are and gives them back; it needs no key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(Bytes);

impl Sealed {
    /// The sealed secret that these bytes are; whether they are whole is found out when it is
    /// opened.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes to be kept.
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
