//! Resolves the templates, variables and connections of a run, and masks the secrets it opens.
//!
//! Executing the attempt is left to `attempt`. The mask is applied by `node`, `checkpoint` and
//! `journal`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Shared;
use super::secret_params::Owner;
use crate::error::{Error, Result};
use crate::executor::{
    ConnectionSource, Connections, Ctx, ExecutorError, NodeLog, unknown_connection,
};
use crate::limits::Limits;
use crate::model::{
    ConnectionId, Node, Run, Scope, Sealed, StoredConnection, StoredVariable, TenantId,
    VariableKey, VariableValue,
};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::secret::{Connection, Field, Mask, OpenError, Secret};
use crate::template;

/// How long an attempt waits for storage before it fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the variables and connections that a run may use: those of its own tenant.
///
/// A run without a tenant may use those without a tenant. Clones share the mask.
#[derive(Debug, Clone)]
pub(super) struct SecretResolver {
    shared: Arc<Shared>,
    tenant: Option<TenantId>,
    /// Masks every secret that was opened for the run.
    pub(super) mask: Mask,
}

impl SecretResolver {
    pub(super) fn new(shared: &Arc<Shared>, run: &Run) -> Self {
        Self {
            shared: Arc::clone(shared),
            tenant: run.tenant.clone(),
            mask: Mask::default(),
        }
    }

    /// Builds the context of an attempt, with the templates in the node's config resolved.
    ///
    /// # Errors
    /// A permanent error when a template has an unknown name, or a variable or a parameter cannot
    /// be opened. A retryable error while storage is unavailable.
    pub(super) async fn build_ctx(
        &self,
        run: &Run,
        node: &Node,
        attempt: u32,
        log: NodeLog,
    ) -> Result<Ctx, ExecutorError> {
        let mut node = node.clone();
        let params = self
            .shared
            .open_params(&run.params, Owner::of(run), &self.mask)
            .map_err(|error| ExecutorError::permanent(error.to_string()))?;
        let vars = self.variables(&node.config).await?;
        let bindings = template::Bindings {
            params: &params,
            ..template::Bindings::of(run, &vars)
        };
        node.config = template::resolve(&node.config, &bindings)
            .map_err(|error| ExecutorError::permanent(error.to_string()))?;
        let mut ctx = Ctx::new(run.id, run.pipeline_id.clone(), run.date, node);
        ctx.tenant.clone_from(&run.tenant);
        ctx.scheduled_at = run.instant();
        ctx.params = params;
        ctx.compute = self.shared.compute.clone();
        ctx.dataset_limits = self.shared.limits.dataset;
        ctx.attempt = attempt;
        ctx.log = log;
        ctx.connections = Connections::Source(Arc::new(self.clone()));
        Ok(ctx)
    }

    /// Returns the variables that a config names, without unknown ones.
    async fn variables(
        &self,
        config: &Map<String, Value>,
    ) -> Result<BTreeMap<String, String>, ExecutorError> {
        let names = template::variables(config);
        if let Some(detail) = variables_excess(names.len(), &self.shared.limits) {
            return Err(ExecutorError::permanent(detail));
        }
        // A name that is no valid key has no variable: the template reports it as unknown.
        let keys = names.iter().filter_map(|name| VariableKey::new(name).ok());
        let keys: Vec<_> = keys.collect();
        let Some(first) = keys.first() else {
            return Ok(BTreeMap::new());
        };
        let own = Scope::of(self.tenant.as_ref());
        let ask = || self.shared.storage.find_variables(&keys, &own);
        let stored = self.ask("variable", first.as_str(), ask).await?;
        let opened = stored.into_iter().map(|stored| {
            let name = stored.key.as_str().to_owned();
            Ok((name, self.open_variable(stored)?))
        });
        opened.collect()
    }

    fn open_variable(&self, stored: StoredVariable) -> Result<String, ExecutorError> {
        let sealed = match stored.fields.value {
            VariableValue::Plain(text) => return Ok(text),
            VariableValue::Secret(sealed) => sealed,
        };
        let field = Field {
            noun: "variable",
            tenant: self.tenant.as_ref(),
            id: stored.key.as_str(),
            name: "value",
        };
        let text = self.open(&sealed, field)?;
        Ok(text.expose().clone())
    }

    fn open_connection(&self, stored: StoredConnection) -> Result<Connection, ExecutorError> {
        let open = |sealed: Option<Sealed>, name| {
            let field = Field {
                noun: "connection",
                tenant: self.tenant.as_ref(),
                id: stored.id.as_str(),
                name,
            };
            sealed.map(|sealed| self.open(&sealed, field)).transpose()
        };
        let fields = stored.fields;
        let mut connection = Connection::new(stored.id.clone(), fields.kind);
        connection.password = open(fields.password, "password")?;
        connection.extra = open(fields.extra, "extra")?;
        if let Some(extra) = connection.extra_json() {
            self.mask.add_value(extra.expose());
        }
        connection.description = fields.description;
        connection.host = fields.host;
        connection.port = fields.port;
        connection.schema = fields.schema;
        connection.login = fields.login;
        Ok(connection)
    }

    fn open(&self, sealed: &Sealed, field: Field<'_>) -> Result<Secret<String>, ExecutorError> {
        let opened = self.shared.keyring.open(sealed, field);
        let secret = opened.map_err(|error| cannot_open(field, &error))?;
        self.mask.add(secret.expose());
        Ok(secret)
    }

    /// Reads from storage, and retries for a while when storage is unavailable.
    async fn ask<T, F>(
        &self,
        noun: &str,
        id: &str,
        ask: impl Fn() -> F + Send,
    ) -> Result<T, ExecutorError>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let (clock, stop) = (&self.shared.clock, &self.shared.stop);
        // Bounded, since the attempt holds a slot; its retries are the node's.
        let stop = async {
            tokio::select! {
                () = clock.sleep(PATIENCE) => {}
                () = stop.cancelled() => {}
            }
        };
        let answer = retry_while_unavailable(clock, Backoff::STANDARD, stop, ask).await;
        answer.map_err(|unanswered| match unanswered {
            RetryError::Permanent(error) | RetryError::Stopped(error) => {
                cannot_find(noun, id, &error)
            }
        })
    }
}

#[async_trait]
impl ConnectionSource for SecretResolver {
    async fn find(&self, id: &str) -> Result<Connection, ExecutorError> {
        let Ok(key) = ConnectionId::new(id) else {
            return Err(unknown_connection(id));
        };
        let own = Scope::of(self.tenant.as_ref());
        let ask = || self.shared.storage.find_connection(&key, &own);
        let stored = self.ask("connection", id, ask).await?;
        self.open_connection(stored.ok_or_else(|| unknown_connection(id))?)
    }
}

/// Returns what is wrong with a config that names this many variables.
pub(super) fn variables_excess(count: usize, limits: &Limits) -> Option<String> {
    let max = limits.variables_max;
    (count > max).then(|| format!("a config names at most {max} variables, this one {count}"))
}

fn cannot_find(noun: &str, id: &str, error: &Error) -> ExecutorError {
    let message = format!("the {noun} {id} could not be read: {error}");
    if error.kind().is_transient() {
        ExecutorError::retryable(message)
    } else {
        ExecutorError::permanent(message)
    }
}

fn cannot_open(field: Field<'_>, error: &OpenError) -> ExecutorError {
    let Field { noun, id, name, .. } = field;
    ExecutorError::permanent(format!(
        "the {name} of the {noun} {id} cannot be opened: {error}"
    ))
}
