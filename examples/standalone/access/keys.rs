//! The keys of callers: a file with a line `NAME ROLE TENANT HASH` for each.
//!
//! The file has hashes only, so that it reveals no key. No message has a text of a line that could
//! be a key.

use std::path::Path;

use clap::ValueEnum;
use floret::{CallerName, Decision, Permission, Scope, TenantId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Role;
use crate::failure::Failure;
use crate::options::ApiKey;

/// What stands in place of a tenant for a key that reaches every object.
pub(super) const EVERY_TENANT: &str = "-";

/// The most faulty lines that a message names.
const FAULTS_MAX: usize = 20;

/// The most bytes of a name.
const NAME_BYTES_MAX: usize = 255;

/// The known keys.
#[derive(Debug, Clone)]
pub(super) struct KeyTable(Vec<Key>);

/// A key that is known by its hash, and what its caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The name of the caller. The one key of `--api-key` has none.
    name: Option<CallerName>,
    role: Role,
    scope: Scope,
    hash: Hash,
}

/// The SHA-256 hash of a key.
type Hash = [u8; 32];

/// Returns the hash by which a key is known.
///
/// One round is enough: nobody guesses the 32 random bytes of a key, however fast.
pub(super) fn hash(key: &[u8]) -> Hash {
    Sha256::digest(key).into()
}

impl KeyTable {
    /// Returns the table of one key and of the keys in a file.
    pub(super) fn read(one: Option<&ApiKey>, file: Option<&Path>) -> Result<Self, Failure> {
        let mut keys: Vec<_> = one.into_iter().map(Key::of_admin).collect();
        if let Some(path) = file {
            let failed = |what| Failure::new(format!("--api-keys {}: {what}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            keys.extend(parse(&text).map_err(failed)?);
        }
        if keys.is_empty() {
            tracing::warn!("the file of the keys has none: nobody has access");
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the known key that is equal to the given one.
    ///
    /// It compares the hash with every other, in constant time: the time reveals neither how much
    /// of a key is right nor where it is in the file.
    pub(super) fn find(&self, given: &[u8]) -> Option<&Key> {
        let given = hash(given);
        let mut found = None;
        for key in &self.0 {
            if bool::from(given.ct_eq(&key.hash)) {
                found = Some(key);
            }
        }
        found
    }

    /// Returns whether each key of another table is here, with the same name, role and tenant.
    pub(super) fn has_all_of(&self, other: &Self) -> bool {
        other.0.iter().all(|key| self.0.contains(key))
    }
}

impl Key {
    fn of_admin(key: &ApiKey) -> Self {
        Self {
            name: None,
            role: Role::Admin,
            scope: Scope::All,
            hash: hash(key.as_bytes()),
        }
    }

    /// Decides about a caller with this key.
    pub(super) fn decide(&self, permission: Permission) -> Decision {
        if !self.role.has(permission) {
            return Decision::Forbidden;
        }
        let decision = Decision::allow(self.scope.clone());
        match &self.name {
            Some(name) => decision.by(name.clone()),
            None => decision,
        }
    }
}

/// Reads the lines of a file.
///
/// # Errors
/// A text that names each faulty line.
fn parse(text: &str) -> Result<Vec<Key>, String> {
    let (mut keys, mut faults) = (Vec::<Key>::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(line) {
            Ok(key) if keys.iter().any(|other| other.hash == key.hash) => {
                faults.push(format!(
                    "line {}: an earlier line has the same key",
                    index + 1
                ));
            }
            Ok(key) => keys.push(key),
            Err(fault) => faults.push(format!("line {}: {fault}", index + 1)),
        }
    }
    if faults.is_empty() {
        return Ok(keys);
    }
    let more = faults.len().saturating_sub(FAULTS_MAX);
    faults.truncate(FAULTS_MAX);
    if more > 0 {
        faults.push(format!("and {more} more faulty lines"));
    }
    Err(faults.join("; "))
}

fn parse_line(line: &str) -> Result<Key, String> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [name, role, tenant, hash] = fields[..] else {
        let count = fields.len();
        return Err(format!(
            "a line is NAME ROLE TENANT HASH, and this one has {count} fields"
        ));
    };
    check_name(name)?;
    Ok(Key {
        name: Some(CallerName::new(name)),
        role: parse_role(role)?,
        scope: parse_scope(tenant)?,
        hash: parse_hash(hash)?,
    })
}

/// Checks that a name is a field of a line, which a name of the log and of the API can be too.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_name = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('#')
        && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if is_name {
        return Ok(());
    }
    Err(format!(
        "a name has 1 to {NAME_BYTES_MAX} bytes, no blanks and no # at its beginning"
    ))
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::from_str(text, false)
        .map_err(|_| "the role is none of viewer, operator, editor and admin".to_owned())
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    if text == EVERY_TENANT {
        return Ok(Scope::All);
    }
    let tenant = TenantId::new(text);
    tenant.map(Scope::Tenant).map_err(|error| {
        format!("the tenant is neither {EVERY_TENANT} (every tenant) nor an id: {error}")
    })
}

fn parse_hash(text: &str) -> Result<Hash, String> {
    const EXPECTED: &str = "the hash is not 64 hex digits, as `standalone key` prints it";
    let mut hash = Hash::default();
    let digits = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * hash.len() {
        return Err(EXPECTED.to_owned());
    }
    for (byte, pair) in hash.iter_mut().zip(digits) {
        let pair = std::str::from_utf8(pair).map_err(|_| EXPECTED)?;
        // A sign would be a number, too.
        if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(EXPECTED.to_owned());
        }
        *byte = u8::from_str_radix(pair, 16).map_err(|_| EXPECTED)?;
    }
    Ok(hash)
}
