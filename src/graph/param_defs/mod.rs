//! The definitions of a pipeline's parameters: reads them, checks them, and checks the parameters
//! of runs against them.
//!
//! Pure. `values` reads texts as values, `patterns` matches them, `rules` checks the definitions of
//! a pipeline, and `check` the parameters of a run. `engine/param_check` asks for each run.

mod check;
mod patterns;
mod read;
mod rules;
mod values;

pub(crate) use check::{check, resolve};
pub(crate) use patterns::Patterns;
#[cfg(test)]
pub(crate) use read::PARAM_DEF_FIELDS;
pub(super) use read::read;
pub(super) use rules::check_definitions;
pub(crate) use rules::refuse_faults;
pub(crate) use values::expectation;
