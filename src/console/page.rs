//! The page: one text for every path, apart from the way back to the mount.
//!
//! The page finds everything relative to its `base`, so that no host has to say where it is
//! mounted.

use sha2::{Digest, Sha256};

use super::settings::Settings;
use crate::hex;

/// The page as the build in `console/` has made it, with what is filled in here in braces.
pub(super) const TEMPLATE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/console/dist/index.html"
));

/// The page of a console.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// The text around the address of the mount.
    before: String,
    after: String,
    hash: String,
}

impl Page {
    pub(super) fn new(settings: &Settings) -> Self {
        // Texts, lists and options always have a JSON.
        let json = serde_json::to_string(settings).unwrap_or_default();
        let text = fill(TEMPLATE, "{title}", &escape(&settings.title));
        let text = fill(&text, "{settings}", &escape(&json));
        let (before, after) = text.split_once("{base}").unwrap_or((&text, ""));
        let hash = hex::encode(&Sha256::digest(&text));
        Self {
            before: before.to_owned(),
            after: after.to_owned(),
            hash,
        }
    }

    /// Returns the page for a path so many folders below the mount.
    pub(super) fn at(&self, depth: usize) -> String {
        let base = match depth {
            0 => "./".to_owned(),
            depth => "../".repeat(depth),
        };
        [self.before.as_str(), &base, &self.after].concat()
    }

    /// Returns the text of the entity tag of this page.
    pub(super) fn tag(&self, depth: usize) -> String {
        format!("{}-{depth}", self.hash)
    }
}

/// Replaces a place of the template. A text that was filled in before is not searched: no text
/// that [`escape`] returns has a brace.
fn fill(template: &str, place: &str, text: &str) -> String {
    template.replacen(place, text, 1)
}

/// Escapes a text for HTML, in an element and in an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '{' => escaped.push_str("&#123;"),
            '}' => escaped.push_str("&#125;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(title: &str) -> Page {
        let settings = Settings {
            title: title.to_owned(),
            ..Settings::default()
        };
        Page::new(&settings)
    }

    #[test]
    fn the_template_has_every_place_once() {
        for place in ["{base}", "{title}", "{settings}"] {
            assert_eq!(TEMPLATE.matches(place).count(), 1, "{place}");
        }
    }

    #[test]
    fn the_base_leads_back_to_the_mount() {
        let page = page("Flows");
        for (depth, expected) in [(0, "./"), (1, "../"), (3, "../../../")] {
            let text = page.at(depth);
            assert!(
                text.contains(&format!("<base href=\"{expected}\">")),
                "{depth}"
            );
            assert!(text.contains("<title>Flows</title>"));
        }
    }

    #[test]
    fn a_title_cannot_leave_its_place() {
        let text = page("</title><script>alert('{base}')</script>\"{settings}").at(0);
        assert!(!text.contains("<script>alert"), "{text}");
        assert!(text.contains("&lt;/title&gt;&lt;script&gt;"), "{text}");
        assert_eq!(text.matches("<base href=\"./\">").count(), 1);
    }

    #[test]
    fn another_page_has_another_tag() {
        let (one, other) = (page("One"), page("Other"));
        assert_eq!(one.tag(1), page("One").tag(1));
        assert_ne!(one.tag(1), one.tag(2));
        assert_ne!(one.tag(1), other.tag(1));
    }
}
