//! Encodes an append on the caller's task, which takes this work off the writer thread.
//!
//! `journal` and `nodes` write it.

use super::body::JournalBody;
use super::store_error::StoreError;
use crate::error::Result;
use crate::model::NodeIndex;
use crate::storage::{Append, Entry};

/// An append with its encoded events and payloads.
pub(super) struct EncodedAppend {
    pub(super) append: Append,
    pub(super) body: JournalBody,
    pub(super) payloads: Vec<EncodedPayload>,
}

/// An encoded preview or profile.
pub(super) struct EncodedPayload {
    pub(super) insert: &'static str,
    pub(super) node_index: NodeIndex,
    pub(super) body: Vec<u8>,
}

impl EncodedAppend {
    pub(super) fn new(append: Append) -> Result<Self, StoreError> {
        let body = JournalBody::of_entries(&append.entries)?;
        let mut payloads = Vec::new();
        for entry in append.entries.iter() {
            match entry {
                Entry::NodeFinished(finished) => {
                    if let Some(preview) = &finished.preview {
                        let insert = "INSERT OR REPLACE INTO previews (key, body) VALUES (?, ?)";
                        payloads.push(EncodedPayload::new(insert, finished.node_index, preview)?);
                    }
                }
                Entry::Profile {
                    node_index,
                    profile,
                } => {
                    let insert = "INSERT OR REPLACE INTO profiles (key, body) VALUES (?, ?)";
                    payloads.push(EncodedPayload::new(insert, *node_index, profile)?);
                }
                Entry::NodeStarted { .. }
                | Entry::NodeRetrying { .. }
                | Entry::NodeRecovered { .. }
                | Entry::Log { .. }
                | Entry::RunFinished { .. } => {}
            }
        }
        Ok(Self {
            append,
            body,
            payloads,
        })
    }
}

impl EncodedPayload {
    fn new(
        insert: &'static str,
        node_index: NodeIndex,
        payload: &impl serde::Serialize,
    ) -> Result<Self, StoreError> {
        let body = serde_json::to_vec(payload)
            .map_err(|error| StoreError::unreadable("a payload to be stored", error))?;
        Ok(Self {
            insert,
            node_index,
            body,
        })
    }
}
