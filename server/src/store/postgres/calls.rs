use super::clock::{clock_columns, clocks};
use super::dialect::{UPDATE_UNCHANGED, locked, now};
use super::persist::{audit, change_counts, installs_as_json, seats_as_json, update_seats, upsert_installs};
use super::rows::{install, install_columns, license, license_columns, seat, seat_columns, unsigned};
use super::sweep::Sweep;
use super::writer::{Patience, Tx, Write, transact};
use crate::rules::{
    Answer, Call, Caller, Decision, Event, Install, License, LicenseChange, Seat, decide, token_unknown,
};
use crate::store::{Actor, Answered, Question, StoreError};
use seatlock_protocol::{Code, UnixTime};
use sqlx::{
    Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgRow},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
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
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) reply: oneshot::Sender<Result<Answered, StoreError>>,
}

/// One of several who answer what is waiting: all that is plain together, and the rest each in a
/// transaction of its own.
pub(super) struct Worker {
    pub(super) options: PgConnectOptions,
    pub(super) pool: PgPool,
    pub(super) queue: Arc<Mutex<mpsc::Receiver<Asked>>>,
    /// How many transactions there may be at once.
    pub(super) alone: Arc<Semaphore>,
}

impl Worker {
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
        batch: &[Asked],
    ) -> Vec<Option<Result<Answered, StoreError>>> {
        let questions: Vec<&Question> = batch.iter().map(|asked| &asked.question).collect();
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
        questions: &[&Question],
    ) -> Result<Vec<Option<Answered>>, StoreError> {
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
    questions: &[&Question],
) -> Result<Vec<Option<Answered>>, StoreError> {
    let mut desk = Desk::load(conn, questions).await?;
    let mut answers: Vec<_> =
        questions.iter().enumerate().map(|(place, question)| desk.answer(place, question)).collect();
    let lost = desk.write(conn).await?;
    for (place, answer) in answers.iter_mut().enumerate() {
        if desk.subjects.get(&place).is_some_and(|(seat, _)| lost.contains(seat)) {
            *answer = None;
        }
    }
    Ok(answers)
}

/// Everything that a batch of questions is about, as it is after those that were answered already.
struct Desk {
    now: UnixTime,
    seq: u64,
    /// The seat of each question, and whether its token was revoked.
    subjects: HashMap<usize, (Uuid, bool)>,
    /// With the version that was read.
    seats: HashMap<Uuid, (Seat, String)>,
    licenses: HashMap<Uuid, License>,
    installs: HashMap<(Uuid, Uuid), Install>,
    changed_seats: HashSet<Uuid>,
    changed_installs: BTreeSet<(Uuid, Uuid)>,
}

impl Desk {
    async fn load(conn: &mut PgConnection, questions: &[&Question]) -> Result<Self, StoreError> {
        let tokens: Vec<Vec<u8>> = questions.iter().map(|question| question.token.to_vec()).collect();
        let installs: Vec<String> =
            questions.iter().map(|question| question.caller.install_id.to_string()).collect();
        let rows = sqlx::query(concat!(
            "SELECT q.place, ",
            now!(),
            " AS now, ",
            clock_columns!(),
            ", (SELECT coalesce(max(seq), 0) FROM key_set) AS seq, \
             t.revoked_at IS NOT NULL AS token_revoked, s.xmin::text AS version, ",
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
        let first = rows.first().ok_or(StoreError::Unexpected("question"))?;
        let clocks = clocks(first)?;
        clocks.judge().map_err(StoreError::Clock)?;
        let mut desk = Self {
            now: clocks.present(),
            seq: unsigned(first, "seq")?,
            subjects: HashMap::new(),
            seats: HashMap::new(),
            licenses: HashMap::new(),
            installs: HashMap::new(),
            changed_seats: HashSet::new(),
            changed_installs: BTreeSet::new(),
        };
        for row in &rows {
            desk.lay(row)?;
        }
        Ok(desk)
    }

    fn lay(&mut self, row: &PgRow) -> Result<(), StoreError> {
        if row.try_get::<Option<&str>, _>("seat_id")?.is_none() {
            return Ok(());
        }
        // They are counted from one.
        let place = usize::try_from(unsigned(row, "place")?).unwrap_or(usize::MAX).saturating_sub(1);
        let (seat, license) = (seat(row)?, license(row)?);
        self.subjects.insert(place, (seat.id, row.try_get("token_revoked")?));
        if let Some(install) = install(row)? {
            self.installs.insert((seat.id, install.id), install);
        }
        self.seats.insert(seat.id, (seat, row.try_get("version")?));
        self.licenses.insert(license.id, license);
        Ok(())
    }

    /// `None` when the answer needs more than the seat and an installation that is known.
    fn answer(&mut self, place: usize, question: &Question) -> Option<Answered> {
        let (now, seq) = (self.now, self.seq);
        let Some((id, token_revoked)) = self.subjects.get(&place).copied() else {
            let answer = Answer::Verdict(token_unknown());
            return Some(Answered { now, seq, subject: None, answer });
        };
        let (seat, _) = self.seats.get_mut(&id)?;
        let license = self.licenses.get(&seat.license)?;
        let key = (id, question.caller.install_id);
        let decision = decided(license, seat, self.installs.get(&key), token_revoked, question, now);
        let known = decision.install.is_none() || self.installs.contains_key(&key);
        let plain = decision.license == LicenseChange::default() && decision.audit.is_empty() && known;
        if !plain || is_full(question.call, &decision) {
            return None;
        }
        let renewed = decision.install.is_some();
        if let Some(install) = decision.install {
            self.installs.insert(key, install);
            self.changed_installs.insert(key);
        }
        if let Some(after) = decision.seat.filter(|after| renewed || after != seat) {
            *seat = after;
            self.changed_seats.insert(id);
        }
        let subject = Some((seat.clone(), license.clone()));
        Some(Answered { now, seq, subject, answer: decision.answer })
    }

    /// The seats that somebody else has changed meanwhile, and that were therefore not written.
    async fn write(&self, conn: &mut PgConnection) -> Result<HashSet<Uuid>, StoreError> {
        if self.changed_seats.is_empty() {
            return Ok(HashSet::new());
        }
        let seats = self.changed_seats.iter().filter_map(|id| self.seats.get(id));
        let seats = seats_as_json(seats.map(|(seat, version)| (seat, Some(version.as_str()))))?;
        let installs = self.changed_installs.iter();
        let installs = installs_as_json(installs.filter_map(|key| Some((key.0, self.installs.get(key)?))))?;
        let kept: Vec<String> = sqlx::query_scalar(UPDATE_UNCHANGED)
            .bind(seats)
            .bind(installs)
            .bind(self.now.seconds())
            .fetch_all(conn)
            .await?;
        let kept: HashSet<Uuid> = kept.iter().filter_map(|id| id.parse().ok()).collect();
        Ok(self.changed_seats.difference(&kept).copied().collect())
    }
}

fn decided(
    license: &License,
    seat: &Seat,
    install: Option<&Install>,
    token_revoked: bool,
    question: &Question,
    now: UnixTime,
) -> Decision {
    let caller = Caller { token_revoked, install: install.cloned(), ..question.caller.clone() };
    decide(license, Some(seat), &Event::Call(question.call, Box::new(caller)), now)
}

/// Another seat of the license may be over without anybody having noticed.
fn is_full(call: Call, decision: &Decision) -> bool {
    let full = matches!(&decision.answer, Answer::Verdict(verdict) if verdict.code == Code::SeatLimitReached);
    full && call != Call::Status
}

async fn by_itself(pool: PgPool, alone: Arc<Semaphore>, asked: Asked) {
    let Ok(_turn) = alone.acquire_owned().await else { return };
    let answered = answer_alone(&pool, asked.question).await;
    let _ = asked.reply.send(answered);
}

async fn answer_alone(pool: &PgPool, question: Question) -> Result<Answered, StoreError> {
    let mut work = Alone { question, swept: false };
    loop {
        match transact(pool, &work).await? {
            Done::Answered(answered) => return Ok(*answered),
            Done::Full(license) => {
                transact(pool, &Sweep(Some(license))).await?;
                work.swept = true;
            }
        }
    }
}

/// A question that changes counts, the audit trail, or what installations there are.
struct Alone {
    question: Question,
    swept: bool,
}

enum Done {
    Answered(Box<Answered>),
    /// Nothing was changed: the license is to be swept first. A sweep locks other seats, so it
    /// cannot be part of this.
    Full(Uuid),
}

impl Write for Alone {
    type Output = Done;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Done, StoreError> {
        let question = &self.question;
        let row = locked_row(tx, question).await?;
        let (now, seq) = (tx.now, tx.seq);
        let answered = |subject, answer| Done::Answered(Box::new(Answered { now, seq, subject, answer }));
        let Some(row) = row else {
            return Ok(answered(None, Answer::Verdict(token_unknown())));
        };
        let (before, mut license, known) = (seat(&row)?, license(&row)?, install(&row)?);
        let token_revoked = row.try_get("token_revoked")?;
        let decision = decided(&license, &before, known.as_ref(), token_revoked, question, now);
        if !self.swept && is_full(question.call, &decision) {
            return Ok(Done::Full(license.id));
        }
        change_counts(tx, license.id, decision.license).await?;
        let after = decision.seat.unwrap_or_else(|| before.clone());
        if after != before || decision.install.is_some() {
            update_seats(tx, &[&after]).await?;
        }
        if let Some(install) = &decision.install {
            upsert_installs(tx, &[(after.id, install, known.is_none())]).await?;
        }
        for entry in &decision.audit {
            audit(tx, license.account, &before, entry, &Actor::Plugin).await?;
        }
        license.apply(decision.license);
        Ok(answered(Some((after, license)), decision.answer))
    }
}

/// Seat, license and installation of a question, with seat and license locked.
async fn locked_row(tx: &mut Tx<'_>, question: &Question) -> Result<Option<PgRow>, StoreError> {
    // A statement that had to wait for a lock knows the new contents of the locked rows only, so it is
    // not the one that reads: the token may have been revoked meanwhile.
    let lock = concat!(
        "SELECT 1 FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id WHERE t.hash = $1",
        locked!("s, l")
    );
    sqlx::query(lock).bind(question.token.as_slice()).execute(tx.conn()).await?;
    let read = concat!(
        "SELECT ",
        now!(),
        " AS now, ",
        clock_columns!(),
        ", t.revoked_at IS NOT NULL AS token_revoked, ",
        seat_columns!(),
        ", ",
        license_columns!(),
        ", ",
        install_columns!(),
        " FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
         LEFT JOIN install i ON i.seat_id = s.id AND i.id = $2 WHERE t.hash = $1"
    );
    let query =
        sqlx::query(read).bind(question.token.as_slice()).bind(question.caller.install_id.to_string());
    let row = query.fetch_optional(tx.conn()).await?;
    if let Some(row) = &row {
        tx.pass_to(clocks(row)?.present());
    }
    Ok(row)
}
