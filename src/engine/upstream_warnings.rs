//! Warnings about the dependencies of a definition: upstreams that do not exist.
//!
//! `graph/dependencies` finds errors. An upstream may be saved later.

use super::Shared;
use crate::error::{Issue, Result, quote};
use crate::graph::issues::ISSUES_MAX;
use crate::model::{Pipeline, Scope, TenantId};

impl Shared {
    /// Adds a warning for each upstream that does not exist, until there are as many as an error
    /// has issues.
    ///
    /// # Errors
    /// Any error of storage.
    pub(super) async fn warn_of_upstreams(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
        warnings: &mut Vec<Issue>,
    ) -> Result<()> {
        let scope = Scope::of(tenant);
        for (pointer, upstream) in upstreams(pipeline) {
            if warnings.len() >= ISSUES_MAX {
                break;
            }
            let found = self.storage.find_pipeline(upstream, &scope).await?;
            let hint = match found {
                Some(found) if found.id.as_str() == upstream => continue,
                Some(found) => format!("; the slug {} is that of {}", quote(upstream), found.id),
                None => String::new(),
            };
            let detail = format!("no pipeline has the id {} yet{hint}", quote(upstream));
            warnings.push(Issue::pointer(pointer, detail));
        }
        Ok(())
    }
}

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
