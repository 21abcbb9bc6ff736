//! The tables that SQL reads and writes, found by parsing it.
//!
//! Nothing is executed and no database is asked: a name is as the text has it, without quotes, and in small letters where it had none.

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

/// Bytes of a text that is parsed. 256 KiB: longer than people write.
const BYTES_MAX: usize = 256 * 1024;
/// Tokens of a text that is parsed: a chain of operators makes a tree as deep as it is long. 20,000, for which [`STACK`] is enough.
const TOKENS_MAX: usize = 20_000;
/// Bytes of stack that a thread needs to call [`tables`].
pub(crate) const STACK: usize = 256 * 1024 * 1024;

/// What stands in the place of a template while the text is parsed.
const PLACEHOLDER: &str = "floret_template";

/// The tables of a text, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) read: BTreeSet<String>,
    pub(super) written: BTreeSet<String>,
}

/// The text is no SQL that can be parsed, or too long; why is not told, since it may hold secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnreadableSql;

/// The tables that the statements of a text read and write. Names of common table expressions and functions are none, nor is a name with a
/// template in it, which is known only in a run.
pub(super) fn tables(text: &str) -> Result<Tables, UnreadableSql> {
    if text.len() > BYTES_MAX {
        return Err(UnreadableSql);
    }
    // A template may stand for a name or for a number.
    let statements = parse(&replace_templates(text, PLACEHOLDER))
        .or_else(|_| parse(&replace_templates(text, "1")))?;
    Ok(finder::find_tables(&statements))
}

/// The text with each `${…}` replaced, so that it parses.
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

/// The statements as the first dialect reads them that can.
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
