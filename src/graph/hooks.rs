//! Reads the hooks of a definition, and checks their shape.
//!
//! `engine/hooks` checks where a hook may lead, and whether its secret can sign.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::issues::Issues;
use crate::error::{Problem, has_hook_secret, quote, reference_token};
use crate::model::{Hook, HookKind, HookMoment, HookSecret, Hooks, Pipeline};

/// The fields of the hooks of a pipeline.
pub(crate) const HOOKS_FIELDS: [&str; 3] = ["on_start", "on_success", "on_failure"];
/// The fields of a hook.
pub(crate) const HOOK_FIELDS: [&str; 3] = ["type", "url", "secret"];

/// What a hook of cancelled runs might be called. None of the known names is meant.
const OF_CANCELLED: [&str; 3] = ["on_cancel", "on_cancelled", "on_canceled"];

const WHAT: &str = "a hook";
const KINDS: &str = "webhook";
const SECRETS: &str = "a string: whsec_ followed by base64 of 24 to 64 bytes";

/// Reads the hooks. A field that Floret does not know is refused, since a mistyped one would call
/// nobody.
pub(super) fn read(mut fields: Fields<'_>) -> Hooks {
    let mut hooks = Hooks::default();
    for moment in HookMoment::ALL {
        hooks.set(moment, fields.inner(moment.field(), WHAT, read_hook));
    }
    for field in OF_CANCELLED {
        fields.refuse(field, || {
            let known = HOOKS_FIELDS.join(", ");
            format!("a cancelled run calls no hook, so that there is no {field}; known are {known}")
        });
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

/// Adds an issue for each URL that is too long or has a template, and for each secret of a hook in
/// a field that Floret keeps as it is. No text repeats a part of a URL or of a secret.
pub(super) fn check(pipeline: &Pipeline, issues: &mut Issues) {
    for (moment, hook) in pipeline.hooks.each() {
        let at = format!("/hooks/{}/url", moment.field());
        let (count, max) = (hook.url.chars().count(), Hook::URL_CHARS_MAX);
        if count > max {
            issues.push(&at, || {
                format!("url must be at most {max} characters, received {count}")
            });
        }
        if hook.url.contains("${") {
            issues.push(&at, || {
                "url has a template, which a hook sends as it stands: write the URL itself, without ${…}"
                    .to_owned()
            });
        }
    }
    check_extra("", &pipeline.extra, issues);
    for (index, node) in pipeline.nodes.iter().enumerate() {
        check_extra(&format!("/nodes/{index}"), &node.extra, issues);
    }
    for (index, edge) in pipeline.edges.iter().enumerate() {
        check_extra(&format!("/edges/{index}"), &edge.extra, issues);
    }
}

/// Adds an issue for each unknown field with the secret of a hook, which would be stored and shown
/// in plain.
fn check_extra(at: &str, extra: &Map<String, Value>, issues: &mut Issues) {
    for (key, value) in extra {
        if issues.is_full() {
            return;
        }
        // Serialized, since the secret may be anywhere in it, also in the name of a field.
        if has_hook_secret(key) || has_hook_secret(&value.to_string()) {
            let at = format!("{at}/{}", reference_token(key));
            let key = quote(key);
            let detail = format!(
                "{key} is not a field that Floret reads, so that the secret of a hook in it would be stored and shown in plain; did you mean \"hooks\"?"
            );
            issues.push_with_problem(Problem::UnknownField, &at, detail);
        }
    }
}
