use crate::domain::{Admission, EMAIL_MAX, License, SeatAnswer, SeatEvent, SeatOperation, Verdict, decide};
use crate::oidc::{Claims, Expected, Keys};
use crate::service::Services;
use crate::store::{
    Actor, ListAccounts, ListIssuers, ListLicenses, NewSeat, SeatCommand, SeatOutcome, SignedIn, Store,
    StoreError, TokenHashes, User,
};
use seatlock_protocol::{AccessToken, Act, Code, UnixTime};
use uuid::Uuid;

/// What a plug-in's access token must permit.
const SEAT_USE: &str = "seat:use";

/// What became of an access token.
struct AccessDecision {
    now: UnixTime,
    seq: u64,
    /// Whose it is, or a refusal that takes nothing away.
    outcome: Result<AdmittedUser, Verdict>,
}

/// Somebody whom an issuer knows, and where he belongs.
struct AdmittedUser {
    claims: Claims,
    admission: Admission,
}

impl AdmittedUser {
    /// As the audit trail names him.
    fn name(&self) -> String {
        let identity = &self.claims.identity;
        format!("{} at {}", identity.subject, identity.issuer)
    }
}

/// Whose an access token is that permits `scope`.
async fn judge(
    store: &Store,
    keys: &Keys,
    token: &AccessToken,
    scope: &str,
) -> Result<AccessDecision, StoreError> {
    let list = store.run(ListIssuers).await?;
    let (now, seq) = (list.now, list.seq);
    let refused = |code| Verdict::new(code, Act::Keep);
    let judged = |outcome| Ok(AccessDecision { now, seq, outcome });
    let issuer = list.issuers.into_iter().find(|issuer| issuer.url == token.identity().issuer);
    let Some(issuer) = issuer else {
        tracing::info!("an access token of an issuer that is not configured was refused");
        return judged(Err(refused(Code::SignInRequired)));
    };
    let expected = Expected { issuer: &issuer.url, audience: &issuer.audience };
    let claims = match keys.verify(token, expected, now).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(reason)) => {
            tracing::info!(issuer = issuer.url, %reason, "an access token was refused");
            return judged(Err(refused(Code::SignInRequired)));
        }
        Err(reason) => {
            let reason = format!("{}: {reason}", issuer.name);
            return judged(Err(refused(Code::IdentityProviderUnavailable).with("reason", reason)));
        }
    };
    if !claims.scopes.contains(scope) {
        return judged(Err(refused(Code::ScopeMissing).with("scope", scope)));
    }
    match issuer.admit(claims.bearer()).cloned() {
        Some(admission) => judged(Ok(AdmittedUser { claims, admission })),
        None => {
            let (issuer, subject) = (&claims.identity.issuer, &claims.identity.subject);
            tracing::info!(issuer, subject, "no rule admits this identity");
            judged(Err(refused(Code::IdentityUnknown)))
        }
    }
}

impl Services {
    /// Who shows an access token that permits `scope`. They are no user of this server: their id
    /// is made of their identity, and their name is in the place of an e-mail address.
    pub(crate) async fn bearer_of(
        &self,
        token: &AccessToken,
        scope: &str,
    ) -> Result<Result<SignedIn, Verdict>, StoreError> {
        let judged = judge(&self.store, &self.issuers, token, scope).await?;
        let admitted = match judged.outcome {
            Ok(admitted) => admitted,
            Err(verdict) => return Ok(Err(verdict)),
        };
        let accounts = self.store.run(ListAccounts).await?;
        let account = accounts.into_iter().find(|account| account.id == admitted.admission.account);
        let (Some(role), Some(account)) = (admitted.admission.role, account) else {
            return Ok(Err(Verdict::new(Code::IdentityUnknown, Act::Keep)));
        };
        let user = User {
            id: Uuid::from_bytes(*admitted.claims.identity.hash().as_bytes()),
            account: account.id,
            email: admitted.name(),
            role,
            disabled_at: None,
            created_at: judged.now,
        };
        Ok(Ok(SignedIn { user, account, api_token: None, session: None }))
    }
}

/// Answers a plug-in that shows an access token. `question` does not name the identity's seat yet.
/// An identity that activates for the first time gets a seat of its own.
pub(super) async fn answer(
    store: &Store,
    keys: &Keys,
    pepper: &[u8; 32],
    token: &AccessToken,
    mut question: SeatCommand,
) -> Result<SeatOutcome, StoreError> {
    let AccessDecision { now, seq, outcome } = judge(store, keys, token, SEAT_USE).await?;
    let says = |verdict| Ok(SeatOutcome { now, seq, subject: None, answer: SeatAnswer::Verdict(verdict) });
    let admitted = match outcome {
        Ok(admitted) => admitted,
        Err(verdict) => return says(verdict),
    };
    let licenses = store.run(ListLicenses(Some(admitted.admission.account))).await?;
    let Some(license) = admitted.admission.license(&licenses, &question.caller.product, now) else {
        return says(Verdict::new(Code::PlanNotEntitled, Act::Keep));
    };
    let hashes = TokenHashes::of_identity(&admitted.claims.identity, license.id, pepper);
    question.token = hashes.stored;
    let answered = store.run(question.clone()).await?;
    let asks_for_seat = question.call.submits_token() || question.call == SeatOperation::Status;
    if answered.subject.is_some() || !asks_for_seat {
        return Ok(answered);
    }
    let new = new_seat(&admitted, license, hashes);
    let first = preview(license, &new, &question, now);
    if question.call == SeatOperation::Status || first.code != Code::Ok {
        return says(first);
    }
    let made = store.run(new).await?;
    match made {
        // The last place went to somebody else meanwhile.
        crate::store::Created::New(SeatOutcome { answer: SeatAnswer::Verdict(refused), .. }) => says(refused),
        _ => store.run(question).await,
    }
}

fn new_seat(admitted: &AdmittedUser, license: &License, token: TokenHashes) -> NewSeat {
    let bearer = admitted.claims.bearer();
    let name = bearer.name().chars().filter(|c| !c.is_control()).take(EMAIL_MAX);
    NewSeat {
        id: Uuid::new_v4(),
        license: Some(license.id),
        shared_with: name.collect(),
        token,
        identity: Some(admitted.claims.identity.clone()),
        remember: None,
        by: Actor::User(admitted.name()),
    }
}

/// What a first activation would be answered. It is asked before a seat is made, so that none is
/// made in vain.
fn preview(license: &License, new: &NewSeat, question: &SeatCommand, now: UnixTime) -> Verdict {
    let (shared_with, identity) = (new.shared_with.clone(), new.identity.clone());
    let created = decide(license, None, &SeatEvent::Create { seat: new.id, shared_with, identity }, now);
    let answer = match created.seat {
        Some(seat) => {
            let event = SeatEvent::Call(SeatOperation::Status, Box::new(question.caller.clone()));
            decide(license, Some(&seat), &event, now).answer
        }
        None => created.answer,
    };
    match answer {
        SeatAnswer::Verdict(verdict) => verdict,
        _ => Verdict::new(Code::Ok, Act::Keep),
    }
}
