//! The pipelines that callers have found, as long as no commit changes a pipeline.
//!
//! Every trigger finds its pipeline, and does not wait for a reader thread. `group` announces each
//! commit that may change a pipeline, and `pipelines` asks.

use std::sync::Arc;

use parking_lot::RwLock;
use quick_cache::unsync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::definitions::Definition;
use crate::model::{Scope, StoredPipeline};

/// The bytes of the definitions of all pipelines that it remembers, as JSON.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The pipelines of [`Pipelines::find_pipeline`](crate::storage::Pipelines::find_pipeline).
#[derive(Debug)]
pub(super) struct FoundPipelines(RwLock<State>);

#[derive(Debug)]
struct State {
    /// How often it has forgotten all. A read that began before has the state before.
    forget_count: u64,
    /// Whether a commit that changes a pipeline has begun, and its outcome is not known yet.
    is_changing: bool,
    by_name: Cache<Name, Found, Bytes>,
}

/// What a caller has asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    scope: Scope,
    key: String,
}

#[derive(PartialEq, Eq, Hash)]
struct NameRef<'a> {
    scope: &'a Scope,
    key: &'a str,
}

impl Equivalent<Name> for NameRef<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        *self.scope == name.scope && self.key == name.key
    }
}

/// A pipeline with the definition that weighs it.
#[derive(Debug, Clone)]
struct Found {
    pipeline: StoredPipeline,
    definition_bytes: u64,
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Name, Found> for Bytes {
    fn weight(&self, name: &Name, found: &Found) -> u64 {
        found.definition_bytes.saturating_add(name.key.len() as u64)
    }
}

/// The moment at which a read began.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadStart {
    forget_count: u64,
}

/// Nothing is remembered as long as this lives.
#[derive(Debug)]
pub(super) struct PipelineChange(Arc<FoundPipelines>);

impl Default for FoundPipelines {
    fn default() -> Self {
        Self(RwLock::new(State {
            forget_count: 0,
            is_changing: false,
            by_name: Cache::with_weighter(64, BYTES_MAX, Bytes),
        }))
    }
}

impl FoundPipelines {
    /// Returns the pipeline that an earlier read has found, if no commit has changed one since.
    pub(super) fn find(&self, key: &str, scope: &Scope) -> Option<StoredPipeline> {
        let state = self.0.read();
        let found = state.by_name.get(&NameRef { scope, key })?;
        Some(found.pipeline.clone())
    }

    /// Notes the start of a read, before its snapshot.
    pub(super) fn start_read(&self) -> ReadStart {
        ReadStart {
            forget_count: self.0.read().forget_count,
        }
    }

    /// Remembers what a read has found, unless a change began meanwhile.
    pub(super) fn add(
        &self,
        start: ReadStart,
        (key, scope): (String, Scope),
        pipeline: &StoredPipeline,
        definition: &Definition,
    ) {
        let found = Found {
            pipeline: pipeline.clone(),
            definition_bytes: definition.bytes,
        };
        let mut state = self.0.write();
        if !state.is_changing && state.forget_count == start.forget_count {
            state.by_name.insert(Name { scope, key }, found);
        }
    }

    /// Forgets all pipelines. What reads that have begun find is not remembered either.
    pub(super) fn forget(&self) {
        self.0.write().forget();
    }

    /// Forgets all pipelines. The writer calls this before a commit that changes one, and drops the
    /// result once the outcome is known.
    pub(super) fn begin_change(self: &Arc<Self>) -> PipelineChange {
        let mut state = self.0.write();
        state.is_changing = true;
        state.forget();
        drop(state);
        PipelineChange(Arc::clone(self))
    }
}

impl Drop for PipelineChange {
    fn drop(&mut self) {
        let mut state = self.0.0.write();
        state.is_changing = false;
        // A read that began during the commit may have the state before it.
        state.forget();
    }
}

impl State {
    fn forget(&mut self) {
        self.forget_count = self.forget_count.wrapping_add(1);
        self.by_name.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Pipeline, PipelineId, Slug};

    fn daily() -> (StoredPipeline, Definition) {
        let definition = Arc::new(Pipeline::new("daily").node("load", "load"));
        let (id, slug) = (PipelineId::new("daily"), Slug::new("daily"));
        let now = chrono::DateTime::UNIX_EPOCH;
        let stored = StoredPipeline::new(id.unwrap(), slug.unwrap(), Arc::clone(&definition), now);
        (stored, Definition::new(definition, 100).unwrap())
    }

    fn add(found: &FoundPipelines, start: ReadStart) {
        let (pipeline, definition) = daily();
        found.add(
            start,
            ("daily".to_owned(), Scope::All),
            &pipeline,
            &definition,
        );
    }

    fn is_found(found: &FoundPipelines) -> bool {
        found.find("daily", &Scope::All).is_some()
    }

    #[test]
    fn a_read_is_remembered_until_the_next_change() {
        let found = Arc::new(FoundPipelines::default());
        add(&found, found.start_read());
        assert!(is_found(&found));
        assert!(found.find("daily", &Scope::NoTenant).is_none());
        let change = found.begin_change();
        assert!(!is_found(&found));
        drop(change);
        assert!(!is_found(&found));
    }

    #[test]
    fn a_read_beside_a_change_is_not_remembered() {
        let found = Arc::new(FoundPipelines::default());
        let before = found.start_read();
        let change = found.begin_change();
        let during = found.start_read();
        for start in [before, during] {
            add(&found, start);
            assert!(!is_found(&found), "before the change has ended");
        }
        drop(change);
        for start in [before, during] {
            add(&found, start);
            assert!(!is_found(&found), "after the change");
        }
        add(&found, found.start_read());
        assert!(is_found(&found));
    }
}
