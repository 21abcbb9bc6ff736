//! A host that reads orders from its own SQLite database with sqlx and sums them in a pipeline,
//! which Floret stores in another database.

use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::{Dataset, Floret, Pipeline};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let orders = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(SqliteConnectOptions::new().filename("orders.db").create_if_missing(true))
        .await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS orders (amount INTEGER NOT NULL)")
        .execute(&orders)
        .await?;
    let floret = Floret::open("runs.db")
        .await?
        .node("sum", move |ctx: Ctx| sum(ctx, orders.clone()))
        .pipeline(Pipeline::new("daily").node("sum", "sum"))
        .start()
        .await?;
    let run = floret.run("daily").start().await?;
    println!("{:?}", run.finished().await?.run.status);
    floret.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

async fn sum(_: Ctx, orders: SqlitePool) -> Result<Dataset, ExecutorError> {
    let total: i64 = sqlx::query_scalar("SELECT COALESCE(SUM(amount), 0) FROM orders")
        .fetch_one(&orders)
        .await?;
    let row = serde_json::Map::from_iter([("total".to_owned(), total.into())]);
    Ok(Dataset::from_rows(vec![row])?)
}
