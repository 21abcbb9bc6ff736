//! Reads and checks the dependencies of a definition.
//!
//! Storage checks that the pipelines of a tenant do not depend on one another in a circle.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use serde_json::Value;

use super::fields::{Fields, seconds};
use super::issues::Issues;
use super::policy::is_timeout_in_range;
use crate::error::{Problem, quote};
use crate::limits::Limits;
use crate::model::{DependencyMode, DependencyRule, DependencyState, Pipeline, PipelineId};

/// The fields of a rule.
pub(crate) const DEPENDENCY_FIELDS: [&str; 4] = ["pipeline_id", "state", "mode", "within_seconds"];

/// The most dependencies that a host may allow: storage returns the ends of as many at once.
const DEPENDENCIES_MAX: usize = 100;

const STATES: &str = "succeeded, failed or completed";
const MODES: &str = "gate, any or all";
const WITHIN_RANGE: &str = "0 for no limit, or a number of seconds from 0.001 to 31536000";

/// Reads a rule. A field that Floret does not know is refused, since a mistyped one would let runs
/// start too early.
pub(super) fn read(mut fields: Fields<'_>) -> DependencyRule {
    let within = fields.take("within_seconds", WITHIN_RANGE, |value| {
        // Existing clients write 0 for a rule without a limit.
        let has_none = value.as_f64() == Some(0.0);
        seconds(value).map(|within| Some(within).filter(|_| !has_none))
    });
    let rule = DependencyRule {
        pipeline_id: fields.required("pipeline_id"),
        state: fields.take("state", STATES, read_state).unwrap_or_default(),
        mode: fields.take("mode", MODES, read_mode).unwrap_or_default(),
        within: within.flatten(),
    };
    fields.refuse_rest(&DEPENDENCY_FIELDS);
    rule
}

fn read_state(value: &Value) -> Option<DependencyState> {
    let text = value.as_str()?;
    DependencyState::ALL
        .into_iter()
        .find(|state| state.as_str() == text)
}

/// Reads a mode. Existing clients write `trigger` for `any`.
fn read_mode(value: &Value) -> Option<DependencyMode> {
    match value.as_str()? {
        "trigger" => Some(DependencyMode::Any),
        text => DependencyMode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text),
    }
}

/// Sorts pipelines so that each comes after those that it depends on, and keeps their order
/// otherwise. Those of a circle come last.
///
/// Saved in this order, an earlier definition of one never closes a circle with a new one.
pub(crate) fn upstream_first(pipelines: Vec<Pipeline>) -> Vec<Pipeline> {
    let keys = pipelines.iter().enumerate();
    let keys =
        keys.map(|(index, pipeline)| ((pipeline.tenant.clone(), pipeline.id.clone()), index));
    let indexes: HashMap<_, _> = keys.collect();
    let mut dependents = vec![Vec::new(); pipelines.len()];
    let mut waits_for = vec![0_usize; pipelines.len()];
    for (index, pipeline) in pipelines.iter().enumerate() {
        for rule in pipeline.dependencies() {
            let upstream = (pipeline.tenant.clone(), rule.pipeline_id);
            if let Some(upstream) = indexes.get(&upstream) {
                dependents[*upstream].push(index);
                waits_for[index] += 1;
            }
        }
    }
    let all = 0..pipelines.len();
    let mut ready: VecDeque<_> = all.filter(|index| waits_for[*index] == 0).collect();
    let mut pipelines: Vec<_> = pipelines.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(pipelines.len());
    while let Some(index) = ready.pop_front() {
        sorted.extend(pipelines[index].take());
        for dependent in &dependents[index] {
            waits_for[*dependent] -= 1;
            if waits_for[*dependent] == 0 {
                ready.push_back(*dependent);
            }
        }
    }
    sorted.extend(pipelines.into_iter().flatten());
    sorted
}

/// Adds an issue for everything that is wrong with the dependencies of a pipeline.
pub(super) fn check(pipeline: &Pipeline, limits: &Limits, issues: &mut Issues) {
    let (ids, rules) = (&pipeline.depends_on, &pipeline.dependency_rules);
    let max = limits.dependencies_max.min(DEPENDENCIES_MAX);
    let count = ids.len() + rules.len();
    if count > max {
        let field = if rules.is_empty() {
            "/depends_on"
        } else {
            "/dependency_rules"
        };
        let detail = format!("a pipeline has at most {max} dependencies, these are {count}");
        issues.push_with_problem(Problem::DefinitionTooLarge, field, detail);
        return;
    }
    let mut gates = BTreeSet::new();
    for (index, id) in ids.iter().enumerate() {
        let at = format!("/depends_on/{index}");
        check_upstream(&at, "a dependency", id, pipeline, issues);
        check_repeated(&at, id, !gates.insert(id), issues);
    }
    let mut given = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("/dependency_rules/{index}/pipeline_id");
        check_upstream(&at, "pipeline_id", &rule.pipeline_id, pipeline, issues);
        let is_gate = rule.mode == DependencyMode::Gate;
        let is_repeated = !given.insert((&rule.pipeline_id, is_gate));
        check_repeated(&at, &rule.pipeline_id, is_repeated, issues);
        check_within(index, rule.within, issues);
    }
}

fn check_upstream(at: &str, what: &str, id: &str, pipeline: &Pipeline, issues: &mut Issues) {
    if let Err(error) = PipelineId::new(id) {
        issues.push(at, || format!("{what} {error}; received {}", quote(id)));
    } else if *id == pipeline.id {
        let detail = "a pipeline cannot depend on itself".to_owned();
        issues.push_with_problem(Problem::DependencyCycle, at, detail);
    }
}

/// A pipeline is at most one gate, and at most one pipeline that starts runs.
fn check_repeated(at: &str, id: &str, is_repeated: bool, issues: &mut Issues) {
    if is_repeated {
        issues.push(at, || {
            let id = quote(id);
            format!("the pipeline {id} may be named once as a gate, and once with any or all")
        });
    }
}

fn check_within(index: usize, within: Option<Duration>, issues: &mut Issues) {
    if let Some(within) = within.filter(|within| !is_timeout_in_range(*within)) {
        issues.push(&format!("/dependency_rules/{index}/within_seconds"), || {
            let received = within.as_secs_f64();
            format!("within_seconds must be {WITHIN_RANGE}, received {received}")
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::graph::definition;

    fn with(change: impl FnOnce(Pipeline) -> Pipeline) -> Pipeline {
        change(Pipeline::new("report").node("sum", "sum"))
    }

    /// Returns the pointers and texts of the issues, which a definition in JSON has as well.
    fn issues(pipeline: &Pipeline) -> (&'static str, Vec<String>) {
        let error = definition::check(pipeline, &Limits::default()).unwrap_err();
        let value = serde_json::to_value(pipeline).unwrap();
        let parsed = definition::parse(value, String::new, &Limits::default()).unwrap_err();
        assert_eq!(parsed.to_string(), error.to_string());
        let issues = error.issues().iter();
        (
            error.slug(),
            issues.map(|issue| format!("{issue:?}")).collect(),
        )
    }

    #[test]
    fn what_cannot_be_an_upstream_is_refused() {
        let (slug, found) = issues(&with(|it| {
            it.depends_on("../load").dependency(DependencyRule::any(""))
        }));
        assert_eq!(slug, "invalid-field");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("/depends_on/0"), "{found:?}");
        assert!(
            found[1].contains("/dependency_rules/0/pipeline_id"),
            "{found:?}"
        );
        let (slug, found) = issues(&with(|it| it.depends_on("report")));
        assert_eq!(slug, "dependency-cycle");
        assert!(
            found[0].contains("a pipeline cannot depend on itself"),
            "{found:?}"
        );
    }

    #[test]
    fn an_upstream_is_one_gate_and_starts_runs_once() {
        let (_, found) = issues(&with(|it| it.depends_on("load").depends_on("load")));
        assert!(found[0].contains("/depends_on/1"), "{found:?}");
        let (_, found) = issues(&with(|it| {
            it.dependency(DependencyRule::any("load"))
                .dependency(DependencyRule::all("load"))
        }));
        assert!(
            found[0].contains("/dependency_rules/1/pipeline_id"),
            "{found:?}"
        );
        let both = with(|it| {
            it.depends_on("load")
                .dependency(DependencyRule::gate("load"))
                .dependency(DependencyRule::any("load"))
        });
        definition::check(&both, &Limits::default()).unwrap();
    }

    #[test]
    fn the_time_and_the_number_of_rules_are_bounded() {
        let year = 31_536_000;
        let rule = |within| DependencyRule::gate("load").within(within);
        for within in [Duration::from_millis(1), Duration::from_secs(year)] {
            let fine = with(|it| it.dependency(rule(within)));
            definition::check(&fine, &Limits::default()).unwrap();
        }
        let (_, found) = issues(&with(|it| {
            it.dependency(rule(Duration::from_secs(year + 1)))
        }));
        assert!(
            found[0].contains("/dependency_rules/0/within_seconds"),
            "{found:?}"
        );
        let mut many = with(|it| it);
        many.depends_on = (0..101).map(|n| format!("p{n}")).collect();
        let (slug, found) = issues(&many);
        assert_eq!(slug, "definition-too-large");
        assert!(
            found[0].contains("at most 100 dependencies, these are 101"),
            "{found:?}"
        );
    }

    #[test]
    fn a_rule_is_read_strictly() {
        let read = |rule: Value| {
            let value = json!({
                "name": "Report", "nodes": [{"id": "sum", "type": "sum"}],
                "dependency_rules": [rule],
            });
            definition::parse(value, || "report".to_owned(), &Limits::default())
        };
        let old = json!({"pipeline_id": "load", "mode": "trigger", "within_seconds": 0});
        assert_eq!(
            read(old).unwrap().dependency_rules,
            [DependencyRule::any("load")]
        );
        for (wrong, pointer) in [
            (json!({"mode": "gate"}), "/dependency_rules/0/pipeline_id"),
            (
                json!({"pipeline_id": "a", "mode": "soon"}),
                "/dependency_rules/0/mode",
            ),
            (
                json!({"pipeline_id": "a", "state": "success"}),
                "/dependency_rules/0/state",
            ),
            (
                json!({"pipeline_id": "a", "within_seconds": -1}),
                "/dependency_rules/0/within_seconds",
            ),
            (
                json!({"pipeline_id": "a", "with_seconds": 5}),
                "/dependency_rules/0/with_seconds",
            ),
            (json!("load"), "/dependency_rules/0"),
        ] {
            let error = read(wrong.clone()).unwrap_err();
            let issue = format!("{:?}", error.issues()[0]);
            assert!(issue.contains(pointer), "{wrong}: {issue}");
        }
    }

    #[test]
    fn upstreams_come_first_and_circles_last() {
        let pipeline = |id: &str, upstreams: &[&str]| {
            let pipeline = Pipeline::new(id);
            upstreams.iter().fold(pipeline, |it, up| it.depends_on(*up))
        };
        let sorted = upstream_first(vec![
            pipeline("d", &["c", "b"]),
            pipeline("x", &["y"]),
            pipeline("c", &["a", "elsewhere"]),
            pipeline("y", &["x"]),
            pipeline("b", &["a"]),
            pipeline("a", &[]),
        ]);
        let ids: Vec<_> = sorted.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["a", "c", "b", "d", "x", "y"]);
    }
}
