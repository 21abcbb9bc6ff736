//! The priority of a run among the pending runs of its class, and its rank in the queue.

use serde::{Deserialize, Serialize};

use super::LaneClass;

/// The priority of a run among the pending runs of its class. The smallest value starts first.
///
/// On the wire it is the name in lower case.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::Priority;
///
/// let run = floret.run("daily").priority(Priority::High).await?;
/// assert_eq!(run.finished().await?.run.priority, Priority::High);
/// # Ok(())
/// # }
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Priority {
    /// Before the runs of normal priority.
    High,
    /// What a run has unless its caller chooses another one.
    #[default]
    Normal,
    /// After the runs of normal priority.
    Low,
}

impl Priority {
    /// Every priority, in the order of claiming.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// Returns the name of the priority on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// The rank of a pending run in the queue, before its age. The smallest value is claimed first.
///
/// A priority holds within its class: a run of high priority that a backfill created waits for all
/// that callers have triggered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Rank {
    /// What kind of trigger created the run.
    pub class: LaneClass,
    /// Its priority within the class.
    pub priority: Priority,
}

impl Rank {
    /// Creates a rank.
    #[must_use]
    pub const fn new(class: LaneClass, priority: Priority) -> Self {
        Self { class, priority }
    }

    /// Returns every rank, in the order of claiming.
    pub fn all() -> impl Iterator<Item = Self> {
        let classes = LaneClass::ALL.iter();
        classes.flat_map(|class| Priority::ALL.map(|priority| Self::new(*class, priority)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_go_by_class_and_then_by_priority() {
        let ranks: Vec<_> = Rank::all().collect();
        assert!(ranks.is_sorted());
        assert_eq!(ranks.len(), LaneClass::ALL.len() * Priority::ALL.len());
        let first = Rank::new(LaneClass::Manual, Priority::High);
        let last = Rank::new(LaneClass::Backfill, Priority::Low);
        assert_eq!((ranks.first(), ranks.last()), (Some(&first), Some(&last)));
    }
}
