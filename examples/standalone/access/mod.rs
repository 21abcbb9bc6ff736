//! Decides who has access: callers with a key, or this machine alone.
//!
//! `keys` has the keys of the callers, and `roles` says what each of them may do.

mod keys;
mod new_key;
mod roles;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use floret::{Access, ConsoleService, Decision, Floret, Permission, Scope};
use http::header::AUTHORIZATION;
use http::request::Parts;
use parking_lot::RwLock;

use self::keys::KeyTable;
pub(crate) use self::new_key::new_key;
pub(crate) use self::roles::Role;
use crate::failure::Failure;
use crate::options::{ApiKey, ServerOptions};

/// The keys of a server. Clones share them.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Shared>);

struct Shared {
    one: Option<ApiKey>,
    file: Option<PathBuf>,
    // A lock, because a reload replaces the table while requests read it.
    table: RwLock<Arc<KeyTable>>,
}

impl Keys {
    /// Reads the keys that the options name. Returns `None` if they name none.
    pub(crate) fn read(options: &ServerOptions) -> Result<Option<Self>, Failure> {
        let (one, file) = (options.api_key.clone(), options.api_keys.clone());
        if one.is_none() && file.is_none() {
            return Ok(None);
        }
        let table = KeyTable::read(one.as_ref(), file.as_deref())?;
        Ok(Some(Self(Arc::new(Shared {
            one,
            file,
            table: RwLock::new(Arc::new(table)),
        }))))
    }

    /// Returns the file of the keys, if there is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// Reads the file again. Returns whether a key lost anything. After an error, the earlier table
    /// stays in force.
    pub(crate) fn reload(&self) -> Result<bool, Failure> {
        let new = KeyTable::read(self.0.one.as_ref(), self.file())?;
        tracing::info!(keys = new.len(), "the keys were read again");
        let old = std::mem::replace(&mut *self.0.table.write(), Arc::new(new.clone()));
        Ok(!new.has_all_of(&old))
    }

    /// Returns whether a caller may see the settings of every tenant.
    pub(crate) fn sees_all(&self, parts: &Parts) -> bool {
        match self.decide(parts, Permission::SettingsView) {
            Decision::Allow(scope) | Decision::AllowAs(scope, _) => scope == Scope::All,
            _ => false,
        }
    }

    fn decide(&self, parts: &Parts, permission: Permission) -> Decision {
        let table = Arc::clone(&self.0.table.read());
        match credentials(parts).and_then(|given| table.find(given)) {
            Some(key) => key.decide(permission),
            None => Decision::Unauthenticated,
        }
    }
}

/// The console with the API below it, as they are reachable from outside.
pub(crate) fn service(floret: &Floret, keys: Option<Keys>) -> ConsoleService {
    match keys {
        Some(keys) => floret.console(Access::custom(move |parts, permission| {
            keys.decide(parts, permission)
        })),
        // A page in a browser on this machine could reach the server under a name that its author
        // controls.
        None => floret
            .console(Access::allow_all())
            .allow_host("localhost")
            .allow_host("127.0.0.1")
            .allow_host("[::1]"),
    }
}

/// Returns the credentials after the scheme, whose case does not matter (RFC 9110, section 11.1).
/// Returns `None` for two headers, because choosing one would be a guess.
fn credentials(parts: &Parts) -> Option<&[u8]> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, rest) = header.as_bytes().split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| rest.trim_ascii())
}
