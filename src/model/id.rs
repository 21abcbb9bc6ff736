//! Identifiers of pipelines, nodes, runs, backfills, connections, variables, tenants and claim
//! owners.
//!
//! `clock` creates new run ids, so that they increase even when the wall clock steps back.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most characters of a text id.
pub(crate) const ID_MAX: usize = 128;

/// The error for a text that is not a valid identifier.
///
/// Its message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {ID_MAX} of A-Z a-z 0-9 . _ -, starting with a {first}")]
#[non_exhaustive]
pub struct IdError {
    /// The allowed first characters, in words.
    first: &'static str,
}

/// The characters that an identifier may start with.
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
            /// It has 1 to 128 characters of `A-Z a-z 0-9 . _ -` and starts with a letter or a
            /// digit. Clones are cheap.
            $name starts with ALPHANUMERIC
        }
    };
    ($(#[$doc:meta])* $name:ident starts with $first:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Creates an identifier from a text.
            ///
            /// # Errors
            /// [`IdError`] if the text is empty, is too long or has a character that is not
            /// allowed.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                check(text, &$first).map(|()| Self(Arc::from(text)))
            }

            /// Returns the identifier as text.
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
    /// The permanent id of a pipeline. Renaming the pipeline does not change it.
    PipelineId
}
text_id! {
    /// The readable name of a pipeline in paths. It is unique among all pipelines.
    ///
    /// A pipeline in JSON has it as `pipeline_id`.
    Slug
}
text_id! {
    /// The id of a node, unique within its pipeline.
    NodeId
}
text_id! {
    /// The id of a tenant, which owns pipelines, runs, connections and variables.
    TenantId
}
text_id! {
    /// The permanent id of a connection.
    ConnectionId
}
text_id! {
    /// The key of a variable, as in `${var.KEY}`.
    ///
    /// It has 1 to 128 characters of `A-Z a-z 0-9 . _ -` and starts with a letter, a digit or `_`.
    /// Clones are cheap.
    VariableKey starts with WORD
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates an identifier from a UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the identifier as a UUID.
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
    /// The id of a run: a UUID version 7. Newer runs have greater ids.
    RunId
}
uuid_id! {
    /// The id of a backfill: a UUID version 7. Newer backfills have greater ids.
    BackfillId
}
uuid_id! {
    /// The id of one start of an engine. Claims of that engine name it as their owner.
    OwnerId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_allows_certain_characters_only() {
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
