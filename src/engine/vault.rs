//! The surroundings of an attempt: templates resolved, connections at hand, and all that was opened for the run known to its mask.
//!
//! Executing the attempt is `attempt`'s; where the mask is laid on, `node`, `checkpoint` and `journal`'s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Shared;
use crate::error::{Error, Result};
use crate::executor::{
    ConnectionSource, Connections, Ctx, ExecutorError, NodeLog, unknown_connection,
};
use crate::model::{
    ConnectionId, Node, Run, Scope, Sealed, StoredConnection, StoredVariable, TenantId,
    VariableKey, VariableValue,
};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::secret::{Connection, Field, Mask, OpenError, Secret};
use crate::template;

/// How long an attempt waits for storage before it fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a run may open: variables and connections of its tenant, and of no tenant where it has none. Clones share the mask.
#[derive(Debug, Clone)]
pub(super) struct Vault {
    shared: Arc<Shared>,
    tenant: Option<TenantId>,
    /// Hides what was opened.
    pub(super) mask: Mask,
}

impl Vault {
    pub(super) fn new(shared: &Arc<Shared>, run: &Run) -> Self {
        Self {
            shared: Arc::clone(shared),
            tenant: run.tenant.clone(),
            mask: Mask::default(),
        }
    }

    /// The surroundings of an attempt, the templates in the node's config resolved.
    ///
    /// # Errors
    /// Which name of which template is unknown, or why a variable cannot be opened; retryable while storage cannot answer.
    pub(super) async fn surroundings(
        &self,
        run: &Run,
        node: &Node,
        attempt: u32,
        log: NodeLog,
    ) -> Result<Ctx, ExecutorError> {
        let mut node = node.clone();
        let vars = self.variables(&node.config).await?;
        let names = template::Names {
            params: &run.params,
            vars: &vars,
            run_id: run.id,
            date: run.date,
        };
        node.config = template::resolve(&node.config, &names)
            .map_err(|error| ExecutorError::permanent(error.to_string()))?;
        let mut ctx = Ctx::new(run.id, run.pipeline_id.clone(), run.date, node);
        ctx.attempt_key = format!("{}.{}", run.first_run, ctx.node.id);
        ctx.params = BTreeMap::clone(&run.params);
        ctx.attempt = attempt;
        ctx.log = log;
        ctx.connections = Connections::Source(Arc::new(self.clone()));
        Ok(ctx)
    }

    /// The variables that a config names; an unknown one is left out.
    async fn variables(
        &self,
        config: &Map<String, Value>,
    ) -> Result<BTreeMap<String, String>, ExecutorError> {
        let mut found = BTreeMap::new();
        for name in template::variables(config) {
            // What is no key is no variable's: the template tells it as unknown.
            let Ok(key) = VariableKey::new(&name) else {
                continue;
            };
            let ask = || self.shared.storage.find_variable(&key, &Scope::All);
            let stored = self.ask("variable", &name, ask).await?;
            let own = stored.filter(|stored| stored.tenant == self.tenant);
            if let Some(stored) = own {
                found.insert(name, self.open_variable(stored)?);
            }
        }
        Ok(found)
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

    /// Asks storage, and repeats that for a while if storage is unavailable.
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
impl ConnectionSource for Vault {
    async fn find(&self, id: &str) -> Result<Connection, ExecutorError> {
        let Ok(key) = ConnectionId::new(id) else {
            return Err(unknown_connection(id));
        };
        let ask = || self.shared.storage.find_connection(&key, &Scope::All);
        let stored = self.ask("connection", id, ask).await?;
        let own = stored.filter(|stored| stored.tenant == self.tenant);
        self.open_connection(own.ok_or_else(|| unknown_connection(id))?)
    }
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
