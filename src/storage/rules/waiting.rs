//! Why a pending run waits: the first of the reasons for which a claim leaves it.

use super::{LaneLimits, Usage, runs_one_at_a_time};
use crate::model::WaitReason;

/// The pending runs that may come before one, because they wait for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Competitors {
    All,
    OfPipeline,
    OfBackfill,
    OfKey,
}

impl Competitors {
    pub(in crate::storage) const fn of(reason: WaitReason) -> Self {
        match reason {
            WaitReason::EngineLimit => Self::All,
            WaitReason::BackfillLimit => Self::OfBackfill,
            WaitReason::ConcurrencyKey => Self::OfKey,
            WaitReason::Paused
            | WaitReason::RunAfter
            | WaitReason::Dependency
            | WaitReason::PipelineLimit
            | WaitReason::Overlap => Self::OfPipeline,
        }
    }
}

/// What holds up a pending run.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct Obstacles {
    pub(in crate::storage) is_paused: bool,
    pub(in crate::storage) is_delayed: bool,
    pub(in crate::storage) is_blocked: bool,
    /// Whether the concurrency key of the run holds it back.
    pub(in crate::storage) is_held: bool,
    /// The limits of a lane whose pipeline does not wait.
    pub(in crate::storage) limits: LaneLimits,
}

impl Obstacles {
    /// Returns the reason that a caller sees.
    pub(in crate::storage) fn reason(self) -> WaitReason {
        let LaneLimits {
            class,
            pipeline,
            backfill,
            is_schedule_executing,
        } = self.limits;
        if self.is_paused {
            WaitReason::Paused
        } else if self.is_delayed {
            WaitReason::RunAfter
        } else if self.is_blocked {
            WaitReason::Dependency
        } else if self.is_held {
            WaitReason::ConcurrencyKey
        } else if !backfill.is_none_or(Usage::has_room) {
            WaitReason::BackfillLimit
        } else if !pipeline.has_room() {
            WaitReason::PipelineLimit
        } else if runs_one_at_a_time(class) && is_schedule_executing {
            WaitReason::Overlap
        } else {
            WaitReason::EngineLimit
        }
    }
}
