//! Names in a statement: where they lie in its tree, and how they read.
//!
//! What they name is told by `targets` and `finder`.

use sqlparser::ast::{Ident, ObjectName};

/// Where a part of the tree lies: equal parts are told apart by it.
pub(super) fn address_of<T>(part: &T) -> usize {
    std::ptr::from_ref(part).addr()
}

/// An identifier without quotes, in small letters where it had none.
pub(super) fn normalize_ident(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// A name without quotes; nothing where a function makes a part of it.
pub(super) fn normalize_name(name: &ObjectName) -> Option<String> {
    let parts = name
        .0
        .iter()
        .map(|part| part.as_ident().map(normalize_ident));
    let parts: Option<Vec<_>> = parts.collect();
    parts.map(|parts| parts.join("."))
}
