//! What the cases of connections and variables are made of.
//!
//! What is expected of them stands in the cases.

use super::fixtures::at;
use crate::model::{
    ConnectionFields, ConnectionId, Sealed, VariableFields, VariableKey, VariableValue,
};
use crate::storage::{PutConnection, PutVariable};

pub(crate) fn connection_id(text: &str) -> ConnectionId {
    ConnectionId::new(text).unwrap()
}

pub(crate) fn variable_key(text: &str) -> VariableKey {
    VariableKey::new(text).unwrap()
}

/// Every field of a connection, `login` as given, with sealed bytes that stand for nothing.
pub(crate) fn connection(login: &str) -> ConnectionFields {
    ConnectionFields {
        kind: "postgres".to_owned(),
        description: "where the figures are".to_owned(),
        host: "db.internal".to_owned(),
        port: Some(65_535),
        schema: "public".to_owned(),
        login: login.to_owned(),
        password: Some(Sealed::from_bytes(vec![0, 255, 1])),
        extra: Some(Sealed::from_bytes(vec![2])),
    }
}

/// A save of [`connection`], at second 0.
pub(crate) fn put_connection(id: &str) -> PutConnection {
    PutConnection::new(connection_id(id), connection("reader"), at(0))
}

/// A plain variable; `other` is a secret one.
pub(crate) fn variable(text: &str) -> VariableFields {
    let value = match text {
        "other" => VariableValue::Secret(Sealed::from_bytes(vec![0, 255, 1])),
        text => VariableValue::Plain(text.to_owned()),
    };
    let mut fields = VariableFields::new(value);
    fields.description = "where the orders are".to_owned();
    fields
}

/// A save of a plain [`variable`], at second 0.
pub(crate) fn put_variable(key: &str) -> PutVariable {
    PutVariable::new(variable_key(key), variable("s3://orders"), at(0))
}
