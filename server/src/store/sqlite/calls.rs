use super::release_expired::release_expired;
use crate::store::batch::{Batch, is_full};
use crate::store::sql::rows::{install_columns, license_columns, seat_columns, unsigned};
use crate::store::{SeatCommand, SeatOutcome, StoreError, db::sql, tx::Tx};
use std::collections::HashSet;

/// Answers plug-ins, but reads what they need with two statements and writes what they change with
/// two: each statement is a journey to SQLite's thread and back.
pub(super) async fn answer_all(
    tx: &mut Tx<'_>,
    questions: &[&SeatCommand],
) -> Result<Vec<SeatOutcome>, StoreError> {
    let mut answers = Vec::with_capacity(questions.len());
    let mut swept = HashSet::new();
    while let Some(rest) = questions.get(answers.len()..).filter(|rest| !rest.is_empty()) {
        let mut batch = load(tx, rest).await?;
        for (place, question) in rest.iter().enumerate() {
            let Some((license, decision)) = batch.decide(place, question) else {
                answers.push(batch.token_unknown());
                continue;
            };
            if is_full(question.call, &decision) && swept.insert(license) {
                // What the batch knows is outdated by the sweep, so this question is the first of a new one.
                batch.write(tx).await?;
                release_expired(tx, license).await?;
                break;
            }
            answers.push(batch.keep(place, decision)?);
        }
        batch.write(tx).await?;
    }
    Ok(answers)
}

async fn load(tx: &mut Tx<'_>, questions: &[&SeatCommand]) -> Result<Batch, StoreError> {
    let wanted: Vec<_> = questions
        .iter()
        .map(|question| (hex(&question.token), question.caller.install_id.to_string()))
        .collect();
    let wanted = serde_json::to_string(&wanted).map_err(|_| StoreError::Unexpected("question"))?;
    let rows = sql(concat!(
        "SELECT q.key AS place, t.revoked_at IS NOT NULL AS token_revoked, \
         (SELECT group_concat(o.id || '=' || o.asked_at, ' ') FROM install o \
         WHERE o.seat_id = s.id AND o.asked_at >= s.since) AS asked, ",
        seat_columns!(),
        ", ",
        install_columns!(),
        " FROM json_each($1) q CROSS JOIN token t ON t.hash = unhex(q.value ->> 0) \
         CROSS JOIN seat s ON s.id = t.seat_id \
         LEFT JOIN install i ON i.seat_id = s.id AND i.id = q.value ->> 1"
    ))
    .bind(wanted)
    .fetch_all(tx.conn())
    .await?;
    let mut batch = Batch::new(tx.now, tx.seq);
    for row in &rows {
        batch.add(usize::try_from(unsigned(row, "place")?).unwrap_or(usize::MAX), row)?;
    }
    let ids = serde_json::to_string(&batch.license_ids()).map_err(|_| StoreError::Unexpected("license"))?;
    let rows = sql(concat!(
        "SELECT ",
        license_columns!(),
        " FROM json_each($1) q CROSS JOIN license l ON l.id = q.value"
    ))
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    for row in &rows {
        batch.add_license(row)?;
    }
    Ok(batch)
}

fn hex(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    // Not by format!, which would be a sixth of what a ping costs while an installation asks often.
    text.extend(halves.filter_map(|half| char::from_digit(half.into(), 16)));
    text
}
