//! Connections from the host's own code: find, list, save and delete them.
//!
//! `engine/connections` saves them.

use futures_core::future::BoxFuture;
use serde_json::{Map, Value};

use super::Client;
use super::paging::{PageChoice, page_methods};
use crate::error::Result;
use crate::model::{MASKED, Page, StoredConnection};
use crate::secret::Secret;
use crate::storage::ConnectionFilter;

/// The connections in the scope of a client, from [`Client::connections`].
///
/// Awaiting it returns a page of them, newest first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::query::NewConnection;
///
/// let orders = NewConnection::new("orders", "postgres").host("db.example").port(5432);
/// floret.connections().create(orders.clone()).await?;
/// floret.connections().put(orders.port(5433)).await?;
/// assert_eq!(floret.connections().get("orders").await?.fields.port, Some(5433));
/// floret.connections().delete("orders").await?;
/// assert!(floret.connections().await?.items.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Connections {
    client: Client,
    page: PageChoice,
}

impl Client {
    /// Returns the connections in scope, to be found, listed, saved or deleted.
    pub fn connections(&self) -> Connections {
        Connections {
            client: self.clone(),
            page: PageChoice::default(),
        }
    }
}

impl Connections {
    /// Returns the connection with this id. Its secrets are sealed.
    ///
    /// # Errors
    /// `NotFound` if there is no such connection; `Conflict` (`tenant-required`) if several tenants
    /// have one; `Unavailable`.
    pub async fn get(&self, id: &str) -> Result<StoredConnection> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.connection(id, scope).await
    }

    /// Creates a connection, which belongs to the tenant of the client.
    ///
    /// # Errors
    /// - `Invalid` with every problem of the fields.
    /// - `Conflict` (`already-exists`) if the id is taken.
    /// - `Conflict` (`encryption-key-missing`) if it has a secret and the host has set no key.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn create(&self, connection: NewConnection) -> Result<StoredConnection> {
        let (engine, author) = (self.client.engine(), self.client.author());
        engine
            .create_connection(connection.into_body(), &author)
            .await
    }

    /// Replaces the stored connection of the same id.
    ///
    /// # Errors
    /// `NotFound` if there is no such connection, and otherwise the same as
    /// [`Connections::create`].
    pub async fn put(&self, connection: NewConnection) -> Result<StoredConnection> {
        let (engine, author) = (self.client.engine(), self.client.author());
        let id = connection.id.clone();
        let body = connection.into_body();
        engine.replace_connection(&id, body, &author).await
    }

    /// Deletes the connection with this id.
    ///
    /// # Errors
    /// `NotFound` if there is no such connection; `ShuttingDown` or `Unavailable`.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let (engine, author) = (self.client.engine(), self.client.author());
        engine.delete_connection(id, &author).await
    }

    page_methods!();
}

impl IntoFuture for Connections {
    /// A page of connections, newest first.
    ///
    /// # Errors
    /// - `Malformed` if the cursor is invalid, or the page is out of range.
    /// - `Unavailable`.
    type Output = Result<Page<StoredConnection>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let page = self.page.into_request()?;
            let filter = ConnectionFilter {
                scope: self.client.scope().clone(),
            };
            self.client.views().list_connections(filter, page).await
        })
    }
}

/// A connection to save. Values are checked when it is saved. Its `Debug` shows no secret.
///
/// ```
/// use floret::Secret;
/// use floret::query::NewConnection;
///
/// let orders = NewConnection::new("orders", "postgres")
///     .host("db.example")
///     .port(5432)
///     .schema("sales")
///     .login("etl")
///     .password(Secret::new("hunter2".to_owned()));
/// assert!(!format!("{orders:?}").contains("hunter2"));
/// ```
#[derive(Debug, Clone)]
pub struct NewConnection {
    id: String,
    fields: Map<String, Value>,
    password: Option<Secret<String>>,
    extra: Option<Secret<Value>>,
}

impl NewConnection {
    /// Creates a connection of a kind that executors know, such as `postgres` or `s3`.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        let new = Self {
            id: id.into(),
            fields: Map::new(),
            password: None,
            extra: None,
        };
        new.field("type", kind.into())
    }

    /// Sets the description, at most 2,000 characters.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Self {
        self.field("description", description.into())
    }

    /// Sets the host name or address, at most 1,024 characters.
    #[must_use]
    pub fn host(self, host: impl Into<String>) -> Self {
        self.field("host", host.into())
    }

    /// Sets the port, from 1 to 65,535.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.field("port", port)
    }

    /// Sets the schema or database, at most 1,024 characters.
    #[must_use]
    pub fn schema(self, schema: impl Into<String>) -> Self {
        self.field("schema", schema.into())
    }

    /// Sets the user name, at most 1,024 characters.
    #[must_use]
    pub fn login(self, login: impl Into<String>) -> Self {
        self.field("login", login.into())
    }

    /// Sets the password, at most 16,384 characters. Without it, the saved connection has none.
    #[must_use]
    pub fn password(mut self, password: Secret<String>) -> Self {
        self.password = Some(password);
        self
    }

    /// Keeps the stored password.
    #[must_use]
    pub fn keep_password(self) -> Self {
        self.password(Secret::new(MASKED.to_owned()))
    }

    /// Sets further secret settings: a string or a JSON object of at most 65,536 characters.
    /// Without them, the saved connection has none.
    #[must_use]
    pub fn extra(mut self, extra: Secret<Value>) -> Self {
        self.extra = Some(extra);
        self
    }

    /// Keeps the stored further settings.
    #[must_use]
    pub fn keep_extra(self) -> Self {
        self.extra(Secret::new(Value::from(MASKED)))
    }

    fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the body that a client would send for the same connection.
    fn into_body(self) -> Value {
        let Self {
            id,
            mut fields,
            password,
            extra,
        } = self;
        fields.insert("conn_id".to_owned(), Value::from(id));
        let password = password.map(|own| Value::from(own.expose().as_str()));
        let extra = extra.map(|own| own.expose().clone());
        let secrets = [("password", password), ("extra", extra)];
        for (name, secret) in secrets {
            if let Some(secret) = secret {
                fields.insert(name.to_owned(), secret);
            }
        }
        Value::Object(fields)
    }
}
