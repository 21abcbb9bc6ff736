//! The dependencies of a pipeline on other pipelines.
//!
//! `graph/dependencies` checks the rules of a definition. Storage closes the gates, and keeps the
//! upstream runs that dependent pipelines have still to answer.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::defaults::is_default;
use super::{RunStatus, seconds};

/// A dependency of a pipeline on another one, its upstream.
///
/// ```
/// use std::time::Duration;
/// use floret::{DependencyRule, DependencyState, Pipeline};
///
/// let fresh = DependencyRule::gate("load").within(Duration::from_secs(86_400));
/// let report = Pipeline::new("report")
///     .node("sum", "sum")
///     .dependency(fresh)
///     .dependency(DependencyRule::any("corrections"))
///     .dependency(DependencyRule::any("import").state(DependencyState::Completed));
/// assert_eq!(report.dependency_rules.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DependencyRule {
    /// The id of the upstream, a pipeline of the same tenant.
    pub pipeline_id: String,
    /// How a run of the upstream must end.
    #[serde(skip_serializing_if = "is_default")]
    pub state: DependencyState,
    /// What the end of such a run does.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: DependencyMode,
    /// How long the end of a run counts: 0.001 s to one year, in milliseconds. `None` means that
    /// it counts until a later run ends.
    #[serde(
        rename = "within_seconds",
        with = "seconds",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub within: Option<Duration>,
}

impl DependencyRule {
    /// Creates a gate: the runs of the pipeline wait while the latest run of `upstream` has not
    /// succeeded.
    #[must_use]
    pub fn gate(upstream: impl Into<String>) -> Self {
        Self {
            pipeline_id: upstream.into(),
            ..Self::default()
        }
    }

    /// Creates a rule that starts a run for each run of `upstream` that succeeds.
    #[must_use]
    pub fn any(upstream: impl Into<String>) -> Self {
        Self {
            mode: DependencyMode::Any,
            ..Self::gate(upstream)
        }
    }

    /// Creates a rule that starts a run once a run of `upstream` has succeeded, and so has one of
    /// each other upstream whose rule has this mode.
    #[must_use]
    pub fn all(upstream: impl Into<String>) -> Self {
        Self {
            mode: DependencyMode::All,
            ..Self::gate(upstream)
        }
    }

    /// Sets how a run of the upstream must end.
    #[must_use]
    pub const fn state(mut self, state: DependencyState) -> Self {
        self.state = state;
        self
    }

    /// Sets how long the end of a run counts: 0.001 s to one year, rounded to milliseconds.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = Some(within);
        self
    }

    /// Returns whether the end of a run, at `ended_at`, still counts at `now`.
    #[must_use]
    pub fn counts_at(&self, ended_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let Some(within) = self.within else {
            return true;
        };
        TimeDelta::from_std(within)
            .ok()
            .and_then(|within| ended_at.checked_add_signed(within))
            .is_none_or(|until| now <= until)
    }
}

/// How a run of the upstream must end for a [`DependencyRule`].
///
/// ```
/// use floret::{DependencyRule, DependencyState};
///
/// let cleanup = DependencyRule::any("load").state(DependencyState::Failed);
/// assert_eq!(cleanup.state.as_str(), "failed");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DependencyState {
    /// With success.
    #[default]
    Succeeded,
    /// With a failure.
    Failed,
    /// In any way: with success, with a failure or cancelled.
    Completed,
}

impl DependencyState {
    pub(crate) const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Completed];

    /// Returns the value in a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }

    /// Returns whether a run with this final status has ended so.
    #[must_use]
    pub const fn accepts(self, status: RunStatus) -> bool {
        match self {
            Self::Succeeded => matches!(status, RunStatus::Success),
            Self::Failed => matches!(status, RunStatus::Failed),
            Self::Completed => status.is_terminal(),
        }
    }
}

/// What the end of an upstream run does for a [`DependencyRule`].
///
/// ```
/// use floret::{DependencyMode, DependencyRule};
///
/// let rule: DependencyRule = serde_json::from_str(r#"{"pipeline_id": "load", "mode": "any"}"#)?;
/// assert_eq!(rule.mode, DependencyMode::Any);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DependencyMode {
    /// The runs of the pipeline wait unless the latest run of the upstream has ended as the rule
    /// asks.
    #[default]
    Gate,
    /// Each run of the upstream that ends as the rule asks starts a run. Earlier definitions call
    /// this mode `trigger`.
    #[serde(alias = "trigger")]
    Any,
    /// A run starts once each upstream whose rule has this mode has had a run that ends as its rule
    /// asks, since the previous such start.
    All,
}

impl DependencyMode {
    pub(crate) const ALL: [Self; 3] = [Self::Gate, Self::Any, Self::All];

    /// Returns whether an end starts runs, instead of opening and closing a gate.
    pub(crate) const fn starts_runs(self) -> bool {
        match self {
            Self::Gate => false,
            Self::Any | Self::All => true,
        }
    }

    /// Returns the value in a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Any => "any",
            Self::All => "all",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Pipeline;

    #[test]
    fn a_rule_that_is_none_is_not_read() {
        for wrong in [
            json!({"pipeline_id": "load", "mode": "soon"}),
            json!({"pipeline_id": "load", "with": 5}),
        ] {
            let pipeline = json!({"dependency_rules": [wrong]});
            assert!(serde_json::from_value::<Pipeline>(pipeline).is_err());
        }
    }

    #[test]
    fn an_id_is_a_gate_unless_a_rule_is() {
        let fresh = DependencyRule::gate("load").within(Duration::from_secs(1));
        let start = DependencyRule::any("clean");
        let pipeline = Pipeline::new("report")
            .depends_on("load")
            .depends_on("clean")
            .dependency(fresh.clone())
            .dependency(start.clone());
        assert_eq!(
            pipeline.dependencies(),
            [DependencyRule::gate("clean"), start, fresh]
        );
    }

    #[test]
    fn a_state_accepts_the_final_statuses_that_it_names() {
        let accepted = |state: DependencyState| {
            let all = RunStatus::ALL.into_iter();
            all.filter(|status| state.accepts(*status))
                .map(RunStatus::as_str)
                .collect::<Vec<_>>()
        };
        assert_eq!(accepted(DependencyState::Succeeded), ["success"]);
        assert_eq!(accepted(DependencyState::Failed), ["failed"]);
        assert_eq!(
            accepted(DependencyState::Completed),
            ["success", "failed", "cancelled"]
        );
    }

    #[test]
    fn an_end_counts_until_its_time_is_over() {
        let at = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap();
        let rule = DependencyRule::gate("up");
        assert!(rule.counts_at(at(0), DateTime::<Utc>::MAX_UTC));
        let rule = rule.within(Duration::from_secs(1));
        for (now, expected) in [(-5, true), (0, true), (1_000, true), (1_001, false)] {
            assert_eq!(rule.counts_at(at(0), at(now)), expected, "{now}");
        }
        let late = DateTime::<Utc>::MAX_UTC;
        assert!(rule.counts_at(late, late), "a time beyond the calendar");
    }
}
