//! Derived slugs: the base, or the base with the first free number.
//!
//! Deriving the base from a name is left to the engine.

use crate::model::{ID_MAX, Slug};

/// Returns `base` for 1, `base-2` for 2 and so on.
///
/// A long base is cut, so that the slug has a valid length.
pub(in crate::storage) fn numbered(base: &Slug, number: u64) -> Slug {
    if number < 2 {
        return base.clone();
    }
    let suffix = format!("-{number}");
    // A slug is ASCII and the suffix has at most 21 bytes, so the cut base is a slug too.
    let length = base.as_str().len().min(ID_MAX - suffix.len());
    Slug::new(format!("{}{suffix}", &base.as_str()[..length])).unwrap_or_else(|_| base.clone())
}

/// Returns whether [`numbered`] makes `slug` of `base` for some number.
pub(in crate::storage) fn is_derived_from(slug: &Slug, base: &Slug) -> bool {
    let number = slug.as_str().rsplit_once('-').map(|(_, number)| number);
    slug == base
        || number
            .and_then(|number| number.parse().ok())
            .is_some_and(|number| number >= 2 && numbered(base, number) == *slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_slug_is_derived_from_its_base_and_from_no_other() {
        let long = "a".repeat(ID_MAX);
        for (slug, base, is_derived) in [
            ("daily", "daily", true),
            ("daily-2", "daily", true),
            ("daily-17", "daily", true),
            ("daily-1", "daily", false),
            ("daily-02", "daily", false),
            ("daily-x", "daily", false),
            ("daily-2-2", "daily", false),
            ("daily-2", "day", false),
            (&format!("{}-10", "a".repeat(ID_MAX - 3)), &long, true),
        ] {
            let (slug, base) = (Slug::new(slug).unwrap(), Slug::new(base).unwrap());
            assert_eq!(is_derived_from(&slug, &base), is_derived, "{slug} {base}");
        }
    }
}
