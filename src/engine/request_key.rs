//! The idempotency key of a request with the hash of its body, by which a repeat is recognized.
//!
//! `secret_params` seals the parameters that a hash conceals.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Shared;
use crate::error::Result;
use crate::model::{Pipeline, Scope};
use crate::storage::{IdempotencyKey, IdempotentOperation, RunDetail};

/// A caller's idempotency key with the hash of the request body.
#[derive(Debug, Clone)]
pub(crate) struct RequestKey {
    pub(crate) key: String,
    pub(crate) body_hash: [u8; 32],
}

/// Returns the SHA-256 of a parsed body.
///
/// Equal values have equal hashes: the order of keys and the whitespace do not matter.
pub(crate) fn hash_body(body: &Value) -> [u8; 32] {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let in_order: BTreeMap<_, _> = map.iter().collect();
                Value::Object(
                    in_order
                        .into_iter()
                        .map(|(key, value)| (key.clone(), sorted(value)))
                        .collect(),
                )
            }
            Value::Array(values) => values.iter().map(sorted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    Sha256::digest(sorted(body).to_string()).into()
}

impl RequestKey {
    /// Binds the key to an object that the path names and the body does not.
    pub(super) fn about(self, object: &impl fmt::Display) -> Self {
        let own = Sha256::new_with_prefix(self.body_hash);
        let body_hash = own.chain_update(object.to_string()).finalize().into();
        Self { body_hash, ..self }
    }

    pub(super) fn for_operation(self, operation: IdempotentOperation) -> IdempotencyKey {
        IdempotencyKey::new(operation, self.key, self.body_hash)
    }
}

/// Returns whether a definition makes one of these parameters secret.
pub(super) fn has_secret<'a>(
    definition: &Pipeline,
    mut names: impl Iterator<Item = &'a str>,
) -> bool {
    let is_secret = |name| {
        let mut defs = definition.param_defs.iter();
        defs.any(|def| def.secret && def.name == name)
    };
    names.any(is_secret)
}

impl Shared {
    /// Makes the hash of a request useless for trying secrets against it, if the request has one:
    /// the hash depends on the key of the host.
    pub(super) fn conceal(&self, key: RequestKey, has_secret: bool) -> RequestKey {
        if !has_secret {
            return key;
        }
        RequestKey {
            body_hash: self.keyring.conceal(key.body_hash),
            ..key
        }
    }

    /// Conceals a request that repeats a run, if it gives a parameter that is secret in the run, in
    /// the definition of the run or in the current one.
    pub(super) async fn conceal_repeat(
        &self,
        key: RequestKey,
        old: &RunDetail,
        given: &BTreeMap<String, String>,
    ) -> Result<RequestKey> {
        if given.is_empty() {
            return Ok(key);
        }
        let scope = &Scope::of(old.run.tenant.as_ref());
        let id = old.run.pipeline_id.as_str();
        let current = self.storage.find_pipeline(id, scope).await?;
        let names = || given.keys().map(String::as_str);
        let is_secret = names().any(|name| old.run.params.is_secret(name))
            || has_secret(&old.definition, names())
            || current.is_some_and(|current| has_secret(&current.definition, names()));
        Ok(self.conceal(key, is_secret))
    }
}
