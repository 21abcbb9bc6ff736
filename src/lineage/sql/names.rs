//! Names in a statement: their address in the syntax tree, and their normal form.
//!
//! `targets` and `finder` decide what a name refers to.

use sqlparser::ast::{Ident, ObjectName};

/// Returns the address of a part of the syntax tree. It distinguishes parts that are equal.
pub(super) fn address_of<T>(part: &T) -> usize {
    std::ptr::from_ref(part).addr()
}

/// Removes the quotes of an identifier, or makes an unquoted one lowercase.
pub(super) fn normalize_ident(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// Normalizes each part of a name. Returns `None` if a part is a function call.
pub(super) fn normalize_name(name: &ObjectName) -> Option<String> {
    let parts = name
        .0
        .iter()
        .map(|part| part.as_ident().map(normalize_ident));
    let parts: Option<Vec<_>> = parts.collect();
    parts.map(|parts| parts.join("."))
}
