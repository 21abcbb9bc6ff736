//! Lists the pipelines that contain a text.
//!
//! The candidates come from memory (`search_cache`) or, if they do not fit there, from the rows.
//! Each is read and checked in the snapshot of the list, because memory may be older.

use std::ops::ControlFlow;
use std::sync::Arc;

use rusqlite::{Row, params_from_iter};
use serde::Deserialize;

use super::named_lists::{NamedCursor, list_order};
use super::pages::{Conditions, Window, cursor, wants_total};
use super::query::rows_until;
use super::reader::Reader;
use super::rows::{PIPELINE, PIPELINE_FROM};
use super::search_cache::{Cached, SearchCache};
use super::searched_pipelines::{SearchedPipeline, SearchedPipelines};
use super::store_error::StoreError;
use super::unreadable::row_key;
use super::values::{json, pipeline_id, tenant, to_u64};
use crate::model::{FoldedTexts, Page, PageRequest, PipelineId, Scope, SearchText, StoredPipeline};
use crate::storage::PipelineFilter;

impl Reader {
    /// Returns a page of the pipelines that contain a text and meet the rest of a filter.
    pub(super) fn search_pipelines(
        &self,
        cache: &SearchCache,
        (text, filter): (&SearchText, &PipelineFilter),
        page: &PageRequest,
    ) -> Result<Page<StoredPipeline>, StoreError> {
        let searched = self.searched(cache)?;
        // The snapshot begins later than the candidates were read, so that it lacks none of them.
        self.snapshot(|reader| {
            let after = cursor(page)
                .map(|cursor| reader.named_cursor::<PipelineId>("pipelines", cursor, &filter.scope))
                .transpose()?;
            let mut matches = Matches::new(page);
            let take = |candidate: &SearchedPipeline| {
                if !candidate.matches(text, &filter.scope) {
                    return Ok(ControlFlow::Continue(()));
                }
                let stored = reader.readable_pipeline(candidate.key)?;
                let stored = stored.filter(|stored| filter.admits(stored));
                Ok(stored.map_or(ControlFlow::Continue(()), |stored| matches.add(stored)))
            };
            match searched {
                None => reader.each_searched(&filter.scope, after, take)?,
                Some(searched) => {
                    let after = after.as_ref().map(NamedCursor::position);
                    until(searched.newest_first(after), take)?;
                }
            }
            Ok(matches.into_page())
        })
    }

    /// Returns the pipelines from memory, or reads them into it. `None` if they do not fit.
    fn searched(&self, cache: &SearchCache) -> Result<Option<Arc<SearchedPipelines>>, StoreError> {
        match cache.find() {
            Cached::Pipelines(searched) => Ok(Some(searched)),
            Cached::TooLarge => Ok(None),
            Cached::Unknown(start) => {
                let searched = self.snapshot(|reader| reader.all_searched(start.bytes_max))?;
                cache.add(&start, searched.clone());
                Ok(searched)
            }
        }
    }

    /// Returns all pipelines as a search sees them, or `None` if they have more bytes.
    fn all_searched(&self, bytes_max: usize) -> Result<Option<Arc<SearchedPipelines>>, StoreError> {
        let (mut searched, mut bytes) = (Vec::new(), 0_usize);
        self.each_searched(&Scope::All, None, |pipeline| {
            bytes = bytes.saturating_add(pipeline.bytes());
            searched.push(pipeline.clone());
            Ok(match bytes > bytes_max {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        Ok((bytes <= bytes_max).then(|| Arc::new(searched.into_iter().collect())))
    }

    /// Calls `take` with the pipelines of a scope in the order of lists, until it breaks.
    fn each_searched(
        &self,
        scope: &Scope,
        after: Option<NamedCursor>,
        mut take: impl FnMut(&SearchedPipeline) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut conditions = Conditions::default();
        conditions.add("p.slug IS NOT NULL", []);
        conditions.add_scope("p.tenant", scope);
        if let Some(after) = after {
            conditions.add_after(after, scope);
        }
        let sql = format!(
            "SELECT p.id, p.slug, p.tenant, p.created_at, p.key, d.body FROM {PIPELINE_FROM}{}{}",
            conditions.sql(),
            list_order(scope),
        );
        rows_until(
            &self.conn,
            &sql,
            params_from_iter(conditions.values()),
            |row| {
                let searched = read_searched(row);
                let searched = self.unreadable.skip(LISTED, row_key(row), searched)?;
                searched.map_or(Ok(ControlFlow::Continue(())), |searched| take(&searched))
            },
        )
    }

    /// Returns a pipeline, if it exists and can be read.
    fn readable_pipeline(&self, key: i64) -> Result<Option<StoredPipeline>, StoreError> {
        let sql = format!(
            "SELECT {PIPELINE} FROM {PIPELINE_FROM} WHERE p.key = ? AND p.slug IS NOT NULL"
        );
        let found = self.readable_rows(LISTED, &sql, [key], |row| self.listed_pipeline(row))?;
        Ok(found.into_iter().next())
    }
}

/// Calls `take` with each candidate, until it breaks.
fn until<'a>(
    candidates: impl Iterator<Item = &'a SearchedPipeline>,
    mut take: impl FnMut(&SearchedPipeline) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    for candidate in candidates {
        if take(candidate)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// What a row is, for the log.
const LISTED: &str = "a pipeline of a list";

/// The part of a definition that a search reads. The rest may be long.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SearchedDefinition {
    name: String,
    description: String,
}

fn read_searched(row: &Row<'_>) -> Result<SearchedPipeline, StoreError> {
    let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    let SearchedDefinition { name, description } = json("a definition", text(5)?)?;
    Ok(SearchedPipeline {
        id: pipeline_id(text(0)?)?,
        texts: FoldedTexts::new([&name, text(0)?, text(1)?, &description]),
        tenant: tenant(row.get(2)?)?,
        created_at: row.get(3)?,
        key: row.get(4)?,
    })
}

/// Collects the matches of a page.
struct Matches {
    window: Window,
    wants_total: bool,
    /// How many there are, those of earlier pages included.
    count: u64,
    items: Vec<StoredPipeline>,
}

impl Matches {
    fn new(page: &PageRequest) -> Self {
        Self {
            window: Window::new(page),
            wants_total: wants_total(page),
            count: 0,
            items: Vec::new(),
        }
    }

    /// Adds the next match. Breaks if the page needs no further one.
    fn add(&mut self, stored: StoredPipeline) -> ControlFlow<()> {
        self.count = self.count.saturating_add(1);
        if self.count <= to_u64(self.window.skip) {
            return ControlFlow::Continue(());
        }
        if self.items.len() < self.window.limit {
            self.items.push(stored);
            return ControlFlow::Continue(());
        }
        match self.wants_total {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    fn into_page(self) -> Page<StoredPipeline> {
        let end = to_u64(self.window.skip).saturating_add(self.items.len() as u64);
        let last = self.items.last().filter(|_| self.count > end);
        let next = last.map(|last| last.qualified_id().to_string());
        let total = self.wants_total.then_some(self.count);
        Page::new(self.items, total, next)
    }
}
