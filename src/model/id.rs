//! Identifiers: what names a pipeline, a node, a run, a connection, a variable, a tenant and the
//! owner of a claim.
//!
//! Making new run ids is left to `clock`, so that they grow though the wall clock steps back.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most characters that a textual id may have.
pub(crate) const ID_MAX: usize = 128;

/// Says why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {ID_MAX} of A-Z a-z 0-9 . _ -, starting with a {first}")]
#[non_exhaustive]
pub struct IdError {
    /// What it may start with, in words.
    first: &'static str,
}

/// What an identifier may start with.
struct First {
    words: &'static str,
    is_allowed: fn(u8) -> bool,
}

const ALPHANUMERIC: First = First {
    words: "letter or digit",
    is_allowed: |byte| byte.is_ascii_alphanumeric(),
};

const WORD: First = First {
    words: "letter, digit or _",
    is_allowed: |byte| byte.is_ascii_alphanumeric() || byte == b'_',
};

fn check(text: &str, first: &First) -> Result<(), IdError> {
    let starts_well = text.bytes().next().is_some_and(first.is_allowed);
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if starts_well && text.len() <= ID_MAX && text.bytes().all(is_allowed) {
        Ok(())
    } else {
        Err(IdError { first: first.words })
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        text_id! {
            $(#[$doc])*
            ///
            /// 1 to 128 characters of `A-Z a-z 0-9 . _ -`, the first a letter or a digit. Cheap to
            /// clone.
            $name starts with ALPHANUMERIC
        }
    };
    ($(#[$doc:meta])* $name:ident starts with $first:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text and makes it an identifier.
            ///
            /// # Errors
            /// [`IdError`] when the text is empty, too long or has a character that is not allowed.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                check(text, &$first).map(|()| Self(Arc::from(text)))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
    };
}

text_id! {
    /// Names a pipeline for good: it stays when the pipeline is renamed.
    PipelineId
}
text_id! {
    /// The readable name of a pipeline in paths, unique among pipelines; on the wire `pipeline_id`
    /// of a pipeline object.
    Slug
}
text_id! {
    /// Names a node inside its pipeline.
    NodeId
}
text_id! {
    /// Names the tenant that a pipeline and its runs belong to.
    TenantId
}
text_id! {
    /// Names a connection for good.
    ConnectionId
}
text_id! {
    /// Names a variable in `${var.KEY}`.
    ///
    /// 1 to 128 characters of `A-Z a-z 0-9 . _ -`, the first a letter, a digit or `_`. Cheap to
    /// clone.
    VariableKey starts with WORD
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID as the identifier.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The identifier as UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError { first: ALPHANUMERIC.words })
            }
        }
    };
}

uuid_id! {
    /// Names a run: a UUID version 7, so that newer runs have greater ids.
    RunId
}
uuid_id! {
    /// Names a backfill: a UUID version 7, so that newer ones have greater ids.
    BackfillId
}
uuid_id! {
    /// Names one start of an engine; a claim belongs to it until it is released or its lease runs
    /// out.
    OwnerId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        for good in ["a", "7", "daily.load_2-x", &"a".repeat(128)] {
            assert_eq!(PipelineId::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "-a",
            "_a",
            "a b",
            "a/b",
            "ä",
            "a\n",
            &"a".repeat(129),
        ] {
            assert!(PipelineId::new(bad).is_err(), "{bad:?} must be refused");
            let is_key = VariableKey::new(bad).is_ok();
            assert_eq!(is_key, bad == "_a", "{bad:?}");
        }
        assert_eq!(
            VariableKey::new(".a").unwrap_err().to_string(),
            "must be 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter, digit or _"
        );
    }
}
