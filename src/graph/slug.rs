//! The slug of a definition: its two names in JSON, and the slug that the name of a pipeline
//! implies.
//!
//! Whether a slug is free is checked by storage.

use serde_json::Value;

use super::fields::Fields;
use crate::error::quote;
use crate::model::{ID_MAX, Slug};

/// The field with the slug.
pub(super) const SLUG: &str = "slug";

/// The old name of [`SLUG`], which clients still read and write.
pub(super) const PIPELINE_ID: &str = "pipeline_id";

/// Returns the name under which a definition gives its slug.
pub(super) fn given_name(definition: &Value) -> &'static str {
    match definition.get(SLUG) {
        Some(_) => SLUG,
        None => PIPELINE_ID,
    }
}

/// Reads the slug. Two names with different texts are an issue.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<String> {
    let old = fields.text(PIPELINE_ID);
    let expects = match &old {
        Some(old) => format!(
            "the same as {PIPELINE_ID} or left out, since that is {}",
            quote(old)
        ),
        None => "a string".to_owned(),
    };
    let own = fields.take(SLUG, &expects, |value| {
        let own = value.as_str().map(str::to_owned);
        own.filter(|own| old.as_ref().is_none_or(|old| old == own))
    });
    own.or(old)
}

/// Removes the name under which a definition gives the stored slug, if it has both names.
///
/// A client that reads a pipeline, changes the slug under the name that it knows, and sends all of
/// it back has changed the slug.
pub(crate) fn drop_unchanged(definition: &mut Value, stored: &Slug) {
    let Value::Object(fields) = definition else {
        return;
    };
    let names = [PIPELINE_ID, SLUG];
    if !names.iter().all(|name| fields.contains_key(*name)) {
        return;
    }
    let is_unchanged = |name: &&str| {
        let given = fields.get(*name);
        given.is_some_and(|given| given == stored.as_str())
    };
    if let Some(name) = names.into_iter().find(is_unchanged) {
        fields.remove(name);
    }
}

/// Returns the slug that a name implies.
///
/// The slug has the ASCII letters and digits of the name in lower case. Each run of other
/// characters becomes one `-`. Returns `None` if the name has no ASCII letter or digit.
pub(crate) fn implied_by(name: &str) -> Option<Slug> {
    let mut slug = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= ID_MAX {
            break;
        }
    }
    Slug::new(slug.trim_end_matches('-')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_has_the_letters_and_digits_of_the_name() {
        for (name, slug) in [
            ("Daily Load", Some("daily-load")),
            ("  A -- b_c.D9! ", Some("a-b-c-d9")),
            ("Größe", Some("gr-e")),
            ("日本", None),
            ("", None),
            ("---", None),
        ] {
            assert_eq!(implied_by(name).as_ref().map(Slug::as_str), slug, "{name}");
        }
        let long = format!("{} b", "a".repeat(127));
        assert_eq!(implied_by(&long).unwrap().as_str(), "a".repeat(127));
    }
}
