//! A key and what it does: seal and open with AES-256-GCM (NIST SP 800-38D).
//!
//! Which key opens what is left to `keyring`.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Generate, KeyInit, Nonce, Payload};
use sha2::{Digest, Sha256};

use super::encoding;
use crate::error::{Error, Problem, Result};

/// A key of 32 bytes that seals secrets. It does not show itself.
///
/// Make one with `head -c 32 /dev/urandom > floret.key`, or as a text with `openssl rand -hex 32`.
///
/// ```
/// use floret::SecretKey;
/// let key = SecretKey::from_text(&"0f".repeat(32))?;
/// assert_eq!(key, SecretKey::from_bytes([0x0f; 32]));
/// assert!(SecretKey::from_text("too short").is_err());
/// # Ok::<(), floret::Error>(())
/// ```
#[derive(Clone)]
pub struct SecretKey {
    cipher: Box<Aes256Gcm>,
    id: [u8; ID_BYTES],
}

/// Bytes of a key's id: enough to tell the keys of a host apart.
pub(super) const ID_BYTES: usize = 8;
pub(super) const NONCE_BYTES: usize = 12;

/// What a key in a file or a text must be.
const EXPECTED: &str = "a key is 32 bytes, as they are, as 64 hex digits or as base64";

impl SecretKey {
    /// The key of these bytes, which must be random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let digest = Sha256::digest([b"floret key id".as_slice(), &bytes].concat());
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest[..ID_BYTES]);
        Self {
            cipher: Box::new(Aes256Gcm::new(&bytes.into())),
            id,
        }
    }

    /// The key of a text: 64 hex digits, or base64 of 32 bytes; blanks around it do not count.
    ///
    /// # Errors
    /// `Invalid` (`invalid-key`) when it is neither. The text is not told.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        encoding::hex(text)
            .or_else(|| encoding::base64(text))
            .map(Self::from_bytes)
            .ok_or_else(|| {
                let count = text.chars().count();
                invalid(format!(
                    "{EXPECTED}; received {count} characters that are neither"
                ))
            })
    }

    /// The key in an environment variable, as [`SecretKey::from_text`] reads it; none where it is not set or empty.
    ///
    /// # Errors
    /// `Invalid` (`invalid-key`) when it is set to anything else.
    pub fn from_env(name: &str) -> Result<Option<Self>> {
        match std::env::var_os(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => Self::from_text(&text.to_string_lossy())
                .map(Some)
                .map_err(|error| invalid(format!("{name}: {error}"))),
        }
    }

    /// The key in a file: 32 bytes as they are, or a text as [`SecretKey::from_text`] reads it.
    ///
    /// # Errors
    /// `Invalid` (`invalid-key`) when the file cannot be read or holds anything else.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let content = read(path.as_ref()).map_err(|error| {
            invalid(format!("the file of the key cannot be read: {error}")).with_source(error)
        })?;
        if let Ok(bytes) = <[u8; 32]>::try_from(content.as_slice()) {
            return Ok(Self::from_bytes(bytes));
        }
        match std::str::from_utf8(&content) {
            Ok(text) => Self::from_text(text),
            Err(_) => Err(invalid(format!(
                "{EXPECTED}; the file holds something else"
            ))),
        }
    }

    pub(super) const fn id(&self) -> &[u8; ID_BYTES] {
        &self.id
    }

    /// Nonce and ciphertext of a text that belongs to a place.
    pub(super) fn seal(&self, text: &[u8], place: &[u8]) -> Result<Vec<u8>> {
        let failed = |what: &str| Error::internal(format!("a secret could not be sealed: {what}"));
        let nonce = Nonce::<Aes256Gcm>::try_generate()
            .map_err(|error| failed("no randomness").with_source(error.to_string()))?;
        let payload = Payload {
            msg: text,
            aad: place,
        };
        let sealed = self.cipher.encrypt(&nonce, payload);
        let mut sealed = sealed.map_err(|_| failed("too long"))?;
        sealed.splice(0..0, nonce);
        Ok(sealed)
    }

    /// The text of nonce and ciphertext; none when this key did not seal it, or not for this place.
    pub(super) fn open(&self, sealed: &[u8], place: &[u8]) -> Option<Vec<u8>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg, aad: place };
        self.cipher.decrypt(&(*nonce).into(), payload).ok()
    }
}

/// Reads no more than a key can have, whatever the path names.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    const BYTES_MAX: u64 = 1_024;
    let mut content = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(BYTES_MAX).read_to_end(&mut content)?;
    Ok(content)
}

fn invalid(message: String) -> Error {
    Error::new(Problem::InvalidKey, message)
}

/// By their ids, which are digests: the time of it tells nothing of the keys.
impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_from_a_file_in_every_form() {
        let folder = crate::testing::scratch();
        let path = folder.path().join("key");
        let key = SecretKey::from_bytes([7; 32]);
        for content in [vec![7; 32], format!("{}\n", "07".repeat(32)).into_bytes()] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(SecretKey::from_file(&path).unwrap(), key);
        }
        for (content, told) in [
            (
                &b"secret words"[..],
                "received 12 characters that are neither",
            ),
            (&[255; 33], "the file holds something else"),
            (b"", "received 0 characters"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = SecretKey::from_file(&path).unwrap_err();
            assert_eq!(error.problem(), Problem::InvalidKey);
            assert!(error.to_string().contains(told), "{error}");
            assert!(!error.to_string().contains("words"), "{error}");
        }
        let missing = SecretKey::from_file(folder.path().join("missing"));
        assert_eq!(missing.unwrap_err().problem(), Problem::InvalidKey);
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", SecretKey::from_bytes([7; 32])), "***");
    }
}
