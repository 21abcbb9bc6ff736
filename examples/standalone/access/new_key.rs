//! Makes keys: prints a random one, and its line for the file of the keys.

use std::process::ExitCode;

use clap::ValueEnum;
use floret::TenantId;

use super::Role;
use super::keys::{EVERY_TENANT, check_name, hash};
use crate::failure::Failure;
use crate::output;

/// What a key begins with, so that a scan for leaked secrets can find it.
const PREFIX: &str = "floret_";

/// Prints a new key to standard error, and its line to standard output, which may be appended to
/// the file. Nothing else ever has the key.
pub(crate) fn new_key(name: &str, role: Role, tenant: Option<&str>) -> Result<ExitCode, Failure> {
    check_name(name).map_err(Failure::usage)?;
    let tenant = match tenant {
        Some(id) => TenantId::new(id)
            .map_err(|error| Failure::usage(format!("--tenant: {error}")))?
            .to_string(),
        None => EVERY_TENANT.to_owned(),
    };
    let role = role.to_possible_value();
    let role = role.as_ref().map_or("", |value| value.get_name());
    let key = random_key()?;
    let hash = hex(&hash(key.as_bytes()));
    output::write(&format!("{name} {role} {tenant} {hash}\n"))?;
    eprintln!("key: {key}");
    Ok(ExitCode::SUCCESS)
}

fn random_key() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::of("the system returned no random bytes", error))?;
    Ok(format!("{PREFIX}{}", hex(&bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
