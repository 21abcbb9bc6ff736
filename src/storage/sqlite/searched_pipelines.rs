//! The texts of all pipelines in memory, folded and in the order of lists.
//!
//! `search_cache` decides how long they are kept, and `pipeline_search` reads and seeks them.

use super::naming::tenant_text;
use super::values::millis;
use crate::model::{FoldedTexts, PipelineId, Scope, SearchText, StoredPipeline, TenantId};

/// A pipeline as a search sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SearchedPipeline {
    pub(super) key: i64,
    pub(super) created_at: i64,
    pub(super) id: PipelineId,
    pub(super) tenant: Option<TenantId>,
    pub(super) texts: FoldedTexts,
}

/// A change to the pipelines that a search sees.
#[derive(Debug, Clone)]
pub(super) enum PipelineChange {
    /// A pipeline was created or replaced.
    Saved(SearchedPipeline),
    /// The pipeline with this key no longer exists.
    Removed(i64),
}

/// The pipelines that a search sees, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchedPipelines {
    /// In ascending order of [`SearchedPipeline::position`]. Changes are rare, so that a sorted
    /// vector, which a search reads fastest, is moved by each.
    in_order: Vec<SearchedPipeline>,
    bytes: usize,
}

impl SearchedPipeline {
    pub(super) fn new(key: i64, stored: &StoredPipeline) -> Self {
        Self {
            key,
            created_at: millis(stored.created_at),
            id: stored.id.clone(),
            tenant: stored.tenant.clone(),
            texts: stored.searched_texts(),
        }
    }

    /// Returns whether the pipeline is in the scope and contains the text.
    pub(super) fn matches(&self, text: &SearchText, scope: &Scope) -> bool {
        scope.admits(self.tenant.as_ref()) && text.is_in_any(&self.texts)
    }

    /// Returns what lists sort by, in descending order.
    fn position(&self) -> (i64, &str, &str) {
        let tenant = tenant_text(self.tenant.as_ref());
        (self.created_at, self.id.as_str(), tenant)
    }

    /// Returns the number of bytes that the pipeline occupies.
    pub(super) fn bytes(&self) -> usize {
        let tenant = tenant_text(self.tenant.as_ref());
        let texts = [self.id.as_str().len(), tenant.len(), self.texts.bytes()];
        texts.iter().sum::<usize>() + size_of::<Self>()
    }
}

impl PipelineChange {
    /// Returns the key of the pipeline.
    pub(super) const fn key(&self) -> i64 {
        match self {
            Self::Saved(pipeline) => pipeline.key,
            Self::Removed(key) => *key,
        }
    }
}

impl SearchedPipelines {
    /// Returns the pipelines from the newest to the oldest, all or those after a position.
    pub(super) fn newest_first(
        &self,
        after: Option<(i64, &str, &str)>,
    ) -> impl Iterator<Item = &SearchedPipeline> {
        let end = match after {
            None => self.in_order.len(),
            Some(after) => self.in_order.partition_point(|own| own.position() < after),
        };
        self.in_order.iter().take(end).rev()
    }

    /// Applies a change, which may have been applied before.
    pub(super) fn apply(&mut self, change: PipelineChange) {
        let key = change.key();
        if let Some(index) = self.in_order.iter().position(|own| own.key == key) {
            let removed = self.in_order.remove(index);
            self.bytes -= removed.bytes();
        }
        if let PipelineChange::Saved(pipeline) = change {
            let is_before = |own: &SearchedPipeline| own.position() < pipeline.position();
            let index = self.in_order.partition_point(is_before);
            self.bytes += pipeline.bytes();
            self.in_order.insert(index, pipeline);
        }
    }

    /// Returns the number of bytes that the pipelines occupy.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl FromIterator<SearchedPipeline> for SearchedPipelines {
    fn from_iter<T: IntoIterator<Item = SearchedPipeline>>(pipelines: T) -> Self {
        let mut in_order: Vec<_> = pipelines.into_iter().collect();
        in_order.sort_by(|one, other| one.position().cmp(&other.position()));
        Self {
            bytes: in_order.iter().map(SearchedPipeline::bytes).sum(),
            in_order,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn pipeline(key: i64, created_at: i64, name: &str) -> SearchedPipeline {
        SearchedPipeline {
            key,
            created_at,
            id: PipelineId::new(format!("p{}", key % 3)).unwrap(),
            tenant: TenantId::new(format!("t{key}")).ok().filter(|_| key > 2),
            texts: FoldedTexts::new([name]),
        }
    }

    fn changes() -> impl Strategy<Value = Vec<PipelineChange>> {
        let saved = (0..9_i64, 0..5_i64, "[ab]{0,3}").prop_map(|(key, created_at, name)| {
            PipelineChange::Saved(pipeline(key, created_at, &name))
        });
        let removed = (0..9_i64).prop_map(PipelineChange::Removed);
        prop::collection::vec(prop_oneof![2 => saved, 1 => removed], 0..40)
    }

    proptest! {
        #[test]
        fn changes_leave_the_newest_states_in_order(changes in changes(), after in 0..5_i64) {
            let mut searched = SearchedPipelines::default();
            let mut model = BTreeMap::new();
            for change in changes {
                match &change {
                    PipelineChange::Saved(pipeline) => model.insert(pipeline.key, pipeline.clone()),
                    PipelineChange::Removed(key) => model.remove(key),
                };
                searched.apply(change.clone());
                searched.apply(change);
            }
            let mut expected: Vec<_> = model.into_values().collect();
            expected.sort_by(|one, other| other.position().cmp(&one.position()));
            prop_assert!(searched.newest_first(None).eq(&expected));
            let bytes: usize = expected.iter().map(SearchedPipeline::bytes).sum();
            prop_assert_eq!(searched.bytes(), bytes);
            let collected: SearchedPipelines = expected.iter().cloned().collect();
            prop_assert!(collected.newest_first(None).eq(&expected));
            prop_assert_eq!(collected.bytes(), bytes);
            let after = (after, "p1", "t4");
            expected.retain(|pipeline| pipeline.position() < after);
            prop_assert!(searched.newest_first(Some(after)).eq(&expected));
        }
    }
}
