use super::release_expired::ReleaseExpiredOf;
use super::statements::UPDATE_UNCHANGED;
use super::writer::{Patience, transact};
use crate::domain::Seat;
use crate::store::batch::{Batch, is_full};
use crate::store::sql::clock::{clock_columns, clocks};
use crate::store::sql::persist::{installs_as_json, seats_as_json};
use crate::store::sql::rows::{install_columns, license_columns, optional, seat_columns, unsigned};
use crate::store::{
    SeatCommand, SeatOutcome, StoreError,
    db::{DbRow, sql},
    tx::{Tx, Write},
};
use seatlock_protocol::UnixTime;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot},
    task::JoinSet,
};
use uuid::Uuid;

/// Requests that may wait; more are turned away instead of growing old in a queue.
pub(super) const QUEUE: usize = 4096;
/// Requests that are answered together.
const BATCH: usize = 64;

/// A question and who waits for its answer.
pub(super) struct QueuedCall {
    pub(super) question: SeatCommand,
    pub(super) reply: oneshot::Sender<Result<SeatOutcome, StoreError>>,
}

/// One of several who answer what is waiting: all that is plain together, and the rest each in a
/// transaction of its own.
pub(super) struct CallWorker {
    pub(super) options: PgConnectOptions,
    pub(super) pool: PgPool,
    pub(super) queue: Arc<Mutex<mpsc::Receiver<QueuedCall>>>,
    /// How many transactions there may be at once.
    pub(super) alone: Arc<Semaphore>,
}

impl CallWorker {
    /// Works until the queue is closed and empty, and everything in it answered.
    pub(super) async fn run(self) {
        let (mut conn, mut batch, mut others) = (None, Vec::with_capacity(BATCH), JoinSet::new());
        while self.queue.lock().await.recv_many(&mut batch, BATCH).await > 0 {
            let answers = self.together(&mut conn, &batch).await;
            for (asked, answer) in batch.drain(..).zip(answers) {
                match answer {
                    // A client that hung up has no receiver any more; what it asked for is done all the same.
                    Some(answer) => drop(asked.reply.send(answer)),
                    None => drop(others.spawn(by_itself(self.pool.clone(), self.alone.clone(), asked))),
                }
            }
            while others.try_join_next().is_some() {}
        }
        while others.join_next().await.is_some() {}
    }

    /// The answers, with `None` for whatever is to be answered by itself.
    async fn together(
        &self,
        conn: &mut Option<PgConnection>,
        batch: &[QueuedCall],
    ) -> Vec<Option<Result<SeatOutcome, StoreError>>> {
        let questions: Vec<&SeatCommand> = batch.iter().map(|asked| &asked.question).collect();
        let mut patience = Patience::default();
        loop {
            match self.try_together(conn, &questions).await {
                Ok(answers) => return answers.into_iter().map(|answer| answer.map(Ok)).collect(),
                // Whatever a plug-in asks may be asked twice, so it does not matter how far this went.
                Err(error) => {
                    if let Err(error) = patience.again(error).await {
                        tracing::warn!(%error, requests = batch.len(), "a batch failed; its requests are tried one by one");
                        return batch.iter().map(|_| None).collect();
                    }
                }
            }
        }
    }

    async fn try_together(
        &self,
        slot: &mut Option<PgConnection>,
        questions: &[&SeatCommand],
    ) -> Result<Vec<Option<SeatOutcome>>, StoreError> {
        let mut conn = match slot.take() {
            Some(conn) => conn,
            None => PgConnection::connect_with(&self.options).await?,
        };
        let answers = answer_plain(&mut conn, questions).await?;
        // After a failure: what state the connection was in is not worth finding out.
        *slot = Some(conn);
        Ok(answers)
    }
}

/// One statement that reads, one that writes. Nothing is locked in between: a seat is written only
/// if it is still as it was read, and every change of an installation changes its seat.
async fn answer_plain(
    conn: &mut PgConnection,
    questions: &[&SeatCommand],
) -> Result<Vec<Option<SeatOutcome>>, StoreError> {
    let (mut batch, now, versions) = load(conn, questions).await?;
    let mut answers = Vec::with_capacity(questions.len());
    for (place, question) in questions.iter().enumerate() {
        answers.push(match batch.decide(place, question) {
            None => Some(batch.token_unknown()),
            Some((_, decision)) if batch.is_plain(place, &decision) && !is_full(question.call, &decision) => {
                Some(batch.keep(place, decision)?)
            }
            // The answer needs more than the seat and an installation that is known.
            Some(_) => None,
        });
    }
    let lost = write_unchanged(conn, &batch, &versions, now).await?;
    for (place, answer) in answers.iter_mut().enumerate() {
        if batch.seat(place).is_some_and(|seat| lost.contains(&seat)) {
            *answer = None;
        }
    }
    Ok(answers)
}

/// What the questions are about, the time, and the version of each seat that was read.
async fn load(
    conn: &mut PgConnection,
    questions: &[&SeatCommand],
) -> Result<(Batch, UnixTime, HashMap<Uuid, String>), StoreError> {
    let tokens: Vec<Vec<u8>> = questions.iter().map(|question| question.token.to_vec()).collect();
    let installs: Vec<String> =
        questions.iter().map(|question| question.caller.install_id.to_string()).collect();
    let rows = sqlx::query(concat!(
        "SELECT q.place, ",
        clock_columns!(),
        ", (SELECT coalesce(max(seq), 0) FROM key_set) AS seq, \
         t.revoked_at IS NOT NULL AS token_revoked, s.xmin::text AS version, \
         (SELECT string_agg(o.id || '=' || o.asked_at, ' ') FROM install o \
         WHERE o.seat_id = s.id AND o.asked_at >= s.since) AS asked, ",
        seat_columns!(),
        ", ",
        license_columns!(),
        ", ",
        install_columns!(),
        " FROM unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS q (hash, install, place) \
         LEFT JOIN token t ON t.hash = q.hash LEFT JOIN seat s ON s.id = t.seat_id \
         LEFT JOIN license l ON l.id = s.license_id LEFT JOIN install i ON i.seat_id = s.id AND i.id = q.install"
    ))
    .bind(tokens)
    .bind(installs)
    .fetch_all(conn)
    .await?;
    let rows: Vec<DbRow> = rows.into_iter().map(DbRow::Postgres).collect();
    let first = rows.first().ok_or(StoreError::Unexpected("question"))?;
    let clocks = clocks(first)?;
    clocks.judge().map_err(StoreError::Clock)?;
    let (mut batch, mut versions) = (Batch::new(clocks.present(), unsigned(first, "seq")?), HashMap::new());
    for row in &rows {
        if let Some(seat) = optional(row, "seat_id")? {
            // They are counted from one.
            let place = usize::try_from(unsigned(row, "place")?).unwrap_or(usize::MAX).saturating_sub(1);
            batch.add(place, row)?;
            batch.add_license(row)?;
            versions.insert(seat, row.try_get("version")?);
        }
    }
    Ok((batch, clocks.present(), versions))
}

/// The seats that somebody else has changed meanwhile, and that were therefore not written.
async fn write_unchanged(
    conn: &mut PgConnection,
    batch: &Batch,
    versions: &HashMap<Uuid, String>,
    now: UnixTime,
) -> Result<HashSet<Uuid>, StoreError> {
    let changed = batch.changed_seats();
    if changed.is_empty() {
        return Ok(HashSet::new());
    }
    let version = |seat: &Seat| versions.get(&seat.id).map(String::as_str);
    let seats = seats_as_json(changed.iter().map(|seat| (*seat, version(seat))))?;
    let installs = batch.changed_installs();
    let installs = installs_as_json(installs.iter().map(|(seat, install, _)| (*seat, *install)))?;
    let kept: Vec<String> = sqlx::query_scalar(UPDATE_UNCHANGED)
        .bind(seats)
        .bind(installs)
        .bind(now.seconds())
        .fetch_all(conn)
        .await?;
    let kept: HashSet<Uuid> = kept.iter().filter_map(|id| id.parse().ok()).collect();
    Ok(changed.iter().map(|seat| seat.id).filter(|id| !kept.contains(id)).collect())
}

async fn by_itself(pool: PgPool, alone: Arc<Semaphore>, asked: QueuedCall) {
    let Ok(_turn) = alone.acquire_owned().await else { return };
    let answered = answer_alone(&pool, asked.question).await;
    let _ = asked.reply.send(answered);
}

async fn answer_alone(pool: &PgPool, question: SeatCommand) -> Result<SeatOutcome, StoreError> {
    let mut work = Alone { question, swept: false };
    loop {
        match transact(pool, &work).await? {
            Done::Answered(answered) => return Ok(*answered),
            Done::Full(license) => {
                transact(pool, &ReleaseExpiredOf(Some(license))).await?;
                work.swept = true;
            }
        }
    }
}

/// A question that changes counts, the audit trail, or what installations there are.
struct Alone {
    question: SeatCommand,
    swept: bool,
}

enum Done {
    Answered(Box<SeatOutcome>),
    /// Nothing was changed: the license is to be swept first. A sweep locks other seats, so it
    /// cannot be part of this.
    Full(Uuid),
}

impl Write for Alone {
    type Output = Done;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Done, StoreError> {
        let row = locked_row(tx, &self.question).await?;
        let mut batch = Batch::new(tx.now, tx.seq);
        if let Some(row) = &row {
            batch.add(0, row)?;
            batch.add_license(row)?;
        }
        let Some((license, decision)) = batch.decide(0, &self.question) else {
            return Ok(Done::Answered(Box::new(batch.token_unknown())));
        };
        if !self.swept && is_full(self.question.call, &decision) {
            return Ok(Done::Full(license));
        }
        let answered = batch.keep(0, decision)?;
        batch.write(tx).await?;
        Ok(Done::Answered(Box::new(answered)))
    }
}

/// Seat, license and installation of a question, with seat and license locked.
async fn locked_row(tx: &mut Tx<'_>, question: &SeatCommand) -> Result<Option<DbRow>, StoreError> {
    // A statement that had to wait for a lock knows the new contents of the locked rows only, so it is
    // not the one that reads: the token may have been revoked meanwhile.
    let lock = "SELECT 1 FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
                WHERE t.hash = $1 FOR UPDATE OF s, l";
    sql(lock).bind(question.token.as_slice()).execute(tx.conn()).await?;
    let read = concat!(
        "SELECT ",
        clock_columns!(),
        ", t.revoked_at IS NOT NULL AS token_revoked, \
         (SELECT string_agg(o.id || '=' || o.asked_at, ' ') FROM install o \
         WHERE o.seat_id = s.id AND o.asked_at >= s.since) AS asked, ",
        seat_columns!(),
        ", ",
        license_columns!(),
        ", ",
        install_columns!(),
        " FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
         LEFT JOIN install i ON i.seat_id = s.id AND i.id = $2 WHERE t.hash = $1"
    );
    let query = sql(read).bind(question.token.as_slice()).bind(question.caller.install_id.to_string());
    let row = query.fetch_optional(tx.conn()).await?;
    if let Some(row) = &row {
        tx.pass_to(clocks(row)?.present());
    }
    Ok(row)
}
