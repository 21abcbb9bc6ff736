//! Secrets: values that are never printed, the keys that seal them, and the mask that hides them in
//! texts.
//!
//! There is no I/O except reading a key file. The engine decides which fields are secret; storage
//! keeps sealed secrets.

mod connection;
mod encoded;
#[cfg(feature = "secrets")]
mod encoding;
mod escapes;
#[cfg(feature = "secrets")]
mod key;
mod keyring;
mod mask;
mod search;
mod secret_list;

pub use connection::Connection;
#[cfg(feature = "secrets")]
pub use key::SecretKey;
pub(crate) use keyring::{Field, Keyring, OpenError};
pub(crate) use mask::Mask;

use std::fmt;

/// A value that is printed as `***`.
///
/// ```
/// let password = floret::Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{password} {password:?}"), "*** ***");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value itself.
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
