use super::error::Trouble;
use super::flash::Done;
use super::form::{Asked, Filled, Named, form_key};
use super::visit::Visit;
use super::{Shown, go, letter, shown};
use crate::domain::{License, SHARE_LIFE, SeatState, SuppliedIds, exactly};
use crate::http::web::pages::{
    Id, Mail, Moment, SeatPage, SeatRelease, SeatTokenPage, StatusBadge, Step, TokenReason,
};
use crate::service::Recalled;
use crate::store::{AuditQuery, AuditRow, ListedSeat};
use axum::response::Response;
use seatlock_protocol::{Token, UnixTime};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Entries of the audit trail below a seat.
const HISTORY: u32 = 20;

/// The form that made a token.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Made {
    key: String,
}

#[derive(Deserialize)]
pub(super) struct Share {
    /// Of the form that made the token.
    key: String,
    /// Of this one.
    form_key: String,
    email: String,
    #[serde(default)]
    send_as: String,
}

pub(super) async fn show(visit: Visit, Named(id): Named) -> Shown {
    let (now, desk) = (visit.now().await?, visit.desk());
    let (listed, license) = desk.seat(id).await?;
    let query =
        AuditQuery { account: visit.account(), seat: Some(id), limit: HISTORY, ..AuditQuery::default() };
    let history = desk.audit(query).await?;
    let outliving = desk.outliving_of(id).await?;
    let seat = &listed.seat;
    let hold = shown::hold(seat, now);
    let release = match (&seat.state, license.release_possible_at(now)) {
        (SeatState::InUse(_), None) => SeatRelease::Possible,
        (SeatState::InUse(_), Some(at)) => SeatRelease::From(at.into()),
        _ => SeatRelease::NothingToRelease,
    };
    visit.once(super::show(&SeatPage {
        shell: visit.shell(),
        seat: shown::name(seat),
        status: StatusBadge(seat.lock_status()),
        license: Id(license.id),
        plan: shown::plan(&license),
        products: shown::products(&visit.state, &license),
        license_state: shown::license_state(&license, now),
        ends_at: license.expires_at.map(Moment::from),
        window: exactly(license.release_window),
        machine: hold.machine,
        supplied_id: hold.supplied,
        minds_supplied_ids: license.supplied_ids != SuppliedIds::Allow,
        installs: listed.installs,
        outliving: outliving.into_iter().map(|(machine, until)| (machine, until.into())).collect(),
        since: hold.since,
        last_used_at: seat.last_used_at.map(Moment::from),
        last_offline_at: seat.last_offline_at.map(Moment::from),
        lease_until: hold.lease_until,
        draining: hold.draining,
        launches: seat.launches,
        created_at: listed.created_at.into(),
        clone_suspected_at: seat.clone_suspected_at.map(Moment::from),
        link_until: unopened_link(&history.rows, now).map(Moment::from),
        release,
        history: shown::entries(&visit, history.rows).await?,
        history_continues: history.more,
    }))
}

/// Whoever opens the address of a form finds its page.
pub(super) async fn back(Named(id): Named) -> Response {
    go(&format!("/seats/{id}"))
}

/// The token of a form that was just sent. Neither Back nor Reload sends the form again.
pub(super) async fn token(visit: Visit, Named(id): Named, Asked(made): Asked<Made>) -> Shown {
    let (seat, _, token, refreshed) = issued(&visit, id, &made.key).await?;
    visit.once(super::show(&SeatTokenPage {
        shell: visit.shell(),
        seat: shown::name(&seat.seat),
        reason: if refreshed { TokenReason::Refreshed } else { TokenReason::Created },
        token: Zeroizing::new(token.expose_secret().to_owned()),
        mail: visit.done().and_then(Done::mail).unwrap_or(Mail::NotAgain),
        mail_available: letter::available(&visit.state),
        key: made.key,
        form_key: form_key(),
    }))
}

/// On to the page that shows the token of a form, and says what became of its e-mail.
pub(super) async fn go_to_token(visit: &Visit, seat: Uuid, form_key: &str, done: Option<Done>) -> Shown {
    let key: String = form_urlencoded::byte_serialize(form_key.as_bytes()).collect();
    let path = format!("/seats/{seat}/token?key={key}");
    match done {
        Some(done) => visit.go_and_say(&path, done).await,
        None => Ok(go(&path)),
    }
}

/// Sends the token that was shown a moment ago. The form brings the key of the one that made it,
/// because nobody else knows it.
pub(super) async fn share(visit: Visit, Named(id): Named, Filled(form): Filled<Share>) -> Shown {
    let (seat, license, token, _) = issued(&visit, id, &form.key).await?;
    let done = if visit.desk().is_first_of(&form.form_key).await? {
        let what = letter::contents(&form.send_as);
        Some(letter::send(&visit, &seat.seat, &license, &token, form.email.trim(), what).await)
    } else {
        None
    };
    go_to_token(&visit, id, &form.key, done).await
}

async fn issued(visit: &Visit, id: Uuid, key: &str) -> Result<(ListedSeat, License, Token, bool), Trouble> {
    match visit.desk().issued(id, key).await? {
        Recalled::Token { seat, license, token, refreshed } => Ok((*seat, *license, token, refreshed)),
        Recalled::Replaced => Err(Trouble::TokenReplaced(id)),
        Recalled::Forgotten => {
            Err(Trouble::TokenForgotten(Step::new(&format!("/seats/{id}"), "Show the seat")))
        }
    }
}

/// The end of a one-time link that nobody has opened, as the audit trail tells it.
fn unopened_link(newest_first: &[AuditRow], now: UnixTime) -> Option<UnixTime> {
    let mut opened = 0_u32;
    for row in newest_first {
        match row.event.as_str() {
            "refreshed" | "revoked" | "created" => return None,
            "share_opened" => opened = opened.saturating_add(1),
            "shared" if opened > 0 => opened = opened.saturating_sub(1),
            "shared" => return Some(row.at.plus(SHARE_LIFE)).filter(|end| *end > now),
            _ => {}
        }
    }
    None
}
