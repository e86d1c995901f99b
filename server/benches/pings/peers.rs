use crate::{
    Options,
    fill::{Database, Session},
    load::{Load, Measured, Pace},
    table::Row,
};
use anyhow::Context as _;
use std::{
    fs,
    time::{Duration, Instant},
};
use xtask::{postgres::Postgres, postgres::name_of, run};

/// How many connections answer pings together, and how many pings at most:
/// `server/src/store/postgres`.
const WORKERS: usize = 2;
const BATCH: usize = 64;

/// What pgbench calls the files in which it notes how long each transaction took.
const LOG: &str = "pgbench";

/// A handler that does nothing, with an answer as long as a lease.
pub async fn handler(load: &mut Load, time: Duration) -> anyhow::Result<Measured> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let (address, answer) = (listener.local_addr()?, "x".repeat(920));
    let handler = move |_: axum::body::Bytes| async move { answer };
    let router = axum::Router::new().route("/v1/seat/ping", axum::routing::post(handler));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let measured = load.drive(address, Pace::AsAnswered, time).await?;
    serving.abort();
    Ok(measured)
}

/// A table of as many rows as there are seats, about as long, that has nothing to do with the
/// server.
pub struct Bare<'a> {
    database: &'a Database,
    rows: usize,
    session: Session,
}

impl<'a> Bare<'a> {
    pub async fn new(database: &'a Database, rows: usize) -> anyhow::Result<Self> {
        let mut session = database.connect().await?;
        let (state, from) = match session {
            Session::Sqlite(_) => ("PRAGMA synchronous = FULL", "json_each"),
            Session::Postgres(_) => ("ALTER TABLE bare SET (fillfactor = 70)", "json_array_elements_text"),
        };
        session.execute("CREATE TABLE bare (id BIGINT PRIMARY KEY, state TEXT, at BIGINT)", None).await?;
        session.execute(state, None).await?;
        let ids = serde_json::to_string(&(1..=rows).collect::<Vec<_>>())?;
        let cast = if from == "json_each" { "$1" } else { "$1::json" };
        let fill = format!(
            "INSERT INTO bare SELECT CAST(value AS BIGINT), '{}', 0 FROM {from}({cast})",
            "x".repeat(300)
        );
        session.execute(&fill, Some(&ids)).await?;
        Ok(Self { database, rows, session })
    }

    /// Rows that the database alone changes in a second, each for good.
    pub async fn commits(&mut self, options: &Options) -> anyhow::Result<Vec<(Row, Measured)>> {
        let (time, connections) = (options.time(), options.connections);
        let Some((postgres, url)) = self.database.postgres() else {
            return Ok(vec![(Row::GroupCommit, self.group_commit(connections, time).await?)]);
        };
        let alone = pgbench(postgres, url, self.rows, connections, 1, time)?;
        let together = pgbench(postgres, url, self.rows, WORKERS, BATCH.min(connections / WORKERS), time)?;
        Ok(vec![(Row::Commit, alone), (Row::BatchCommit, together)])
    }

    /// Transactions of `group` rows, one after the other.
    async fn group_commit(&mut self, group: usize, time: Duration) -> anyhow::Result<Measured> {
        let (mut measured, began, mut row) = (Measured::default(), Instant::now(), 1);
        while began.elapsed() < time {
            let start = Instant::now();
            let ids: Vec<usize> = std::iter::repeat_with(|| {
                row = (row + 611_953) % self.rows;
                row + 1
            })
            .take(group)
            .collect();
            let update = "UPDATE bare SET at = at + 1 WHERE id IN (SELECT value FROM json_each($1))";
            self.session.execute(update, Some(&serde_json::to_string(&ids)?)).await?;
            measured.latencies.extend(std::iter::repeat_n(start.elapsed(), group));
        }
        measured.time = began.elapsed();
        Ok(measured)
    }
}

/// PostgreSQL's own program for such questions: `group` rows with one statement, which is a
/// transaction of its own.
fn pgbench(
    postgres: &Postgres,
    url: &str,
    rows: usize,
    connections: usize,
    group: usize,
    time: Duration,
) -> anyhow::Result<Measured> {
    let ids: Vec<String> = (0..group.max(1)).map(|at| format!("id{at}")).collect();
    let script: String = ids.iter().map(|id| format!("\\set {id} random(1, {rows})\n")).collect();
    let file = postgres.folder().join("script.sql");
    fs::write(&file, format!("{script}UPDATE bare SET at = at + 1 WHERE id IN (:{});\n", ids.join(", :")))?;
    let mut pgbench = postgres.tool("pgbench");
    pgbench.args(["-n", "-M", "prepared", "-c", &connections.to_string(), "-T", &time.as_secs().to_string()]);
    run::output(pgbench.args(["-l", "--log-prefix", LOG, "-f"]).arg(&file).arg(name_of(url)))?;
    let mut measured = Measured { time, latencies: Vec::new() };
    for entry in fs::read_dir(postgres.folder())? {
        let log = entry?.path();
        if log.file_stem().is_some_and(|name| name == LOG) {
            for line in fs::read_to_string(&log)?.lines() {
                let micros = line.split(' ').nth(2).context("pgbench notes a time")?.parse()?;
                measured.latencies.extend(std::iter::repeat_n(Duration::from_micros(micros), group.max(1)));
            }
            fs::remove_file(log)?;
        }
    }
    Ok(measured)
}
