use super::{IdempotencyKey, Service, ServiceError, sign_in::name};
use crate::crypto::keys::DataFolder;
use crate::crypto::one_time_link;
use crate::crypto::seal::Secret;
use crate::domain::{AttemptBy, License, SHARE_LIFE, Seat, SeatAction, SeatAnswer, check_email};
use crate::service::airgap::{self, AirgapError, AirgapOutcome};
use crate::store::{
    AddOneTimeLink, AuditQuery, AuditRow, CountAttempt, CountOutliving, CountSeats, Created,
    FindIdempotencyRecord, FindSeat, FindSeatOfToken, FindSeats, GetRecovery, IsTokenOf, ListLicenses,
    ListOutliving, ListedSeat, NewSeat, OneTimeLink, Page, Recovery, SeatActionRequest, SeatOutcome,
    SeatQuery, StoreError, TokenHashes,
};
use seatlock_protocol::{MachineId, Token, TokenKind, UnixTime, file::RequestFile};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What an answer with the token of a new seat is remembered by.
const NEW_SEAT: &str = "seat";

/// The same for a token that replaces another.
fn refresh_of(seat: Uuid) -> String {
    format!("refresh {seat}")
}

/// A seat whose token is shown now, and never again.
pub struct IssuedSeat {
    pub seat: ListedSeat,
    pub license: License,
    pub token: Token,
    /// Whether it was made by the same request before.
    pub repeated: bool,
}

/// What is left of a form that issued a token.
pub enum RecalledToken {
    /// The token, as the same form would be answered with it.
    Token {
        seat: Box<ListedSeat>,
        license: Box<License>,
        token: Token,
        /// Whether it replaced another one.
        refreshed: bool,
    },
    /// The seat has another token by now, or none.
    Replaced,
    /// It is too long ago, or it was somebody else's form.
    Forgotten,
}

/// What became of a seat.
pub struct SeatActionResult {
    pub seat: ListedSeat,
    pub license: License,
    /// Whether something was changed, or would be in a dry run.
    pub changed: bool,
    /// The new token after a refresh: shown now, and never again.
    pub token: Option<Token>,
    /// Whether it was made by the same request before.
    pub repeated: bool,
}

impl Service<'_> {
    /// The licenses of the own account; for admins of the named one, or of all.
    pub async fn licenses(&self, account: Option<Uuid>) -> Result<Vec<License>, ServiceError> {
        Ok(self.store.run(ListLicenses(self.scope(account))).await?)
    }

    /// Seats, the newest first.
    pub async fn seats(&self, query: SeatQuery) -> Result<Page<ListedSeat>, ServiceError> {
        let account = self.scope(query.account);
        Ok(self.store.run(SeatQuery { account, ..query }).await?)
    }

    /// How many seats a query finds, wherever it begins.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn count_seats(&self, query: SeatQuery) -> Result<u64, ServiceError> {
        let account = self.scope(query.account);
        Ok(self.store.run(CountSeats(SeatQuery { account, ..query })).await?)
    }

    /// One seat and its license.
    ///
    /// # Errors
    /// [`ServiceError::Store`] with [`StoreError::NotFound`], for what belongs to another account too.
    pub async fn seat(&self, id: Uuid) -> Result<(ListedSeat, License), ServiceError> {
        let found = self.store.run(FindSeat(id)).await?;
        let found = found.filter(|(_, license)| self.may_see(license.account));
        found.ok_or_else(|| ServiceError::no_such("seat", id))
    }

    /// How many leases of each license may be alive on machines that hold their seat no more.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn outliving(&self) -> Result<HashMap<Uuid, u64>, ServiceError> {
        Ok(self.store.run(CountOutliving(self.store.ready().await?)).await?)
    }

    /// Machines that hold a seat no more and may have a living lease of it at this moment, until
    /// when. Whoever has the seat may see it.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn outliving_of(
        &self,
        listed: &ListedSeat,
        now: UnixTime,
    ) -> Result<Vec<(MachineId, UnixTime)>, ServiceError> {
        Ok(self.store.run(ListOutliving { seat: listed.seat.id, now }).await?)
    }

    /// Seats by their ids, as far as there are such, and they are of the own account.
    pub async fn seats_of(&self, ids: BTreeSet<Uuid>) -> Result<Vec<Seat>, ServiceError> {
        Ok(self.store.run(FindSeats { ids, account: self.scope(None) }).await?)
    }

    /// T1: a seat and its token for the person with this e-mail address. The license may be left
    /// out when there is one.
    pub async fn create_seat(
        &self,
        email: &str,
        license: Option<Uuid>,
        idempotency_key: Option<IdempotencyKey<'_>>,
    ) -> Result<IssuedSeat, ServiceError> {
        check_email(email).map_err(|reason| ServiceError::invalid("email", reason))?;
        let license = self.chosen(license).await?;
        let token = Token::generate(TokenKind::Integration, getrandom::fill)?;
        let made = self.store.run(NewSeat {
            id: Uuid::new_v4(),
            license: Some(license),
            shared_with: email.to_owned(),
            token: TokenHashes::of(&token, self.pepper),
            identity: None,
            remember: self.memory().remember(idempotency_key, NEW_SEAT, Some(&token))?,
            by: self.actor(),
        });
        let (id, token, repeated) = match made.await? {
            Created::New(answered) => (accepted(answered)?.0, token, false),
            Created::Before { subject, sealed } => (
                subject,
                self.memory().recall(idempotency_key, NEW_SEAT, TokenKind::Integration, &sealed)?,
                true,
            ),
        };
        let (seat, license) = self.seat(id).await?;
        Ok(IssuedSeat { seat, license, token, repeated })
    }

    async fn chosen(&self, named: Option<Uuid>) -> Result<Uuid, ServiceError> {
        let licenses = self.store.run(ListLicenses(self.scope(None))).await?;
        match (named, licenses.as_slice()) {
            (Some(id), all) if all.iter().any(|license| license.id == id) => Ok(id),
            (Some(id), _) => Err(ServiceError::no_such("license", id)),
            (None, [only]) => Ok(only.id),
            (None, []) => Err(StoreError::NotFound("license yet".to_owned()).into()),
            (None, _) => Err(ServiceError::invalid("license", "there are several; say which one")),
        }
    }

    /// The token that a form of the user's made for this seat, once more.
    pub async fn issued(&self, id: Uuid, key: &str) -> Result<RecalledToken, ServiceError> {
        let (seat, license) = self.seat(id).await?;
        let idempotency_key = IdempotencyKey { key, request: &[] };
        for (what, refreshed) in [(NEW_SEAT.to_owned(), false), (refresh_of(id), true)] {
            let found =
                self.store.run(FindIdempotencyRecord(self.memory().name(&what, idempotency_key))).await?;
            let Some((_, sealed)) = found.filter(|(subject, _)| *subject == id) else { continue };
            let token =
                self.memory().recall(Some(idempotency_key), &what, TokenKind::Integration, &sealed)?;
            if !self.store.run(IsTokenOf { seat: id, token: token.stored_hash(self.pepper) }).await? {
                return Ok(RecalledToken::Replaced);
            }
            let (seat, license) = (Box::new(seat), Box::new(license));
            return Ok(RecalledToken::Token { seat, license, token, refreshed });
        }
        Ok(RecalledToken::Forgotten)
    }

    /// T11, for the person with this e-mail address from now on; for whom it was when there is none.
    pub async fn refresh(
        &self,
        id: Uuid,
        email: Option<String>,
        dry_run: bool,
        idempotency_key: Option<IdempotencyKey<'_>>,
    ) -> Result<SeatActionResult, ServiceError> {
        if let Some(email) = &email {
            check_email(email).map_err(|reason| ServiceError::invalid("email", reason))?;
        }
        self.order(id, SeatAction::Refresh, email, dry_run, idempotency_key).await
    }

    /// T8, T12 or T16. With `dry_run` it is decided, and nothing is changed.
    pub async fn act(
        &self,
        id: Uuid,
        act: SeatAction,
        dry_run: bool,
    ) -> Result<SeatActionResult, ServiceError> {
        self.order(id, act, None, dry_run, None).await
    }

    async fn order(
        &self,
        id: Uuid,
        act: SeatAction,
        shared_with: Option<String>,
        dry_run: bool,
        idempotency_key: Option<IdempotencyKey<'_>>,
    ) -> Result<SeatActionResult, ServiceError> {
        let what = refresh_of(id);
        let idempotency_key = idempotency_key.filter(|_| act == SeatAction::Refresh && !dry_run);
        self.seat(id).await?;
        let token = match act {
            SeatAction::Refresh => Some(Token::generate(TokenKind::Integration, getrandom::fill)?),
            SeatAction::Release | SeatAction::Revoke | SeatAction::Allow => None,
        };
        let order = self.store.run(SeatActionRequest {
            seat: id,
            act,
            new_token: token.as_ref().map(|token| TokenHashes::of(token, self.pepper)),
            shared_with,
            dry_run,
            remember: self.memory().remember(idempotency_key, &what, token.as_ref())?,
            by: self.actor(),
        });
        let (changed, token, repeated) = match order.await? {
            Created::New(answered) => {
                let (_, changed) = accepted(answered)?;
                (changed, token.filter(|_| changed && !dry_run), false)
            }
            Created::Before { sealed, .. } => (
                true,
                Some(self.memory().recall(idempotency_key, &what, TokenKind::Integration, &sealed)?),
                true,
            ),
        };
        let (seat, license) = self.seat(id).await?;
        Ok(SeatActionResult { seat, license, changed, token, repeated })
    }

    /// Whether the user may send this seat's token to somebody now. It is counted.
    ///
    /// # Errors
    /// See [`ServiceError`]; [`StoreError::Conflict`] when it is not the seat's token, or not any more.
    pub async fn may_send(&self, id: Uuid, token: &Token) -> Result<(), ServiceError> {
        self.seat(id).await?;
        if !self.store.run(IsTokenOf { seat: id, token: token.stored_hash(self.pepper) }).await? {
            return Err(StoreError::Conflict.into());
        }
        self.attempt(AttemptBy::Letters, b"letters\0").await
    }

    /// Whether a form that sends an e-mail comes for the first time. It is counted.
    pub async fn is_first_of(&self, form_key: &str) -> Result<bool, ServiceError> {
        let form = [self.who.user.id.as_bytes().as_slice(), form_key.as_bytes()].concat();
        let tried = name(self.pepper, b"form\0", &form);
        Ok(self.store.run(CountAttempt(vec![(AttemptBy::Form, tried)])).await?.is_none())
    }

    /// A one-time link for a token that is still the seat's, and when it ends.
    ///
    /// # Errors
    /// See [`ServiceError`]; [`StoreError::Conflict`] when the seat has another token by now.
    pub async fn share(&self, id: Uuid, token: &Token) -> Result<(Secret, UnixTime), ServiceError> {
        self.seat(id).await?;
        let expires_at = self.store.ready().await?.plus(SHARE_LIFE);
        let link = Secret::generate()?;
        let sealed = one_time_link::seal_token(&link, token, id, expires_at)?;
        let share = OneTimeLink { id: one_time_link::id(&link), seat: id, sealed, expires_at };
        self.store
            .run(AddOneTimeLink { link: share, token: token.stored_hash(self.pepper), by: self.actor() })
            .await?;
        Ok((link, expires_at))
    }

    /// What answering the file of a machine without a network would do.
    pub async fn preview_airgap(&self, file: &RequestFile) -> Result<AirgapOutcome, AirgapError> {
        self.owns(file).await?;
        airgap::preview(self.store, file).await
    }

    /// Answers the file of a machine without a network.
    pub async fn answer_airgap(
        &self,
        folder: &DataFolder,
        file: &RequestFile,
    ) -> Result<AirgapOutcome, AirgapError> {
        self.owns(file).await?;
        airgap::answer(self.store, folder, file).await
    }

    async fn owns(&self, file: &RequestFile) -> Result<(), AirgapError> {
        let found = self.store.run(FindSeatOfToken(file.token_hash)).await?;
        let own = found.is_none_or(|(_, _, license)| self.may_see(license.account));
        if own { Ok(()) } else { Err(AirgapError::Refused(crate::domain::token_unknown())) }
    }

    /// The audit trail of the own account, or of one of its seats; for admins of any account.
    pub async fn audit(&self, query: AuditQuery) -> Result<Page<AuditRow>, ServiceError> {
        let account = self.scope(query.account);
        Ok(self.store.run(AuditQuery { account, ..query }).await?)
    }

    /// The mark of a restored database, as long as a machine may hold a lease that it does not know
    /// of.
    pub async fn recovery(&self) -> Result<Option<Recovery>, ServiceError> {
        Ok(self.store.run(GetRecovery).await?.filter(Recovery::is_open))
    }
}

/// The seat, and whether it was changed.
fn accepted(answered: SeatOutcome) -> Result<(Uuid, bool), ServiceError> {
    let changed = match answered.answer {
        SeatAnswer::Verdict(verdict) => return Err(ServiceError::Verdict(verdict)),
        SeatAnswer::Unchanged => false,
        SeatAnswer::Done | SeatAnswer::Lease { .. } => true,
    };
    let (seat, _) = answered.subject.ok_or(StoreError::Unexpected("seat"))?;
    Ok((seat.id, changed))
}
