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
///
/// ```
/// use floret::PipelineId;
///
/// let error = PipelineId::new("daily load").unwrap_err();
/// assert!(error.to_string().starts_with("must be 1 to 128 of"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub struct IdError(Expected);

/// What an identifier must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Expected {
    /// A text that starts with one of these characters, in words.
    #[error("must be 1 to {ID_MAX} of A-Z a-z 0-9 . _ -, starting with a {0}")]
    Text(&'static str),
    #[error("must be a UUID")]
    Uuid,
    #[error("must be the name of a notifier, a dot and a number")]
    Delivery,
    #[error("must be the number of an entry of the audit")]
    Audit,
    #[error("must be an action of the audit, such as run.cancel")]
    AuditAction,
    #[error("must be a kind and an id of that kind, such as pipeline:orders, or system")]
    AuditSubject,
}

impl IdError {
    /// Creates the error for the id of a delivery.
    pub(super) const fn of_delivery() -> Self {
        Self(Expected::Delivery)
    }

    /// Creates the error for the number of an entry of the audit.
    pub(super) const fn of_audit() -> Self {
        Self(Expected::Audit)
    }

    /// Creates the error for an action of the audit.
    pub(super) const fn of_audit_action() -> Self {
        Self(Expected::AuditAction)
    }

    /// Creates the error for a subject of the audit.
    pub(super) const fn of_audit_subject() -> Self {
        Self(Expected::AuditSubject)
    }
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

#[cfg(test)]
impl First {
    /// Returns the regular expression of the identifiers that start with one of these characters.
    fn pattern(&self) -> String {
        let underscore = if (self.is_allowed)(b'_') { "_" } else { "" };
        let more = ID_MAX - 1;
        format!("^[A-Za-z0-9{underscore}][A-Za-z0-9._-]{{0,{more}}}$")
    }
}

fn check(text: &str, first: &First) -> Result<(), IdError> {
    let starts_well = text.bytes().next().is_some_and(first.is_allowed);
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if starts_well && text.len() <= ID_MAX && text.bytes().all(is_allowed) {
        Ok(())
    } else {
        Err(IdError(Expected::Text(first.words)))
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $(#[$example:meta])*) => {
        text_id! {
            $(#[$doc])*
            ///
            /// It has 1 to 128 characters of `A-Z a-z 0-9 . _ -` and starts with a letter or a
            /// digit. Clones are cheap.
            ///
            $(#[$example])*
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

        #[cfg(test)]
        inline_schema! {
            $name => schemars::json_schema!({"type": "string", "pattern": $first.pattern()})
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
    PipelineId,
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let run = floret.run("daily").start().await?.finished().await?.run;
    /// assert_eq!(run.pipeline_id.as_str(), "daily");
    /// # Ok(())
    /// # }
    /// ```
}
text_id! {
    /// The readable name of a pipeline in paths. It is unique within a tenant.
    ///
    /// A pipeline in JSON has it as `pipeline_id`.
    Slug,
    /// ```
    /// use floret::{Pipeline, Slug};
    ///
    /// let slug: Slug = "daily-orders".parse()?;
    /// let mut daily = Pipeline::new("daily");
    /// daily.slug = Some(slug.into());
    /// # Ok::<(), floret::IdError>(())
    /// ```
}
text_id! {
    /// The id of a node, unique within its pipeline.
    NodeId,
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// use floret::NodeId;
    ///
    /// let load = NodeId::new("load")?;
    /// let detail = floret.run("daily").start().await?.finished().await?;
    /// assert!(detail.nodes.iter().any(|node| node.node_id == load));
    /// # Ok(())
    /// # }
    /// ```
}
text_id! {
    /// The id of a tenant, which owns pipelines, runs, connections and variables.
    TenantId,
    /// ```
    /// use floret::{Permissions, Scope, TenantId};
    ///
    /// let acme: TenantId = "acme".parse()?;
    /// let viewer = Permissions::read_only().scope(Scope::Tenant(acme));
    /// # drop(viewer);
    /// # Ok::<(), floret::IdError>(())
    /// ```
}
text_id! {
    /// The permanent id of a connection.
    ConnectionId,
    /// ```
    /// use floret::{Connection, ConnectionId};
    ///
    /// let id: ConnectionId = "warehouse".parse()?;
    /// let warehouse = Connection::new(id, "postgres".to_owned());
    /// assert_eq!(warehouse.id.as_str(), "warehouse");
    /// # Ok::<(), floret::IdError>(())
    /// ```
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

        #[cfg(test)]
        inline_schema! {
            $name => schemars::json_schema!({"type": "string", "format": "uuid"})
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError(Expected::Uuid))
            }
        }
    };
}

uuid_id! {
    /// The id of a run: a UUID version 7. Newer runs have greater ids.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// use floret::RunId;
    ///
    /// let id = floret.run("daily").start().await?.id();
    /// let stored = id.to_string();
    /// // Later, perhaps in another process:
    /// let id: RunId = stored.parse()?;
    /// let detail = floret.run_by_id(id).finished().await?;
    /// assert_eq!(detail.run.id, id);
    /// # Ok(())
    /// # }
    /// ```
    RunId
}
uuid_id! {
    /// The id of a backfill: a UUID version 7. Newer backfills have greater ids.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// use floret::BackfillId;
    ///
    /// let (from, to) = ("2024-01-01".parse()?, "2024-01-03".parse()?);
    /// let started = floret.backfill("daily", from..=to).start().await?;
    /// let stored = started.id().expect("no date was skipped").to_string();
    /// let id: BackfillId = stored.parse()?;
    /// assert_eq!(floret.backfills().get(id).await?.backfill.id, id);
    /// # Ok(())
    /// # }
    /// ```
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

    #[test]
    fn a_run_id_that_is_no_uuid_is_refused_as_such() {
        let error = "daily".parse::<RunId>().unwrap_err();
        assert_eq!(error.to_string(), "must be a UUID");
    }
}
