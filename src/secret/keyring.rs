//! The keys of a host: the current key seals secrets, and all keys open them.
//!
//! `key` has the cipher. Without the feature `secrets` a keyring is empty and seals nothing.

use super::Secret;
#[cfg(feature = "secrets")]
use super::SecretKey;
use crate::error::{Error, Problem, Result};
#[cfg(feature = "secrets")]
use crate::hex;
use crate::model::{HookMoment, PipelineId, Sealed, TenantId};

/// The keys of a host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    #[cfg(feature = "secrets")]
    current: Option<SecretKey>,
    #[cfg(feature = "secrets")]
    old: Vec<SecretKey>,
}

/// The field that a secret belongs to. A secret that was moved to another field is not opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// `connection`, `variable`, `pipeline` or `parameter`. The id of a parameter is that of its
    /// pipeline.
    pub(crate) noun: &'static str,
    pub(crate) tenant: Option<&'a TenantId>,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> Field<'a> {
    /// Returns the secret of a hook.
    pub(crate) fn hook(
        tenant: Option<&'a TenantId>,
        pipeline: &'a PipelineId,
        moment: HookMoment,
    ) -> Self {
        Self {
            noun: "pipeline",
            tenant,
            id: pipeline.as_str(),
            name: moment.secret_name(),
        }
    }
}

/// Why a secret cannot be opened.
#[cfg_attr(
    not(feature = "secrets"),
    expect(dead_code, reason = "without a cipher nothing is opened")
)]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("no encryption key is configured")]
    NoKey,
    #[error(
        "it was sealed with a key that is not configured (its id is {id}); add the old key beside the current one"
    )]
    OtherKey { id: String },
    #[error("the stored secret was changed or belongs to another field")]
    Damaged,
}

impl Keyring {
    /// Sets the current key.
    #[cfg(feature = "secrets")]
    pub(crate) fn set_current(&mut self, key: SecretKey) {
        self.current = Some(key);
    }

    /// Adds an old key, which only opens secrets.
    #[cfg(feature = "secrets")]
    pub(crate) fn add_old(&mut self, key: SecretKey) {
        self.old.push(key);
    }

    /// Seals a secret for its field.
    ///
    /// # Errors
    /// Returns `Conflict` (`encryption-key-missing`) without a key.
    #[cfg(feature = "secrets")]
    pub(crate) fn seal(&self, secret: &Secret<String>, field: Field<'_>) -> Result<Sealed> {
        let key = self.current.as_ref().ok_or_else(key_missing)?;
        let sealed = key.seal(secret.expose().as_bytes(), &field.bytes())?;
        Ok(with_key(key, &sealed))
    }

    /// Does the same, with the same result for the same secret, field and key.
    ///
    /// # Errors
    /// Returns `Conflict` (`encryption-key-missing`) without a key.
    #[cfg(feature = "secrets")]
    pub(crate) fn seal_alike(&self, secret: &Secret<String>, field: Field<'_>) -> Result<Sealed> {
        let key = self.current.as_ref().ok_or_else(key_missing)?;
        let sealed = key.seal_alike(secret.expose().as_bytes(), &field.bytes())?;
        Ok(with_key(key, &sealed))
    }

    /// Opens a secret that was sealed for this field.
    ///
    /// # Errors
    /// Returns [`OpenError`].
    #[cfg(feature = "secrets")]
    pub(crate) fn open(
        &self,
        sealed: &Sealed,
        field: Field<'_>,
    ) -> std::result::Result<Secret<String>, OpenError> {
        let ([FORMAT], rest) = sealed
            .as_bytes()
            .split_first_chunk()
            .ok_or(OpenError::Damaged)?
        else {
            return Err(OpenError::Damaged);
        };
        let (id, rest) = rest
            .split_first_chunk::<{ super::key::ID_BYTES }>()
            .ok_or(OpenError::Damaged)?;
        let mut keys = self.current.iter().chain(&self.old).peekable();
        if keys.peek().is_none() {
            return Err(OpenError::NoKey);
        }
        let key = keys.find(|key| key.id() == id);
        let key = key.ok_or_else(|| OpenError::OtherKey {
            id: hex::encode(id),
        })?;
        let text = key.open(rest, &field.bytes()).ok_or(OpenError::Damaged)?;
        let text = String::from_utf8(text).map_err(|_| OpenError::Damaged)?;
        Ok(Secret::new(text))
    }

    /// Returns a hash of a hash that nobody without the current key can compute.
    #[cfg(feature = "secrets")]
    pub(crate) fn conceal(&self, hash: [u8; 32]) -> [u8; 32] {
        let current = self.current.as_ref();
        current.map_or(hash, |key| key.conceal(&hash))
    }

    /// Returns the hash: without a key, nothing secret is stored.
    #[cfg(not(feature = "secrets"))]
    #[expect(clippy::unused_self, reason = "with the feature, the key matters")]
    pub(crate) const fn conceal(&self, hash: [u8; 32]) -> [u8; 32] {
        hash
    }

    /// Seals nothing.
    ///
    /// # Errors
    /// Always returns `Conflict` (`encryption-key-missing`).
    #[cfg(not(feature = "secrets"))]
    pub(crate) fn seal(&self, _secret: &Secret<String>, _field: Field<'_>) -> Result<Sealed> {
        Err(key_missing())
    }

    /// Seals nothing.
    ///
    /// # Errors
    /// Always returns `Conflict` (`encryption-key-missing`).
    #[cfg(not(feature = "secrets"))]
    pub(crate) fn seal_alike(&self, _secret: &Secret<String>, _field: Field<'_>) -> Result<Sealed> {
        Err(key_missing())
    }

    /// Opens nothing.
    ///
    /// # Errors
    /// Always returns [`OpenError::NoKey`].
    #[cfg(not(feature = "secrets"))]
    pub(crate) fn open(
        &self,
        _sealed: &Sealed,
        _field: Field<'_>,
    ) -> std::result::Result<Secret<String>, OpenError> {
        Err(OpenError::NoKey)
    }
}

/// The first byte of a sealed secret, which distinguishes this format from later ones.
#[cfg(feature = "secrets")]
const FORMAT: u8 = 1;

/// Returns a sealed secret with the id of its key.
#[cfg(feature = "secrets")]
fn with_key(key: &SecretKey, sealed: &[u8]) -> Sealed {
    Sealed::from_bytes([&[FORMAT], key.id().as_slice(), sealed].concat())
}

#[cfg(feature = "secrets")]
impl Field<'_> {
    /// Joins the parts with NUL, which none but the last can contain.
    fn bytes(self) -> Vec<u8> {
        let tenant = self.tenant.map_or("", TenantId::as_str);
        [self.noun, tenant, self.id, self.name]
            .join("\0")
            .into_bytes()
    }
}

fn key_missing() -> Error {
    Error::new(
        Problem::EncryptionKeyMissing,
        "a secret is stored only encrypted, and no encryption key is configured; the host sets one with \
         `Builder::secret_key` (feature `secrets`), the standalone server with --secret-key-file or FLORET_SECRET_KEY",
    )
}

#[cfg(feature = "secrets")]
#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes([byte; 32])
    }

    /// Creates a keyring of these keys; the first is the current one.
    fn keyring(keys: impl IntoIterator<Item = u8>) -> Keyring {
        let mut keyring = Keyring::default();
        let mut keys = keys.into_iter();
        keys.next()
            .into_iter()
            .for_each(|byte| keyring.set_current(key(byte)));
        keys.for_each(|byte| keyring.add_old(key(byte)));
        keyring
    }

    const FIELD: Field<'_> = Field {
        noun: "connection",
        tenant: None,
        id: "warehouse",
        name: "password",
    };

    fn sealed(by: u8) -> Sealed {
        let secret = Secret::new("hunter2".to_owned());
        keyring([by]).seal(&secret, FIELD).unwrap()
    }

    fn opened(
        keys: impl IntoIterator<Item = u8>,
        sealed: &Sealed,
    ) -> std::result::Result<String, OpenError> {
        let opened = keyring(keys).open(sealed, FIELD);
        opened.map(|secret| secret.expose().clone())
    }

    #[test]
    fn a_secret_is_opened_by_its_key_current_or_old() {
        let sealed = sealed(1);
        assert_eq!(opened([1], &sealed).as_deref(), Ok("hunter2"));
        assert_eq!(opened([2, 1], &sealed).as_deref(), Ok("hunter2"));
        let again = keyring([2, 1])
            .seal(&Secret::new("x".to_owned()), FIELD)
            .unwrap();
        assert_eq!(opened([2], &again).as_deref(), Ok("x"));
    }

    #[test]
    fn a_wrong_key_and_a_missing_key_are_different_errors() {
        let error = opened([2, 3], &sealed(1)).unwrap_err();
        assert!(
            matches!(&error, OpenError::OtherKey { id } if id.len() == 16),
            "{error}"
        );
        assert_eq!(opened([], &sealed(1)), Err(OpenError::NoKey));
        let mut old_alone = Keyring::default();
        old_alone.add_old(key(1));
        let missing = old_alone
            .seal(&Secret::new(String::new()), FIELD)
            .unwrap_err();
        assert_eq!(missing.problem(), Problem::EncryptionKeyMissing);
        assert!(old_alone.open(&sealed(1), FIELD).is_ok());
    }

    #[test]
    fn a_secret_can_be_sealed_alike_for_the_same_field_and_key() {
        let seal = |by, text: &str, field| {
            let secret = Secret::new(text.to_owned());
            keyring([by]).seal_alike(&secret, field).unwrap()
        };
        let sealed = seal(1, "hunter2", FIELD);
        assert_eq!(seal(1, "hunter2", FIELD), sealed);
        assert_eq!(opened([1], &sealed).as_deref(), Ok("hunter2"));
        let other = Field {
            name: "extra",
            ..FIELD
        };
        let nonce = |sealed: &Sealed| sealed.as_bytes()[9..21].to_vec();
        for different in [
            seal(1, "hunter3", FIELD),
            seal(1, "hunter2", other),
            seal(2, "hunter2", FIELD),
        ] {
            assert_ne!(nonce(&different), nonce(&sealed));
        }
    }

    #[test]
    fn a_concealed_hash_depends_on_the_current_key() {
        let concealed = |keys: &[u8]| keyring(keys.iter().copied()).conceal([7; 32]);
        assert_eq!(concealed(&[1]), concealed(&[1, 2]));
        assert_ne!(concealed(&[1]), concealed(&[2, 1]));
        assert_ne!(concealed(&[1]), [7; 32]);
        assert_eq!(concealed(&[]), [7; 32]);
    }

    #[test]
    fn a_secret_that_was_moved_is_not_opened() {
        let (sealed, keyring) = (sealed(1), keyring([1]));
        let tenant = TenantId::new("ann").unwrap();
        for elsewhere in [
            Field {
                noun: "variable",
                ..FIELD
            },
            Field {
                tenant: Some(&tenant),
                ..FIELD
            },
            Field {
                id: "other",
                ..FIELD
            },
            Field {
                name: "extra",
                ..FIELD
            },
        ] {
            let opened = keyring.open(&sealed, elsewhere);
            assert_eq!(opened.unwrap_err(), OpenError::Damaged, "{elsewhere:?}");
        }
    }

    #[test]
    fn no_byte_can_be_changed_or_removed() {
        let whole = sealed(1);
        for index in 0..whole.as_bytes().len() {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[index] ^= 1;
            assert!(opened([1], &Sealed::from_bytes(bytes)).is_err(), "{index}");
            let cut = whole.as_bytes()[..index].to_vec();
            assert!(opened([1], &Sealed::from_bytes(cut)).is_err(), "{index}");
        }
    }

    #[test]
    fn sealing_a_secret_twice_gives_different_bytes() {
        let all: std::collections::HashSet<_> = (0..1_000).map(|_| sealed(1)).collect();
        assert_eq!(all.len(), 1_000);
        assert!(
            all.iter()
                .all(|sealed| !sealed.as_bytes().windows(7).any(|part| part == b"hunter2"))
        );
    }
}
