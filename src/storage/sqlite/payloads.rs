//! Previews and profiles: read where the node was executed.
//!
//! They are written with the entries of the `journal`.

use super::fault::Fault;
use super::reader::Reader;
use super::rows::RunRow;
use super::values::{self, node_key};
use crate::model::{NodeId, Place, RunId, Scope};

impl Reader {
    /// A preview or a profile, of the run that executed the node where this one reuses it.
    pub(super) fn payload<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<T>, Fault> {
        let Some(row) = self.run_row(run, scope)? else {
            return Ok(None);
        };
        let Some(place) = self.place(&row, node)? else {
            return Ok(None);
        };
        let reused_from = self.row(
            "SELECT reused_from FROM node_runs WHERE key = ?",
            [node_key(row.key, place)],
            |row| Ok(row.get::<_, Option<Vec<u8>>>(0)?),
        )?;
        let executed = match reused_from.flatten() {
            None => Some(node_key(row.key, place)),
            Some(from) => self.executed(&row, place, node, values::run_id(&from)?, scope)?,
        };
        let Some(executed) = executed else {
            return Ok(None);
        };
        let sql = format!("SELECT body FROM {table} WHERE key = ?");
        let body = self.row(&sql, [executed], |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
        body.map(|body| {
            serde_json::from_slice(&body).map_err(|error| Fault::unreadable(table, error))
        })
        .transpose()
    }

    /// The key of a reused node in the run that executed it.
    fn executed(
        &self,
        row: &RunRow,
        place: Place,
        node: &NodeId,
        from: RunId,
        scope: &Scope,
    ) -> Result<Option<i64>, Fault> {
        let Some(executed) = self.run_row(from, scope)? else {
            return Ok(None);
        };
        let mut inherited = row.run.inherited.iter();
        let named = inherited.find(|own| own.place == place && own.from_run == from);
        let place = match named {
            Some(own) => Some(own.from_place),
            None => self.place(&executed, node)?,
        };
        Ok(place.map(|place| node_key(executed.key, place)))
    }

    fn place(&self, row: &RunRow, node: &NodeId) -> Result<Option<Place>, Fault> {
        let definition = self.definitions.find(&self.conn, row.definition)?;
        Ok(definition.graph.place(node.as_str()))
    }
}
