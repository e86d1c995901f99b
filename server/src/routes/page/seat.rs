use super::form::{Asked, Filled, Named};
use super::trouble::Trouble;
use super::visit::Visit;
use super::{Shown, go, letter, shown};
use crate::page::{Id, Moment, SeatPage, SeatRelease, SeatTokenPage, StatusBadge, TokenReason, Tone};
use crate::rules::{SHARE_LIFE, SeatState};
use crate::store::{AuditQuery, AuditRow, Store};
use axum::response::Response;
use seatlock_protocol::{Token, TokenKind, UnixTime};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Entries of the audit trail below a seat.
const HISTORY: u32 = 20;

#[derive(Deserialize)]
pub(super) struct After {
    done: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Share {
    token: Zeroizing<String>,
    email: String,
    #[serde(default)]
    send_as: String,
    #[serde(default)]
    reason: String,
}

pub(super) async fn show<S: Store>(visit: Visit<S>, Named(id): Named, Asked(after): Asked<After>) -> Shown {
    let (now, desk) = (visit.now().await?, visit.desk());
    let (listed, license) = desk.seat(id).await?;
    let query =
        AuditQuery { account: visit.account(), seat: Some(id), limit: HISTORY, ..AuditQuery::default() };
    let history = desk.audit(query).await?;
    let seat = &listed.seat;
    let hold = shown::hold(seat, now);
    let release = match (&seat.state, license.release_possible_at(now)) {
        (SeatState::InUse(_), None) => SeatRelease::Possible,
        (SeatState::InUse(_), Some(at)) => SeatRelease::From(at.into()),
        _ => SeatRelease::NothingToRelease,
    };
    super::show(&SeatPage {
        shell: visit.shell_after(done(after.done.as_deref())),
        seat: shown::name(seat),
        status: StatusBadge(seat.lock_status()),
        license: Id(license.id),
        plan: shown::plan(&license),
        machine: hold.machine,
        since: hold.since,
        last_used_at: seat.last_used_at.map(Moment::from),
        last_offline_at: seat.last_offline_at.map(Moment::from),
        lease_until: hold.lease_until,
        draining: hold.draining,
        launches: seat.launches,
        epoch: seat.epoch,
        created_at: listed.created_at.into(),
        clone_suspected_at: seat.clone_suspected_at.map(Moment::from),
        link_until: unopened_link(&history.rows, now).map(Moment::from),
        release,
        history: shown::entries(&visit, history.rows).await?,
        history_continues: history.more,
    })
}

/// Whoever opens the address of a form finds its page.
pub(super) async fn back(Named(id): Named) -> Response {
    go(&format!("/seats/{id}"))
}

/// Sends the token that was shown a moment ago. The form brings it along, because nobody else knows it.
pub(super) async fn share<S: Store>(visit: Visit<S>, Named(id): Named, Filled(form): Filled<Share>) -> Shown {
    let token = Token::parse(&form.token, TokenKind::Integration).map_err(|_| Trouble::Unreadable)?;
    let (listed, license) = visit.desk().seat(id).await?;
    let what = letter::contents(&form.send_as);
    let mail = letter::send(&visit, &listed.seat, &license, &token, form.email.trim(), what).await;
    super::show(&SeatTokenPage {
        shell: visit.shell(),
        seat: shown::name(&listed.seat),
        reason: if form.reason == "refreshed" { TokenReason::Refreshed } else { TokenReason::Created },
        token: Zeroizing::new(token.expose_secret().to_owned()),
        mail,
        mail_available: letter::available(&visit.state),
    })
}

/// What was done on the page before. Only these words: an address can be anybody's.
fn done(what: Option<&str>) -> Option<(Tone, &'static str)> {
    match what? {
        "released" => {
            Some((Tone::Good, "The seat was released. Another computer can use it by entering its token."))
        }
        "revoked" => Some((Tone::Good, "The seat was revoked. Its token never works again.")),
        "nothing" => {
            Some((Tone::Calm, "There was nothing left to do: somebody else, or this form, did it before."))
        }
        _ => None,
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
