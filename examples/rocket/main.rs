//! Floret in a Rocket application, with its console at the root. It starts and stops with Rocket,
//! and every response under `/api` is one of Floret's or a problem.
//!
//! `cargo run --example rocket`, then open `http://127.0.0.1:8080`, or
//! `curl http://127.0.0.1:8080/api/pipelines`. The adapter
//! beside this file is all that Rocket needs.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program prints to its user"
)]

mod adapter;

use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Access, Floret, Pipeline};
use rocket::fairing::{self, AdHoc, Fairing, Info, Kind};
use rocket::http::{ContentType, Status};
use rocket::{Build, Orbit, Request, Rocket, State, catch, catchers, get, routes};

/// How long nodes may run on after Rocket was asked to stop: less than the sum of Rocket's own
/// grace and mercy (2 s and 3 s).
const GRACE: Duration = Duration::from_secs(4);

async fn greet(ctx: Ctx) -> Result<(), ExecutorError> {
    ctx.log.info("good morning").await;
    Ok(())
}

/// Starts and stops Floret with Rocket.
struct Pipelines;

#[rocket::async_trait]
impl Fairing for Pipelines {
    fn info(&self) -> Info {
        Info {
            name: "pipelines",
            kind: Kind::Ignite | Kind::Shutdown,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let builder = Floret::builder(MemoryStorage::default())
            .node("greet", greet)
            .pipeline(Pipeline::new("daily").node("greet", "greet"));
        match builder.start().await {
            Ok(floret) => {
                let console = floret.console(Access::allow_all());
                Ok(rocket.mount("/", adapter::routes(&console)).manage(floret))
            }
            Err(error) => {
                eprintln!("Floret did not start: {error}");
                Err(rocket)
            }
        }
    }

    /// Closes the streams first, because Rocket gives connections its grace and then cuts them off.
    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        let Some(floret) = rocket.state::<Floret>() else {
            return;
        };
        if let Err(error) = floret.shutdown(GRACE).await {
            eprintln!("the storage was not closed properly: {error}");
        }
    }
}

/// A handler of the application that triggers a run.
#[get("/greet")]
async fn own(floret: &State<Floret>) -> Result<String, Status> {
    let run = floret.run("daily").start().await;
    let run = run.map_err(|_| Status::ServiceUnavailable)?;
    Ok(run.id().to_string())
}

/// Gives Rocket's own refusals before routing (an unknown method, an invalid address) the form of
/// Floret's.
#[catch(default)]
fn refused(status: Status, _: &Request<'_>) -> (ContentType, String) {
    let title = status.reason_lossy();
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": title,
        "status": status.code,
        "detail": title,
        "error": title,
    });
    (
        ContentType::new("application", "problem+json"),
        problem.to_string(),
    )
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");
    let address: std::net::SocketAddr = address.parse()?;
    let config = rocket::Config {
        address: address.ip(),
        port: address.port(),
        log_level: rocket::config::LogLevel::Off,
        ..rocket::Config::default()
    };
    let tell = AdHoc::on_liftoff("tell", |rocket| {
        Box::pin(async move {
            let config = rocket.config();
            println!("listening on http://{}:{}", config.address, config.port);
        })
    });
    let rocket = rocket::custom(config).attach(Pipelines).attach(tell);
    let rocket = rocket
        .mount("/", routes![own])
        .register("/", catchers![refused]);
    rocket.launch().await?;
    Ok(())
}
