//! Finds the names that a statement writes, by their addresses in the syntax tree.
//!
//! `finder` collects all other table names as read.

use sqlparser::ast::{
    CopyIntoSnowflakeKind, CopySource, Delete, FromTable, ObjectName, Statement, TableFactor,
    TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::names::{address_of, normalize_ident, normalize_name};

/// The roles of names in a statement, found before the walk through its parts.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// The addresses of written names.
    pub(super) written: Vec<usize>,
    /// The addresses of names that are not tables but aliases.
    pub(super) not_tables: Vec<usize>,
    /// Written names that the walk does not visit.
    pub(super) written_names: Vec<String>,
    /// Read names that the walk does not visit.
    pub(super) read_names: Vec<String>,
    /// Whether the other names outside of queries are read.
    pub(super) reads_other_names: bool,
}

/// Finds the targets of a statement.
pub(super) fn targets(statement: &Statement) -> Targets {
    let mut targets = Targets {
        reads_other_names: true,
        ..Targets::default()
    };
    match statement {
        Statement::Insert(insert) => {
            if let TableObject::TableName(name) = &insert.table {
                targets.written.push(address_of(name));
            }
        }
        Statement::CreateTable(table) => targets.written.push(address_of(&table.name)),
        Statement::CreateView(view) => targets.written.push(address_of(&view.name)),
        Statement::Merge(merge) => targets.write_factor(&merge.table, &[]),
        Statement::Update(update) => targets.update(update),
        Statement::Delete(delete) => targets.delete(delete),
        Statement::Truncate(truncate) => {
            let names = truncate.table_names.iter();
            targets
                .written
                .extend(names.map(|own| address_of(&own.name)));
        }
        Statement::Copy { source, to, .. } => {
            if let CopySource::Table { table_name, .. } = source {
                let names = if *to {
                    &mut targets.read_names
                } else {
                    &mut targets.written_names
                };
                names.extend(normalize_name(table_name));
            }
        }
        Statement::CopyIntoSnowflake {
            kind,
            into,
            from_obj,
            ..
        } => match kind {
            CopyIntoSnowflakeKind::Table => targets.written_names.extend(normalize_name(into)),
            CopyIntoSnowflakeKind::Location => {
                targets
                    .read_names
                    .extend(from_obj.as_ref().and_then(normalize_name));
            }
        },
        Statement::LoadData { table_name, .. } => {
            targets.written_names.extend(normalize_name(table_name))
        }
        // Statements that define, describe or grant name tables without moving data.
        _ => targets.reads_other_names = false,
    }
    targets
}

impl Targets {
    fn update(&mut self, update: &Update) {
        let from = match &update.from {
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => {
                from.as_slice()
            }
            None => &[],
        };
        self.write_factor(&update.table.relation, from);
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let using = delete.using.as_deref().unwrap_or_default();
        if delete.tables.is_empty() {
            for table in from {
                self.write_factor(&table.relation, using);
            }
            return;
        }
        for name in &delete.tables {
            match resolve_alias(name, from).or_else(|| resolve_alias(name, using)) {
                Some(table) => self.written.push(address_of(table)),
                None => self.written_names.extend(normalize_name(name)),
            }
        }
    }

    /// Marks the table of a factor as written, or the table in `from` whose alias it is.
    fn write_factor(&mut self, factor: &TableFactor, from: &[TableWithJoins]) {
        let TableFactor::Table { name, .. } = factor else {
            return;
        };
        match resolve_alias(name, from) {
            Some(table) => {
                self.not_tables.push(address_of(name));
                self.written.push(address_of(table));
            }
            None => self.written.push(address_of(name)),
        }
    }
}

/// Finds the table that a name refers to, by its alias or its own name.
fn resolve_alias<'a>(name: &ObjectName, from: &'a [TableWithJoins]) -> Option<&'a ObjectName> {
    let wanted = normalize_name(name)?;
    let factors = from.iter().flat_map(|table| {
        let joined = table.joins.iter().map(|join| &join.relation);
        std::iter::once(&table.relation).chain(joined)
    });
    factors
        .filter_map(|factor| match factor {
            TableFactor::Table { name, alias, .. } => Some((name, alias.as_ref())),
            _ => None,
        })
        .find(|(own, alias)| match alias {
            Some(alias) => normalize_ident(&alias.name) == wanted,
            None => normalize_name(own).is_some_and(|own| own == wanted),
        })
        .map(|(own, _)| own)
}
