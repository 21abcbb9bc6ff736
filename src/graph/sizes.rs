//! Checks the size of a definition, and of the parameters of a definition or a run.
//!
//! `rules` checks each field, and `validate` the number of nodes and edges.

use std::collections::BTreeMap;

use super::issues::Issues;
use super::param_defs::resolve;
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::limits::{Limits, json_size};
use crate::model::Pipeline;

/// Adds an issue for everything that is too large.
pub(super) fn check(pipeline: &Pipeline, limits: &Limits, issues: &mut Issues) {
    check_tags(&pipeline.tags, limits, issues);
    if let Some(detail) = params_excess(&pipeline.params, limits) {
        issues.push_with_problem(Problem::ParamsTooLarge, "/params", detail);
    } else if !pipeline.param_defs.is_empty()
        && let Some(detail) = params_excess(&resolve(pipeline, BTreeMap::new()), limits)
    {
        issues.push_with_problem(Problem::ParamsTooLarge, "/param_defs", detail);
    }
    // The size of a definition that is nested too deeply is not computed.
    if !issues.is_empty() {
        return;
    }
    let (bytes, max) = (json_size(pipeline), limits.definition_bytes_max);
    if bytes > max {
        let detail = format!("a definition has at most {max} bytes, this one has {bytes}");
        issues.push_with_problem(Problem::DefinitionTooLarge, "", detail);
    }
}

/// Checks the parameters of a run: those of its pipeline, and the given ones over them.
///
/// # Errors
/// `Invalid` (`params-too-large`).
pub(crate) fn check_params(params: &BTreeMap<String, String>, limits: &Limits) -> Result<()> {
    match params_excess(params, limits) {
        Some(detail) => {
            let issues = vec![Issue::pointer("/params", detail)];
            Err(Error::invalid(Problem::ParamsTooLarge, issues))
        }
        None => Ok(()),
    }
}

fn check_tags(tags: &[String], limits: &Limits, issues: &mut Issues) {
    let (count, max) = (tags.len(), limits.tags_max);
    if count > max {
        let detail = format!("a pipeline has at most {max} tags, these are {count}");
        issues.push_with_problem(Problem::DefinitionTooLarge, "/tags", detail);
    }
    let max = limits.tag_bytes_max;
    for (index, tag) in tags.iter().enumerate().take(limits.tags_max) {
        if tag.len() > max {
            let detail = format!(
                "a tag has at most {max} bytes, {} has {}",
                quote(tag),
                tag.len()
            );
            let pointer = format!("/tags/{index}");
            issues.push_with_problem(Problem::DefinitionTooLarge, &pointer, detail);
        }
    }
}

/// Returns what is too large.
fn params_excess(params: &BTreeMap<String, String>, limits: &Limits) -> Option<String> {
    let (count, max) = (params.len(), limits.params_max);
    if count > max {
        return Some(format!(
            "a run has at most {max} parameters, these are {count}"
        ));
    }
    let bytes = params.iter().fold(0_usize, |bytes, (name, value)| {
        bytes.saturating_add(name.len()).saturating_add(value.len())
    });
    let max = limits.params_bytes_max;
    (bytes > max).then(|| {
        format!("the parameters of a run have at most {max} bytes in total, these have {bytes}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::definition;

    fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    }

    fn refusal(pipeline: &Pipeline, limits: &Limits) -> (&'static str, String) {
        let error = definition::check(pipeline, limits).unwrap_err();
        let value = serde_json::to_value(pipeline).unwrap();
        let parsed = definition::parse(value, String::new, limits).unwrap_err();
        assert_eq!(parsed.to_string(), error.to_string());
        (error.slug(), error.to_string())
    }

    fn accept(pipeline: &Pipeline, limits: &Limits) {
        definition::check(pipeline, limits).unwrap();
        let value = serde_json::to_value(pipeline).unwrap();
        definition::parse(value, String::new, limits).unwrap();
    }

    fn small() -> Pipeline {
        Pipeline::new("p").node("a", "x")
    }

    #[test]
    fn the_bytes_of_a_definition_are_limited() {
        let pipeline = small();
        let bytes = serde_json::to_string(&pipeline).unwrap().len();
        accept(
            &pipeline,
            &limits(|limits| limits.definition_bytes_max = bytes),
        );
        let narrow = limits(|limits| limits.definition_bytes_max = bytes - 1);
        let (slug, detail) = refusal(&pipeline, &narrow);
        assert_eq!(slug, "definition-too-large");
        let expected = format!(
            "a definition has at most {} bytes, this one has {bytes}",
            bytes - 1
        );
        assert_eq!(detail, expected);
        assert_eq!(Limits::default().definition_bytes_max, 1024 * 1024);
    }

    #[test]
    fn tags_are_limited_in_number_and_bytes() {
        let default = Limits::default();
        let mut pipeline = small();
        pipeline.tags = vec!["é".repeat(64); 100];
        accept(&pipeline, &default);
        pipeline.tags.push("one more".to_owned());
        let (slug, detail) = refusal(&pipeline, &default);
        assert_eq!(slug, "definition-too-large");
        assert_eq!(detail, "a pipeline has at most 100 tags, these are 101");
        for long in [format!("{}x", "é".repeat(64)), "x".repeat(129)] {
            pipeline.tags = vec![long];
            let (slug, detail) = refusal(&pipeline, &default);
            assert_eq!(slug, "definition-too-large");
            assert!(
                detail.starts_with("a tag has at most 128 bytes, "),
                "{detail}"
            );
        }
    }

    #[test]
    fn params_are_limited_in_number_and_bytes() {
        let default = Limits::default();
        let full: BTreeMap<_, _> = (0..256)
            .map(|index| (format!("{index:03}"), String::new()))
            .collect();
        let largest = BTreeMap::from([("a".to_owned(), "x".repeat(64 * 1024 - 1))]);
        for fitting in [&full, &largest] {
            let mut pipeline = small();
            pipeline.params.clone_from(fitting);
            accept(&pipeline, &default);
            check_params(fitting, &default).unwrap();
            pipeline.params.insert("b".to_owned(), String::new());
            assert_eq!(refusal(&pipeline, &default).0, "params-too-large");
            let error = check_params(&pipeline.params, &default).unwrap_err();
            assert_eq!(error.problem(), Problem::ParamsTooLarge);
        }
    }
}
