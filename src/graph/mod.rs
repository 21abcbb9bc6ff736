//! A pipeline's graph: valid by construction, with its order and what may run when.
//!
//! Pure: no I/O, no clock, no async.

pub(crate) mod definition;
pub(crate) mod frontier;

use crate::error::{Error, Result};
use crate::model::{NodeId, Pipeline, Place};

/// The nodes of a pipeline in topological order with their edges; it has no cycle, no unknown end, no duplicate.
#[derive(Debug)]
pub(crate) struct Graph {
    ids: Vec<NodeId>,
    upstream: Vec<Vec<Place>>,
    downstream: Vec<Vec<Place>>,
}

impl Graph {
    pub(crate) fn new(_pipeline: &Pipeline) -> Result<Self> {
        Err(Error::internal("stub"))
    }
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
    /// The node at a place.
    pub(crate) fn id(&self, place: Place) -> Option<&NodeId> {
        self.ids.get(usize::from(place))
    }
    /// The index of the node in `Pipeline::nodes`.
    pub(crate) fn declared(&self, place: Place) -> Option<usize> {
        Some(usize::from(place))
    }
    pub(crate) fn place(&self, id: &str) -> Option<Place> {
        self.ids
            .iter()
            .position(|own| own.as_str() == id)
            .and_then(|place| Place::try_from(place).ok())
    }
    /// In the order of the edges.
    pub(crate) fn upstream(&self, place: Place) -> &[Place] {
        self.upstream
            .get(usize::from(place))
            .map_or(&[], Vec::as_slice)
    }
    pub(crate) fn downstream(&self, place: Place) -> &[Place] {
        self.downstream
            .get(usize::from(place))
            .map_or(&[], Vec::as_slice)
    }
}
