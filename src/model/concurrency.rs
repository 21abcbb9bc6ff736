//! The concurrency key of a pipeline: how many runs with the same text execute at once.
//!
//! `engine/concurrency` resolves the key of each new run. Storage counts by the resolved text.

use serde::{Deserialize, Serialize};

use super::defaults::is_default;

/// How many runs of a pipeline may execute at once that have the same key.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// use floret::Concurrency;
///
/// let daily = Pipeline::new("daily")
///     .node("load", "load")
///     .concurrency(Concurrency::new("${param.customer}").max(2));
/// let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").param("customer", "acme").await?.finished().await?.run;
/// assert_eq!(run.concurrency.expect("a key").key, "acme");
///
/// let refused = floret.run("daily").await.unwrap_err();
/// assert_eq!(refused.slug(), "param-invalid");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Concurrency {
    /// The key: a text in which `${param.NAME}` and `${run.date}` stand for values of the run. 1 to
    /// 255 characters, and at most as many once the values are in it.
    pub key: String,
    /// How many runs with the same key may execute at once, from 1 to 1,000.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub max: u32,
    /// What happens to a new run while as many execute.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_conflict: OnConflict,
}

impl Concurrency {
    /// The most runs that [`Concurrency::max`] may allow.
    pub const RUNS_MAX: u32 = 1_000;
    /// The most characters of a key, before and after its values are in it.
    pub const KEY_CHARS_MAX: usize = 255;

    /// Creates a key that one run at a time may have.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            max: 1,
            on_conflict: OnConflict::Queue,
        }
    }

    /// Sets how many runs with the same key may execute at once, from 1 to 1,000.
    #[must_use]
    pub const fn max(mut self, runs: u32) -> Self {
        self.max = runs;
        self
    }

    /// Sets what happens to a new run while as many execute.
    #[must_use]
    pub const fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }
}

const fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_one(max: &u32) -> bool {
    *max == 1
}

/// What happens to a new run while as many runs of its key execute as may.
///
/// ```
/// use floret::{Concurrency, OnConflict};
///
/// let one = Concurrency::new("${param.customer}");
/// assert_eq!(one.on_conflict, OnConflict::Queue);
/// assert_eq!(one.on_conflict.as_str(), "queue");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnConflict {
    /// It waits until one of them has finished.
    #[default]
    Queue,
    /// It is not created while as many runs of its key are unfinished, also if they wait.
    Skip,
    /// It is created, and as many of the earlier ones are cancelled as are too many, as a forced
    /// cancel does: their nodes get 30 s to stop. The new run waits until they have.
    CancelRunning,
}

impl OnConflict {
    pub(crate) const ALL: [Self; 3] = [Self::Queue, Self::Skip, Self::CancelRunning];

    /// Returns the value in a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Skip => "skip",
            Self::CancelRunning => "cancel_running",
        }
    }
}

/// The concurrency key of a run: the text that the key of its pipeline stood for when the run was
/// created. A later change of the pipeline leaves it as it is.
///
/// ```
/// use floret::RunConcurrency;
///
/// let one = RunConcurrency::new("acme", 1);
/// assert_eq!((one.key.as_str(), one.max), ("acme", 1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunConcurrency {
    /// The text: at most 255 characters. Keys of different pipelines are different keys.
    pub key: String,
    /// How many runs of the pipeline with this text may execute at once, this one included.
    pub max: u32,
}

impl RunConcurrency {
    /// Creates the key of a run.
    #[must_use]
    pub fn new(key: impl Into<String>, max: u32) -> Self {
        Self {
            key: key.into(),
            max,
        }
    }
}
