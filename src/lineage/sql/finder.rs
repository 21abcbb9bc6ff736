//! A walk through the tree of a statement that collects the tables in it.
//!
//! Which names a statement writes is told by `targets`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, TableFunctionArgs, Visit as _, Visitor,
};

use super::names::{dotted, place, plain};
use super::targets::{Targets, targets};
use super::{TEMPLATE, Tables};

/// The tables of these statements.
pub(super) fn find(statements: &[Statement]) -> Tables {
    let mut finder = Finder::default();
    for statement in statements {
        // The finder never breaks off, so that there is nothing to be told.
        let _whole: ControlFlow<()> = statement.visit(&mut finder);
    }
    finder.tables
}

/// A query under way, with its common table expressions.
#[derive(Debug)]
struct Frame {
    names: Vec<String>,
    /// Where their queries lie.
    places: Vec<usize>,
    is_recursive: bool,
    /// How many of the names can be seen at this point of the walk.
    visible: usize,
}

#[derive(Debug, Default)]
struct Finder {
    tables: Tables,
    frames: Vec<Frame>,
    /// Of the statements under way: whether the names that stand in it outside of any query are data.
    is_data: Vec<bool>,
    /// Names that are written where they stand.
    written: BTreeSet<usize>,
    /// Names that are no tables where they stand.
    others: BTreeSet<usize>,
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
    fn is_expression(&self, name: &ObjectName) -> bool {
        let [part] = name.0.as_slice() else {
            return false;
        };
        let Some(name) = part.as_ident().map(plain) else {
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
    !name.contains(TEMPLATE) && !name.starts_with('@')
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
            others,
            named,
            read,
            is_data,
        } = targets(statement);
        self.written.extend(written);
        self.others.extend(others);
        named.into_iter().for_each(|name| self.write(Some(name)));
        read.into_iter().for_each(|name| self.read(Some(name)));
        self.is_data.push(is_data);
        ControlFlow::Continue(())
    }

    fn post_visit_statement(&mut self, _: &Statement) -> ControlFlow<()> {
        self.is_data.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(outer) = self.frames.last_mut()
            && let Some(index) = outer.places.iter().position(|own| *own == place(query))
        {
            outer.visible = if outer.is_recursive {
                outer.names.len()
            } else {
                index
            };
        }
        let with = query.with.as_ref();
        let expressions = with.map_or(&[][..], |with| &with.cte_tables);
        let names = expressions.iter().map(|own| plain(&own.alias.name));
        self.frames.push(Frame {
            names: names.collect(),
            places: expressions.iter().map(|own| place(&*own.query)).collect(),
            is_recursive: with.is_some_and(|with| with.recursive),
            visible: 0,
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.frames.pop();
        if let Some(outer) = self.frames.last_mut()
            && let Some(index) = outer.places.iter().position(|own| *own == place(query))
        {
            outer.visible = index + 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for target in select.into.iter().flat_map(|into| &into.targets) {
            match target {
                Expr::Identifier(name) => self.write(Some(plain(name))),
                Expr::CompoundIdentifier(parts) => {
                    let parts: Vec<_> = parts.iter().map(plain).collect();
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
            self.others.insert(place(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let is_data = !self.frames.is_empty() || self.is_data.last() == Some(&true);
        if self.written.contains(&place(relation)) {
            self.write(dotted(relation));
        } else if is_data
            && !self.others.contains(&place(relation))
            && !self.is_expression(relation)
        {
            self.read(dotted(relation));
        }
        ControlFlow::Continue(())
    }
}
