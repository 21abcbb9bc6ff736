//! Reads previews and profiles from the run that executed the node.
//!
//! `encoded_append` encodes them, and `journal` writes them.

use rusqlite::params;
use serde::de::DeserializeOwned;

use super::reader::Reader;
use super::rows::RunRow;
use super::store_error::StoreError;
use super::values::{self, id, node_key, tenant};
use crate::model::{NodeId, NodeIndex, Preview, Profile, RunId, Scope};
use crate::storage::{FoundProfile, rules};

/// The run that executed a node, and the key of the node in it.
struct ExecutedNode {
    run: RunId,
    key: i64,
}

impl Reader {
    pub(super) fn preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>, StoreError> {
        match self.executed_node(run, node, scope)? {
            Some(executed_node) => self.payload("previews", executed_node.key),
            None => Ok(None),
        }
    }

    pub(super) fn profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>, StoreError> {
        let Some(executed_node) = self.executed_node(run, node, scope)? else {
            return Ok(None);
        };
        let Some(profile) = self.payload("profiles", executed_node.key)? else {
            return Ok(None);
        };
        let previous_profile = self.previous_profile(executed_node.run, node, scope)?;
        Ok(Some(FoundProfile::new(profile, previous_profile)))
    }

    /// Returns the profile of a node from its newest success before a run.
    fn previous_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Profile>, StoreError> {
        let earlier = self.readable_rows(
            "an earlier run",
            "SELECT key, definition, tenant FROM runs WHERE pipeline = (SELECT pipeline FROM runs WHERE id = ?1) AND id < ?1 \
             ORDER BY id DESC LIMIT ?2",
            params![id(&run), rules::PROFILES_BACK_MAX],
            |row| Ok((row.get(0)?, row.get(1)?, tenant(row.get(2)?)?)),
        )?;
        for (key, definition, tenant) in earlier {
            let found = self.definitions.find(&self.conn, definition);
            let Some(definition) = self.unreadable.skip("a definition", definition, found)? else {
                continue;
            };
            let node_index = definition.graph.node_index(node.as_str());
            let Some(node_index) = node_index.filter(|_| scope.admits(tenant.as_ref())) else {
                continue;
            };
            let has_succeeded: Option<()> = self.row(
                "SELECT 1 FROM node_runs WHERE key = ? AND status = 2",
                [node_key(key, node_index)],
                |_| Ok(()),
            )?;
            if has_succeeded.is_none() {
                continue;
            }
            let node = node_key(key, node_index);
            let profile = self.payload("profiles", node);
            if let Some(profile) = self.unreadable.skip("a profile", node, profile)?.flatten() {
                return Ok(Some(profile));
            }
        }
        Ok(None)
    }

    pub(super) fn payload<T: DeserializeOwned>(
        &self,
        table: &str,
        key: i64,
    ) -> Result<Option<T>, StoreError> {
        let sql = format!("SELECT body FROM {table} WHERE key = ?");
        let body = self.row(&sql, [key], |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
        body.map(|body| {
            serde_json::from_slice(&body).map_err(|error| StoreError::unreadable(table, error))
        })
        .transpose()
    }

    /// Returns the run that executed a node: an earlier run if this run reuses the node.
    fn executed_node(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<ExecutedNode>, StoreError> {
        let Some(row) = self.run_row(run, scope)? else {
            return Ok(None);
        };
        let Some(node_index) = self.node_index(&row, node)? else {
            return Ok(None);
        };
        let key = node_key(row.key, node_index);
        let reused_from = self.row(
            "SELECT reused_from FROM node_runs WHERE key = ?",
            [key],
            |row| Ok(row.get::<_, Option<Vec<u8>>>(0)?),
        )?;
        let Some(from) = reused_from.flatten() else {
            return Ok(Some(ExecutedNode { run, key }));
        };
        let from = values::run_id(&from)?;
        let Some(executed_node) = self.run_row(from, scope)? else {
            return Ok(None);
        };
        let mut inherited = row.run.inherited.iter();
        let inherited_output =
            inherited.find(|own| own.node_index == node_index && own.from_run == from);
        let node_index = match inherited_output {
            Some(own) => Some(own.from_node_index),
            None => self.node_index(&executed_node, node)?,
        };
        Ok(node_index.map(|node_index| ExecutedNode {
            run: from,
            key: node_key(executed_node.key, node_index),
        }))
    }

    fn node_index(&self, row: &RunRow, node: &NodeId) -> Result<Option<NodeIndex>, StoreError> {
        let definition = self.definitions.find(&self.conn, row.definition)?;
        Ok(definition.graph.node_index(node.as_str()))
    }
}
