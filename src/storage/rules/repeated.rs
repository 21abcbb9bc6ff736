//! Which runs of a backfill have succeeded since: themselves, a resume, or a rerun, whatever came
//! between.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Run, RunId, RunStatus};

/// Returns those of some runs from which a successful run descends. `runs` has all that were
/// created since, in the order of their ids.
pub(in crate::storage) fn succeeded_since<'a>(
    repeated: impl IntoIterator<Item = RunId>,
    runs: impl IntoIterator<Item = &'a Run>,
) -> BTreeSet<RunId> {
    let mut origins: BTreeMap<RunId, RunId> = repeated.into_iter().map(|id| (id, id)).collect();
    let mut succeeded = BTreeSet::new();
    for run in runs {
        let of = |id: &RunId| origins.get(id).copied();
        let origin = of(&run.id).or_else(|| of(&run.first_run));
        let Some(origin) = origin.or_else(|| of(run.rerun_of.as_ref()?)) else {
            continue;
        };
        origins.insert(run.id, origin);
        if run.status == RunStatus::Success {
            succeeded.insert(origin);
        }
    }
    succeeded
}
