//! An encryption key: seals and opens secrets with AES-256-GCM (NIST SP 800-38D).
//!
//! `keyring` selects the key for each secret.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Generate, KeyInit, Nonce, Payload};
use sha2::{Digest, Sha256};

use super::encoding;
use crate::error::{Error, Problem, Result, log};

/// A key of 32 bytes that seals and opens secrets. It is never printed.
///
/// Create a key file with `head -c 32 /dev/urandom > floret.key`, or a key as text with
/// `openssl rand -hex 32`.
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
    /// Chooses the nonces of [`SecretKey::seal_alike`], and hides hashes. It is as secret as the
    /// key.
    nonces: [u8; 32],
}

/// The size of a key's id. The id distinguishes the keys of a host.
pub(super) const ID_BYTES: usize = 8;
pub(super) const NONCE_BYTES: usize = 12;

/// The most bytes of a key file that are read, because the path may name any file.
const READ_BYTES_MAX: usize = 1_024;

/// The accepted forms of a key.
const EXPECTED: &str = "a key is 32 bytes: raw, as 64 hex digits or as base64";

impl SecretKey {
    /// Creates a key from these bytes. They must come from a secure random source.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let digest = Sha256::digest([b"floret key id".as_slice(), &bytes].concat());
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest[..ID_BYTES]);
        Self {
            cipher: Box::new(Aes256Gcm::new(&bytes.into())),
            id,
            nonces: Sha256::digest([b"floret nonces".as_slice(), &bytes].concat()).into(),
        }
    }

    /// Reads a key from text: 64 hex digits, or base64 of 32 bytes. Surrounding whitespace is
    /// ignored.
    ///
    /// # Errors
    /// Returns `Invalid` (`invalid-key`) for any other text. The error does not contain the text.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        encoding::hex(text)
            .or_else(|| encoding::base64(text))
            .map(Self::from_bytes)
            .ok_or_else(|| {
                let count = text.chars().count();
                invalid(format!(
                    "{EXPECTED}; the {count} characters received are none of these"
                ))
            })
    }

    /// Reads a key from an environment variable, in the forms of [`SecretKey::from_text`].
    ///
    /// Returns `None` if the variable is unset.
    ///
    /// # Errors
    /// Returns `Invalid` (`invalid-key`) if the value is not a key. An empty value is not a key:
    /// the command that should have written it may have failed.
    pub fn from_env(name: &str) -> Result<Option<Self>> {
        match std::env::var_os(name) {
            None => Ok(None),
            Some(text) => Self::from_text(&text.to_string_lossy())
                .map(Some)
                .map_err(|error| invalid(format!("{name}: {error}"))),
        }
    }

    /// Reads a key from a file: 32 raw bytes, or text in the forms of [`SecretKey::from_text`].
    ///
    /// If other users of the machine can read the file, a warning in the log says so.
    ///
    /// # Errors
    /// Returns `Invalid` (`invalid-key`) if the file cannot be read or does not contain a key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let content = read(path.as_ref()).map_err(|error| {
            invalid(format!("the key file cannot be read: {error}")).with_source(error)
        })?;
        if let Ok(bytes) = <[u8; 32]>::try_from(content.as_slice()) {
            return Ok(Self::from_bytes(bytes));
        }
        match std::str::from_utf8(&content) {
            Ok(text) => Self::from_text(text),
            Err(_) => {
                let count = content.len();
                let more = if count < READ_BYTES_MAX {
                    ""
                } else {
                    " or more"
                };
                Err(invalid(format!(
                    "{EXPECTED}; the {count}{more} bytes of the file are none of these"
                )))
            }
        }
    }

    pub(super) const fn id(&self) -> &[u8; ID_BYTES] {
        &self.id
    }

    /// Encrypts a text for `field`. Returns the nonce, followed by the ciphertext.
    pub(super) fn seal(&self, text: &[u8], field: &[u8]) -> Result<Vec<u8>> {
        let failed = |what: &str| Error::internal(format!("a secret could not be sealed: {what}"));
        let nonce = Nonce::<Aes256Gcm>::try_generate().map_err(|error| {
            failed("the system returned no random bytes").with_source(error.to_string())
        })?;
        self.seal_with(nonce, text, field)
    }

    /// Does the same, with the same result for the same text and field: it shows whether a secret
    /// has changed, and nothing else.
    ///
    /// The nonce is a keyed hash of both, so that no two texts share one.
    pub(super) fn seal_alike(&self, text: &[u8], field: &[u8]) -> Result<Vec<u8>> {
        let parts = [Sha256::digest(field), Sha256::digest(text)].concat();
        let inner = Sha256::digest([self.nonces.as_slice(), b"inner", &parts].concat());
        let outer = Sha256::digest([self.nonces.as_slice(), b"outer", &inner].concat());
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&outer[..NONCE_BYTES]);
        self.seal_with(nonce.into(), text, field)
    }

    /// Returns a keyed hash of a hash.
    pub(super) fn conceal(&self, hash: &[u8; 32]) -> [u8; 32] {
        let inner = Sha256::digest([self.nonces.as_slice(), b"conceal", hash].concat());
        Sha256::digest([self.nonces.as_slice(), b"concealed", &inner].concat()).into()
    }

    fn seal_with(&self, nonce: Nonce<Aes256Gcm>, text: &[u8], field: &[u8]) -> Result<Vec<u8>> {
        let payload = Payload {
            msg: text,
            aad: field,
        };
        let sealed = self.cipher.encrypt(&nonce, payload);
        let mut sealed =
            sealed.map_err(|_| Error::internal("a secret could not be sealed: it is too long"))?;
        sealed.splice(0..0, nonce);
        Ok(sealed)
    }

    /// Decrypts the result of [`Self::seal`].
    ///
    /// Returns `None` if this key did not seal it for `field`, or if it was changed since.
    pub(super) fn open(&self, sealed: &[u8], field: &[u8]) -> Option<Vec<u8>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg, aad: field };
        self.cipher.decrypt(&(*nonce).into(), payload).ok()
    }
}

/// Reads the start of a file.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = std::fs::File::open(path)?;
    warn_if_shared(&file, path);
    file.take(READ_BYTES_MAX as u64).read_to_end(&mut content)?;
    Ok(content)
}

/// Warns of a file that its group or all users can read.
#[cfg(unix)]
fn warn_if_shared(file: &std::fs::File, path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    const READABLE_BY_OTHERS: u32 = 0o044;
    match file
        .metadata()
        .map(|metadata| metadata.permissions().mode())
    {
        Ok(mode) if mode & READABLE_BY_OTHERS == 0 => {}
        Ok(mode) => log::warn!(
            file = %path.display(),
            mode = format!("{:o}", mode & 0o777),
            "other users can read the key file; allow its owner alone (chmod 600)"
        ),
        Err(error) => {
            log::warn!(file = %path.display(), %error, "who can read the key file is unknown");
        }
    }
}

/// Other systems have no such permissions.
#[cfg(not(unix))]
const fn warn_if_shared(_: &std::fs::File, _: &Path) {}

fn invalid(message: String) -> Error {
    Error::new(Problem::InvalidKey, message)
}

/// Compares the ids instead of the keys. An id is a digest, so the timing reveals nothing about the
/// key.
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
    fn a_key_file_contains_raw_bytes_or_text_and_other_content_is_refused() {
        let folder = crate::testing::scratch();
        let path = folder.path().join("key");
        let key = SecretKey::from_bytes([7; 32]);
        for content in [vec![7; 32], format!("{}\n", "07".repeat(32)).into_bytes()] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(SecretKey::from_file(&path).unwrap(), key);
        }
        for (content, expected) in [
            (
                &b"secret words"[..],
                "the 12 characters received are none of these",
            ),
            (&[255; 33], "the 33 bytes of the file are none of these"),
            (
                &[255; 5_000],
                "the 1024 or more bytes of the file are none of these",
            ),
            (b"", "the 0 characters received"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = SecretKey::from_file(&path).unwrap_err();
            assert_eq!(error.problem(), Problem::InvalidKey);
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!error.to_string().contains("words"), "{error}");
        }
        let missing = SecretKey::from_file(folder.path().join("missing"));
        assert_eq!(missing.unwrap_err().problem(), Problem::InvalidKey);
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", SecretKey::from_bytes([7; 32])), "***");
    }
}
