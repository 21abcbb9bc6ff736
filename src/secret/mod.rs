//! Secrets: values that do not show themselves, the keys that seal them, and what hides them in texts.
//!
//! Pure, a key's file aside. Which fields are secret is decided by the engine; what is sealed is kept by storage.

mod connection;
#[cfg(feature = "secrets")]
mod encoding;
#[cfg(feature = "secrets")]
mod key;
mod keyring;
mod mask;

pub use connection::Connection;
#[cfg(feature = "secrets")]
pub use key::SecretKey;
pub(crate) use keyring::{Field, Keyring, OpenError};
pub(crate) use mask::Mask;

use std::fmt;

/// A value that shows itself as `***`, however it is printed.
///
/// ```
/// let password = floret::Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{password} {password:?}"), "*** ***");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
