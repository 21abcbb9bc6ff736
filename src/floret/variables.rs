//! Variables from the host's own code: find, list, save and delete them.
//!
//! `engine/variables` saves them.

use futures_core::future::BoxFuture;
use serde_json::{Value, json};

use super::Client;
use super::paging::{PageChoice, page_methods};
use crate::error::Result;
use crate::model::{MASKED, Page, StoredVariable};
use crate::secret::Secret;
use crate::storage::VariableFilter;

/// The variables in the scope of a client, from [`Client::variables`].
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
/// use floret::query::NewVariable;
///
/// floret.variables().create(NewVariable::new("region", "eu")).await?;
/// floret.variables().put(NewVariable::new("region", "us").description("where")).await?;
/// assert_eq!(floret.variables().get("region").await?.fields.description, "where");
/// floret.variables().delete("region").await?;
/// assert!(floret.variables().await?.items.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Variables {
    client: Client,
    page: PageChoice,
}

impl Client {
    /// Returns the variables in scope, to be found, listed, saved or deleted.
    pub fn variables(&self) -> Variables {
        Variables {
            client: self.clone(),
            page: PageChoice::default(),
        }
    }
}

impl Variables {
    /// Returns the variable with this key. The value of a secret is sealed.
    ///
    /// # Errors
    /// `NotFound` if there is no such variable; `Conflict` (`tenant-required`) if several tenants
    /// have one; `Unavailable`.
    pub async fn get(&self, key: &str) -> Result<StoredVariable> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.variable(key, scope).await
    }

    /// Creates a variable, which belongs to the tenant of the client.
    ///
    /// # Errors
    /// - `Invalid` with every problem of the fields.
    /// - `Conflict` (`already-exists`) if the key is taken.
    /// - `Conflict` (`encryption-key-missing`) if it is a secret and the host has set no key.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn create(&self, variable: NewVariable) -> Result<StoredVariable> {
        let (engine, author) = (self.client.engine(), self.client.author());
        engine.create_variable(variable.into_body(), &author).await
    }

    /// Replaces the stored variable of the same key.
    ///
    /// # Errors
    /// `NotFound` if there is no such variable, and otherwise the same as [`Variables::create`].
    pub async fn put(&self, variable: NewVariable) -> Result<StoredVariable> {
        let (engine, author) = (self.client.engine(), self.client.author());
        let key = variable.key.clone();
        let body = variable.into_body();
        engine.replace_variable(&key, body, &author).await
    }

    /// Deletes the variable with this key.
    ///
    /// # Errors
    /// `NotFound` if there is no such variable; `ShuttingDown` or `Unavailable`.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let (engine, author) = (self.client.engine(), self.client.author());
        engine.delete_variable(key, &author).await
    }

    page_methods!();
}

impl IntoFuture for Variables {
    /// A page of variables, newest first.
    ///
    /// # Errors
    /// - `Malformed` if the cursor is invalid, or the page is out of range.
    /// - `Unavailable`.
    type Output = Result<Page<StoredVariable>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let page = self.page.into_request()?;
            let filter = VariableFilter {
                scope: self.client.scope().clone(),
            };
            self.client.views().list_variables(filter, page).await
        })
    }
}

/// A variable to save. Values are checked when it is saved. Its `Debug` shows no value.
///
/// ```
/// use floret::Secret;
/// use floret::query::NewVariable;
///
/// let token = NewVariable::secret("token", Secret::new("hunter2".to_owned()));
/// assert!(!format!("{token:?}").contains("hunter2"));
/// ```
#[derive(Debug, Clone)]
pub struct NewVariable {
    key: String,
    value: Secret<String>,
    is_secret: bool,
    description: String,
}

impl NewVariable {
    /// Creates a variable whose value everybody may read that may read the variable. The value has
    /// at most 65,536 characters.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: Secret::new(value.into()),
            is_secret: false,
            description: String::new(),
        }
    }

    /// Creates a variable whose value nobody can read back.
    #[must_use]
    pub fn secret(key: impl Into<String>, value: Secret<String>) -> Self {
        Self {
            key: key.into(),
            value,
            is_secret: true,
            description: String::new(),
        }
    }

    /// Creates a secret variable that keeps the stored value, to change its description.
    #[must_use]
    pub fn keep_secret(key: impl Into<String>) -> Self {
        Self::secret(key, Secret::new(MASKED.to_owned()))
    }

    /// Sets the description, at most 2,000 characters.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Returns the body that a client would send for the same variable.
    fn into_body(self) -> Value {
        json!({
            "key": self.key,
            "value": self.value.expose(),
            "type": if self.is_secret { "secret" } else { "string" },
            "description": self.description,
        })
    }
}
