//! Checks the parameters of new runs against the definitions of their pipelines.
//!
//! `graph/param_defs` has the rules. `trigger`, `dry_run`, `backfill` and `resume` ask before they
//! create a run. A tick cannot be refused: `prepare` asks before its run starts.

use std::collections::BTreeMap;

use super::Shared;
use crate::error::{Problem, Result};
use crate::graph::issues::Issues;
use crate::graph::param_defs;
use crate::model::{Params, Pipeline, Run, Trigger};

impl Shared {
    /// Returns what is wrong with the parameters of a run. The values of those that are secret in
    /// `secrets` are not shown.
    pub(super) fn param_issues(
        &self,
        pipeline: &Pipeline,
        params: &BTreeMap<String, String>,
        secrets: &Params,
    ) -> Issues {
        let mut issues = Issues::default();
        let defs = &pipeline.param_defs;
        param_defs::check(defs, params, secrets, &self.patterns, &mut issues);
        issues
    }

    /// Refuses a run whose parameters do not fit the definitions of its pipeline.
    ///
    /// # Errors
    /// `Invalid` (`param-invalid`) with every such parameter.
    pub(super) fn refuse_unfit_params(
        &self,
        pipeline: &Pipeline,
        params: &BTreeMap<String, String>,
        secrets: &Params,
    ) -> Result<()> {
        self.param_issues(pipeline, params, secrets)
            .into_result(Problem::ParamInvalid)
    }

    /// Refuses to start a run of a tick whose parameters do not fit.
    ///
    /// A save makes sure that they do, unless storage has a definition that no save has checked.
    ///
    /// # Errors
    /// `Invalid` (`param-invalid`).
    pub(super) fn refuse_unfit_tick(&self, pipeline: &Pipeline, run: &Run) -> Result<()> {
        let is_tick = matches!(run.trigger, Trigger::Schedule | Trigger::Catchup);
        if !is_tick || pipeline.param_defs.is_empty() {
            return Ok(());
        }
        self.refuse_unfit_params(pipeline, &run.params.to_map(), &run.params)
    }
}
