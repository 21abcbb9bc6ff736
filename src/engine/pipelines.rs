//! Saving and deleting definitions, with every problem of one told.
//!
//! What makes a definition acceptable is `graph/definition`'s.

use std::sync::Arc;

use serde_json::Value;

use super::Engine;
use super::names;
use super::trigger::WakeLater;
use crate::error::{Error, Issue, IssueLocation, Problem, Result};
use crate::graph::definition;
use crate::model::{Pipeline, PipelineId, Scope, Slug, StoredPipeline};
use crate::storage::{DeletePipeline, Expect, PutPipeline, SlugChoice};

/// What is wrong with a definition, and what is only odd.
#[derive(Debug, Clone, Default)]
pub(crate) struct Validation {
    pub(crate) errors: Vec<Issue>,
    pub(crate) warnings: Vec<Issue>,
}

/// What a caller has seen of the pipeline that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It does not say.
    Anything,
    /// One of these.
    OneOf(Vec<Revision>),
}

/// A pipeline at one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) id: String,
    pub(crate) version: u32,
}

impl Expected {
    /// The version at which the change must find the pipeline, where it matters.
    ///
    /// # Errors
    /// `Conflict` (`precondition-failed`) when it is none of those expected.
    fn version(&self, found: &StoredPipeline) -> Result<Option<u32>> {
        let Self::OneOf(revisions) = self else {
            return Ok(None);
        };
        let is_found = |revision: &Revision| {
            revision.id == found.id.as_str() && revision.version == found.version
        };
        if revisions.iter().any(is_found) {
            return Ok(Some(found.version));
        }
        Err(Error::new(
            Problem::PreconditionFailed,
            format!(
                "the pipeline {} is at version {}, which is none that the request expects",
                found.id, found.version
            ),
        ))
    }
}

impl Engine {
    /// Saves a definition that is not there yet; makes an id where it has none.
    ///
    /// # Errors
    /// `Invalid` with every problem, `Conflict` (`already-exists`), and what storage answers.
    pub(crate) async fn create_pipeline(
        &self,
        definition: Value,
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        self.refuse_in_shutdown()?;
        let clock = &self.0.clock;
        let pipeline =
            definition::parse(definition, || clock.new_run_id().to_string(), self.limits())?;
        self.save(pipeline, Expect::Absent, scope).await
    }

    /// Replaces the pipeline with this id or slug; `expected` is what the caller has seen of it.
    ///
    /// # Errors
    /// `NotFound`, `Malformed` (`id-mismatch`), `Invalid` with every problem, `Conflict`, and what storage answers.
    pub(crate) async fn replace_pipeline(
        &self,
        key: &str,
        definition: Value,
        expected: &Expected,
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        self.refuse_in_shutdown()?;
        let found = self.0.find_pipeline(key, scope).await?;
        names::refuse_another(&definition, "id", &found.id)?;
        let id = found.id.as_str().to_owned();
        let pipeline = definition::parse(definition, || id, self.limits())?;
        let expected = expected.version(&found)?;
        let expect = expected.map_or(Expect::Present, Expect::Version);
        self.save(pipeline, expect, scope).await
    }

    /// Refuses a definition that the host wrote in code; nothing is saved.
    ///
    /// # Errors
    /// `Invalid` with every problem.
    pub(crate) fn check_pipeline(&self, pipeline: &Pipeline) -> Result<()> {
        definition::check(pipeline, self.limits())?;
        self.0.refuse_unknown_types(pipeline)?;
        self.refuse_configs(pipeline)
    }

    /// Saves a definition that the host wrote in code and that was checked, over what is there.
    ///
    /// # Errors
    /// `Conflict` (`already-exists`), and what storage answers.
    pub(crate) async fn put_pipeline(&self, pipeline: Pipeline) -> Result<StoredPipeline> {
        self.save(pipeline, Expect::Any, &Scope::All).await
    }

    /// Deletes the pipeline with this id or slug; `expected` is what the caller has seen of it.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`pipeline-active`, `precondition-failed`), and what storage answers.
    pub(crate) async fn delete_pipeline(
        &self,
        key: &str,
        expected: &Expected,
        scope: &Scope,
    ) -> Result<()> {
        self.refuse_in_shutdown()?;
        let found = self.0.find_pipeline(key, scope).await?;
        let _changed = WakeLater(&self.0.schedules_changed);
        let version = expected.version(&found)?;
        let mut delete = DeletePipeline::new(found.id, self.0.clock.now());
        delete.version = version;
        delete.scope = scope.clone();
        self.0.storage.delete_pipeline(delete).await
    }

    /// Checks a saved pipeline against the executors that are registered.
    ///
    /// # Errors
    /// `NotFound`, and what storage answers.
    pub(crate) async fn validate_pipeline(&self, key: &str, scope: &Scope) -> Result<Validation> {
        let found = self.0.find_pipeline(key, scope).await?;
        let pipeline = &found.definition;
        let mut errors = match definition::check(pipeline, self.limits()) {
            Ok(_) => Vec::new(),
            Err(error) => error.issues().to_vec(),
        };
        errors.extend(self.0.unknown_types(pipeline));
        errors.extend(self.config_issues(pipeline));
        Ok(Validation {
            errors,
            warnings: unused_params(pipeline),
        })
    }

    async fn save(
        &self,
        mut pipeline: Pipeline,
        expect: Expect,
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        self.refuse_configs(&pipeline)?;
        let id = PipelineId::new(&pipeline.id).map_err(|error| unfit("/id", &error))?;
        let slug = slug(&pipeline)?;
        strip(&mut pipeline);
        let mut put = PutPipeline::new(id, slug, Arc::new(pipeline), self.0.clock.now());
        put.expect = expect;
        put.scope = scope.clone();
        let _changed = WakeLater(&self.0.schedules_changed);
        let stored = self.0.storage.put_pipeline(put).await?;
        // More of its runs may execute than before.
        self.0.wake.notify_one();
        Ok(stored)
    }

    fn refuse_configs(&self, pipeline: &Pipeline) -> Result<()> {
        let issues = self.config_issues(pipeline);
        if issues.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(Problem::InvalidField, issues))
    }

    /// What the executors say of the nodes' configs.
    fn config_issues(&self, pipeline: &Pipeline) -> Vec<Issue> {
        let mut issues = Vec::new();
        for (index, node) in pipeline.nodes.iter().enumerate() {
            let Some(executor) = self.0.registry.get(&node.kind) else {
                continue;
            };
            issues.extend(
                executor
                    .validate(&node.config)
                    .into_iter()
                    .map(|issue| below(index, issue)),
            );
        }
        issues
    }
}

/// Moves a problem of a config to its place in the pipeline.
fn below(index: usize, issue: Issue) -> Issue {
    match issue.location {
        IssueLocation::Pointer(pointer) => {
            Issue::pointer(format!("/nodes/{index}/config{pointer}"), issue.detail)
        }
        IssueLocation::Parameter(name) => {
            Issue::pointer(format!("/nodes/{index}/config/{name}"), issue.detail)
        }
    }
}

/// Takes away what is stored beside a definition, so that one which was read and sent back changes nothing.
fn strip(pipeline: &mut Pipeline) {
    const STORED_BESIDE: [&str; 3] = ["version", "created_at", "updated_at"];
    pipeline.slug = None;
    for field in STORED_BESIDE {
        pipeline.extra.remove(field);
    }
}

/// The slug that the author gave, else one derived from the name, else the id.
fn slug(pipeline: &Pipeline) -> Result<SlugChoice> {
    if let Some(given) = &pipeline.slug {
        return Slug::new(given)
            .map(SlugChoice::Given)
            .map_err(|error| unfit("/pipeline_id", &error));
    }
    let derived = definition::slug_from_name(&pipeline.name);
    match derived {
        Some(slug) => Ok(SlugChoice::Derived(slug)),
        None => Slug::new(&pipeline.id)
            .map(SlugChoice::Derived)
            .map_err(|error| unfit("/id", &error)),
    }
}

fn unfit(pointer: &str, error: &crate::model::IdError) -> Error {
    Error::invalid(
        Problem::InvalidField,
        vec![Issue::pointer(pointer, error.to_string())],
    )
}

/// Parameters that no config names: a typing error more often than not.
fn unused_params(pipeline: &Pipeline) -> Vec<Issue> {
    let configs: String = pipeline
        .nodes
        .iter()
        .map(|node| Value::Object(node.config.clone()).to_string())
        .collect();
    let has_templates = configs.contains("${param.");
    let is_unused =
        |name: &&String| has_templates && !configs.contains(&format!("${{param.{name}}}"));
    let unused = pipeline.params.keys().filter(is_unused);
    unused
        .map(|name| {
            Issue::pointer(
                format!("/params/{name}"),
                format!("no node's config names the parameter {name}"),
            )
        })
        .collect()
}
