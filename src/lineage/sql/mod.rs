//! Finds the tables that SQL reads and writes by parsing it.
//!
//! Nothing is executed and no database is queried. Quoted names keep their case; others become
//! lowercase. `targets` finds what a statement writes, `finder` collects all tables.

mod finder;
mod names;
mod targets;

use std::collections::BTreeSet;

use sqlparser::ast::Statement;
use sqlparser::dialect::{
    BigQueryDialect, ClickHouseDialect, Dialect, DuckDbDialect, GenericDialect, MsSqlDialect,
    MySqlDialect, PostgreSqlDialect, SnowflakeDialect,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Tokenizer;

/// The maximum number of bytes that are parsed. 256 KiB: longer than what people write.
const BYTES_MAX: usize = 256 * 1024;
/// The maximum number of tokens that are parsed. 20,000, for which [`STACK`] suffices: a chain of
/// operators makes a tree as deep as the chain is long.
const TOKENS_MAX: usize = 20_000;
/// The bytes of stack that a thread needs to call [`tables`].
pub(crate) const STACK: usize = 256 * 1024 * 1024;

/// The text that replaces a template for parsing.
const PLACEHOLDER: &str = "floret_template";

/// The names of the tables in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) read: BTreeSet<String>,
    pub(super) written: BTreeSet<String>,
}

/// The text is too long or cannot be parsed. It gives no reason, which might quote a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnreadableSql;

/// Returns the tables that the statements of a text read and write.
///
/// Common table expressions and functions are not tables. A name that contains a template is
/// omitted, because only a run knows it.
pub(super) fn tables(text: &str) -> Result<Tables, UnreadableSql> {
    if text.len() > BYTES_MAX {
        return Err(UnreadableSql);
    }
    // A template may replace a name or a number.
    let statements = parse(&replace_templates(text, PLACEHOLDER))
        .or_else(|_| parse(&replace_templates(text, "1")))?;
    Ok(finder::find_tables(&statements))
}

/// Replaces each `${…}` of a text, so that it parses.
fn replace_templates(text: &str, token: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, template)) = rest.split_once("${") {
        let Some((_, after)) = template.split_once('}') else {
            break;
        };
        replaced.push_str(before.strip_suffix('$').unwrap_or(before));
        replaced.push_str(token);
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

/// Parses a text with the first dialect that accepts it.
fn parse(text: &str) -> Result<Vec<Statement>, UnreadableSql> {
    let dialects: [&dyn Dialect; 8] = [
        &GenericDialect {},
        &PostgreSqlDialect {},
        &MySqlDialect {},
        &MsSqlDialect {},
        &SnowflakeDialect {},
        &BigQueryDialect {},
        &DuckDbDialect {},
        &ClickHouseDialect {},
    ];
    dialects
        .into_iter()
        .find_map(|dialect| {
            let tokens = Tokenizer::new(dialect, text).tokenize().ok()?;
            if tokens.len() > TOKENS_MAX {
                return None;
            }
            let statements = Parser::new(dialect).with_tokens(tokens).parse_statements();
            statements.ok()
        })
        .ok_or(UnreadableSql)
}

#[cfg(test)]
mod tests;
