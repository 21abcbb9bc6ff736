//! Saves and deletes connections, and reports every problem of a body at once.
//!
//! `secret_input` decides what a secret field of a body means; `secret_resolver` opens secrets for
//! executors.

use serde_json::Value;

use super::audit::{Audited, Author, Named};
use super::id_mismatch;
use super::secret_input::{self, SecretInput, TRIES_MAX};
use super::{Engine, Shared};
use crate::error::{Error, Problem, Result, quote};
use crate::graph::fields::{Fields, whole_number};
use crate::graph::issues::Issues;
use crate::model::{
    AuditAction, AuditSubject, ConnectionFields, ConnectionId, Scope, StoredConnection, TenantId,
};
use crate::secret::Field;
use crate::storage::{DeleteConnection, Expect, PutConnection};

const KIND_CHARS_MAX: usize = 64;
const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Characters of a host, a schema or a login. A host may be a whole URL.
const PART_CHARS_MAX: usize = 1_024;
/// Characters of a password. 16,384: a private key can be a password.
const PASSWORD_CHARS_MAX: usize = 16_384;
/// Characters of the extra field. 65,536: the credentials file of a cloud account fits many times.
const EXTRA_CHARS_MAX: usize = 65_536;

/// The fields of a connection's body.
pub(crate) const CONNECTION_FIELDS: &[&str] = &[
    "conn_id",
    "type",
    "description",
    "host",
    "port",
    "schema",
    "login",
    "password",
    "extra",
    "created_at",
    "updated_at",
    "tenant",
];

/// A connection as parsed from a request body.
struct Draft {
    id: Option<String>,
    /// Without its secrets.
    fields: ConnectionFields,
    password: SecretInput,
    extra: SecretInput,
}

impl Engine {
    /// Creates a connection.
    ///
    /// # Errors
    /// `Invalid` with every problem, `Conflict` (`already-exists`, `encryption-key-missing`), and
    /// any error of storage.
    pub(crate) async fn create_connection(
        &self,
        body: Value,
        author: &Author,
    ) -> Result<StoredConnection> {
        let scope = author.scope.clone();
        let named = body.get("conn_id").and_then(Value::as_str);
        let named = Named::Connection(named.unwrap_or_default().to_owned());
        let audited = Audited::new(AuditAction::ConnectionCreate, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            shared.create_connection(body, scope, &audited).await
        })
        .await
    }

    /// Replaces the connection with this id. A secret that is sent masked stays as it is stored.
    ///
    /// # Errors
    /// `NotFound`, `Malformed` (`id-mismatch`), `Invalid` with every problem, `Conflict`
    /// (`encryption-key-missing`; `precondition-failed` if concurrent changes win every attempt),
    /// and any error of storage.
    pub(crate) async fn replace_connection(
        &self,
        id: &str,
        body: Value,
        author: &Author,
    ) -> Result<StoredConnection> {
        let (id, scope) = (id.to_owned(), author.scope.clone());
        let named = Named::Connection(id.clone());
        let audited = Audited::new(AuditAction::ConnectionEdit, named, author.clone());
        self.audited(audited, |shared, audited| async move {
            let named = (id.as_str(), &scope);
            shared.replace_connection(named, body, &audited).await
        })
        .await
    }

    /// Deletes the connection with this id.
    ///
    /// # Errors
    /// `NotFound`, and any error of storage.
    pub(crate) async fn delete_connection(&self, id: &str, author: &Author) -> Result<()> {
        let named = Named::Connection(id.to_owned());
        let audited = Audited::new(AuditAction::ConnectionDelete, named, author.clone());
        let mut delete = DeleteConnection::new(parse_path_id(id)?, self.0.clock.now());
        delete.scope = author.scope.clone();
        self.audited(audited, |shared, audited| async move {
            let subject = AuditSubject::Connection(delete.id.clone());
            delete.audit = Some(audited.entry(subject, delete.now));
            shared.storage.delete_connection(delete).await
        })
        .await
    }
}

impl Shared {
    async fn create_connection(
        &self,
        body: Value,
        scope: Scope,
        audited: &Audited,
    ) -> Result<StoredConnection> {
        id_mismatch::refuse_other_tenant(&body, scope.tenant())?;
        let mut issues = Issues::default();
        let draft = parse_draft(body, &mut issues);
        let id = parse_body_id(draft.id.as_deref(), &mut issues);
        secret_input::refuse_unchanged(&draft.password, "/password", &mut issues);
        secret_input::refuse_unchanged(&draft.extra, "/extra", &mut issues);
        issues.into_result(Problem::InvalidField)?;
        let id = id.ok_or_else(|| Error::internal("a connection without an id"))?;
        let fields = self.seal_connection(&draft, &id, scope.tenant(), None)?;
        let mut put = PutConnection::new(id, fields, self.clock.now());
        (put.expect, put.scope) = (Expect::Absent, scope);
        put.audit = Some(audited.entry(AuditSubject::Connection(put.id.clone()), put.now));
        self.storage.put_connection(put).await
    }

    async fn replace_connection(
        &self,
        (id, scope): (&str, &Scope),
        body: Value,
        audited: &Audited,
    ) -> Result<StoredConnection> {
        let mut old = self.find_connection(id, scope).await?;
        let scope = &Scope::of(old.tenant.as_ref());
        id_mismatch::refuse_id_mismatch(&body, "conn_id", &old.id)?;
        id_mismatch::refuse_other_tenant(&body, old.tenant.as_ref())?;
        let mut issues = Issues::default();
        let draft = parse_draft(body, &mut issues);
        issues.into_result(Problem::InvalidField)?;
        for _ in 1..TRIES_MAX {
            let saved = self.replace_connection_version(&draft, &old, audited).await;
            if !secret_input::is_precondition_failed(&saved) {
                return saved;
            }
            old = self.find_connection(id, scope).await?;
        }
        self.replace_connection_version(&draft, &old, audited).await
    }

    async fn replace_connection_version(
        &self,
        draft: &Draft,
        old: &StoredConnection,
        audited: &Audited,
    ) -> Result<StoredConnection> {
        let tenant = old.tenant.as_ref();
        let fields = self.seal_connection(draft, &old.id, tenant, Some(&old.fields))?;
        let mut put = PutConnection::new(old.id.clone(), fields, self.clock.now());
        (put.expect, put.scope) = (Expect::Version(old.version), Scope::of(tenant));
        put.audit = Some(audited.entry(AuditSubject::Connection(put.id.clone()), put.now));
        self.storage.put_connection(put).await
    }

    async fn find_connection(&self, id: &str, scope: &Scope) -> Result<StoredConnection> {
        let found = self
            .storage
            .find_connection(&parse_path_id(id)?, scope)
            .await?;
        found.ok_or_else(|| Error::connection_not_found(quote(id)))
    }

    fn seal_connection(
        &self,
        draft: &Draft,
        id: &ConnectionId,
        tenant: Option<&TenantId>,
        old: Option<&ConnectionFields>,
    ) -> Result<ConnectionFields> {
        let field = |name| Field {
            noun: "connection",
            tenant,
            id: id.as_str(),
            name,
        };
        let password = old.and_then(|old| old.password.as_ref());
        let extra = old.and_then(|old| old.extra.as_ref());
        Ok(ConnectionFields {
            password: draft
                .password
                .seal(password, &self.keyring, field("password"))?,
            extra: draft.extra.seal(extra, &self.keyring, field("extra"))?,
            ..draft.fields.clone()
        })
    }
}

/// Parses the id in a path.
fn parse_path_id(id: &str) -> Result<ConnectionId> {
    ConnectionId::new(id).map_err(|_| Error::connection_not_found(quote(id)))
}

/// Parses the id in a body.
fn parse_body_id(given: Option<&str>, issues: &mut Issues) -> Option<ConnectionId> {
    let given = given.unwrap_or_default();
    let received = |error| format!("conn_id {error}, received {}", quote(given));
    let id = ConnectionId::new(given);
    id.map_err(|error| issues.push("/conn_id", || received(error)))
        .ok()
}

fn parse_draft(body: Value, issues: &mut Issues) -> Draft {
    const PORT: &str = "a whole number from 1 to 65535";
    const PASSWORD: &str = "a string of at most 16384 characters";
    const EXTRA: &str = "a string or an object of at most 65536 characters";
    let mut draft = Draft {
        id: None,
        fields: ConnectionFields::default(),
        password: SecretInput::Absent,
        extra: SecretInput::Absent,
    };
    let Some(mut fields) = Fields::new(body, "a connection", String::new(), issues) else {
        return draft;
    };
    draft.id = fields.text("conn_id");
    fields.require("type", "a string");
    draft.fields.kind = fields
        .take("type", "a string of 1 to 64 characters", |value| {
            let text = value.as_str().filter(|text| !text.trim().is_empty());
            text.filter(|text| secret_input::has_at_most_chars(text, KIND_CHARS_MAX))
                .map(str::to_owned)
        })
        .unwrap_or_default();
    draft.fields.description =
        secret_input::take_text(&mut fields, "description", DESCRIPTION_CHARS_MAX);
    draft.fields.host = secret_input::take_text(&mut fields, "host", PART_CHARS_MAX);
    draft.fields.port = fields.take("port", PORT, parse_port).flatten();
    draft.fields.schema = secret_input::take_text(&mut fields, "schema", PART_CHARS_MAX);
    draft.fields.login = secret_input::take_text(&mut fields, "login", PART_CHARS_MAX);
    let password = fields.take_secret("password", PASSWORD, parse_password);
    draft.password = SecretInput::from_text(password);
    draft.extra = SecretInput::from_text(fields.take_secret("extra", EXTRA, parse_extra));
    draft
}

/// Parses a port. The inner `None` means that the connection has no port.
fn parse_port(value: &Value) -> Option<Option<u16>> {
    match value {
        Value::Null => Some(None),
        value => u16::try_from(whole_number(value)?)
            .ok()
            .filter(|port| *port > 0)
            .map(Some),
    }
}

/// Parses a password. An empty one means that the connection has no password.
fn parse_password(value: &Value) -> Option<String> {
    let text = if value.is_null() { "" } else { value.as_str()? };
    secret_input::has_at_most_chars(text, PASSWORD_CHARS_MAX).then(|| text.to_owned())
}

/// Parses the extra field: text as it is, an object as its JSON. Empty text means none.
fn parse_extra(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => value.to_string(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
    };
    secret_input::has_at_most_chars(&text, EXTRA_CHARS_MAX).then_some(text)
}
