//! Suggests the known name that is nearest to a mistyped one ("did you mean").
//!
//! The caller provides the known names.

/// The least similarity of two names that counts as a typing error (Jaro-Winkler, 0 to 1).
const SIMILARITY_MIN: f64 = 0.8;

/// The most bytes of a name that is compared. The cost of a comparison is the product of both
/// lengths, and an attacker may choose both.
const NAME_BYTES_MAX: usize = 64;

/// The most products of lengths that one search for a candidate takes: some milliseconds. An
/// attacker may also choose how many candidates there are.
const COMPARISONS_MAX: usize = 1 << 20;

/// Returns the candidate nearest to `typed`, or `None` if no candidate is similar.
///
/// Ignores case. Of several equally similar candidates, returns the first in byte order. Of very
/// many candidates, considers the first thousands.
pub(crate) fn nearest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if typed.len() > NAME_BYTES_MAX {
        return None;
    }
    let typed = typed.to_lowercase();
    let mut comparisons: usize = 0;
    let mut is_affordable = |name: &&str| {
        comparisons = comparisons.saturating_add(typed.len() * name.len());
        comparisons <= COMPARISONS_MAX
    };
    candidates
        .into_iter()
        .filter(|name| name.len() <= NAME_BYTES_MAX)
        .take_while(|name| is_affordable(name))
        .map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(one.1)))
        .map(|(_, name)| name)
}

/// Returns the question that ends an error message. Escapes control characters.
pub(crate) fn did_you_mean(name: &str) -> String {
    format!("; did you mean \"{}\"?", name.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_candidate_is_suggested() {
        let long = "x".repeat(NAME_BYTES_MAX);
        let too_long = "x".repeat(NAME_BYTES_MAX + 1);
        for (typed, candidates, expected) in [
            ("parms", &["days", "params"][..], Some("params")),
            ("pgae", &["page", "from", "status"], Some("page")),
            ("order", &["sum", "orders"], Some("orders")),
            ("Orders", &["orders", "order"], Some("orders")),
            (
                "europe/berln",
                &["Europe/Berlin", "UTC"],
                Some("Europe/Berlin"),
            ),
            ("utc", &["UCT", "UTC"], Some("UTC")),
            ("node1", &["node3", "node2"], Some("node2")),
            ("ID", &["id", "Id"], Some("Id")),
            (&long[1..], &[&too_long, &long], Some(&long)),
        ] {
            let found = nearest(typed, candidates.iter().copied());
            assert_eq!(found, expected, "{typed} of {candidates:?}");
        }
    }

    #[test]
    fn of_very_many_candidates_the_first_are_considered() {
        let many = vec!["y".repeat(NAME_BYTES_MAX); COMPARISONS_MAX / NAME_BYTES_MAX];
        let typed = "x".repeat(NAME_BYTES_MAX);
        let others = || many.iter().map(String::as_str);
        let near = [typed.as_str()].into_iter();
        assert_eq!(nearest(&typed, near.clone().chain(others())), Some(&*typed));
        assert_eq!(nearest(&typed, others().chain(near)), None);
    }

    #[test]
    fn a_dissimilar_word_gets_no_suggestion() {
        let too_long = "x".repeat(NAME_BYTES_MAX + 1);
        for (typed, candidates) in [
            ("zzz", &["orders", "sum"][..]),
            ("x", &["page", "from", "status"]),
            ("+02:00", &["Europe/Berlin", "UTC"]),
            ("", &["page"]),
            ("page", &[]),
            (&too_long, &[&too_long]),
        ] {
            let found = nearest(typed, candidates.iter().copied());
            assert_eq!(found, None, "{typed} of {candidates:?}");
        }
    }

    #[test]
    fn a_suggestion_is_quoted_and_escaped() {
        assert_eq!(did_you_mean("UTC"), "; did you mean \"UTC\"?");
        assert_eq!(did_you_mean("\u{1b}"), "; did you mean \"\\u{1b}\"?");
    }
}
