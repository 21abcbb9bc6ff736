//! The dependencies of all pipelines: which gates are closed, which runs start others, and whether
//! pipelines depend on one another in a circle.
//!
//! The backends keep such a table in memory. Its rows are left to them.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};

use crate::error::{Error, Problem, Result};
use crate::model::{DependencyMode, DependencyRule, PipelineId, Qualified, Run, RunStatus};

/// The most pipelines of a circle that an error names.
const CYCLE_NAMED_MAX: usize = 10;

type Key = Qualified<PipelineId>;

/// How the latest run of an upstream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatestEnd {
    /// The final status of the run.
    pub status: RunStatus,
    /// When it ended.
    pub at: DateTime<Utc>,
}

impl LatestEnd {
    /// Creates an end.
    #[must_use]
    pub const fn new(status: RunStatus, at: DateTime<Utc>) -> Self {
        Self { status, at }
    }

    /// Returns how a run has ended, if its end counts for the pipelines that depend on its
    /// pipeline: it has started, and no backfill created it.
    #[must_use]
    pub fn of(run: &Run) -> Option<Self> {
        let at = run.finished_at.filter(|_| run.status.is_terminal())?;
        let counts = run.started_at.is_some() && run.backfill_id.is_none();
        counts.then_some(Self::new(run.status, at))
    }
}

/// The dependencies of all pipelines, and the latest ends of their upstreams, in memory.
///
/// A backend may use it to keep the promises of [`Dependencies`](super::Dependencies). It forgets
/// everything when it is dropped.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use floret::storage::{DependencyTable, LatestEnd, Qualified};
/// use floret::{DependencyRule, PipelineId, RunStatus};
///
/// let own = |id| PipelineId::new(id).map(|id| Qualified::new(id, None));
/// let (report, load) = (own("report")?, own("load")?);
/// let mut table = DependencyTable::default();
/// table.set_rules(&report, vec![DependencyRule::gate("load")]);
///
/// let now = DateTime::<Utc>::UNIX_EPOCH;
/// assert!(table.is_blocked(&report, now));
/// table.set_latest_end(&load, Some(LatestEnd::new(RunStatus::Success, now)));
/// assert!(!table.is_blocked(&report, now));
/// assert!(table.check_cycle(&load, &[DependencyRule::gate("report")]).is_err());
/// # Ok::<(), floret::IdError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DependencyTable {
    rules: HashMap<Key, Vec<DependencyRule>>,
    dependents: HashMap<Key, BTreeSet<Key>>,
    ends: HashMap<Key, LatestEnd>,
}

impl DependencyTable {
    /// The number of runs of a pipeline, the newest, among which a backend looks for its latest end
    /// when it becomes an upstream.
    pub const ENDS_BACK_MAX: u32 = 1_000;

    /// Sets the rules of a pipeline. Returns the upstreams that had no dependent before: their
    /// latest ends are not known yet.
    pub fn set_rules(
        &mut self,
        own: &Qualified<PipelineId>,
        rules: Vec<DependencyRule>,
    ) -> BTreeSet<Qualified<PipelineId>> {
        let upstreams = upstreams(own, &rules);
        let mut added = upstreams.clone();
        added.retain(|upstream| !self.is_upstream(upstream));
        self.remove_rules(own);
        if !rules.is_empty() {
            self.rules.insert(own.clone(), rules);
        }
        for upstream in upstreams {
            let dependents = self.dependents.entry(upstream).or_default();
            dependents.insert(own.clone());
        }
        added
    }

    fn remove_rules(&mut self, own: &Key) {
        let rules = self.rules.remove(own).unwrap_or_default();
        for upstream in upstreams(own, &rules) {
            if let Some(dependents) = self.dependents.get_mut(&upstream) {
                dependents.remove(own);
                if dependents.is_empty() {
                    self.dependents.remove(&upstream);
                }
            }
        }
    }

    /// Returns the rules of a pipeline, in the order in which they were set.
    #[must_use]
    pub fn rules_of(&self, own: &Qualified<PipelineId>) -> &[DependencyRule] {
        self.rules.get(own).map_or(&[], Vec::as_slice)
    }

    /// Sets how the latest run of a pipeline has ended. `None` if none has.
    pub fn set_latest_end(&mut self, upstream: &Qualified<PipelineId>, end: Option<LatestEnd>) {
        match end {
            Some(end) => self.ends.insert(upstream.clone(), end),
            None => self.ends.remove(upstream),
        };
    }

    /// Returns whether another pipeline depends on this one.
    #[must_use]
    pub fn is_upstream(&self, pipeline: &Qualified<PipelineId>) -> bool {
        self.dependents.contains_key(pipeline)
    }

    /// Returns whether a gate of the pipeline is closed.
    #[must_use]
    pub fn is_blocked(&self, own: &Qualified<PipelineId>, now: DateTime<Utc>) -> bool {
        let gates = self.rules_of(own).iter();
        let mut gates = gates.filter(|rule| rule.mode == DependencyMode::Gate);
        gates.any(|rule| {
            let end = upstream(own, rule).and_then(|key| self.ends.get(&key));
            !end.is_some_and(|end| rule.state.accepts(end.status) && rule.counts_at(end.at, now))
        })
    }

    /// Returns whether no pipeline depends on another one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the pipelines for which an end of a run with this status waits, each with the mode
    /// of its rule.
    #[must_use]
    pub fn waiting_for(
        &self,
        ended: &Qualified<PipelineId>,
        status: RunStatus,
    ) -> Vec<(Qualified<PipelineId>, DependencyMode)> {
        let dependents = self.dependents.get(ended).into_iter().flatten();
        let waiting = dependents.flat_map(|own| {
            let rules = self.rules_of(own).iter().filter(|rule| {
                rule.mode != DependencyMode::Gate
                    && rule.pipeline_id == ended.id.as_str()
                    && rule.state.accepts(status)
            });
            rules.map(|rule| (own.clone(), rule.mode))
        });
        waiting.collect()
    }

    /// Refuses rules that would close a circle of dependencies.
    ///
    /// # Errors
    /// `Invalid` (`dependency-cycle`) with a shortest circle.
    pub fn check_cycle(&self, own: &Qualified<PipelineId>, rules: &[DependencyRule]) -> Result<()> {
        match self.cycle(own, rules) {
            Some(cycle) => Err(cycle_error(&own.id, &cycle)),
            None => Ok(()),
        }
    }

    /// Returns a shortest way along the dependencies from a pipeline to itself, without its end.
    fn cycle(&self, own: &Key, rules: &[DependencyRule]) -> Option<Vec<PipelineId>> {
        let mut found_from: HashMap<Key, Key> = HashMap::new();
        let mut queue = VecDeque::from([own.clone()]);
        let mut seen = HashSet::new();
        while let Some(current) = queue.pop_front() {
            let rules = if current == *own {
                rules
            } else {
                self.rules_of(&current)
            };
            for next in upstreams(&current, rules) {
                if next == *own {
                    return Some(way_to(&current, &found_from));
                }
                if seen.insert(next.clone()) {
                    found_from.insert(next.clone(), current.clone());
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// Returns the way to a pipeline, from the one where the search began.
fn way_to(last: &Key, found_from: &HashMap<Key, Key>) -> Vec<PipelineId> {
    let mut way = vec![last.id.clone()];
    let mut current = last;
    while let Some(previous) = found_from.get(current) {
        way.push(previous.id.clone());
        current = previous;
    }
    way.reverse();
    way
}

fn cycle_error(own: &PipelineId, cycle: &[PipelineId]) -> Error {
    let named: Vec<_> = cycle
        .iter()
        .take(CYCLE_NAMED_MAX)
        .map(PipelineId::as_str)
        .collect();
    let rest = match cycle.len().saturating_sub(CYCLE_NAMED_MAX) {
        0 => String::new(),
        count => format!(" → ({count} more)"),
    };
    let way = named.join(" → ");
    Error::new(
        Problem::DependencyCycle,
        format!("pipelines must not depend on one another in a circle: {way}{rest} → {own}"),
    )
}

/// Returns the upstream of a rule. `None` if the rule names none.
fn upstream(own: &Key, rule: &DependencyRule) -> Option<Key> {
    let id = PipelineId::new(&rule.pipeline_id).ok()?;
    Some(Qualified::new(id, own.tenant.clone()))
}

/// Returns the upstreams of rules, each once.
fn upstreams(own: &Key, rules: &[DependencyRule]) -> BTreeSet<Key> {
    rules
        .iter()
        .filter_map(|rule| upstream(own, rule))
        .collect()
}
