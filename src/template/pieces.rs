//! Splits a string into its templates and the text around them.
//!
//! What a template stands for is left to the parent module.

/// The part of a template before the dot.
pub(super) const PREFIXES: [&str; 3] = ["param", "var", "run"];

/// A part of a string.
pub(super) enum Piece<'t> {
    Text(&'t str),
    /// A `$` that begins no template, with the text from it on.
    Dollar(&'t str),
    /// The inside of `${…}`, with one of our prefixes.
    Reference(&'t str),
    /// The inside of `${…}`, with a prefix that is nearly one of ours.
    Misspelled(&'t str),
}

/// Splits a string into its parts, in order.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    // After the last `}` no reference is closed. Searching for its end each time would be
    // quadratic.
    let unclosed = text.rsplit('}').next().map_or(0, str::len);
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.find('$').unwrap_or(rest.len());
        if rest.is_empty() {
            return None;
        }
        let (before, dollar) = rest.split_at(at);
        let (piece, taken) = if !before.is_empty() {
            (Piece::Text(before), before.len())
        } else if dollar.starts_with("$${") {
            (Piece::Text("${"), "$${".len())
        } else if dollar.len() > unclosed
            && let Some((inside, piece)) = reference(dollar)
        {
            (piece, "${}".len() + inside.len())
        } else {
            (Piece::Dollar(dollar), "$".len())
        };
        rest = &rest[taken..];
        Some(piece)
    })
}

/// Returns the inside of `${…}` at the start of a string if it has one of our prefixes or nearly
/// one. Any other `${…}`, such as `${HOME}`, belongs to the executor.
fn reference(text: &str) -> Option<(&str, Piece<'_>)> {
    let (inside, _) = text.strip_prefix("${")?.split_once('}')?;
    let (prefix, _) = inside.split_once('.')?;
    if PREFIXES.contains(&prefix) {
        return Some((inside, Piece::Reference(inside)));
    }
    meant_prefix(prefix).map(|_| (inside, Piece::Misspelled(inside)))
}

/// Returns the prefix of ours that a wrong one most likely means.
///
/// The list is short, because a text that is not for Floret must stay as it is.
pub(super) fn meant_prefix(prefix: &str) -> Option<&'static str> {
    if prefix.len() > "parameters".len() + 2 {
        return None;
    }
    match prefix.trim().to_ascii_lowercase().as_str() {
        "param" | "params" | "parameter" | "parameters" | "parm" | "parms" | "prams" => {
            Some("param")
        }
        "var" | "vars" | "variable" | "variables" => Some("var"),
        "run" | "runs" => Some("run"),
        _ => None,
    }
}
