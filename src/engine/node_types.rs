//! Refuses a pipeline that has a node which its tenant cannot execute: of a type that no executor
//! is registered for, or that is closed to the tenant.
//!
//! The registry decides to whom a type is open.

use super::Shared;
use crate::error::{Error, Issue, Problem, Result, quote};
use crate::model::{Node, Pipeline, TenantId};
use crate::suggestion::{did_you_mean, nearest};

impl Shared {
    /// Refuses a pipeline that has a node which its tenant cannot execute.
    ///
    /// # Errors
    /// `Invalid` (`node-type-closed`, `node-type-unknown`) with every such node.
    pub(super) fn refuse_unusable_types(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
    ) -> Result<()> {
        self.refuse_closed_types(pipeline, tenant)?;
        refuse(
            Problem::NodeTypeUnknown,
            self.unusable_types(pipeline, tenant),
        )
    }

    /// Refuses a pipeline that has a node of a type that is closed to its tenant.
    ///
    /// # Errors
    /// `Invalid` (`node-type-closed`) with every such node.
    pub(super) fn refuse_closed_types(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
    ) -> Result<()> {
        let is_closed = |node: &&Node| self.registry.is_closed(&node.kind, tenant);
        if !pipeline.nodes.iter().any(|node| is_closed(&node)) {
            return Ok(());
        }
        let issues = self.type_issues(pipeline, tenant, is_closed);
        refuse(Problem::NodeTypeClosed, issues)
    }

    /// Returns a problem for each node that the tenant cannot execute.
    pub(super) fn unusable_types(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
    ) -> Vec<Issue> {
        let is_unusable = |node: &&Node| self.registry.get(&node.kind, tenant).is_none();
        self.type_issues(pipeline, tenant, is_unusable)
    }

    fn type_issues(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
        is_refused: impl Fn(&&Node) -> bool,
    ) -> Vec<Issue> {
        let nodes = pipeline.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| is_refused(node))
            .map(|(index, node)| {
                let detail = self.type_issue(node, tenant);
                Issue::pointer(format!("/nodes/{index}/type"), detail)
            })
            .collect()
    }

    fn type_issue(&self, node: &Node, tenant: Option<&TenantId>) -> String {
        let (id, kind) = (quote(&node.id), quote(&node.kind));
        let usable = self.usable_types(node, tenant);
        match tenant.filter(|_| self.registry.is_closed(&node.kind, tenant)) {
            Some(tenant) => format!(
                "node {id} has the type {kind}, which is closed to the tenant {tenant}{usable}"
            ),
            None => format!(
                "node {id} has the type {kind}, for which no executor is registered{usable}"
            ),
        }
    }

    /// Returns the type that the node most likely means, or all types that a tenant can use.
    fn usable_types(&self, node: &Node, tenant: Option<&TenantId>) -> String {
        if let Some(near) = nearest(&node.kind, self.registry.kinds(tenant)) {
            return did_you_mean(near);
        }
        if self.registry.get(&node.id, tenant).is_some() {
            let (id, kind) = (quote(&node.id), quote(&node.kind));
            return format!(
                "; {id} is a registered type: in Rust, write node({kind}, {id}), the id first and then the type"
            );
        }
        match self.registry.kinds(tenant).collect::<Vec<_>>() {
            none if none.is_empty() => "; none is registered".to_owned(),
            kinds => format!("; registered: {}", kinds.join(", ")),
        }
    }
}

/// Refuses the nodes that have problems.
fn refuse(problem: Problem, issues: Vec<Issue>) -> Result<()> {
    let Some(first) = issues.first() else {
        return Ok(());
    };
    Err(Error::new(problem, first.detail.clone()).with_issues(issues))
}
