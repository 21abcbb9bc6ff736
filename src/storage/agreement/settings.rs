//! Commands and questions about connections and variables.
//!
//! A number names both a connection and a variable.

use super::command::{Command, Question};
use super::creations::EXPECTATIONS;
use super::questions::page_of;
use super::world::{World, both, cursor_of, name_of, scope_of};
use crate::model::AuditAction;
use crate::storage::{
    ConnectionFilter, DeleteConnection, DeleteVariable, PutConnection, PutVariable, VariableFilter,
};
use crate::testing::contract::connections::{connection, connection_id};
use crate::testing::contract::variables::{variable, variable_key};

const VARIANTS: [&str; 3] = ["reader", "writer", "other"];

impl World<'_> {
    pub(super) async fn put_settings(&self, command: &Command) {
        let Command::Setting {
            number,
            variant,
            expect,
            scope,
        } = *command
        else {
            unreachable!("{command:?} is no setting");
        };
        let name = name_of(number);
        let (id, key, scope) = (connection_id(&name), variable_key(&name), scope_of(scope));
        let now = self.now();
        let Some(expect) = expect else {
            let mut delete = DeleteConnection::new(id, now);
            delete.scope = scope.clone();
            delete.audit = Some(self.audit(AuditAction::ConnectionDelete));
            drop(both!(self, command, |storage, _side| storage
                .delete_connection(delete.clone())));
            let mut delete = DeleteVariable::new(key, now);
            delete.scope = scope;
            delete.audit = Some(self.audit(AuditAction::VariableDelete));
            drop(both!(self, command, |storage, _side| storage
                .delete_variable(delete.clone())));
            return;
        };
        let text = VARIANTS[usize::from(variant)];
        let mut put = PutConnection::new(id, connection(text), now);
        put.expect = EXPECTATIONS[usize::from(expect)];
        put.scope = scope.clone();
        put.audit = Some(self.audit(AuditAction::ConnectionEdit));
        drop(both!(self, command, |storage, _side| storage
            .put_connection(put.clone())));
        let mut put = PutVariable::new(key, variable(text), now);
        put.expect = EXPECTATIONS[usize::from(expect)];
        put.scope = scope;
        put.audit = Some(self.audit(AuditAction::VariableEdit));
        drop(both!(self, command, |storage, _side| storage
            .put_variable(put.clone())));
    }

    pub(super) async fn ask_settings(&self, question: &Question) {
        let Question::Settings { page, scope } = question else {
            unreachable!("{question:?} is no question about settings");
        };
        let page = page_of(page, cursor_of);
        let scope = scope_of(*scope);
        let connections = ConnectionFilter {
            scope: scope.clone(),
        };
        drop(both!(self, question, |storage, _side| storage
            .list_connections(connections.clone(), page.clone())));
        let variables = VariableFilter {
            scope: scope.clone(),
        };
        drop(both!(self, question, |storage, _side| storage
            .list_variables(variables.clone(), page.clone())));
        let keys: Vec<_> = (0..4)
            .map(|number| variable_key(&name_of(number)))
            .collect();
        drop(both!(self, question, |storage, _side| storage
            .find_variables(&keys, &scope)));
        for number in 0..4 {
            let name = name_of(number);
            let (id, key) = (connection_id(&name), variable_key(&name));
            drop(both!(self, question, |storage, _side| storage
                .find_connection(&id, &scope)));
            drop(both!(self, question, |storage, _side| storage
                .find_variables(std::slice::from_ref(&key), &scope)));
        }
    }
}
