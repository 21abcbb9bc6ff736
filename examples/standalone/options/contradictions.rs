//! Options that contradict each other. Of two that do, the one of the stronger source wins.

use super::{HostOptions, ServerOptions, Sources};
use crate::failure::Failure;

impl HostOptions {
    /// Checks the options against each other. A store that a stronger source names than the one
    /// that asks for memory is used.
    pub(super) fn settle(&mut self, sources: &Sources) -> Result<(), Failure> {
        if !self.allow_commands && !self.inherit_env.is_empty() {
            return Err(Failure::usage(
                "--inherit-env needs --allow-commands: only programs inherit variables",
            ));
        }
        if !self.memory {
            return Ok(());
        }
        let memory = sources.of("memory");
        self.memory = sources.of("db") <= memory;
        for name in ["db", "durability"] {
            if self.memory && sources.of(name) >= memory {
                return Err(Failure::usage(format!(
                    "--memory and --{name} contradict each other: memory needs no file"
                )));
            }
        }
        Ok(())
    }
}

impl ServerOptions {
    /// Checks that only callers with a key reach a server beyond this machine.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let address = self.listen;
        match &self.api_key {
            Some(key) => key.check(address),
            None if self.api_keys.is_some() || address.ip().is_loopback() => Ok(()),
            None => Err(Failure::usage(format!(
                "{address} is not a loopback address: without --api-key or --api-keys, everyone who can reach it could do everything"
            ))),
        }
    }
}
