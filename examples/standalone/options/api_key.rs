//! The one key of a server, which `--api-key` gives. `keys` has the keys of several callers.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::failure::Failure;

/// The fewest characters of a key that callers on other machines could guess.
const CHARACTERS_MIN: usize = 16;

/// A key for the header `Authorization`. Its `Debug` output hides it.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Checks that the key fits into a header and cannot be guessed. No message contains it.
    pub(super) fn check(&self, address: SocketAddr) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Err(Failure::usage("--api-key: a key is not empty"));
        }
        if !self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(
                "--api-key: a key is visible ASCII without blanks, since it goes into a header",
            ));
        }
        let count = self.0.len();
        if count < CHARACTERS_MIN && !address.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "--api-key: {address} is not a loopback address, so a key needs at least {CHARACTERS_MIN} characters; this one has {count}"
            )));
        }
        Ok(())
    }
}

impl FromStr for ApiKey {
    type Err = Infallible;

    /// Takes any text: the parser of the command line would print a text that is refused here.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
