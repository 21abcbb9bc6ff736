//! Which names a statement writes, told by where they lie in its tree.
//!
//! All other names of tables in it are read; collecting them is left to `finder`.

use sqlparser::ast::{
    CopyIntoSnowflakeKind, CopySource, Delete, FromTable, ObjectName, Statement, TableFactor,
    TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::names::{dotted, place, plain};

/// What is known of the names in a statement before its parts are looked at.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Where names lie that are written.
    pub(super) written: Vec<usize>,
    /// Where names lie that are no tables: aliases of others.
    pub(super) others: Vec<usize>,
    /// Names that are written and that the walk does not pass.
    pub(super) named: Vec<String>,
    /// Names that are read and that the walk does not pass.
    pub(super) read: Vec<String>,
    /// Whether names outside of any query in it are read unless they are written.
    pub(super) is_data: bool,
}

/// What a statement writes.
pub(super) fn targets(statement: &Statement) -> Targets {
    let mut targets = Targets {
        is_data: true,
        ..Targets::default()
    };
    match statement {
        Statement::Insert(insert) => {
            if let TableObject::TableName(name) = &insert.table {
                targets.written.push(place(name));
            }
        }
        Statement::CreateTable(table) => targets.written.push(place(&table.name)),
        Statement::CreateView(view) => targets.written.push(place(&view.name)),
        Statement::Merge(merge) => targets.write_factor(&merge.table, &[]),
        Statement::Update(update) => targets.update(update),
        Statement::Delete(delete) => targets.delete(delete),
        Statement::Truncate(truncate) => {
            let names = truncate.table_names.iter();
            targets.written.extend(names.map(|own| place(&own.name)));
        }
        Statement::Copy { source, to, .. } => {
            if let CopySource::Table { table_name, .. } = source {
                let names = if *to {
                    &mut targets.read
                } else {
                    &mut targets.named
                };
                names.extend(dotted(table_name));
            }
        }
        Statement::CopyIntoSnowflake {
            kind,
            into,
            from_obj,
            ..
        } => match kind {
            CopyIntoSnowflakeKind::Table => targets.named.extend(dotted(into)),
            CopyIntoSnowflakeKind::Location => {
                targets.read.extend(from_obj.as_ref().and_then(dotted));
            }
        },
        Statement::LoadData { table_name, .. } => targets.named.extend(dotted(table_name)),
        // What defines, describes or grants names tables that no data passes.
        _ => targets.is_data = false,
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
            match meant(name, from).or_else(|| meant(name, using)) {
                Some(table) => self.written.push(place(table)),
                None => self.named.extend(dotted(name)),
            }
        }
    }

    /// Writes the table of a factor, or the one among `from` whose alias it names.
    fn write_factor(&mut self, factor: &TableFactor, from: &[TableWithJoins]) {
        let TableFactor::Table { name, .. } = factor else {
            return;
        };
        match meant(name, from) {
            Some(table) => {
                self.others.push(place(name));
                self.written.push(place(table));
            }
            None => self.written.push(place(name)),
        }
    }
}

/// The table that a name means by its alias or as it is called.
fn meant<'a>(name: &ObjectName, from: &'a [TableWithJoins]) -> Option<&'a ObjectName> {
    let wanted = dotted(name)?;
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
            Some(alias) => plain(&alias.name) == wanted,
            None => dotted(own).is_some_and(|own| own == wanted),
        })
        .map(|(own, _)| own)
}
