//! A walk through the tree of a statement that collects the tables in it.
//!
//! Which names a statement writes is told by `targets`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, TableFunctionArgs, Visit as _, Visitor,
};

use super::names::{address_of, normalize_ident, normalize_name};
use super::targets::{Targets, targets};
use super::{PLACEHOLDER, Tables};

/// The tables of these statements.
pub(super) fn find_tables(statements: &[Statement]) -> Tables {
    let mut finder = Finder::default();
    for statement in statements {
        // The finder never breaks off, so that there is nothing to be told.
        let _whole: ControlFlow<()> = statement.visit(&mut finder);
    }
    finder.tables
}

/// A query under way, with its common table expressions.
#[derive(Debug)]
struct QueryFrame {
    names: Vec<String>,
    /// Where their queries lie.
    addresses: Vec<usize>,
    is_recursive: bool,
    /// How many of the names can be seen at this point of the walk.
    visible: usize,
}

#[derive(Debug, Default)]
struct Finder {
    tables: Tables,
    frames: Vec<QueryFrame>,
    /// Of the statements under way: whether the names that stand in it outside of any query are data.
    reads_other_names: Vec<bool>,
    /// Names that are written where they stand.
    written: BTreeSet<usize>,
    /// Names that are no tables where they stand.
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

    /// Whether a name stands for a common table expression that can be seen here.
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

/// Whether a name is known before a run and can be a table's: variables and stages begin with an at sign.
fn is_table(name: &str) -> bool {
    !name.contains(PLACEHOLDER) && !name.starts_with('@')
}

/// Whether what stands in brackets behind a name makes it a function; MSSQL knows hints there, as in `orders (NOLOCK)`.
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
