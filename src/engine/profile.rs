//! Profiles of outputs: of a small one in the task of its node, of a large one on a blocking
//! thread.
//!
//! `redaction` hides secrets in them. `driver` sends them to the journal.

use std::sync::Arc;

use tokio::task::JoinError;

use super::run_context::RunContext;
use super::{checkpoint, redaction};
use crate::clock::millis;
use crate::compute::is_small;
use crate::error::{Error, Result, catch_panic_in, log, trace_causes, trace_panic};
use crate::model::{Dataset, NodeIndex, Profile};

/// The output of a node, with its profile if that was computed with it.
#[derive(Debug)]
pub(super) struct ProfiledOutput {
    pub(super) dataset: Dataset,
    pub(super) profile: ProfileState,
}

/// Whether the profile of an output is still due.
#[derive(Debug)]
pub(super) enum ProfileState {
    /// It was computed, or cannot be: the node has none.
    Settled(Option<Box<Profile>>),
    /// A blocking thread has to compute it.
    Due,
}

/// Why an output has no profile.
pub(super) enum ProfileError {
    /// The profile could not be computed.
    Failed(Error),
    /// The computation panicked or was aborted.
    Aborted(JoinError),
}

impl ProfiledOutput {
    /// Computes the profile of a small output. Leaves that of a large one due.
    pub(super) fn new(context: &RunContext, dataset: Dataset) -> Self {
        let profile = if is_small([&dataset]) {
            ProfileState::Settled(of_small(context, &dataset))
        } else {
            ProfileState::Due
        };
        Self { dataset, profile }
    }

    /// Returns an output that needs no profile.
    pub(super) const fn without_profile(dataset: Dataset) -> Self {
        Self {
            dataset,
            profile: ProfileState::Settled(None),
        }
    }
}

fn of_small(context: &RunContext, dataset: &Dataset) -> Option<Box<Profile>> {
    // The result of a node does not depend on its profile.
    match catch_panic_in(|| compute(context, dataset)) {
        Ok(Ok(profile)) => Some(Box::new(profile)),
        Ok(Err(error)) => {
            ProfileError::Failed(error).log();
            None
        }
        Err(panic) => {
            trace_panic(
                "the computation of a profile panicked; the node has none",
                &panic,
            );
            None
        }
    }
}

/// Computes the profile of a large output on a blocking thread.
///
/// # Errors
/// The output cannot be read, or the computation panicked.
pub(super) async fn of_large(
    context: Arc<RunContext>,
    node_index: NodeIndex,
    dataset: Dataset,
) -> Result<(NodeIndex, Profile)> {
    let shared = Arc::clone(&context.shared);
    let profiled = checkpoint::run_blocking(&shared.compute, move || compute(&context, &dataset));
    Ok((node_index, profiled.await?))
}

fn compute(context: &RunContext, dataset: &Dataset) -> Result<Profile> {
    let shared = &context.shared;
    let started = shared.clock.elapsed();
    let bytes_max = shared.limits.profile_bytes_max;
    let mut profile = redaction::profile(dataset, &context.secrets.mask, bytes_max)?;
    profile.profiling_ms = millis(shared.clock.elapsed().saturating_sub(started));
    Ok(profile)
}

impl ProfileError {
    pub(super) fn log(&self) {
        match self {
            Self::Failed(error) => {
                log::error!(%error, "a profile could not be computed; the node has none");
                trace_causes(error);
            }
            Self::Aborted(error) => {
                log::error!(%error, "the computation of a profile panicked or was aborted; the node has none");
            }
        }
    }
}
