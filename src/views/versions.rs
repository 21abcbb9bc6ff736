//! The versions of a pipeline as callers see them, and how two of them differ.
//!
//! `engine/versions` rolls a pipeline back.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::pages::Listed;
use super::{VersionFilter, Views};
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, PipelineVersion, Scope, StoredPipeline, rfc3339};

/// The fields of a version in a list, in the order of the wire contract.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "PipelineVersion",
        description = "A version of a pipeline, without its definition."
    )
)]
struct VersionFields {
    version: u32,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    created_at: Option<DateTime<Utc>>,
}

impl Serialize for PipelineVersion {
    /// Writes the version as lists of the API show it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            version,
            created_at,
        } = *self;
        let fields = VersionFields {
            version,
            created_at,
        };
        fields.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { PipelineVersion => VersionFields }

impl Listed for PipelineVersion {
    fn cursor(&self) -> String {
        self.version.to_string()
    }
}

/// What a pipeline has beside its definition. A comparison of versions leaves it out.
const BESIDE: [&str; 4] = ["version", "updated_at", "paused", "webhook_token"];

impl Views {
    /// Returns a page of the versions of the pipeline with this id or slug, the newest first.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`); `Malformed` (`invalid-parameter`) if the cursor is
    /// invalid; `Unavailable`.
    pub(crate) async fn list_versions(
        &self,
        key: &str,
        scope: &Scope,
        page: PageRequest,
    ) -> Result<Page<PipelineVersion>> {
        let filter = self.version_filter(key, scope).await?;
        self.storage.list_versions(filter, page).await
    }

    /// Returns the pipeline with this id or slug as of a version.
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`, `version-not-found`); `Unavailable`.
    pub(crate) async fn version(
        &self,
        key: &str,
        version: u32,
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        let filter = self.version_filter(key, scope).await?;
        let found = self.storage.find_version(filter, version).await?;
        found.ok_or_else(|| Error::version_not_found(version))
    }

    /// Returns what turns one version of a pipeline into another one, as a JSON Patch (RFC 6902).
    ///
    /// # Errors
    /// `NotFound` (`pipeline-not-found`, `version-not-found`); `Unavailable`.
    pub(crate) async fn version_diff(
        &self,
        key: &str,
        (from, to): (u32, u32),
        scope: &Scope,
    ) -> Result<Value> {
        let from = self.version(key, from, scope).await?;
        let to = self.version(key, to, scope).await?;
        let difference = self.compute.run(move || difference(&from, &to)).await;
        difference.map_err(|error| {
            Error::internal("two versions could not be compared").with_source(error)
        })?
    }

    async fn version_filter(&self, key: &str, scope: &Scope) -> Result<VersionFilter> {
        let pipeline = self.pipeline(key, scope).await?;
        let scope = pipeline.qualified_id().scope();
        let mut filter = VersionFilter::new(pipeline.id);
        filter.scope = scope;
        Ok(filter)
    }
}

fn difference(from: &StoredPipeline, to: &StoredPipeline) -> Result<Value> {
    let [from, to] = [from, to].map(definition_json);
    json(&json_patch::diff(&from?, &to?))
}

fn definition_json(pipeline: &StoredPipeline) -> Result<Value> {
    let mut value = json(pipeline)?;
    if let Some(fields) = value.as_object_mut() {
        BESIDE.iter().for_each(|name| drop(fields.remove(*name)));
    }
    Ok(value)
}

fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::internal("a version could not be serialized").with_source(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::model::{Pipeline, PipelineId, Slug};

    fn stored(definition: Pipeline, version: u32) -> StoredPipeline {
        let (id, slug) = (PipelineId::new("daily"), Slug::new("daily"));
        let now = "2024-01-15T06:00:00Z".parse().unwrap();
        StoredPipeline {
            version,
            ..StoredPipeline::new(id.unwrap(), slug.unwrap(), Arc::new(definition), now)
        }
    }

    #[test]
    fn a_difference_turns_one_definition_into_the_other() {
        let from = Pipeline::new("daily").node("load", "any").tag("a");
        let to = Pipeline::new("daily")
            .node("load", "other")
            .node("save", "any")
            .after("load")
            .schedule("@daily");
        let (from, to) = (stored(from, 1), stored(to, 2));
        let patch = difference(&from, &to).unwrap();
        let mut patched = definition_json(&from).unwrap();
        json_patch::patch(
            &mut patched,
            &serde_json::from_value::<json_patch::Patch>(patch).unwrap(),
        )
        .unwrap();
        assert_eq!(patched, definition_json(&to).unwrap());
        assert_eq!(difference(&from, &from).unwrap(), json!([]));
    }
}
