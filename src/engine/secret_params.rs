//! The secret parameters of new runs: seals those that a definition makes secret, and opens them
//! for the nodes of a run and for the runs that repeat it.
//!
//! `graph/param_defs` checks parameters before they are sealed.

use std::collections::BTreeMap;

use super::Shared;
use crate::error::{Error, Issue, Problem, Result, quote, reference_token};
use crate::model::{MASKED, ParamDef, Params, Pipeline, PipelineId, Run, TenantId};
use crate::secret::{Field, Mask, OpenError, Secret};

/// The pipeline whose runs may have a secret. Another one cannot open it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) tenant: Option<&'a TenantId>,
    pub(super) pipeline: &'a PipelineId,
}

impl<'a> Owner<'a> {
    pub(super) const fn of(run: &'a Run) -> Self {
        Self {
            tenant: run.tenant.as_ref(),
            pipeline: &run.pipeline_id,
        }
    }

    pub(super) fn field(self, name: &'a str) -> Field<'a> {
        Field {
            noun: "parameter",
            tenant: self.tenant,
            id: self.pipeline.as_str(),
            name,
        }
    }
}

/// A secret parameter that no key of the host opens.
#[derive(Debug, thiserror::Error)]
#[error("the parameter {} cannot be opened: {error}", quote(.name))]
pub(super) struct UnopenedParam {
    name: String,
    error: OpenError,
}

impl UnopenedParam {
    /// Returns the refusal of a run that would have this parameter of an earlier run.
    fn into_refusal(self) -> Error {
        let at = format!("/params/{}", reference_token(&self.name));
        let detail = format!("{self}; or give it a value again");
        Error::invalid(Problem::ParamInvalid, vec![Issue::pointer(at, detail)])
    }
}

/// Sets parameters over those of an earlier run. The mask of a secret stands for the one that the
/// run has.
pub(super) fn override_params(params: &mut Params, given: BTreeMap<String, String>) {
    for (name, text) in given {
        if text != MASKED || !params.is_secret(&name) {
            params.insert(name, text);
        }
    }
}

impl Shared {
    /// Seals the texts that are secret by the definition, and those that were secret in `given`: a
    /// run that repeats another one reveals nothing, whatever its definition says.
    ///
    /// # Errors
    /// `Conflict` (`encryption-key-missing`).
    pub(super) fn seal_params(
        &self,
        definition: &Pipeline,
        owner: Owner<'_>,
        texts: BTreeMap<String, String>,
        given: &Params,
    ) -> Result<Params> {
        let by_definition = definition.param_defs.iter().filter(|def| def.secret);
        let by_definition = by_definition.map(|def| def.name.as_str());
        let given = given.sealed().map(|(name, _)| name);
        let mut sealed = BTreeMap::new();
        for name in by_definition.chain(given) {
            if let Some(text) = texts.get(name) {
                let secret = Secret::new(text.clone());
                sealed.insert(name, self.keyring.seal(&secret, owner.field(name))?);
            }
        }
        let mut params = Params::from(texts);
        for (name, sealed) in sealed {
            params.insert_sealed(name, sealed);
        }
        Ok(params)
    }

    /// Returns the parameters of a run with the texts of the secret ones, which stay marked as
    /// secret. The mask hides them from now on.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub(super) fn open_params(
        &self,
        params: &Params,
        owner: Owner<'_>,
        mask: &Mask,
    ) -> std::result::Result<Params, UnopenedParam> {
        let mut opened = params.clone();
        for (name, sealed) in params.sealed() {
            let secret = self.keyring.open(sealed, owner.field(name));
            let secret = secret.map_err(|error| UnopenedParam {
                name: name.to_owned(),
                error,
            })?;
            mask.add(secret.expose());
            opened.set_text(name, secret.expose());
        }
        Ok(opened)
    }

    /// Returns the parameters of an earlier run with those that the caller gives over them, for a
    /// run that repeats it. The caller's replace secrets that cannot be opened. Those that
    /// `current` makes secret are secret, whichever definition the run executes.
    ///
    /// # Errors
    /// `Invalid` (`param-invalid`) if a secret that the caller does not replace cannot be opened,
    /// and `Conflict` (`encryption-key-missing`).
    pub(super) fn repeated_params(
        &self,
        old: &Run,
        given: BTreeMap<String, String>,
        current: &[ParamDef],
    ) -> Result<Params> {
        let mut params = old.params.clone();
        override_params(&mut params, given);
        let opened = self.open_params(&params, Owner::of(old), &Mask::default());
        let mut params = opened.map_err(UnopenedParam::into_refusal)?;
        for def in current.iter().filter(|def| def.secret) {
            let text = params.get(&def.name).map(str::to_owned);
            if let Some(text) = text.filter(|_| !params.is_secret(&def.name)) {
                let secret = Secret::new(text.clone());
                let sealed = self
                    .keyring
                    .seal(&secret, Owner::of(old).field(&def.name))?;
                params.insert_sealed(&*def.name, sealed);
                params.set_text(&*def.name, text);
            }
        }
        Ok(params)
    }
}
