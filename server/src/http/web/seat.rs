use super::context::PageContext;
use super::convert::{AuditActor, AuditEntry, LicenseState};
use super::error::{NextStep, WebError};
use super::flash::{FlashMessage, MailOutcome};
use super::form::{FormData, PagePathId, PageQuery, form_key};
use super::pages::{Moment, SeatName, Shell, ShortId, StatusBadge};
use super::{PageResult, convert, email, go};
use crate::domain::{License, SHARE_LIFE, SeatState, SuppliedIds, exactly};
use crate::service::{AuditQuery, AuditRow, ListedSeat, RecalledToken};
use askama::Template;
use axum::response::Response;
use seatlock_protocol::{MachineId, Token, UnixTime};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The page after a seat was made or refreshed: its token, this once.
#[derive(Clone, Template)]
#[template(path = "seat_token.html")]
pub struct SeatTokenPage {
    pub shell: Shell,
    pub seat: SeatName,
    /// What the token was made for.
    pub reason: TokenReason,
    pub token: Zeroizing<String>,
    /// What became of the e-mail.
    pub mail: MailOutcome,
    /// Whether the server can send e-mail.
    pub mail_available: bool,
    /// Of the form that made the token, by which the page finds it again.
    pub key: String,
    /// Random, so that a form that is sent twice sends one e-mail.
    pub form_key: String,
}

/// What a token was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenReason {
    Created,
    /// A seat whose token was replaced.
    Refreshed,
}

impl SeatTokenPage {
    /// Whether the token is that of a new seat.
    #[must_use]
    pub fn created(&self) -> bool {
        self.reason == TokenReason::Created
    }

    /// Whether an e-mail can still be useful.
    #[must_use]
    pub fn offers_mail(&self) -> bool {
        self.mail_available
            && !matches!(self.mail, MailOutcome::LinkSent { .. } | MailOutcome::TokenSent { .. })
    }

    /// Whether an e-mail could not be sent.
    #[must_use]
    pub fn mail_failed(&self) -> bool {
        matches!(self.mail, MailOutcome::Failed { .. })
    }
}

/// `/seats/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "seat.html")]
pub struct SeatPage {
    pub shell: Shell,
    pub seat: SeatName,
    pub status: StatusBadge,
    /// The license that it belongs to.
    pub license: ShortId,
    /// Name of the license's plan.
    pub plan: String,
    /// What the license is for.
    pub products: Vec<String>,
    /// Whether the license serves plug-ins now.
    pub license_state: LicenseState,
    /// End of the subscription.
    pub ends_at: Option<Moment>,
    /// Time between two releases of the license, in words.
    pub window: String,
    /// The machine that holds it, or that may still work offline.
    pub machine: Option<MachineId>,
    /// Whether that machine's id was supplied.
    pub supplied_id: bool,
    /// Whether the license minds that.
    pub minds_supplied_ids: bool,
    /// Installations that were given a lease of the present hold.
    pub installs: u32,
    /// Computers that hold the seat no more, and until when each may work offline.
    pub outliving: Vec<(MachineId, Moment)>,
    /// When that machine took it.
    pub since: Option<Moment>,
    /// When its token was used last.
    pub last_used_at: Option<Moment>,
    /// When it was used without a network last, as far as reported.
    pub last_offline_at: Option<Moment>,
    /// Until when its machine may work offline.
    pub lease_until: Option<Moment>,
    /// Whether it was released but counts as used until `lease_until`.
    pub draining: bool,
    /// Times that a host was started with it, as far as reported.
    pub launches: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When a second copy of an installation was seen last.
    pub clone_suspected_at: Option<Moment>,
    /// End of a one-time link that nobody has opened yet.
    pub link_until: Option<Moment>,
    /// Whether it can be released.
    pub release: SeatRelease,
    /// The newest entries of its audit trail, newest first.
    pub history: Vec<AuditEntry>,
    /// Whether there are older ones.
    pub history_continues: bool,
}

/// Whether a seat can be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatRelease {
    Possible,
    /// From then on, because another seat of the license was released.
    From(Moment),
    /// There is no machine to take it from.
    NothingToRelease,
}

/// Entries of the audit trail below a seat.
const HISTORY: u32 = 20;

/// The form that made a token.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SeatTokenPageQuery {
    key: String,
}

#[derive(Deserialize)]
pub(super) struct ShareForm {
    /// Of the form that made the token.
    key: String,
    form_key: String,
    email: String,
    #[serde(default)]
    send_as: String,
}

pub(super) async fn show(context: PageContext, PagePathId(id): PagePathId) -> PageResult {
    let (now, service) = (context.now().await?, context.service());
    let (listed, license) = service.seat(id).await?;
    let query =
        AuditQuery { account: context.account(), seat: Some(id), limit: HISTORY, ..AuditQuery::default() };
    let history = service.audit(query).await?;
    let outliving = service.outliving_of(&listed, now).await?;
    let seat = &listed.seat;
    let hold = convert::hold(seat, now);
    let release = match (&seat.state, license.release_possible_at(now)) {
        (SeatState::InUse(_), None) => SeatRelease::Possible,
        (SeatState::InUse(_), Some(at)) => SeatRelease::From(at.into()),
        _ => SeatRelease::NothingToRelease,
    };
    context.once(super::show(&SeatPage {
        shell: context.shell(),
        seat: convert::name(seat),
        status: StatusBadge(seat.lock_status()),
        license: ShortId(license.id),
        plan: convert::plan(&license),
        products: convert::products(&context.state, &license),
        license_state: convert::license_state(&license, now),
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
        history: convert::entries(&context, history.rows).await?,
        history_continues: history.more,
    }))
}

/// A person who opens the address of a form finds its page.
pub(super) async fn back(PagePathId(id): PagePathId) -> Response {
    go(&format!("/seats/{id}"))
}

/// The token of a form that was just sent. Neither Back nor Reload sends the form again.
pub(super) async fn token(
    context: PageContext,
    PagePathId(id): PagePathId,
    PageQuery(made): PageQuery<SeatTokenPageQuery>,
) -> PageResult {
    let (seat, _, token, refreshed) = issued(&context, id, &made.key).await?;
    context.once(super::show(&SeatTokenPage {
        shell: context.shell(),
        seat: convert::name(&seat.seat),
        reason: if refreshed { TokenReason::Refreshed } else { TokenReason::Created },
        token: Zeroizing::new(token.expose_secret().to_owned()),
        mail: context.done().and_then(FlashMessage::mail).unwrap_or(MailOutcome::NotAgain),
        mail_available: email::available(&context.state),
        key: made.key,
        form_key: form_key(),
    }))
}

/// On to the page that shows the token of a form, and says what became of its e-mail.
pub(super) async fn go_to_token(
    context: &PageContext,
    seat: Uuid,
    form_key: &str,
    done: Option<FlashMessage>,
) -> PageResult {
    let key: String = form_urlencoded::byte_serialize(form_key.as_bytes()).collect();
    let path = format!("/seats/{seat}/token?key={key}");
    match done {
        Some(done) => context.go_and_say(&path, done).await,
        None => Ok(go(&path)),
    }
}

/// Sends the token that was shown a moment ago. The form brings the key of the one that made it,
/// because nobody else knows it.
pub(super) async fn share(
    context: PageContext,
    PagePathId(id): PagePathId,
    FormData(form): FormData<ShareForm>,
) -> PageResult {
    let (seat, license, token, _) = issued(&context, id, &form.key).await?;
    let done = if context.service().is_first_of(&form.form_key).await? {
        let what = email::contents(&form.send_as);
        Some(email::send(&context, &seat.seat, &license, &token, form.email.trim(), what).await)
    } else {
        None
    };
    go_to_token(&context, id, &form.key, done).await
}

async fn issued(
    context: &PageContext,
    id: Uuid,
    key: &str,
) -> Result<(ListedSeat, License, Token, bool), WebError> {
    match context.service().issued(id, key).await? {
        RecalledToken::Token { seat, license, token, refreshed } => Ok((*seat, *license, token, refreshed)),
        RecalledToken::Replaced => Err(WebError::TokenReplaced(id)),
        RecalledToken::Forgotten => {
            Err(WebError::TokenForgotten(NextStep::new(&format!("/seats/{id}"), "Show the seat")))
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
