//! The notifier that calls the hooks of pipelines.
//!
//! It is a notifier as any other: `delivery` decides when an event is delivered, and retries it.
//! `receivers` remembers which receivers do not answer. `engine/hooks` checks and seals hooks when
//! a pipeline is saved.

mod receivers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::receivers::{Place, Receivers};
use crate::clock::Clock;
use crate::error::trace_causes;
use crate::model::{Event, Hook, HookMoment, HookSecret, Run, Scope};
use crate::notifier::{HookClient, Notifier, NotifierError, RetrySchedule};
use crate::secret::{Field, Keyring, Secret};
use crate::storage::Storage;

/// How long a request that fails may take before its receiver counts as silent. 5 s: a receiver
/// that refuses does so at once.
const SILENCE: Duration = Duration::from_secs(5);

/// Calls the hooks of the definition that a run executes.
#[derive(Debug)]
pub(crate) struct HookNotifier {
    storage: Arc<dyn Storage>,
    keyring: Keyring,
    client: HookClient,
    clock: Clock,
    receivers: Receivers,
}

impl HookNotifier {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        keyring: Keyring,
        client: HookClient,
        clock: Clock,
    ) -> Self {
        Self {
            storage,
            keyring,
            client,
            clock,
            receivers: Receivers::default(),
        }
    }

    /// Opens the secret of a hook.
    fn open(
        &self,
        run: &Run,
        moment: HookMoment,
        secret: &HookSecret,
    ) -> Result<Secret<String>, NotifierError> {
        let name = moment.field();
        let sealed = secret.form().err().ok_or_else(|| {
            NotifierError::permanent(format!(
                "the secret of the hook {name} is not sealed; save the pipeline again"
            ))
        })?;
        let field = Field::hook(run.tenant.as_ref(), &run.pipeline_id, moment);
        let opened = self.keyring.open(sealed, field);
        opened.map_err(|error| {
            NotifierError::permanent(format!(
                "the secret of the hook {name} cannot be opened: {error}"
            ))
        })
    }

    async fn call(
        &self,
        run: &Run,
        (moment, hook): (HookMoment, &Hook),
        event: &Event,
    ) -> Result<(), NotifierError> {
        let secret = hook.secret.as_ref();
        let secret = secret.map(|secret| self.open(run, moment, secret));
        let secret = secret.transpose()?;
        let begun_at = self.clock.elapsed();
        let place = Place {
            host: self.client.host(&hook.url),
            url: hook.url.clone(),
        };
        let request = self.receivers.admit(place, event.seq, begun_at)?;
        let sent = self.client.send(&hook.url, secret.as_ref(), event).await;
        let now = self.clock.elapsed();
        match &sent {
            Ok(()) => request.succeeded(),
            Err(error) if error.is_gone() => request.gone(event.seq),
            Err(_) if now.saturating_sub(begun_at) >= SILENCE => request.silent(now),
            Err(_) => request.refused(),
        }
        // It disables this receiver, not the hooks of all pipelines.
        sent.map_err(|error| match error.is_gone() {
            true => NotifierError::permanent(error.message()),
            false => error,
        })
    }
}

#[async_trait]
impl Notifier for HookNotifier {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        let Some(moment) = HookMoment::of(event.kind) else {
            return Ok(());
        };
        let found = self.storage.find_run(event.run_id, &Scope::All).await;
        let found = found.map_err(|error| {
            trace_causes(&error);
            let message = format!("the run cannot be read: {error}");
            if error.kind().is_transient() {
                NotifierError::retryable(message)
            } else {
                NotifierError::permanent(message)
            }
        })?;
        // A purge leaves no run whose event is not delivered, unless it was dead.
        let Some(found) = found else {
            return Ok(());
        };
        match found.definition.hooks.get(moment) {
            Some(hook) => self.call(&found.run, (moment, hook), event).await,
            None => Ok(()),
        }
    }

    fn wants(&self, event: &Event) -> bool {
        HookMoment::of(event.kind).is_some()
    }

    fn retries(&self) -> RetrySchedule {
        RetrySchedule::standard_webhooks()
    }
}
