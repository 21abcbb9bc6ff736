//! The hooks of a pipeline: the requests that Floret sends when a run starts, succeeds or fails.
//!
//! `graph/hooks` reads them from JSON, `engine/hooks` checks and seals them, and the module `hooks`
//! sends the requests.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[cfg(any(test, feature = "webhook"))]
use super::EventKind;
use super::{MASKED, Sealed};
use crate::hex;

/// The hooks of a pipeline, one for each moment of its runs.
///
/// ```
/// use floret::{Hook, Pipeline};
///
/// let daily = Pipeline::new("daily")
///     .node("load", "load")
///     .on_failure(Hook::webhook("https://example.com/hooks/floret"));
/// assert!(daily.hooks.on_failure.is_some());
/// assert!(daily.hooks.on_success.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[non_exhaustive]
pub struct Hooks {
    /// Called when a run starts. A run that continues after a crash does not start again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_start: Option<Hook>,
    /// Called when a run has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_success: Option<Hook>,
    /// Called when a run has failed. A cancelled run has not failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Hook>,
}

/// A moment of a run that a hook can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookMoment {
    Start,
    Success,
    Failure,
}

impl HookMoment {
    pub(crate) const ALL: [Self; 3] = [Self::Start, Self::Success, Self::Failure];

    /// Returns the field of [`Hooks`] that has the hook.
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Start => "on_start",
            Self::Success => "on_success",
            Self::Failure => "on_failure",
        }
    }

    /// Returns the name under which the secret of the hook is sealed.
    pub(crate) const fn secret_name(self) -> &'static str {
        match self {
            Self::Start => "hooks.on_start.secret",
            Self::Success => "hooks.on_success.secret",
            Self::Failure => "hooks.on_failure.secret",
        }
    }

    /// Returns the moment of an event, if it is one.
    #[cfg(any(test, feature = "webhook"))]
    pub(crate) const fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::RunStarted => Some(Self::Start),
            EventKind::RunCompleted => Some(Self::Success),
            EventKind::RunFailed => Some(Self::Failure),
            EventKind::RunCreated
            | EventKind::RunCancelling
            | EventKind::RunCancelled
            | EventKind::NodeStarted
            | EventKind::NodeCompleted
            | EventKind::NodeFailed
            | EventKind::NodeRetrying
            | EventKind::NodeRecovered
            | EventKind::NodeSkipped
            | EventKind::NodeCancelled
            | EventKind::Log => None,
        }
    }
}

impl Hooks {
    /// Returns whether there is no hook.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self {
            on_start,
            on_success,
            on_failure,
        } = self;
        on_start.is_none() && on_success.is_none() && on_failure.is_none()
    }

    pub(crate) const fn get(&self, moment: HookMoment) -> Option<&Hook> {
        match moment {
            HookMoment::Start => self.on_start.as_ref(),
            HookMoment::Success => self.on_success.as_ref(),
            HookMoment::Failure => self.on_failure.as_ref(),
        }
    }

    pub(crate) const fn get_mut(&mut self, moment: HookMoment) -> Option<&mut Hook> {
        match moment {
            HookMoment::Start => self.on_start.as_mut(),
            HookMoment::Success => self.on_success.as_mut(),
            HookMoment::Failure => self.on_failure.as_mut(),
        }
    }

    pub(crate) fn set(&mut self, moment: HookMoment, hook: Option<Hook>) {
        match moment {
            HookMoment::Start => self.on_start = hook,
            HookMoment::Success => self.on_success = hook,
            HookMoment::Failure => self.on_failure = hook,
        }
    }

    /// Returns each hook with its moment.
    pub(crate) fn each(&self) -> impl Iterator<Item = (HookMoment, &Hook)> {
        let found = |moment| self.get(moment).map(|hook| (moment, hook));
        HookMoment::ALL.into_iter().filter_map(found)
    }

    /// Returns the hooks as a caller sees them: a mask stands for each secret.
    pub(crate) fn masked(&self) -> Self {
        let mut masked = self.clone();
        for moment in HookMoment::ALL {
            let hook = masked.get_mut(moment);
            if let Some(secret) = hook.and_then(|hook| hook.secret.as_mut()) {
                *secret = HookSecret::mask();
            }
        }
        masked
    }

    /// Returns whether a secret is anything but a mask.
    pub(crate) fn shows_secrets(&self) -> bool {
        self.each()
            .any(|(_, hook)| hook.secret.as_ref().is_some_and(|it| !it.is_mask()))
    }

    /// Returns whether a mask stands for a stored secret.
    pub(crate) fn keeps_secrets(&self) -> bool {
        self.each()
            .any(|(_, hook)| hook.secret.as_ref().is_some_and(HookSecret::is_mask))
    }
}

impl<'de> Deserialize<'de> for Hooks {
    /// Reads an object. An array has no meaning here, though a derived implementation would read
    /// one.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut hooks = BTreeMap::<String, Hook>::deserialize(deserializer)?;
        let read = Self {
            on_start: hooks.remove(HookMoment::Start.field()),
            on_success: hooks.remove(HookMoment::Success.field()),
            on_failure: hooks.remove(HookMoment::Failure.field()),
        };
        match hooks.first_key_value() {
            None => Ok(read),
            Some((name, _)) => Err(D::Error::custom(format!("{name} is no hook"))),
        }
    }
}

/// What a hook does. JSON calls it `type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HookKind {
    /// It sends the event to a URL, as [`Webhook`](crate::notifier) does.
    #[default]
    Webhook,
}

impl HookKind {
    pub(crate) const ALL: [Self; 1] = [Self::Webhook];

    /// Returns the value in a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
        }
    }
}

/// A hook of a pipeline: where Floret sends an event of a run, and the secret that signs it.
///
/// Its `Debug` shows neither the URL nor the secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hook {
    /// What the hook does.
    #[serde(rename = "type")]
    pub kind: HookKind,
    /// The URL, at most 2,048 characters. Every caller who may view the pipeline sees it.
    pub url: String,
    /// The secret that signs the requests. Without one, they have no signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<HookSecret>,
}

impl Hook {
    /// The most characters of a URL: what receivers and proxies take.
    pub(crate) const URL_CHARS_MAX: usize = 2_048;

    /// Creates a hook that sends events to a URL. It begins with `https://`, unless the host allows
    /// others ([`Builder::hooks`](crate::Builder)).
    #[must_use]
    pub fn webhook(url: impl Into<String>) -> Self {
        Self {
            kind: HookKind::Webhook,
            url: url.into(),
            secret: None,
        }
    }

    /// Sets the secret that signs the requests: `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// A save seals it with the key of the host
    /// ([`Builder::secret_key`](crate::Builder), feature `secrets`), and needs one.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(HookSecret::given(secret));
        self
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("kind", &self.kind)
            .field("url", &"***")
            .field("secret", &self.secret)
            .finish()
    }
}

/// The secret of a hook: as a caller gives it, or sealed, as storage has it. Its `Debug` shows
/// `***`.
///
/// Of a pipeline that was found, it is `********`, which a save leaves as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct HookSecret(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Given(String),
    Sealed(Sealed),
}

/// The prefix of a sealed secret in a stored definition. No secret that a caller gives begins with
/// it.
const SEALED: &str = "sealed:";

impl HookSecret {
    /// Creates a secret from its text.
    pub(crate) fn given(text: impl Into<String>) -> Self {
        Self(Form::Given(text.into()))
    }

    /// Creates a secret that is stored.
    pub(crate) const fn sealed(sealed: Sealed) -> Self {
        Self(Form::Sealed(sealed))
    }

    pub(crate) fn mask() -> Self {
        Self::given(MASKED)
    }

    pub(crate) fn is_mask(&self) -> bool {
        matches!(&self.0, Form::Given(text) if text == MASKED)
    }

    /// Returns the text that a caller has given, or the sealed secret.
    pub(crate) const fn form(&self) -> Result<&String, &Sealed> {
        match &self.0 {
            Form::Given(text) => Ok(text),
            Form::Sealed(sealed) => Err(sealed),
        }
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for HookSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Given(text) => serializer.serialize_str(text),
            Form::Sealed(sealed) => {
                serializer.serialize_str(&[SEALED, &hex::encode(sealed.as_bytes())].concat())
            }
        }
    }
}

impl<'de> Deserialize<'de> for HookSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some(digits) = text.strip_prefix(SEALED) else {
            return Ok(Self::given(text));
        };
        let bytes =
            hex::decode(digits).ok_or_else(|| D::Error::custom("a sealed secret is damaged"))?;
        Ok(Self::sealed(Sealed::from_bytes(bytes)))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for HookSecret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HookSecret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "`********` if a secret is stored.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks() -> Hooks {
        Hooks {
            on_success: Some(Hook::webhook("https://example.com/a").secret("whsec_abc")),
            on_failure: Some(Hook::webhook("https://example.com/b")),
            ..Hooks::default()
        }
    }

    #[test]
    fn a_hook_shows_neither_its_url_nor_its_secret() {
        let shown = format!("{:?}", hooks());
        assert!(
            !shown.contains("example.com") && !shown.contains("whsec"),
            "{shown}"
        );
    }

    #[test]
    fn a_sealed_secret_is_stored_and_read_back() {
        let mut hooks = hooks();
        let sealed = Sealed::from_bytes((0..=255).collect::<Vec<u8>>());
        let hook = hooks.on_success.as_mut().unwrap();
        hook.secret = Some(HookSecret::sealed(sealed));
        let text = serde_json::to_string(&hooks).unwrap();
        assert!(text.contains(r#""secret":"sealed:000102"#), "{text}");
        assert_eq!(serde_json::from_str::<Hooks>(&text).unwrap(), hooks);
        for damaged in ["sealed:0", "sealed:0g", "sealed:ä"] {
            let text = text.replace("sealed:", &format!("{damaged}x"));
            assert!(serde_json::from_str::<Hooks>(&text).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_mask_stands_for_a_secret_alone() {
        let masked = hooks().masked();
        assert!(hooks().shows_secrets() && !hooks().keeps_secrets());
        assert!(!masked.shows_secrets() && masked.keeps_secrets());
        assert_eq!(masked.on_failure, hooks().on_failure);
        let json = serde_json::to_value(&masked).unwrap();
        assert_eq!(json["on_success"]["secret"], MASKED);
        assert_eq!(json["on_failure"].get("secret"), None);
    }

    #[test]
    fn each_moment_has_its_event_and_its_field() {
        for (moment, kind) in HookMoment::ALL.into_iter().zip([
            EventKind::RunStarted,
            EventKind::RunCompleted,
            EventKind::RunFailed,
        ]) {
            assert_eq!(HookMoment::of(kind), Some(moment));
            let expected = format!("hooks.{}.secret", moment.field());
            assert_eq!(moment.secret_name(), expected);
        }
        assert_eq!(HookMoment::of(EventKind::RunCancelled), None);
        assert_eq!(hooks().each().count(), 2);
    }
}
