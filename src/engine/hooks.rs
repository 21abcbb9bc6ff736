//! The hooks of a definition that is saved: checks where they lead, seals their secrets, and wakes
//! the notifier that calls them.
//!
//! The module `hooks` calls them.

use chrono::{DateTime, Utc};

use super::Shared;
use crate::error::{Error, Issue, Problem, Result};
use crate::graph::issues::Issues;
use crate::model::{HookMoment, HookSecret, Hooks, MASKED, Pipeline, PipelineId, TenantId};
use crate::notifier::Awakening;
use crate::secret::{Field, OpenError, Secret};
use crate::storage::{ClaimCursors, CursorClaimKind};

/// Refuses a mask where no secret is stored that it could stand for.
///
/// # Errors
/// `Invalid` (`invalid-field`).
pub(super) fn refuse_masks(hooks: &Hooks, stored: &Hooks) -> Result<()> {
    let mut issues = Vec::new();
    for (moment, hook) in hooks.each() {
        let is_mask = hook.secret.as_ref().is_some_and(HookSecret::is_mask);
        if is_mask && stored_secret(stored, moment).is_none() {
            issues.push(Issue::pointer(
                at_secret(moment),
                format!("{MASKED} stands for the stored secret, but none is stored yet"),
            ));
        }
    }
    if issues.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(Problem::InvalidField, issues))
}

/// Refuses a definition of the code with a secret that only storage has: a mask, or a sealed one.
///
/// # Errors
/// `Invalid` (`invalid-field`).
pub(super) fn refuse_stored_secrets(hooks: &Hooks) -> Result<()> {
    refuse_masks(hooks, &Hooks::default())?;
    for (moment, hook) in hooks.each() {
        if hook.secret.as_ref().is_some_and(|it| it.form().is_err()) {
            let detail = "a secret must be whsec_ followed by base64 of 24 to 64 bytes";
            let issues = vec![Issue::pointer(at_secret(moment), detail)];
            return Err(Error::invalid(Problem::InvalidField, issues));
        }
    }
    Ok(())
}

fn stored_secret(stored: &Hooks, moment: HookMoment) -> Option<&HookSecret> {
    stored.get(moment)?.secret.as_ref()
}

fn at_secret(moment: HookMoment) -> String {
    format!("/hooks/{}/secret", moment.field())
}

impl Shared {
    /// Adds an issue for each hook whose URL is not allowed or whose secret cannot sign.
    #[cfg(feature = "webhook")]
    pub(super) fn check_hooks(&self, hooks: &Hooks, issues: &mut Issues) {
        use crate::notifier::HookClient;

        for (moment, hook) in hooks.each() {
            let at = format!("/hooks/{}/url", moment.field());
            for fault in self.hook_client.url_faults(&hook.url) {
                issues.push(&at, || fault);
            }
            let given = hook.secret.as_ref().filter(|secret| !secret.is_mask());
            let given = given.and_then(|secret| secret.form().ok());
            if let Some(fault) = given.and_then(|text| HookClient::secret_fault(text)) {
                issues.push(&at_secret(moment), || fault.to_owned());
            }
        }
    }

    /// Adds an issue for the hooks, which this build cannot call.
    #[cfg(not(feature = "webhook"))]
    #[expect(
        clippy::unused_self,
        reason = "with the feature, the host decides which URLs are allowed"
    )]
    pub(super) fn check_hooks(&self, hooks: &Hooks, issues: &mut Issues) {
        if !hooks.is_empty() {
            issues.push("/hooks", || {
                "hooks need the feature webhook of Floret, which this host does not have".to_owned()
            });
        }
    }

    /// Seals each secret that is given, and puts the stored one where a mask stands for it.
    ///
    /// A secret that is given again is sealed alike, so that the definition stays the same.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) for a mask without a stored secret; `Conflict`
    /// (`encryption-key-missing`).
    pub(super) fn seal_hooks(
        &self,
        pipeline: &mut Pipeline,
        tenant: Option<&TenantId>,
        id: &PipelineId,
        stored: &Hooks,
    ) -> Result<()> {
        refuse_masks(&pipeline.hooks, stored)?;
        for moment in HookMoment::ALL {
            let hook = pipeline.hooks.get_mut(moment);
            let Some(secret) = hook.and_then(|hook| hook.secret.as_mut()) else {
                continue;
            };
            if secret.is_mask() {
                if let Some(stored) = stored_secret(stored, moment) {
                    *secret = stored.clone();
                }
            } else if let Ok(text) = secret.form() {
                let (given, field) = (Secret::new(text.clone()), Field::hook(tenant, id, moment));
                *secret = HookSecret::sealed(self.keyring.seal_alike(&given, field)?);
            }
        }
        Ok(())
    }

    /// Returns the hooks of a pipeline whose secrets no key of the host opens, and why.
    pub(super) fn unopened_hooks(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
        id: &PipelineId,
    ) -> Vec<(HookMoment, OpenError)> {
        let mut unopened = Vec::new();
        for (moment, hook) in pipeline.hooks.each() {
            let secret = hook.secret.as_ref().map(HookSecret::form);
            if let Some(Err(sealed)) = secret
                && let Err(error) = self.keyring.open(sealed, Field::hook(tenant, id, moment))
            {
                unopened.push((moment, error));
            }
        }
        unopened
    }

    /// Warns of the hooks of a pipeline whose secrets no key of the host opens: their deliveries
    /// will fail.
    pub(super) fn unopened_warnings(
        &self,
        pipeline: &Pipeline,
        tenant: Option<&TenantId>,
        id: &PipelineId,
    ) -> Vec<Issue> {
        let unopened = self.unopened_hooks(pipeline, tenant, id).into_iter();
        let warning = |(moment, error)| {
            let detail = format!(
                "the secret that is stored cannot be opened: {error}; until it is saved again, the hook calls nobody"
            );
            Issue::pointer(at_secret(moment), detail)
        };
        unopened.map(warning).collect()
    }

    /// Wakes the notifier of hooks, if a definition has any. Its cursor is stored before: it gets
    /// every event from then on.
    ///
    /// # Errors
    /// Any error of storage.
    pub(super) async fn wake_hooks(&self, hooks: &Hooks) -> Result<()> {
        // Without a worker, its cursor would keep purges from what it has not read.
        let has_notifier = cfg!(feature = "webhook");
        if !has_notifier || hooks.is_empty() || self.hooks.is_awake() {
            return Ok(());
        }
        let names = vec![Awakening::HOOKS.to_owned()];
        let mut claim = ClaimCursors::new(names, DateTime::<Utc>::MIN_UTC, self.clock.now());
        claim.kind = CursorClaimKind::Renewal;
        self.storage.claim_cursors(claim).await?;
        self.hooks.wake();
        Ok(())
    }
}
