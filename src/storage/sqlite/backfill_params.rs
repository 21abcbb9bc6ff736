//! The parameters that the runs of a backfill share. Its row stores them once.
//!
//! `backfills` writes them, and `rows` reads and writes the parameters of a run. The text of either
//! is an object of texts. In place of a secret one, it has an object with the sealed bytes as
//! hexadecimal digits: `{"sealed": "01ab"}`.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::Row;
use serde::de::{Error as DeError, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::store_error::StoreError;
use super::values::{json, text};
use crate::hex;
use crate::model::{DATE_PARAM, Params, Run, Sealed};
use crate::storage::NewRun;

/// The parameters of each run of a backfill, except for the date of the run.
#[derive(Debug)]
pub(super) struct SharedParams(Params);

impl SharedParams {
    /// Takes the parameters of the first run.
    pub(super) fn of_runs(runs: &[NewRun]) -> Self {
        let params = runs.first().map(|new| new.run.params.clone());
        Self(params.unwrap_or_default())
    }

    /// Returns the text for the row of the backfill.
    pub(super) fn text(&self) -> Result<String, StoreError> {
        text(&StoredParams {
            params: &self.0,
            is_dated: false,
        })
    }

    /// Returns whether a run has these parameters and its date, and nothing else.
    fn covers(&self, run: &Run) -> bool {
        let mut expected = self.0.clone();
        expected.insert(DATE_PARAM, run.date.to_string());
        expected == run.params
    }
}

/// Returns the text for the row of a run. It is `None` if the run has the parameters of its
/// backfill, or if it has neither a backfill nor parameters.
pub(super) fn own_params(
    run: &Run,
    shared: Option<&SharedParams>,
) -> Result<Option<String>, StoreError> {
    let is_absent = match shared {
        Some(shared) => shared.covers(run),
        None => run.params.is_empty(),
    };
    let own = StoredParams {
        params: &run.params,
        is_dated: true,
    };
    (!is_absent).then(|| text(&own)).transpose()
}

/// Reads the parameters of a run: the column `own` of its row, or else the column `shared` of its
/// backfill and its date. Backfills of older versions share nothing.
pub(super) fn read_params(
    row: &Row<'_>,
    own: usize,
    shared: usize,
    run: &mut Run,
) -> Result<(), StoreError> {
    if let Some(text) = row.get::<_, Option<String>>(own)? {
        run.params = read_json("a run's params", &text)?;
    } else if let Some(text) = row.get::<_, Option<String>>(shared)? {
        run.params = read_json("a backfill's params", &text)?;
        run.params.insert(DATE_PARAM, run.date.to_string());
    }
    Ok(())
}

fn read_json(what: &'static str, text: &str) -> Result<Params, StoreError> {
    let (mut texts, mut secrets) = (BTreeMap::new(), Vec::new());
    for (name, param) in json::<BTreeMap<String, StoredParam>>(what, text)? {
        match param {
            StoredParam::Text(text) => {
                texts.insert(name, text);
            }
            StoredParam::Secret(sealed) => secrets.push((name, sealed)),
        }
    }
    let mut params = Params::from(texts);
    for (name, sealed) in secrets {
        params.insert_sealed(name, sealed);
    }
    Ok(params)
}

/// A parameter in the text of a row.
enum StoredParam {
    Text(String),
    Secret(Sealed),
}

impl<'de> Deserialize<'de> for StoredParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StoredParamVisitor)
    }
}

/// Reads a text as it comes, without a copy that an untagged enum would make first.
struct StoredParamVisitor;

impl<'de> Visitor<'de> for StoredParamVisitor {
    type Value = StoredParam;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a sealed secret")
    }

    fn visit_str<E: DeError>(self, text: &str) -> Result<StoredParam, E> {
        Ok(StoredParam::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StoredParam, A::Error> {
        let entry = map.next_entry::<String, String>()?;
        let sealed = entry.filter(|(name, _)| name == SEALED);
        let bytes = sealed.and_then(|(_, digits)| hex::decode(&digits));
        bytes
            .map(|bytes| StoredParam::Secret(Sealed::from_bytes(bytes)))
            .ok_or_else(|| A::Error::custom("a sealed secret is damaged"))
    }
}

const SEALED: &str = "sealed";

/// The object in the text of a row.
struct StoredParams<'a> {
    params: &'a Params,
    is_dated: bool,
}

impl Serialize for StoredParams<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in self.params.iter() {
            if name == DATE_PARAM && !self.is_dated {
                continue;
            }
            match self.params.sealed_of(name) {
                None => map.serialize_entry(name, text)?,
                Some(sealed) => {
                    let digits = hex::encode(sealed.as_bytes());
                    map.serialize_entry(name, &BTreeMap::from([(SEALED, digits)]))?;
                }
            }
        }
        map.end()
    }
}
