//! The parameters of a run. The runs of a backfill share them, apart from their dates.
//!
//! `graph/params` reads parameters from a request, `template` puts them into configs.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound::{Excluded, Unbounded};
use std::ops::Index;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{MASKED, Sealed};

/// The name of the parameter that holds the date of a run.
pub(crate) const DATE_PARAM: &str = "date";

/// The parameters of a run: texts by name.
///
/// A clone shares the texts, and still does after its parameter `date` has changed. A backfill of
/// a thousand dates therefore holds its parameters once.
///
/// In place of a secret parameter ([`ParamDef::secret`](crate::ParamDef::secret)), a run has the
/// text `********`. The nodes of the run get its value. A backend stores what [`Params::sealed`]
/// returns beside the texts, and gives it back with [`Params::insert_sealed`].
///
/// ```
/// use floret::Params;
///
/// let mut first = Params::from_iter([("region", "eu"), ("date", "2024-01-15")]);
/// let mut second = first.clone();
/// second.insert("date", "2024-01-16");
/// assert!(second.shares_memory_with(&first));
/// assert_eq!((second.get("region"), second.get("date")), (Some("eu"), Some("2024-01-16")));
///
/// first.insert("region", "us");
/// assert_eq!(first["region"], "us");
/// assert_eq!(second["region"], "eu");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    /// All but the date. `None` rather than an empty map.
    shared: Option<Arc<BTreeMap<String, String>>>,
    date: Option<String>,
    /// The secret ones, each of which has a text, too. `None` rather than an empty map.
    sealed: Option<Arc<BTreeMap<String, Sealed>>>,
}

impl Params {
    /// Returns no parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            shared: None,
            date: None,
            sealed: None,
        }
    }

    /// Returns the value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.value(name).map(String::as_str)
    }

    /// Returns whether there is a parameter with this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Sets a parameter. Clones keep the value that they have.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        if self.is_secret(&name) {
            self.remove_sealed(&name);
        }
        self.set_text(name, value);
    }

    /// Sets a secret parameter, whose text is `********` from now on. `date` cannot be secret.
    ///
    /// ```
    /// use floret::Params;
    /// use floret::storage::Sealed;
    ///
    /// let mut params = Params::from_iter([("region", "eu")]);
    /// params.insert_sealed("token", Sealed::from_bytes(vec![1, 2, 3]));
    /// assert_eq!(params.get("token"), Some("********"));
    /// assert_eq!(params.sealed().next().unwrap().0, "token");
    /// ```
    pub fn insert_sealed(&mut self, name: impl Into<String>, sealed: Sealed) {
        let name = name.into();
        if name != DATE_PARAM {
            Arc::make_mut(self.sealed.get_or_insert_default()).insert(name.clone(), sealed);
            self.set_text(name, MASKED.to_owned());
        }
    }

    /// Returns the secret parameters, in the order of their names.
    pub fn sealed(&self) -> impl Iterator<Item = (&str, &Sealed)> {
        let sealed = self.sealed.iter().flat_map(|sealed| sealed.iter());
        sealed.map(|(name, sealed)| (name.as_str(), sealed))
    }

    /// Returns whether there is a secret parameter with this name.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        self.sealed_of(name).is_some()
    }

    pub(crate) fn sealed_of(&self, name: &str) -> Option<&Sealed> {
        self.sealed.as_ref()?.get(name)
    }

    /// Sets the text of a parameter and leaves it as secret as it is.
    pub(crate) fn set_text(&mut self, name: impl Into<String>, text: impl Into<String>) {
        let (name, text) = (name.into(), text.into());
        if name == DATE_PARAM {
            self.date = Some(text);
        } else {
            Arc::make_mut(self.shared.get_or_insert_default()).insert(name, text);
        }
    }

    pub(crate) fn remove_date(&mut self) {
        self.date = None;
    }

    fn remove_sealed(&mut self, name: &str) {
        let Some(sealed) = &mut self.sealed else {
            return;
        };
        Arc::make_mut(sealed).remove(name);
        if sealed.is_empty() {
            self.sealed = None;
        }
    }

    /// Returns all parameters in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        fn texts<'a>((name, value): (&'a String, &'a String)) -> (&'a str, &'a str) {
            (name, value)
        }
        let shared = self.shared.as_deref();
        let before = shared.map(|shared| shared.range::<str, _>((Unbounded, Excluded(DATE_PARAM))));
        let after = shared.map(|shared| shared.range::<str, _>((Excluded(DATE_PARAM), Unbounded)));
        let date = self.date.iter().map(|date| (DATE_PARAM, date.as_str()));
        let before = before.into_iter().flatten().map(texts);
        before
            .chain(date)
            .chain(after.into_iter().flatten().map(texts))
    }

    /// Returns the names of all parameters, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Returns a map of all parameters.
    pub(crate) fn to_map(&self) -> BTreeMap<String, String> {
        let texts = self.iter();
        texts
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Returns how many parameters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let shared = self.shared.as_ref().map_or(0, |shared| shared.len());
        shared.saturating_add(usize::from(self.date.is_some()))
    }

    /// Returns whether there is no parameter.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.shared.is_none() && self.date.is_none()
    }

    /// Shares the texts of `other` if they are the same. Only a store that reads rows needs it.
    #[cfg(feature = "sqlite")]
    pub(crate) fn share_with(&mut self, other: &Self) {
        if (&self.shared, &self.sealed) == (&other.shared, &other.sealed) {
            self.shared.clone_from(&other.shared);
            self.sealed.clone_from(&other.sealed);
        }
    }

    /// Returns whether both hold the same texts in memory, apart from their dates.
    ///
    /// Equal parameters need not: they may have been read or created one by one.
    #[must_use]
    pub fn shares_memory_with(&self, other: &Self) -> bool {
        match (&self.shared, &other.shared) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    fn value(&self, name: &str) -> Option<&String> {
        if name == DATE_PARAM {
            return self.date.as_ref();
        }
        self.shared.as_ref()?.get(name)
    }
}

impl fmt::Debug for Params {
    /// Shows `***` in place of each secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name, text| if self.is_secret(name) { "***" } else { text };
        let entries = self.iter().map(|(name, text)| (name, shown(name, text)));
        f.debug_map().entries(entries).finish()
    }
}

/// Returns the value of a parameter.
///
/// # Panics
/// If there is no such parameter.
impl Index<&str> for Params {
    type Output = String;

    #[expect(
        clippy::expect_used,
        reason = "an index panics where there is nothing, as that of a map does"
    )]
    fn index(&self, name: &str) -> &String {
        self.value(name).expect("there is such a parameter")
    }
}

impl From<BTreeMap<String, String>> for Params {
    fn from(mut all: BTreeMap<String, String>) -> Self {
        let date = all.remove(DATE_PARAM);
        Self {
            shared: (!all.is_empty()).then(|| Arc::new(all)),
            date,
            sealed: None,
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(all: I) -> Self {
        let all = all.into_iter();
        let texts = all.map(|(name, value)| (name.into(), value.into()));
        Self::from(texts.collect::<BTreeMap<String, String>>())
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
schema_of! { Params => BTreeMap<String, String> }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_equal_those_of_a_map_with_and_without_a_date() {
        for names in [&["a", "date", "e"][..], &["a", "e"], &["date"], &["e"], &[]] {
            let all = names
                .iter()
                .map(|name| ((*name).to_owned(), format!("of {name}")));
            let all: BTreeMap<_, _> = all.collect();
            let params = Params::from(all.clone());
            let mut inserted = Params::new();
            for (name, value) in all.iter().rev() {
                inserted.insert(name, value);
            }
            assert_eq!(params, inserted);
            let texts = all.iter().map(|(name, value)| (&**name, &**value));
            assert!(params.iter().eq(texts));
            assert_eq!(
                (params.len(), params.is_empty()),
                (all.len(), all.is_empty())
            );
            for name in ["a", "date", "e", "other"] {
                assert_eq!(params.get(name), all.get(name).map(String::as_str));
                assert_eq!(params.contains(name), all.contains_key(name));
            }
            let json = serde_json::to_string(&params).unwrap();
            assert_eq!(json, serde_json::to_string(&all).unwrap());
        }
    }
    #[test]
    fn a_secret_has_a_mask_until_it_is_replaced() {
        let sealed = Sealed::from_bytes(vec![1, 2]);
        let mut params = Params::from_iter([("region", "eu")]);
        params.insert_sealed("token", sealed.clone());
        assert_eq!(params["token"], MASKED);
        assert!(params.sealed().eq([("token", &sealed)]));
        assert_eq!(
            serde_json::to_value(&params).unwrap(),
            serde_json::json!({"region": "eu", "token": MASKED})
        );
        let clone = params.clone();
        params.set_text("token", "hunter2");
        assert_eq!((&*params["token"], &*clone["token"]), ("hunter2", MASKED));
        assert!(params.is_secret("token") && !params.is_secret("region"));
        let shown = format!("{params:?}");
        assert!(
            shown.contains("eu") && !shown.contains("hunter2"),
            "{shown}"
        );
        params.insert("token", "plain");
        assert_eq!(
            params,
            Params::from_iter([("region", "eu"), ("token", "plain")])
        );
        assert!(clone.is_secret("token"), "a clone keeps what it has");
        params.insert_sealed("date", sealed);
        assert!(!params.contains("date"), "a date is never secret");
    }
}
