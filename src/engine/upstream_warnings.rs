//! Warnings about the dependencies of a definition: upstreams that do not exist.
//!
//! `graph/dependencies` finds errors. An upstream may be saved later.

use super::Shared;
use crate::error::{Issue, Result, quote};
use crate::model::{Pipeline, Scope, TenantId};

impl Shared {
    /// Returns a warning for each upstream that does not exist, at most as many as an error has
    /// issues.
    ///
    /// # Errors
    /// Any error of storage.
    pub(super) async fn upstream_warnings(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<Issue>> {
        let scope = Scope::of(tenant);
        let mut warnings = Vec::new();
        for (pointer, upstream) in upstreams(pipeline) {
            let found = self.storage.find_pipeline(upstream, &scope).await?;
            let hint = match found {
                Some(found) if found.id.as_str() == upstream => continue,
                Some(found) => format!("; the slug {} is that of {}", quote(upstream), found.id),
                None => String::new(),
            };
            let detail = format!("no pipeline has the id {} yet{hint}", quote(upstream));
            warnings.push(Issue::pointer(pointer, detail));
        }
        warnings.truncate(WARNINGS_MAX);
        Ok(warnings)
    }
}

/// As many as an error has issues.
const WARNINGS_MAX: usize = 20;

/// Returns the ids that a definition names, each with its JSON pointer.
fn upstreams(pipeline: &Pipeline) -> impl Iterator<Item = (String, &str)> {
    let ids = pipeline.depends_on.iter().enumerate();
    let ids = ids.map(|(index, id)| (format!("/depends_on/{index}"), id.as_str()));
    let rules = pipeline.dependency_rules.iter().enumerate();
    let rules = rules.map(|(index, rule)| {
        let pointer = format!("/dependency_rules/{index}/pipeline_id");
        (pointer, rule.pipeline_id.as_str())
    });
    ids.chain(rules)
}
