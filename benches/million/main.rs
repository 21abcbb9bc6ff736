//! Asks a store of a million finished runs what a user asks, beside a store of a thousand runs and
//! beside the plain SQL that reads the same rows: `cargo bench --bench million`.
//!
//! Each question is asked in turn of the three, and the medians are printed as a Markdown table.
//! The large store takes some minutes to make; it stays in the target folder and is used again.
//! Arguments after `--`: `--runs N`, `--pipelines N` and `--rounds N`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::future_not_send,
    clippy::print_stdout,
    reason = "a benchmark asks the time on one task, prints, and stops when something fails"
)]

mod questions;
mod store;

use std::time::{Duration, Instant};

use questions::{Asked, QUESTIONS, Question};
use store::Store;

/// The runs of the small store.
const FEW: u64 = 1_000;

struct Arguments {
    runs: u64,
    pipelines: u64,
    rounds: usize,
}

impl Arguments {
    fn read() -> Self {
        let mut read = Self {
            runs: 1_000_000,
            pipelines: 200,
            rounds: 31,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut number = || arguments.next().and_then(|value| value.parse().ok());
            match name.as_str() {
                "--runs" => read.runs = number().unwrap(),
                "--pipelines" => read.pipelines = number().unwrap(),
                "--rounds" => read.rounds = usize::try_from(number().unwrap()).unwrap(),
                // Cargo adds it.
                "--bench" => {}
                _ => panic!("there is no argument {name}"),
            }
        }
        read
    }
}

/// The times of one question.
#[derive(Default)]
struct Times {
    few: Vec<Duration>,
    many: Vec<Duration>,
    sql: Vec<Duration>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::read();
    let few = Store::make(FEW, arguments.pipelines.min(FEW / 5)).await;
    let many = Store::make(arguments.runs, arguments.pipelines).await;
    let opening = (open_time(&few).await, open_time(&many).await);
    let (few, many) = (Asked::open(few).await, Asked::open(many).await);
    println!(
        "{} runs of {} pipelines, {} rounds, medians in µs. The small store has {FEW} runs.\n",
        arguments.runs, arguments.pipelines, arguments.rounds
    );
    println!(
        "| question | small | large | × small | plain SQL | × SQL |\n|---|--:|--:|--:|--:|--:|"
    );
    println!(
        "| open and answer | {} | {} | {:.2} | – | – |",
        micros(opening.0),
        micros(opening.1),
        opening.1.as_secs_f64() / opening.0.as_secs_f64()
    );
    for question in QUESTIONS {
        let times = ask(&question, &few, &many, arguments.rounds).await;
        print(&question, times);
    }
}

/// Asks a question in turn, after a first time that is not counted.
async fn ask(question: &Question, few: &Asked, many: &Asked, rounds: usize) -> Times {
    let mut times = Times::default();
    for round in 0..=rounds {
        let asked = [few.time(question).await, many.time(question).await];
        let sql = many.time_sql(question);
        if round > 0 {
            times.few.push(asked[0]);
            times.many.push(asked[1]);
            times.sql.extend(sql);
        }
    }
    times
}

fn print(question: &Question, times: Times) {
    let (few, many) = (median(times.few), median(times.many));
    let flat = many.as_secs_f64() / few.as_secs_f64();
    let name = question.name;
    let (few, many_micros) = (micros(few), micros(many));
    if times.sql.is_empty() {
        println!("| {name} | {few} | {many_micros} | {flat:.2} | – | – |");
        return;
    }
    let sql = median(times.sql);
    let over = many.as_secs_f64() / sql.as_secs_f64();
    println!(
        "| {name} | {few} | {many_micros} | {flat:.2} | {} | {over:.2} |",
        micros(sql)
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e6)
}

/// Returns the time from the opening of a store to the first page of its runs. Median of five.
async fn open_time(store: &Store) -> Duration {
    let mut times = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        let asked = Asked::open(store.clone()).await;
        asked.time(&QUESTIONS[0]).await;
        times.push(begin.elapsed());
        asked.close().await;
    }
    median(times)
}
