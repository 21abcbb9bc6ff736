//! Pipelines, connections and variables: put, found, listed and deleted.
//!
//! Their common rules are in `versioned`.

use std::sync::Arc;

use async_trait::async_trait;
use floret::storage::{
    ConnectionFilter, Connections, DeleteConnection, DeletePipeline, DeleteVariable, Expect,
    PipelineFilter, Pipelines, PutConnection, PutPipeline, PutVariable, Qualified, SavedBy,
    SetPause, SlugChoice, StoredConnection, StoredPipeline, StoredVariable, TokenChange, TokenHash,
    VariableFilter, VariableKey, Variables,
};
use floret::{
    ConnectionId, Error, Managed, PageRequest, Pipeline, PipelineId, Problem, Result, RunId, Scope,
    Slug,
};

use crate::audited::AuditedStorage;
use crate::dependencies::{remove_dependencies, save_dependencies};
use crate::pages::Page;
use crate::rows::{Rows, VersionRow};
use crate::schedules::reschedule;
use crate::versioned::{Save, already_exists};

#[async_trait]
impl Pipelines for AuditedStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        self.write("put_pipeline", |rows| {
            let stored = put_pipeline(rows, &put)?;
            rows.audit(put.audit.as_ref(), stored.tenant.as_ref());
            Ok(stored)
        })
    }

    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>> {
        self.read(|rows| Ok(find_pipeline(rows, key, scope)?.cloned()))?
    }

    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        let is_wanted = |item: &StoredPipeline| filter.admits(item);
        self.read(|rows| rows.pipelines.list(&page, &filter.scope, is_wanted))?
    }

    async fn set_pause(&self, request: SetPause) -> Result<StoredPipeline> {
        self.write("set_pause", |rows| {
            let absent = || Error::pipeline_not_found(&request.id);
            let found = rows.pipelines.find(request.id.as_str(), &request.scope)?;
            let own = found.ok_or_else(absent)?.qualified_id();
            let stored = rows.pipelines.get_mut(&own).ok_or_else(absent)?;
            if let Some(expected) = request.version
                && expected != stored.version
            {
                let message = format!("{} is at version {}", request.id, stored.version);
                return Err(Error::new(Problem::PreconditionFailed, message));
            }
            if stored.paused.is_some() != request.pause.is_some() {
                stored.paused.clone_from(&request.pause);
            }
            let stored = stored.clone();
            rows.audit(request.audit.as_ref(), stored.tenant.as_ref());
            Ok(stored)
        })
    }

    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()> {
        let id = &delete.id;
        self.write("delete_pipeline", |rows| {
            let save = Save {
                expect: delete.version.map_or(Expect::Present, Expect::Version),
                scope: &delete.scope,
                now: delete.now,
                absent: Error::pipeline_not_found(id),
            };
            let own = rows.pipelines.check(id, save)?;
            if rows.runs_of(&own).any(|row| !row.run.status.is_terminal()) {
                let message = format!("{id} has unfinished runs");
                return Err(Error::new(Problem::PipelineActive, message));
            }
            rows.pipelines.remove(id, &own.scope())?;
            rows.schedules.remove(&own);
            remove_dependencies(rows, &own);
            rows.by_code.remove(&own);
            rows.tokens_by_code.remove(&own);
            let Rows { keys, runs, .. } = rows;
            let is_own = |run: &RunId| {
                let row = runs.get(run);
                row.is_some_and(|row| row.run.qualified_pipeline() == own)
            };
            keys.retain(|_, key| !key.run_ids.iter().any(is_own));
            rows.audit(delete.audit.as_ref(), own.tenant.as_ref());
            Ok(())
        })
    }
}

pub(crate) fn find_pipeline<'a>(
    rows: &'a Rows,
    key: &str,
    scope: &Scope,
) -> Result<Option<&'a StoredPipeline>> {
    let named = rows.pipelines.items();
    let named = named.filter(|item| item.id.as_str() == key || item.slug.as_str() == key);
    scope.choose(key, named, |item| item.tenant.as_ref())
}

fn put_pipeline(rows: &mut Rows, put: &PutPipeline) -> Result<StoredPipeline> {
    let save = || Save {
        expect: put.expect,
        scope: &put.scope,
        now: put.now,
        absent: Error::pipeline_not_found(&put.id),
    };
    let own = rows.pipelines.check(&put.id, save())?;
    let old = rows.pipelines.get(&own).cloned();
    let others = || {
        let items = rows.pipelines.items();
        items.filter(|item| item.tenant == own.tenant && item.id != own.id)
    };
    let is_taken =
        |name: &str| others().any(|item| item.slug.as_str() == name || item.id.as_str() == name);
    let decided = decide(rows, put, &own, old.as_ref());
    let slug = match &put.slug {
        _ if decided.keeps_edit => old.as_ref().map(|old| old.slug.clone()),
        SlugChoice::Given(slug) if is_taken(slug.as_str()) => return Err(already_exists(slug)),
        SlugChoice::Given(slug) => Some(slug.clone()),
        SlugChoice::Derived(base) => match &old {
            Some(old) if is_derived_from(&old.slug, base) => Some(old.slug.clone()),
            Some(_) | None => Some(free_slug(base, is_taken)?),
        },
        other => {
            return Err(Error::internal(format!(
                "cannot choose a slug by {other:?}"
            )));
        }
    };
    if others().any(|item| item.slug.as_str() == put.id.as_str()) {
        return Err(already_exists(&put.id));
    }
    let slug = slug.ok_or_else(|| Error::internal("no slug is chosen"))?;
    if put.saved_by != SavedBy::Removal {
        let rules = decided.definition.dependencies();
        rows.dependencies.check_cycle(&own, &rules)?;
    }
    let mut new = StoredPipeline::new(put.id.clone(), slug, decided.definition, put.now);
    new.managed = decided.managed;
    new.webhook_token = save_token(rows, put, &own, old.as_ref());
    new.paused = old.as_ref().and_then(|old| old.paused.clone());
    let saved = rows.pipelines.save(&put.id, new, save())?;
    if let Some(by_code) = decided.by_code {
        rows.by_code.insert(own.clone(), by_code);
    }
    let version = (own, saved.version);
    rows.versions.entry(version).or_insert_with(|| VersionRow {
        definition: Arc::clone(&saved.definition),
        saved_at: saved.updated_at,
        created_at: saved.created_at,
    });
    reschedule(rows, old.as_ref(), &saved, put.now);
    save_dependencies(rows, &saved);
    Ok(saved)
}

/// Returns the token of the webhook after a save, and notes that of the code.
fn save_token(
    rows: &mut Rows,
    put: &PutPipeline,
    own: &Qualified<PipelineId>,
    old: Option<&StoredPipeline>,
) -> Option<TokenHash> {
    let current = old.and_then(|old| old.webhook_token);
    let given = match put.webhook_token {
        TokenChange::Set(hash) => Some(hash),
        TokenChange::Remove => None,
        _ => return current,
    };
    if put.saved_by != SavedBy::Code {
        return given;
    }
    let noted = &mut rows.tokens_by_code;
    let earlier = match given {
        Some(hash) => noted.insert(own.clone(), hash),
        None => noted.remove(own),
    };
    if earlier == given { current } else { given }
}

/// What a save makes of a pipeline.
struct Decided {
    definition: Arc<Pipeline>,
    managed: Managed,
    /// A save by code repeats its last one, and a caller has edited the pipeline since.
    keeps_edit: bool,
    /// What to note as the latest save by code, if it changes.
    by_code: Option<Arc<Pipeline>>,
}

/// Decides what a save stores: see [`SavedBy`].
fn decide(
    rows: &Rows,
    put: &PutPipeline,
    own: &Qualified<PipelineId>,
    old: Option<&StoredPipeline>,
) -> Decided {
    let given = Arc::clone(&put.definition);
    let managed = match put.saved_by {
        SavedBy::Code => return decide_by_code(rows, given, own, old),
        SavedBy::Removal => Managed::Api,
        _ => old.map(|old| old.managed).unwrap_or_default(),
    };
    let is_changed = old.is_some_and(|old| old.definition.enabled != given.enabled);
    let is_noted = put.saved_by == SavedBy::Removal && is_changed;
    Decided {
        by_code: is_noted.then(|| Arc::clone(&given)),
        definition: given,
        managed,
        keeps_edit: false,
    }
}

fn decide_by_code(
    rows: &Rows,
    given: Arc<Pipeline>,
    own: &Qualified<PipelineId>,
    old: Option<&StoredPipeline>,
) -> Decided {
    let last = rows.by_code.get(own);
    let mut definition = Pipeline::clone(&given);
    let mut keeps_edit = false;
    if let Some(old) = old {
        keeps_edit = old.managed == Managed::Code
            && last.is_some_and(|last| {
                last.is_same_but_enabled(&given) && !last.is_same_but_enabled(&old.definition)
            });
        if keeps_edit {
            definition = Pipeline::clone(&old.definition);
        }
        let repeats = last.is_none_or(|last| last.enabled == given.enabled);
        definition.enabled = match repeats {
            true => old.definition.enabled,
            false => given.enabled,
        };
    }
    Decided {
        definition: Arc::new(definition),
        managed: Managed::Code,
        keeps_edit,
        by_code: Some(given),
    }
}

/// Returns whether a slug was derived from this base.
fn is_derived_from(slug: &Slug, base: &Slug) -> bool {
    let rest = slug.as_str().strip_prefix(base.as_str());
    rest.is_some_and(|rest| {
        let number = rest.strip_prefix('-').map(str::parse::<u32>);
        rest.is_empty() || matches!(number, Some(Ok(2..)))
    })
}

/// Returns the base, or the base with the first free number. A long base is cut to make room.
fn free_slug(base: &Slug, is_taken: impl Fn(&str) -> bool) -> Result<Slug> {
    const SLUG_MAX: usize = 128;
    let numbered = (2_u32..).map(|number| {
        let suffix = format!("-{number}");
        let length = base.as_str().len().min(SLUG_MAX - suffix.len());
        base.as_str()[..length].to_owned() + &suffix
    });
    let free = std::iter::once(base.to_string())
        .chain(numbered)
        .find(|slug| !is_taken(slug));
    let slug = Slug::new(free.unwrap_or_default());
    slug.map_err(|error| Error::internal("no slug is free").with_source(error))
}

#[async_trait]
impl Connections for AuditedStorage {
    async fn put_connection(&self, put: PutConnection) -> Result<StoredConnection> {
        let PutConnection { expect, now, .. } = put;
        let absent = Error::connection_not_found(&put.id);
        let save = Save {
            expect,
            scope: &put.scope,
            now,
            absent,
        };
        let new = StoredConnection::new(put.id.clone(), put.fields, now);
        self.write("put_connection", |rows| {
            let saved = rows.connections.save(&put.id, new, save)?;
            rows.audit(put.audit.as_ref(), saved.tenant.as_ref());
            Ok(saved)
        })
    }

    async fn find_connection(
        &self,
        id: &ConnectionId,
        scope: &Scope,
    ) -> Result<Option<StoredConnection>> {
        self.read(|rows| Ok(rows.connections.find(id.as_str(), scope)?.cloned()))?
    }

    async fn list_connections(
        &self,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<StoredConnection>> {
        self.read(|rows| rows.connections.list(&page, &filter.scope, |_| true))?
    }

    async fn delete_connection(&self, delete: DeleteConnection) -> Result<()> {
        let id = &delete.id;
        self.write("delete_connection", |rows| {
            let removed = rows.connections.remove(id, &delete.scope)?;
            let own = removed.ok_or_else(|| Error::connection_not_found(id))?;
            rows.audit(delete.audit.as_ref(), own.tenant.as_ref());
            Ok(())
        })
    }
}

#[async_trait]
impl Variables for AuditedStorage {
    async fn put_variable(&self, put: PutVariable) -> Result<StoredVariable> {
        let PutVariable { expect, now, .. } = put;
        let absent = Error::variable_not_found(&put.key);
        let save = Save {
            expect,
            scope: &put.scope,
            now,
            absent,
        };
        let new = StoredVariable::new(put.key.clone(), put.fields, now);
        self.write("put_variable", |rows| {
            let saved = rows.variables.save(&put.key, new, save)?;
            rows.audit(put.audit.as_ref(), saved.tenant.as_ref());
            Ok(saved)
        })
    }

    async fn find_variables(
        &self,
        keys: &[VariableKey],
        scope: &Scope,
    ) -> Result<Vec<StoredVariable>> {
        let found = |rows: &Rows| {
            let found = keys
                .iter()
                .filter_map(|key| rows.variables.find(key.as_str(), scope).transpose());
            found.map(|found| found.cloned()).collect()
        };
        self.read(found)?
    }

    async fn list_variables(
        &self,
        filter: VariableFilter,
        page: PageRequest,
    ) -> Result<Page<StoredVariable>> {
        self.read(|rows| rows.variables.list(&page, &filter.scope, |_| true))?
    }

    async fn delete_variable(&self, delete: DeleteVariable) -> Result<()> {
        let key = &delete.key;
        self.write("delete_variable", |rows| {
            let removed = rows.variables.remove(key, &delete.scope)?;
            let own = removed.ok_or_else(|| Error::variable_not_found(key))?;
            rows.audit(delete.audit.as_ref(), own.tenant.as_ref());
            Ok(())
        })
    }
}
