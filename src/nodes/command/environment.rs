//! The environment of a program: what it inherits, the run's parameters, and the node's own
//! variables.
//!
//! `config` reads the node's own variables, and `child` sets all of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::executor::Ctx;
use crate::model::Params;

/// The variables of the host that every program inherits: where programs, folders and certificates
/// are, and how to write texts and times. No others, because the environment of a host has secrets.
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TMP",
    "TEMP",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
];

/// The settings of a locale, such as `LC_ALL`.
const LOCALE_PREFIX: &str = "LC_";

/// The prefix of the variables that Floret sets. A node's own variables have other names.
pub(super) const OWN_PREFIX: &str = "FLORET_";

const PARAM_PREFIX: &str = "FLORET_PARAM_";

/// The variables of a program, and what is odd about them.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) variables: BTreeMap<OsString, OsString>,
    pub(super) warnings: Vec<String>,
}

impl Environment {
    /// Collects the variables of an attempt. `inherited` are the names that the host adds to the
    /// inherited ones, and `own` are the node's.
    pub(super) fn new(inherited: &[String], own: &[(&str, String)], ctx: &Ctx) -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            if is_inherited(&name, inherited) {
                environment.variables.insert(name, value);
            }
        }
        // The name that OpenTelemetry gives it in an environment.
        if let Some(parent) = ctx.traceparent() {
            environment.set("TRACEPARENT", parent.to_string());
        }
        for (name, value) in own {
            environment.set(name, value);
        }
        environment.add_params(&ctx.params);
        environment.set("FLORET_RUN_ID", ctx.run_id.to_string());
        environment.set("FLORET_NODE_ID", &ctx.node.id);
        environment.set("FLORET_ATTEMPT", ctx.attempt.to_string());
        environment.set("FLORET_ATTEMPT_KEY", &ctx.attempt_key);
        environment
    }

    fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let (name, value) = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.variables.insert(name, value);
    }

    /// Sets a variable for each parameter. Omits those that have no variable of their own.
    fn add_params(&mut self, params: &Params) {
        let mut by_variable: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for name in params.names() {
            by_variable.entry(variable(name)).or_default().push(name);
        }
        for (variable, names) in by_variable {
            match names.as_slice() {
                [name] => match params.get(name) {
                    Some(value) if !value.contains('\0') => self.set(variable, value),
                    Some(_) | None => self.warnings.push(format!(
                        "{variable} is not set, since the parameter {name} contains a NUL character"
                    )),
                },
                names => self.warnings.push(format!(
                    "{variable} is not set, since it would stand for each of the parameters {}",
                    names.join(", ")
                )),
            }
        }
    }
}

/// Returns the name of the variable of a parameter: in upper case, with `_` for every character
/// that a shell does not accept in a name.
fn variable(param: &str) -> String {
    let accepted = |character: char| match character.is_ascii_alphanumeric() {
        true => character.to_ascii_uppercase(),
        false => '_',
    };
    let name: String = param.chars().map(accepted).collect();
    format!("{PARAM_PREFIX}{name}")
}

fn is_inherited(name: &OsStr, added: &[String]) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let is_same = |known: &str| match cfg!(windows) {
        true => known.eq_ignore_ascii_case(name),
        false => known == name,
    };
    name.starts_with(LOCALE_PREFIX)
        || INHERITED.iter().any(|known| is_same(known))
        || added.iter().any(|known| is_same(known))
}
