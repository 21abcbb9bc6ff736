//! Checks what storage holds: whether the pipelines can run, and whether the keys open the secrets.
//!
//! It changes nothing. `pipelines` finds the errors of one definition.

use std::fmt;

use super::secret_params::Owner;
use super::{Engine, Shared};
use crate::error::{Issue, IssueLocation, Result, quote};
use crate::model::{
    Page, PageRequest, Run, RunStatus, Scope, Sealed, StoredConnection, StoredPipeline,
    StoredVariable, TenantId, VariableValue,
};
use crate::secret::Field;
use crate::storage::{ConnectionFilter, PipelineFilter, RunFilter, VariableFilter};

/// What is wrong with an object that is stored, from [`Builder::check`](crate::Builder::check). It
/// displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The object: its kind and its id, such as `pipeline daily`, with its tenant if it has one.
    pub subject: String,
    /// What is wrong. It contains no secret.
    pub detail: String,
}

impl Finding {
    fn new(noun: &str, id: &str, tenant: Option<&TenantId>, detail: String) -> Self {
        let subject = match tenant {
            Some(tenant) => format!("{noun} {id} of the tenant {tenant}"),
            None => format!("{noun} {id}"),
        };
        Self { subject, detail }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.detail)
    }
}

/// Which runs a check reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckedRuns {
    All,
    Unfinished,
}

impl Engine {
    /// Returns what is wrong with stored pipelines, their secrets, those of connections, variables
    /// and runs, and whether rows are unreadable.
    ///
    /// # Errors
    /// Any error of storage.
    pub(crate) async fn check_stored(
        &self,
        scope: &Scope,
        runs: CheckedRuns,
    ) -> Result<Vec<Finding>> {
        let (shared, storage) = (&self.0, &self.0.storage);
        let mut found = Vec::new();
        let filter = || PipelineFilter {
            scope: scope.clone(),
            ..PipelineFilter::default()
        };
        let pipelines = |page| storage.list_pipelines(filter(), page);
        let check = |stored| found.extend(shared.pipeline_findings(&stored));
        visit_all(pipelines, check).await?;
        let filter = || ConnectionFilter {
            scope: scope.clone(),
            ..ConnectionFilter::default()
        };
        let connections = |page| storage.list_connections(filter(), page);
        let check = |stored| found.extend(shared.connection_findings(&stored));
        visit_all(connections, check).await?;
        let filter = || VariableFilter {
            scope: scope.clone(),
            ..VariableFilter::default()
        };
        let variables = |page| storage.list_variables(filter(), page);
        let check = |stored| found.extend(shared.variable_finding(&stored));
        visit_all(variables, check).await?;
        found.extend(shared.runs_findings(scope, runs).await?);
        let count = storage.stats(scope).await?.unreadable_count;
        if count > 0 {
            let detail = format!("{count} rows cannot be read; the log names each of them");
            found.push(Finding::new("the", "storage", None, detail));
        }
        Ok(found)
    }
}

/// Reads a list page by page, and visits each item.
async fn visit_all<T, F>(list: impl Fn(PageRequest) -> F, mut visit: impl FnMut(T)) -> Result<()>
where
    F: Future<Output = Result<Page<T>>>,
{
    let mut cursor = None;
    loop {
        let limit = PageRequest::SIZE_MAX;
        let page = list(PageRequest::After { cursor, limit }).await?;
        page.items.into_iter().for_each(&mut visit);
        if page.next.is_none() {
            return Ok(());
        }
        cursor = page.next;
    }
}

impl Shared {
    fn pipeline_findings(&self, stored: &StoredPipeline) -> Vec<Finding> {
        let tenant = stored.tenant.as_ref();
        let finding = |issue: Issue| {
            let detail = match issue.location {
                IssueLocation::Pointer(pointer) if !pointer.is_empty() => {
                    format!("at {pointer}: {}", issue.detail)
                }
                IssueLocation::Pointer(_) | IssueLocation::Parameter(_) => issue.detail,
            };
            Finding::new("pipeline", stored.id.as_str(), tenant, detail)
        };
        let errors = self.definition_errors(stored);
        let mut found: Vec<_> = errors.into_iter().map(finding).collect();
        for (moment, error) in self.unopened_hooks(&stored.definition, tenant, &stored.id) {
            let name = moment.field();
            let detail = format!("the secret of the hook {name} cannot be opened: {error}");
            found.push(Finding::new("pipeline", stored.id.as_str(), tenant, detail));
        }
        found
    }

    fn connection_findings(&self, stored: &StoredConnection) -> Vec<Finding> {
        let (fields, tenant) = (&stored.fields, stored.tenant.as_ref());
        let secrets = [("password", &fields.password), ("extra", &fields.extra)];
        let check = |(name, sealed): (_, &Option<Sealed>)| {
            let field = Field {
                noun: "connection",
                tenant,
                id: stored.id.as_str(),
                name,
            };
            self.secret_finding(sealed.as_ref()?, field)
        };
        secrets.into_iter().filter_map(check).collect()
    }

    /// Finds what the runs could not open: each unfinished run, which will fail, and how many
    /// finished ones, which cannot be repeated as they were.
    async fn runs_findings(&self, scope: &Scope, runs: CheckedRuns) -> Result<Vec<Finding>> {
        let statuses = match runs {
            CheckedRuns::All => Vec::new(),
            CheckedRuns::Unfinished => vec![RunStatus::Pending, RunStatus::Running],
        };
        let filter = || RunFilter {
            scope: scope.clone(),
            statuses: statuses.clone(),
            ..RunFilter::default()
        };
        let (mut found, mut finished) = (Vec::new(), (0_u64, None));
        let check = |run: Run| match self.run_findings(&run) {
            unopened if run.status.is_terminal() => {
                if !unopened.is_empty() {
                    finished = (finished.0.saturating_add(1), Some(run.id));
                }
            }
            unopened => found.extend(unopened),
        };
        visit_all(|page| self.storage.list_runs(filter(), page), check).await?;
        if let (count, Some(last)) = finished {
            let detail = format!(
                "no key opens the parameters of {count} of them, such as run {last}: a resume or rerun of these needs the values again"
            );
            found.push(Finding::new("the", "finished runs", None, detail));
        }
        Ok(found)
    }

    fn run_findings(&self, run: &Run) -> Vec<Finding> {
        let (id, owner) = (run.id.to_string(), Owner::of(run));
        let check = |(name, sealed)| {
            let error = self.keyring.open(sealed, owner.field(name)).err()?;
            let detail = format!("the parameter {} cannot be opened: {error}", quote(name));
            Some(Finding::new("run", &id, run.tenant.as_ref(), detail))
        };
        run.params.sealed().filter_map(check).collect()
    }

    fn variable_finding(&self, stored: &StoredVariable) -> Option<Finding> {
        let VariableValue::Secret(sealed) = &stored.fields.value else {
            return None;
        };
        let field = Field {
            noun: "variable",
            tenant: stored.tenant.as_ref(),
            id: stored.key.as_str(),
            name: "value",
        };
        self.secret_finding(sealed, field)
    }

    fn secret_finding(&self, sealed: &Sealed, field: Field<'_>) -> Option<Finding> {
        let error = self.keyring.open(sealed, field).err()?;
        let Field {
            noun,
            id,
            name,
            tenant,
        } = field;
        let detail = format!("the {name} cannot be opened: {error}");
        Some(Finding::new(noun, id, tenant, detail))
    }
}
