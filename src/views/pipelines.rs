//! Pipelines as callers see them: a definition with its stored metadata, or a page of summaries.
//!
//! Saving and validating them is left to `engine/pipelines`.

use chrono::{DateTime, Utc};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::pages::Listed;
use super::{PipelineFilter, RunFilter, Views};
use crate::error::{Error, Problem, Result, quote};
use crate::model::{
    MASKED, Managed, Overlap, Page, PageRequest, Pause, Pipeline, PipelineId, Scope, Slug,
    StoredPipeline, TenantId, rfc3339, seconds,
};

/// A pipeline in a list.
#[derive(Debug)]
pub(crate) struct PipelineSummary(pub(super) StoredPipeline);

/// The fields of a pipeline in a list, in the order of the wire contract.
#[derive(serde::Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "PipelineSummary",
        description = "A pipeline in a list, without its definition."
    )
)]
struct SummaryFields<'a> {
    id: &'a PipelineId,
    slug: &'a Slug,
    pipeline_id: &'a Slug,
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<&'a str>,
    enabled: bool,
    tags: &'a [String],
    node_count: usize,
    edge_count: usize,
    #[serde(serialize_with = "rfc3339::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339::serialize")]
    updated_at: DateTime<Utc>,
    managed: Managed,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<&'a Pause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
}

impl Listed for PipelineSummary {
    fn cursor(&self) -> String {
        self.0.qualified_id().to_string()
    }
}

impl Views {
    /// Returns the pipeline with this id, or else the one with this slug.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`); `Unavailable`.
    pub(crate) async fn pipeline(&self, key: &str, scope: &Scope) -> Result<StoredPipeline> {
        self.storage
            .find_pipeline(key, scope)
            .await?
            .ok_or_else(|| Error::pipeline_not_found(quote(key)))
    }

    /// Checks that a filter names a pipeline: a stored one, or a deleted one of which runs are
    /// left. Returns the scope of the filter: that of the stored pipeline, or else the given one.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`); `Conflict` (`tenant-required`); `Unavailable`.
    pub(crate) async fn scope_of_filter(
        &self,
        pipeline: &PipelineId,
        scope: &Scope,
    ) -> Result<Scope> {
        let found = self.storage.find_pipeline(pipeline.as_str(), scope).await?;
        let named = found.as_ref().filter(|found| found.id == *pipeline);
        if let Some(named) = named {
            return Ok(Scope::of(named.tenant.as_ref()));
        }
        let runs = RunFilter {
            scope: scope.clone(),
            pipeline: Some(pipeline.clone()),
            ..RunFilter::default()
        };
        let newest = PageRequest::Newest { limit: 1 };
        if !self.storage.list_runs(runs, newest).await?.items.is_empty() {
            return Ok(scope.clone());
        }
        let shown = quote(pipeline.as_str());
        Err(match found {
            Some(found) => Error::new(
                Problem::PipelineNotFound,
                format!(
                    "no pipeline has the id {shown}, which is the slug of the pipeline {}",
                    found.id
                ),
            ),
            None => Error::pipeline_not_found(shown),
        })
    }

    /// Returns the id of the pipeline with this id or slug, and the scope of its tenant. A deleted
    /// pipeline has its id as long as runs of it are left.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`); `Conflict` (`tenant-required`); `Unavailable`.
    pub(crate) async fn named_pipeline(
        &self,
        key: &str,
        scope: &Scope,
    ) -> Result<(Scope, PipelineId)> {
        if let Some(found) = self.storage.find_pipeline(key, scope).await? {
            return Ok((Scope::of(found.tenant.as_ref()), found.id));
        }
        let id = PipelineId::new(key).map_err(|_| Error::pipeline_not_found(quote(key)))?;
        Ok((self.scope_of_filter(&id, scope).await?, id))
    }

    /// Returns a page of summaries, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid; `Unavailable`.
    pub(crate) async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<PipelineSummary>> {
        let Page { items, total, next } = self.storage.list_pipelines(filter, page).await?;
        let items = items.into_iter().map(PipelineSummary).collect();
        Ok(Page::new(items, total, next))
    }
}

impl Serialize for PipelineSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = &self.0;
        let definition = &*stored.definition;
        let fields = SummaryFields {
            id: &stored.id,
            slug: &stored.slug,
            pipeline_id: &stored.slug,
            name: &definition.name,
            description: &definition.description,
            schedule: definition.schedule.as_deref(),
            enabled: definition.enabled,
            tags: &definition.tags,
            node_count: definition.nodes.len(),
            edge_count: definition.edges.len(),
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            managed: stored.managed,
            paused: stored.paused.as_ref(),
            tenant: stored.tenant.as_ref(),
        };
        fields.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { PipelineSummary => SummaryFields<'static> }

impl Serialize for StoredPipeline {
    /// Writes the pipeline as the API shows it, with its whole definition.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = self;
        let Pipeline {
            id: _,
            slug: _,
            name,
            description,
            nodes,
            edges,
            params,
            param_defs,
            tags,
            enabled,
            timeout: _,
            max_concurrent_runs: _,
            concurrency: _,
            schedule: _,
            schedule_timezone: _,
            catch_up: _,
            catch_up_all: _,
            catch_up_max: _,
            overlap: _,
            depends_on: _,
            dependency_rules: _,
            hooks,
            webhook_token: _,
            tenant: _,
            extra,
        } = &*stored.definition;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &stored.id)?;
        map.serialize_entry("slug", &stored.slug)?;
        map.serialize_entry("pipeline_id", &stored.slug)?;
        map.serialize_entry("name", name)?;
        map.serialize_entry("description", description)?;
        map.serialize_entry("nodes", nodes)?;
        map.serialize_entry("edges", edges)?;
        map.serialize_entry("params", params)?;
        if !param_defs.is_empty() {
            map.serialize_entry("param_defs", param_defs)?;
        }
        map.serialize_entry("tags", tags)?;
        map.serialize_entry("enabled", enabled)?;
        serialize_limits(&mut map, &stored.definition)?;
        serialize_schedule(&mut map, &stored.definition)?;
        serialize_dependencies(&mut map, &stored.definition)?;
        if !hooks.is_empty() {
            map.serialize_entry("hooks", &hooks.masked())?;
        }
        if stored.webhook_token.is_some() {
            map.serialize_entry("webhook_token", MASKED)?;
        }
        // A definition may have these fields without an effect. They must not look like real ones.
        const OWN: [&str; 3] = ["slug", "paused", "webhook_token"];
        for (key, value) in extra.iter().filter(|(key, _)| !OWN.contains(&key.as_str())) {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("version", &stored.version)?;
        map.serialize_entry("created_at", &rfc3339::Text(stored.created_at))?;
        map.serialize_entry("updated_at", &rfc3339::Text(stored.updated_at))?;
        map.serialize_entry("managed", &stored.managed)?;
        if let Some(pause) = &stored.paused {
            map.serialize_entry("paused", pause)?;
        }
        if let Some(tenant) = &stored.tenant {
            map.serialize_entry("tenant", tenant)?;
        }
        map.end()
    }
}

fn serialize_limits<M: SerializeMap>(map: &mut M, definition: &Pipeline) -> Result<(), M::Error> {
    let Pipeline {
        timeout,
        max_concurrent_runs,
        concurrency,
        ..
    } = definition;
    if timeout.is_some() {
        map.serialize_entry("timeout", &Seconds(*timeout))?;
    }
    if let Some(runs) = max_concurrent_runs {
        map.serialize_entry("max_concurrent_runs", runs)?;
    }
    if let Some(concurrency) = concurrency {
        map.serialize_entry("concurrency", concurrency)?;
    }
    Ok(())
}

/// Writes the settings of a schedule: in full where there is a schedule, and otherwise only where
/// they are set.
fn serialize_schedule<M: SerializeMap>(map: &mut M, definition: &Pipeline) -> Result<(), M::Error> {
    let Pipeline {
        schedule,
        schedule_timezone,
        catch_up,
        catch_up_all,
        catch_up_max,
        overlap,
        ..
    } = definition;
    if let Some(schedule) = schedule {
        map.serialize_entry("schedule", schedule)?;
    }
    if schedule.is_some() || schedule_timezone.is_some() {
        let zone = schedule_timezone.as_deref().unwrap_or("UTC");
        map.serialize_entry("schedule_timezone", zone)?;
    }
    if schedule.is_some() || *catch_up {
        map.serialize_entry("catch_up", catch_up)?;
    }
    if *catch_up_all {
        map.serialize_entry("catch_up_all", catch_up_all)?;
    }
    if let Some(max) = catch_up_max {
        map.serialize_entry("catch_up_max", max)?;
    }
    if schedule.is_some() || *overlap != Overlap::Queue {
        map.serialize_entry("overlap", overlap)?;
    }
    Ok(())
}

fn serialize_dependencies<M: SerializeMap>(
    map: &mut M,
    definition: &Pipeline,
) -> Result<(), M::Error> {
    if !definition.depends_on.is_empty() {
        map.serialize_entry("depends_on", &definition.depends_on)?;
    }
    if !definition.dependency_rules.is_empty() {
        map.serialize_entry("dependency_rules", &definition.dependency_rules)?;
    }
    Ok(())
}

struct Seconds(Option<std::time::Duration>);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        seconds::serialize(&self.0, serializer)
    }
}
