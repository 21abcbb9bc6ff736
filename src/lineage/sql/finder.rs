//! Walks the syntax tree of a statement and collects its tables.
//!
//! `targets` decides which names a statement writes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, TableFunctionArgs, Visit as _, Visitor,
};

use super::names::{address_of, normalize_ident, normalize_name};
use super::targets::{Targets, targets};
use super::{PLACEHOLDER, Tables};

/// Collects the tables of these statements.
pub(super) fn find_tables(statements: &[Statement]) -> Tables {
    let mut finder = Finder::default();
    for statement in statements {
        // The finder never breaks, so the result carries no information.
        let _whole: ControlFlow<()> = statement.visit(&mut finder);
    }
    finder.tables
}

/// A query that is being visited, with its common table expressions.
#[derive(Debug)]
struct QueryFrame {
    names: Vec<String>,
    /// The addresses of their queries.
    addresses: Vec<usize>,
    is_recursive: bool,
    /// The number of names that are visible at this point of the walk.
    visible: usize,
}

#[derive(Debug, Default)]
struct Finder {
    tables: Tables,
    frames: Vec<QueryFrame>,
    /// For each statement being visited: whether its names outside of queries are read.
    reads_other_names: Vec<bool>,
    /// The addresses of written names.
    written: BTreeSet<usize>,
    /// The addresses of names that are not tables.
    not_tables: BTreeSet<usize>,
}

impl Finder {
    fn write(&mut self, name: Option<String>) {
        self.tables
            .written
            .extend(name.filter(|name| is_table(name)));
    }

    fn read(&mut self, name: Option<String>) {
        self.tables.read.extend(name.filter(|name| is_table(name)));
    }

    /// Returns whether a name refers to a visible common table expression.
    fn is_visible_cte(&self, name: &ObjectName) -> bool {
        let [part] = name.0.as_slice() else {
            return false;
        };
        let Some(name) = part.as_ident().map(normalize_ident) else {
            return false;
        };
        let mut frames = self.frames.iter();
        frames.any(|frame| {
            frame
                .names
                .iter()
                .take(frame.visible)
                .any(|own| *own == name)
        })
    }
}

/// Returns whether a name can be a table's and is known before a run. Names of variables and stages
/// start with `@`.
fn is_table(name: &str) -> bool {
    !name.contains(PLACEHOLDER) && !name.starts_with('@')
}

/// Returns whether parentheses after a name make it a function call.
///
/// MSSQL allows hints there, as in `orders (NOLOCK)`.
fn is_call(args: &TableFunctionArgs) -> bool {
    let is_hint = |arg: &str| arg.eq_ignore_ascii_case("nolock");
    args.args.is_empty() || !args.args.iter().all(|arg| is_hint(&arg.to_string()))
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        let Targets {
            written,
            not_tables,
            written_names,
            read_names,
            reads_other_names,
        } = targets(statement);
        self.written.extend(written);
        self.not_tables.extend(not_tables);
        written_names
            .into_iter()
            .for_each(|name| self.write(Some(name)));
        read_names
            .into_iter()
            .for_each(|name| self.read(Some(name)));
        self.reads_other_names.push(reads_other_names);
        ControlFlow::Continue(())
    }

    fn post_visit_statement(&mut self, _: &Statement) -> ControlFlow<()> {
        self.reads_other_names.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(outer) = self.frames.last_mut()
            && let Some(index) = outer
                .addresses
                .iter()
                .position(|own| *own == address_of(query))
        {
            outer.visible = if outer.is_recursive {
                outer.names.len()
            } else {
                index
            };
        }
        let with = query.with.as_ref();
        let expressions = with.map_or(&[][..], |with| &with.cte_tables);
        let names = expressions
            .iter()
            .map(|own| normalize_ident(&own.alias.name));
        self.frames.push(QueryFrame {
            names: names.collect(),
            addresses: expressions
                .iter()
                .map(|own| address_of(&*own.query))
                .collect(),
            is_recursive: with.is_some_and(|with| with.recursive),
            visible: 0,
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.frames.pop();
        if let Some(outer) = self.frames.last_mut()
            && let Some(index) = outer
                .addresses
                .iter()
                .position(|own| *own == address_of(query))
        {
            outer.visible = index + 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for target in select.into.iter().flat_map(|into| &into.targets) {
            match target {
                Expr::Identifier(name) => self.write(Some(normalize_ident(name))),
                Expr::CompoundIdentifier(parts) => {
                    let parts: Vec<_> = parts.iter().map(normalize_ident).collect();
                    self.write(Some(parts.join(".")));
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(args),
            ..
        } = factor
            && is_call(args)
        {
            self.not_tables.insert(address_of(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let is_data = !self.frames.is_empty() || self.reads_other_names.last() == Some(&true);
        if self.written.contains(&address_of(relation)) {
            self.write(normalize_name(relation));
        } else if is_data
            && !self.not_tables.contains(&address_of(relation))
            && !self.is_visible_cte(relation)
        {
            self.read(normalize_name(relation));
        }
        ControlFlow::Continue(())
    }
}
