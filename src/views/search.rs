//! Search over the names and descriptions of pipelines, connections and variables.
//!
//! Values of variables and secrets of connections are never searched. Storage finds the pipelines,
//! because it knows when one changes. `api` decides which kinds a caller may see.

use serde::Serialize;

use super::pages::{Cut, PageWalker};
use super::{PipelineFilter, Views};
use crate::error::{Error, Result, quote};
use crate::limits::{BRACKETS, Room};
use crate::model::{PageRequest, Scope, SearchText, StoredPipeline, TenantId, VariableValue};
use crate::storage::{ConnectionFilter, VariableFilter};

/// A search text and the objects to search.
#[derive(Debug, Clone)]
pub(crate) struct SearchFilter {
    pub(crate) text: String,
    /// The maximum number of hits.
    pub(crate) limit: usize,
    /// The maximum size of the hits as JSON.
    pub(crate) bytes_max: usize,
    /// The scope of the pipelines.
    pub(crate) pipelines: Scope,
    /// The scope of the connections; `None` if the caller may not see any.
    pub(crate) connections: Option<Scope>,
    /// The scope of the variables; `None` if the caller may not see any.
    pub(crate) variables: Option<Scope>,
}

/// The most characters of a search text.
const TEXT_CHARS_MAX: usize = 200;

/// The number of hits, if the caller names none.
pub(crate) const SEARCH_LIMIT: usize = 30;
/// The most hits of a search.
pub(crate) const SEARCH_LIMIT_MAX: usize = 100;

/// Returns a search text, if it can be searched for.
///
/// # Errors
/// `Malformed` (`invalid-parameter`) if it is missing, blank or too long.
pub(crate) fn search_text(text: Option<&str>) -> Result<String> {
    let expected = format!("must be 1 to {TEXT_CHARS_MAX} characters and not blank");
    let Some(text) = text else {
        let detail = format!("is missing; it {expected}");
        return Err(Error::invalid_parameter("q", detail));
    };
    if text.trim().is_empty() || text.chars().count() > TEXT_CHARS_MAX {
        let detail = format!("{expected}, received {}", quote(text));
        return Err(Error::invalid_parameter("q", detail));
    }
    Ok(text.to_owned())
}

/// An object that matches a search. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SearchHit {
    /// `pipeline`, `connection` or `variable`. JSON calls it `type`.
    #[serde(rename = "type")]
    #[cfg_attr(test, schemars(extend("enum" = ["pipeline", "connection", "variable"])))]
    pub kind: &'static str,
    /// The id of the object.
    pub id: String,
    /// The name of the object, or its id if it has no name.
    pub name: String,
    /// The description of the object.
    pub description: String,
    /// A detail to recognize it by: a pipeline's node count, or the type of a connection or
    /// variable.
    pub meta: String,
    /// The tenant of the object, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

/// Collects hits up to a limit.
struct HitCollector {
    text: SearchText,
    limit: usize,
    hits: Vec<SearchHit>,
}

impl Views {
    /// Returns the objects whose name, id or description contains the text, ignoring case.
    ///
    /// Pipelines come first, then connections, then variables; within each kind the newest is
    /// first.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub(crate) async fn search(&self, filter: SearchFilter) -> Result<Cut<Vec<SearchHit>>> {
        let SearchFilter {
            text,
            limit,
            bytes_max,
            pipelines,
            connections,
            variables,
        } = filter;
        let mut search = HitCollector {
            text: SearchText::new(&text),
            limit,
            hits: Vec::new(),
        };
        self.search_pipelines(pipelines, &mut search).await?;
        if let Some(scope) = connections {
            self.search_connections(scope, &mut search).await?;
        }
        if let Some(scope) = variables {
            self.search_variables(scope, &mut search).await?;
        }
        let is_cut = Room(bytes_max.saturating_sub(BRACKETS)).cut(&mut search.hits);
        Ok(Cut {
            value: search.hits,
            is_cut,
        })
    }

    async fn search_pipelines(&self, scope: Scope, search: &mut HitCollector) -> Result<()> {
        let mut filter = PipelineFilter::default();
        (filter.scope, filter.text) = (scope, Some(search.text.clone()));
        let limit = u32::try_from(search.limit).unwrap_or(u32::MAX);
        let newest = PageRequest::Newest { limit };
        let found = self.storage.list_pipelines(filter, newest).await?;
        search.hits.extend(found.items.iter().map(SearchHit::from));
        Ok(())
    }

    async fn search_connections(&self, scope: Scope, search: &mut HitCollector) -> Result<()> {
        let filter = ConnectionFilter {
            scope,
            ..ConnectionFilter::default()
        };
        let mut pages = PageWalker::new();
        while let Some(page) = pages.next_request().filter(|_| search.has_room()) {
            let page = self.storage.list_connections(filter.clone(), page).await?;
            for stored in pages.accept(page) {
                let texts = [stored.id.as_str(), stored.fields.description.as_str()];
                search.add_if_matching(&texts, || SearchHit {
                    kind: "connection",
                    id: stored.id.to_string(),
                    name: stored.id.to_string(),
                    description: stored.fields.description.clone(),
                    meta: stored.fields.kind.clone(),
                    tenant: stored.tenant.clone(),
                });
            }
        }
        Ok(())
    }

    async fn search_variables(&self, scope: Scope, search: &mut HitCollector) -> Result<()> {
        let filter = VariableFilter {
            scope,
            ..VariableFilter::default()
        };
        let mut pages = PageWalker::new();
        while let Some(page) = pages.next_request().filter(|_| search.has_room()) {
            let page = self.storage.list_variables(filter.clone(), page).await?;
            for stored in pages.accept(page) {
                let texts = [stored.key.as_str(), stored.fields.description.as_str()];
                search.add_if_matching(&texts, || SearchHit {
                    kind: "variable",
                    id: stored.key.to_string(),
                    name: stored.key.to_string(),
                    description: stored.fields.description.clone(),
                    meta: match stored.fields.value {
                        VariableValue::Plain(_) => "string".to_owned(),
                        VariableValue::Secret(_) => "secret".to_owned(),
                    },
                    tenant: stored.tenant.clone(),
                });
            }
        }
        Ok(())
    }
}

impl From<&StoredPipeline> for SearchHit {
    fn from(stored: &StoredPipeline) -> Self {
        let definition = &stored.definition;
        Self {
            kind: "pipeline",
            id: stored.id.to_string(),
            name: definition.name.clone(),
            description: definition.description.clone(),
            meta: match definition.nodes.len() {
                1 => "1 node".to_owned(),
                count => format!("{count} nodes"),
            },
            tenant: stored.tenant.clone(),
        }
    }
}

impl HitCollector {
    const fn has_room(&self) -> bool {
        self.hits.len() < self.limit
    }

    /// Adds a hit if one of its texts contains the search text.
    fn add_if_matching(&mut self, texts: &[&str], hit: impl FnOnce() -> SearchHit) {
        if self.has_room() && texts.iter().any(|text| self.text.is_in(text)) {
            self.hits.push(hit());
        }
    }
}
