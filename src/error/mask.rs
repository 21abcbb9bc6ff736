//! Hides the secrets of hooks in texts for clients and logs.
//!
//! A caller who puts a secret into the wrong place gets it refused there, and the refusal must not
//! repeat it.

/// What the secret of a hook begins with (Standard Webhooks).
const PREFIX: &str = "whsec_";

/// Returns the text with `whsec_***` in place of each secret of a hook.
pub(crate) fn mask_hook_secrets(text: String) -> String {
    if !text.contains(PREFIX) {
        return text;
    }
    let mut parts = text.split(PREFIX);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(is_of_secret);
        masked.push_str(PREFIX);
        if rest.len() < part.len() {
            masked.push_str("***");
        }
        masked.push_str(rest);
    }
    masked
}

/// Returns whether a text has what reads as the secret of a hook.
pub(crate) fn has_hook_secret(text: &str) -> bool {
    let mut after = text.split(PREFIX).skip(1);
    after.any(|part| part.starts_with(is_of_secret))
}

/// Returns whether a character belongs to base64, of either alphabet.
const fn is_of_secret(character: char) -> bool {
    matches!(character, 'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' | '=' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_at_every_place() {
        for (text, masked) in [
            ("", ""),
            ("received 5", "received 5"),
            (
                "a secret must be whsec_ followed by base64",
                "a secret must be whsec_ followed by base64",
            ),
            ("received \"whsec_aB+/9-_=\"", "received \"whsec_***\""),
            ("whsec_a, whsec_b", "whsec_***, whsec_***"),
            ("whsec_whsec_a", "whsec_whsec_***"),
            ("/hooks/whsec_ab~1c", "/hooks/whsec_***~1c"),
        ] {
            assert_eq!(mask_hook_secrets(text.to_owned()), masked);
            assert_eq!(has_hook_secret(text), text != masked, "{text}");
        }
    }
}
