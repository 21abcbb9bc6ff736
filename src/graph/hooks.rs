//! Reads the hooks of a definition, and checks their shape.
//!
//! `engine/hooks` checks where a hook may lead, and whether its secret can sign.

use serde_json::Value;

use super::fields::Fields;
use super::issues::Issues;
use crate::model::{Hook, HookKind, HookMoment, HookSecret, Hooks, Pipeline};

/// The fields of the hooks of a pipeline.
pub(crate) const HOOKS_FIELDS: [&str; 3] = ["on_start", "on_success", "on_failure"];
/// The fields of a hook.
pub(crate) const HOOK_FIELDS: [&str; 3] = ["type", "url", "secret"];

const WHAT: &str = "a hook";
const KINDS: &str = "webhook";
const SECRETS: &str = "a string: whsec_ followed by base64";

/// Reads the hooks. A field that Floret does not know is refused, since a mistyped one would call
/// nobody.
pub(super) fn read(mut fields: Fields<'_>) -> Hooks {
    let mut hooks = Hooks::default();
    for moment in HookMoment::ALL {
        hooks.set(moment, fields.inner(moment.field(), WHAT, read_hook));
    }
    fields.refuse_rest(&HOOKS_FIELDS);
    hooks
}

fn read_hook(mut fields: Fields<'_>) -> Hook {
    fields.require("type", KINDS);
    let kind = fields.take("type", KINDS, read_kind).unwrap_or_default();
    let mut hook = Hook::webhook(fields.required("url"));
    hook.kind = kind;
    let secret = fields.take_secret("secret", SECRETS, |value| value.as_str().map(str::to_owned));
    hook.secret = secret.map(HookSecret::given);
    fields.refuse_rest(&HOOK_FIELDS);
    hook
}

fn read_kind(value: &Value) -> Option<HookKind> {
    let text = value.as_str()?;
    HookKind::ALL.into_iter().find(|kind| kind.as_str() == text)
}

/// Adds an issue for each URL that is too long. No text repeats a part of it.
pub(super) fn check(pipeline: &Pipeline, issues: &mut Issues) {
    for (moment, hook) in pipeline.hooks.each() {
        let (count, max) = (hook.url.chars().count(), Hook::URL_CHARS_MAX);
        if count > max {
            issues.push(&format!("/hooks/{}/url", moment.field()), || {
                format!("url must be at most {max} characters, received {count}")
            });
        }
    }
}
