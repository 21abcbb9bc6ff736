//! Decides how the ends of upstream runs are answered. Pure.
//!
//! `dependencies` has the engine give the answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::{DependencyMode, DependencyRule, Pipeline, PipelineId, RunId};
use crate::storage::UpstreamEnd;

/// One answer to some ends of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedAnswer {
    /// The upstream runs whose ends it answers.
    pub(super) ends: Vec<RunId>,
    /// The end that starts a run, if one does.
    pub(super) starts: Option<UpstreamEnd>,
}

/// Decides the answers to the ends that wait for a pipeline, in their order. An end without an
/// answer waits on.
pub(super) fn plan(
    pipeline: &Pipeline,
    ends: &[UpstreamEnd],
    now: DateTime<Utc>,
) -> Vec<PlannedAnswer> {
    let rules = pipeline.dependencies();
    let mut dropped = Vec::new();
    let mut started = Vec::new();
    let mut latest: BTreeMap<&PipelineId, &UpstreamEnd> = BTreeMap::new();
    for end in ends {
        let rule = rules.iter().find(|rule| starts_by(rule, end));
        let rule = rule.filter(|rule| rule.counts_at(end.ended_at, now));
        match rule.map(|rule| rule.mode) {
            Some(DependencyMode::Any) => started.push(PlannedAnswer {
                ends: vec![end.run],
                starts: Some(end.clone()),
            }),
            Some(DependencyMode::All) => {
                let earlier = latest.insert(&end.upstream, end);
                dropped.extend(earlier.map(|earlier| earlier.run));
            }
            Some(DependencyMode::Gate) | None => dropped.push(end.run),
        }
    }
    let mut joined: Vec<_> = latest.into_values().collect();
    joined.sort_by_key(|end| (end.ended_at, end.run));
    let all = rules.iter().filter(|rule| rule.mode == DependencyMode::All);
    if let Some(last) = joined.last()
        && all.count() == joined.len()
    {
        started.push(PlannedAnswer {
            starts: Some((*last).clone()),
            ends: joined.iter().map(|end| end.run).collect(),
        });
    }
    let dropped = (!dropped.is_empty()).then_some(PlannedAnswer {
        ends: dropped,
        starts: None,
    });
    dropped.into_iter().chain(started).collect()
}

fn starts_by(rule: &DependencyRule, end: &UpstreamEnd) -> bool {
    rule.mode != DependencyMode::Gate && rule.pipeline_id == end.upstream.as_str()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// Returns the end of run `n`, at second `n`.
    fn end(n: u64, upstream: &str) -> UpstreamEnd {
        let ended_at = at(i64::try_from(n).unwrap());
        let upstream = PipelineId::new(upstream).unwrap();
        UpstreamEnd::new(upstream, run(n), ended_at.date_naive(), ended_at)
    }

    fn run(n: u64) -> RunId {
        RunId::from_uuid(Uuid::from_u64_pair(0, n))
    }

    /// Returns the runs of each answer, and the run whose end starts one.
    fn planned(rules: &[DependencyRule], ends: &[UpstreamEnd]) -> Vec<(Vec<RunId>, Option<RunId>)> {
        let mut pipeline = Pipeline::new("report");
        pipeline.dependency_rules = rules.to_vec();
        let answers = plan(&pipeline, ends, at(100)).into_iter();
        answers
            .map(|answer| (answer.ends, answer.starts.map(|end| end.run)))
            .collect()
    }

    #[test]
    fn each_end_of_mode_any_starts_a_run() {
        let rules = [DependencyRule::any("load"), DependencyRule::any("clean")];
        let ends = [end(1, "load"), end(2, "clean"), end(3, "load")];
        let expected = [1, 2, 3].map(|n| (vec![run(n)], Some(run(n))));
        assert_eq!(planned(&rules, &ends), expected);
    }

    #[test]
    fn the_ends_of_mode_all_start_a_run_together() {
        let rules = [DependencyRule::all("load"), DependencyRule::all("clean")];
        assert_eq!(planned(&rules, &[end(1, "load")]), []);
        // The last end starts the run, whatever the order of the runs and of the upstreams is.
        for upstreams in [["load", "clean"], ["clean", "load"]] {
            let mut late = end(2, upstreams[0]);
            late.ended_at = at(50);
            let ends = [late, end(9, upstreams[1])];
            let joined = (vec![run(9), run(2)], Some(run(2)));
            assert_eq!(planned(&rules, &ends), [joined], "{upstreams:?}");
        }
        // The mode was another one when these ended.
        let ends = [end(1, "load"), end(2, "load")];
        assert_eq!(planned(&rules, &ends), [(vec![run(1)], None)]);
    }

    /// The end that counts waits for another one, whose turn may come after its own is over.
    #[test]
    fn an_end_of_mode_all_that_no_longer_counts_is_dropped() {
        let rules = [
            DependencyRule::all("load").within(Duration::from_secs(10)),
            DependencyRule::all("clean"),
        ];
        let ends = [end(89, "load"), end(95, "clean")];
        assert_eq!(planned(&rules, &ends), [(vec![run(89)], None)]);
        let ends = [end(90, "load"), end(95, "clean")];
        let joined = (vec![run(90), run(95)], Some(run(95)));
        assert_eq!(planned(&rules, &ends), [joined]);
    }

    #[test]
    fn ends_without_a_rule_and_ends_that_no_longer_count_are_dropped() {
        let rules = [
            DependencyRule::gate("clean"),
            DependencyRule::any("load").within(Duration::from_secs(10)),
        ];
        let ends = [
            end(1, "gone"),
            end(2, "clean"),
            end(3, "load"),
            end(95, "load"),
        ];
        assert_eq!(
            planned(&rules, &ends),
            [
                (vec![run(1), run(2), run(3)], None),
                (vec![run(95)], Some(run(95)))
            ]
        );
        assert_eq!(planned(&rules, &[]), []);
    }
}
