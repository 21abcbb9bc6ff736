//! Finds what is wrong with the configs of a definition's nodes, its concurrency key and its hooks.
//!
//! `graph/definition` finds what is wrong with the rest.

use super::Shared;
use super::concurrency;
use super::definition_warnings;
use super::replaced_assets;
use super::secret_resolver::variables_excess;
use crate::error::{Problem, Result};
use crate::graph::issues::Issues;
use crate::model::{Pipeline, TenantId};
use crate::template;

impl Shared {
    pub(super) fn refuse_configs(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
    ) -> Result<()> {
        self.config_issues(pipeline, tenant)
            .into_result(Problem::InvalidField)
    }

    /// Returns the problems that executors find in the configs of their nodes, and the templates
    /// that no run can resolve, also of the concurrency key, and the hooks that are not allowed.
    pub(super) fn config_issues(&self, pipeline: &Pipeline, tenant: Option<&TenantId>) -> Issues {
        let mut issues = Issues::default();
        for (index, node) in pipeline.nodes.iter().enumerate() {
            let at = format!("/nodes/{index}/config");
            let validated = self.registry.get(&node.kind, tenant);
            let validated = validated.map(|executor| executor.validate(&node.config));
            for issue in validated.unwrap_or_default() {
                let pointer = definition_warnings::absolute_pointer(&at, &issue.location);
                issues.push(&pointer, || issue.detail);
            }
            for (pointer, error) in template::unknown_names(&node.config) {
                issues.push(&format!("{at}{pointer}"), || error.to_string());
            }
            let count = template::variables(&node.config).len();
            if let Some(detail) = variables_excess(count, &self.limits) {
                issues.push_with_problem(Problem::DefinitionTooLarge, &at, detail);
            }
        }
        concurrency::check(pipeline, &mut issues);
        self.check_hooks(&pipeline.hooks, &mut issues);
        for conflict in replaced_assets::find(pipeline, &self.registry, tenant) {
            let at = format!("/nodes/{}/config", conflict.index);
            issues.push(&at, || conflict.detail);
        }
        issues
    }
}
