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

    /// Returns whether this end, as the latest one, opens the gate of a rule.
    pub(in crate::storage) fn satisfies(self, rule: &DependencyRule, now: DateTime<Utc>) -> bool {
        rule.state.accepts(self.status) && rule.counts_at(self.at, now)
    }
}

/// The dependencies of all pipelines, and the latest ends of their upstreams, in memory.
///
/// A backend may use it to keep the promises of [`Dependencies`](super::Dependencies).
///
/// ```
/// use chrono::{DateTime, Utc};
/// use floret::storage::{DependencyTable, LatestEnd, Qualified};
/// use floret::{DependencyRule, PipelineId, RunStatus};
///
/// let own = |id| PipelineId::new(id).map(|id| Qualified::new(id, None));
/// let (report, load) = (own("report")?, own("load")?);
/// let mut table = DependencyTable::default();
/// table.set_rules(&report, vec![DependencyRule::gate("load")], true);
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
    dependents: HashMap<Key, Dependent>,
    /// The dependents of each upstream.
    by_upstream: HashMap<Key, BTreeSet<Key>>,
    ends: HashMap<Key, LatestEnd>,
}

/// A pipeline that depends on others.
#[derive(Debug, Clone, PartialEq)]
struct Dependent {
    rules: Vec<DependencyRule>,
    /// The upstream of each rule. `None` if the rule names none.
    upstreams: Vec<Option<Key>>,
    is_enabled: bool,
}

impl Dependent {
    fn each(&self) -> impl Iterator<Item = (&DependencyRule, &Key)> {
        let each = self.rules.iter().zip(&self.upstreams);
        each.filter_map(|(rule, upstream)| Some((rule, upstream.as_ref()?)))
    }

    /// Returns the rules that start runs.
    fn starts(&self) -> impl Iterator<Item = (&DependencyRule, &Key)> {
        let starts = self.each().filter(|(rule, _)| rule.mode.starts_runs());
        starts.filter(|_| self.is_enabled)
    }
}

impl DependencyTable {
    /// The number of runs of a pipeline, the newest, among which a backend looks for its latest end
    /// when it becomes an upstream.
    pub const ENDS_BACK_MAX: u32 = 1_000;

    /// Sets the rules of a pipeline. One that is not enabled keeps its gates, and starts no runs.
    pub fn set_rules(
        &mut self,
        own: &Qualified<PipelineId>,
        rules: Vec<DependencyRule>,
        is_enabled: bool,
    ) -> ChangedRules {
        let upstreams: Vec<_> = rules.iter().map(|rule| upstream(own, rule)).collect();
        let named: BTreeSet<_> = upstreams.iter().flatten().cloned().collect();
        let mut added = named.clone();
        added.retain(|upstream| !self.is_upstream(upstream));
        let before = self.remove_rules(own);
        for upstream in named {
            let dependents = self.by_upstream.entry(upstream).or_default();
            dependents.insert(own.clone());
        }
        let dependent = Dependent {
            rules,
            upstreams,
            is_enabled,
        };
        let ended = before.map(|before| ended_starts(&before, &dependent));
        if !dependent.rules.is_empty() {
            self.dependents.insert(own.clone(), dependent);
        }
        ChangedRules {
            added,
            ended: ended.unwrap_or_default(),
        }
    }

    fn remove_rules(&mut self, own: &Key) -> Option<Dependent> {
        let before = self.dependents.remove(own)?;
        for upstream in before.upstreams.iter().flatten() {
            if let Some(dependents) = self.by_upstream.get_mut(upstream) {
                dependents.remove(own);
                if dependents.is_empty() {
                    self.by_upstream.remove(upstream);
                }
            }
        }
        Some(before)
    }

    /// Returns whether these are the rules of a pipeline.
    #[must_use]
    pub fn has_rules(
        &self,
        own: &Qualified<PipelineId>,
        rules: &[DependencyRule],
        is_enabled: bool,
    ) -> bool {
        self.dependents.get(own).map_or(rules.is_empty(), |found| {
            found.rules == rules && found.is_enabled == is_enabled
        })
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
        self.by_upstream.contains_key(pipeline)
    }

    /// Returns whether a gate of the pipeline is closed.
    #[must_use]
    pub fn is_blocked(&self, own: &Qualified<PipelineId>, now: DateTime<Utc>) -> bool {
        let Some(dependent) = self.dependents.get(own) else {
            return false;
        };
        let rules = dependent.rules.iter().zip(&dependent.upstreams);
        let mut gates = rules.filter(|(rule, _)| !rule.mode.starts_runs());
        gates.any(|(rule, upstream)| {
            let end = upstream.as_ref().and_then(|key| self.ends.get(key));
            !end.is_some_and(|end| end.satisfies(rule, now))
        })
    }

    /// Returns the pipelines that depend on this one.
    pub(in crate::storage) fn dependents_of(&self, upstream: &Key) -> impl Iterator<Item = &Key> {
        self.by_upstream.get(upstream).into_iter().flatten()
    }

    /// Returns whether no pipeline depends on another one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dependents.is_empty()
    }

    /// Returns the pipelines for which an end of a run with this status waits, each with the mode
    /// of its rule.
    #[must_use]
    pub fn waiting_for(
        &self,
        ended: &Qualified<PipelineId>,
        status: RunStatus,
    ) -> Vec<(Qualified<PipelineId>, DependencyMode)> {
        let waiting = self.dependents_of(ended).flat_map(|own| {
            let starts = self.dependents.get(own).into_iter();
            let starts = starts.flat_map(Dependent::starts);
            let accepting =
                starts.filter(|(rule, upstream)| *upstream == ended && rule.state.accepts(status));
            accepting.map(|(rule, _)| (own.clone(), rule.mode))
        });
        waiting.collect()
    }

    /// Returns whether ends of these upstreams, which wait for a pipeline, can be answered: one of
    /// them starts a run alone or has no rule any more, or together they have an end of each
    /// upstream of the mode `all`.
    #[must_use]
    pub fn is_answerable<'a>(
        &self,
        own: &Qualified<PipelineId>,
        waiting: impl IntoIterator<Item = &'a PipelineId>,
    ) -> bool {
        let dependent = self.dependents.get(own);
        let starts = dependent.into_iter().flat_map(Dependent::starts);
        let modes: HashMap<_, _> = starts.map(|(rule, key)| (&key.id, rule.mode)).collect();
        let mut joined = HashSet::new();
        for upstream in waiting {
            match modes.get(upstream) {
                Some(DependencyMode::All) => joined.insert(upstream),
                Some(DependencyMode::Any | DependencyMode::Gate) | None => return true,
            };
        }
        let mut all = modes.values().filter(|mode| **mode == DependencyMode::All);
        !joined.is_empty() && all.by_ref().count() == joined.len()
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
        let first = rules.iter().filter_map(|rule| upstream(own, rule));
        let first: Vec<_> = first.collect();
        let mut found_from: HashMap<Key, Key> = HashMap::new();
        let mut queue = VecDeque::from([own.clone()]);
        let mut seen = HashSet::new();
        while let Some(current) = queue.pop_front() {
            let is_first = current == *own;
            let own_rules = first.iter().filter(|_| is_first);
            let stored = self.dependents.get(&current).filter(|_| !is_first);
            let stored = stored.into_iter().flat_map(|found| &found.upstreams);
            for next in own_rules.chain(stored.flatten()) {
                if next == own {
                    return Some(way_to(&current, &found_from));
                }
                if seen.insert(next.clone()) {
                    found_from.insert(next.clone(), current.clone());
                    queue.push_back(next.clone());
                }
            }
        }
        None
    }
}

/// What a change of the rules of a pipeline leaves to its backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedRules {
    /// The upstreams that had no dependent before: their latest ends are not known yet.
    pub added: BTreeSet<Qualified<PipelineId>>,
    /// The upstreams whose ends start no run of the pipeline any more, or by another state. Those
    /// that wait for the pipeline are forgotten.
    pub ended: BTreeSet<PipelineId>,
}

/// Returns the upstreams that a rule of before starts runs for, and no rule of after with the same
/// state.
fn ended_starts(before: &Dependent, after: &Dependent) -> BTreeSet<PipelineId> {
    let is_kept = |rule: &DependencyRule, upstream: &Key| {
        let mut starts = after.starts();
        starts.any(|(other, key)| key == upstream && other.state == rule.state)
    };
    let ended = before.starts().filter(|(rule, key)| !is_kept(rule, key));
    ended.map(|(_, key)| key.id.clone()).collect()
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
