//! Keeps the texts of all pipelines in memory, so that a search reads only what it has found.
//!
//! The first search reads the texts (`pipeline_search`). From then on, `group` announces what each
//! commit changes, before it answers the callers: a search misses no change whose caller has its
//! answer.

use std::sync::Arc;

use parking_lot::RwLock;

use super::searched_pipelines::{PipelineChange, SearchedPipelines};

/// The bytes of the pipelines in memory: those of 50,000 pipelines with a line of text each.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The texts that searches read, as long as they are known and fit.
#[derive(Debug)]
pub(super) struct SearchCache(RwLock<State>);

#[derive(Debug)]
struct State {
    /// How often pipelines may have changed. What was read before may lack the last change.
    change_count: u64,
    content: Content,
    bytes_max: usize,
}

#[derive(Debug)]
enum Content {
    /// The next search reads the pipelines.
    Unknown,
    /// Searches read the rows until a change may have made room.
    TooLarge,
    /// A search keeps what it reads, whatever changes meanwhile.
    Known(Arc<SearchedPipelines>),
}

/// What the cache has for a search.
#[derive(Debug)]
pub(super) enum Cached {
    Pipelines(Arc<SearchedPipelines>),
    /// The search reads the rows.
    TooLarge,
    /// The search reads the pipelines and adds them.
    Unknown(ReadStart),
}

/// The moment at which a read began.
#[derive(Debug)]
pub(super) struct ReadStart {
    change_count: u64,
    /// The bytes of the pipelines that there is room for.
    pub(super) bytes_max: usize,
}

impl Default for SearchCache {
    fn default() -> Self {
        Self(RwLock::new(State {
            change_count: 0,
            content: Content::Unknown,
            bytes_max: BYTES_MAX,
        }))
    }
}

impl SearchCache {
    /// Returns what the cache has, before the snapshot of the search.
    pub(super) fn find(&self) -> Cached {
        let state = self.0.read();
        match &state.content {
            Content::Known(pipelines) => Cached::Pipelines(Arc::clone(pipelines)),
            Content::TooLarge => Cached::TooLarge,
            Content::Unknown => Cached::Unknown(ReadStart {
                change_count: state.change_count,
                bytes_max: state.bytes_max,
            }),
        }
    }

    /// Keeps what a read has found, unless there was a change meanwhile. `None` is too large.
    ///
    /// A change that the read has seen, but that is announced later, is applied twice, which does
    /// no harm.
    pub(super) fn add(&self, start: &ReadStart, pipelines: Option<Arc<SearchedPipelines>>) {
        let mut state = self.0.write();
        if state.change_count == start.change_count {
            state.content = pipelines.map_or(Content::TooLarge, Content::Known);
        }
    }

    /// Applies what a commit has changed. The writer calls this before it answers the callers.
    pub(super) fn apply(&self, changes: Vec<PipelineChange>) {
        if changes.is_empty() {
            return;
        }
        let mut state = self.0.write();
        state.change_count = state.change_count.wrapping_add(1);
        let bytes_max = state.bytes_max;
        match &mut state.content {
            Content::Unknown => {}
            Content::TooLarge => state.content = Content::Unknown,
            Content::Known(pipelines) => {
                // Copies the list if a search reads it: the lock is not held for a search.
                let own = Arc::make_mut(pipelines);
                changes.into_iter().for_each(|change| own.apply(change));
                if own.bytes() > bytes_max {
                    state.content = Content::TooLarge;
                }
            }
        }
    }

    /// Forgets the pipelines. What reads that have begun find is not kept either.
    pub(super) fn forget(&self) {
        let mut state = self.0.write();
        state.change_count = state.change_count.wrapping_add(1);
        state.content = Content::Unknown;
    }
}

#[cfg(test)]
impl SearchCache {
    /// Leaves room for so many bytes.
    pub(super) fn limit_to(&self, bytes_max: usize) {
        self.0.write().bytes_max = bytes_max;
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::super::searched_pipelines::SearchedPipeline;
    use super::*;
    use crate::model::{FoldedTexts, PipelineId};

    fn pipeline(key: i64) -> SearchedPipeline {
        SearchedPipeline {
            key,
            created_at: key,
            id: PipelineId::new(format!("p{key}")).unwrap(),
            tenant: None,
            texts: FoldedTexts::new(["text"]),
        }
    }

    fn list(keys: &[i64]) -> Arc<SearchedPipelines> {
        Arc::new(keys.iter().copied().map(pipeline).collect())
    }

    fn start(cache: &SearchCache) -> ReadStart {
        match cache.find() {
            Cached::Unknown(start) => start,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the keys that the cache has, newest first.
    fn keys(cache: &SearchCache) -> Option<Vec<i64>> {
        match cache.find() {
            Cached::Pipelines(list) => Some(list.newest_first(None).map(|one| one.key).collect()),
            Cached::TooLarge | Cached::Unknown(_) => None,
        }
    }

    fn save(cache: &SearchCache, key: i64) {
        cache.apply(vec![PipelineChange::Saved(pipeline(key))]);
    }

    #[test]
    fn what_a_read_has_found_follows_each_change() {
        let cache = SearchCache::default();
        let before = start(&cache);
        cache.apply(Vec::new());
        cache.add(&before, Some(list(&[1, 2])));
        assert_eq!(keys(&cache), Some(vec![2, 1]));
        save(&cache, 3);
        cache.apply(vec![PipelineChange::Removed(1)]);
        assert_eq!(keys(&cache), Some(vec![3, 2]));
        cache.forget();
        assert_eq!(keys(&cache), None);
    }

    #[test]
    fn a_read_that_may_lack_a_change_is_not_kept() {
        let cache = SearchCache::default();
        for change in [|cache: &SearchCache| save(cache, 3), SearchCache::forget] {
            let before = start(&cache);
            change(&cache);
            cache.add(&before, Some(list(&[1, 2])));
            assert_eq!(keys(&cache), None);
        }
        // The read has seen the change already.
        cache.add(&start(&cache), Some(list(&[1, 2, 3])));
        save(&cache, 3);
        assert_eq!(keys(&cache), Some(vec![3, 2, 1]));
    }

    #[test]
    fn a_search_that_reads_keeps_what_it_reads() {
        let cache = SearchCache::default();
        cache.add(&start(&cache), Some(list(&[1])));
        let Cached::Pipelines(read) = cache.find() else {
            panic!("they are known");
        };
        save(&cache, 2);
        assert_eq!(read.newest_first(None).count(), 1);
        assert_eq!(keys(&cache), Some(vec![2, 1]));
    }

    #[test]
    fn what_is_too_large_is_read_again_after_a_change() {
        let cache = SearchCache::default();
        cache.limit_to(list(&[1, 2]).bytes());
        cache.add(&start(&cache), Some(list(&[1, 2])));
        assert_eq!(keys(&cache), Some(vec![2, 1]));
        save(&cache, 3);
        assert!(matches!(cache.find(), Cached::TooLarge));
        cache.apply(vec![PipelineChange::Removed(3)]);
        cache.add(&start(&cache), None);
        assert!(matches!(cache.find(), Cached::TooLarge));
    }
}
