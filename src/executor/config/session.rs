//! What one read of a config knows of earlier reads, and where it is.
//!
//! The values themselves are in `reader`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::reference_token;

/// Whether the templates of a config are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Templates {
    Unresolved,
    Resolved,
}

/// What a read knows from earlier reads of the same config, and what it finds.
pub(super) struct Session {
    pub(super) templates: Templates,
    /// Pointers of values that were reported. A placeholder stands for each.
    pub(super) reported: BTreeSet<String>,
    /// Pointers of keys that their struct refuses and that were reported. They are left out.
    pub(super) dropped: BTreeSet<String>,
    /// Fields that are missing and were reported, by the pointer of their object.
    pub(super) missing: BTreeMap<String, BTreeSet<&'static str>>,
    /// Keys that no struct has, with the pointer of the key and the fields of the struct.
    pub(super) unknown: RefCell<BTreeMap<String, (String, &'static [&'static str])>>,
}

impl Session {
    pub(super) const fn new(templates: Templates) -> Self {
        Self {
            templates,
            reported: BTreeSet::new(),
            dropped: BTreeSet::new(),
            missing: BTreeMap::new(),
            unknown: RefCell::new(BTreeMap::new()),
        }
    }
}

/// The position of a value in the config.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Root,
    Key(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl At<'_> {
    /// Returns the JSON pointer. The recursion is bounded, as a config's nesting is.
    pub(super) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, key) => format!("{}/{}", parent.pointer(), reference_token(key)),
            Self::Index(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}
