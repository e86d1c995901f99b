use super::{IdempotencyKey, Service, ServiceError, sign_in::name};
use crate::crypto::password::Passwords;
use crate::domain::{AttemptBy, Verdict, check_password, issues_no_tokens};
use crate::store::{
    Actor, AddApiToken, ApiToken, ChangeUser, CountAttempt, Created, EndSessions, FindIdempotencyRecord,
    FindUser, ListApiTokens, ListSessions, NewApiToken, RemoveApiToken, Session, SessionScope, StoreError,
    UserChange,
};
use seatlock_protocol::{Act, Code, Token, TokenKind};
use uuid::Uuid;
use zeroize::Zeroizing;

/// What an answer with an API token is remembered by.
const API_TOKEN: &str = "api token";
/// Bytes of the longest name of an API token.
const NAME_MAX: usize = 100;

/// An API token that is shown now, and never again.
pub struct IssuedApiToken {
    /// What is known of it afterwards.
    pub api_token: ApiToken,
    pub token: Token,
}

impl Service<'_> {
    /// The user's own API tokens, the oldest first.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, ServiceError> {
        Ok(self.store.run(ListApiTokens(self.who.user.id)).await?)
    }

    /// Why the user gets no API token; `None` when the user may have one. As with tokens for
    /// plug-ins, one license of the account has to serve; an administrator needs none.
    pub async fn no_api_tokens(&self) -> Result<Option<Verdict>, ServiceError> {
        if self.is_admin() {
            return Ok(None);
        }
        let (now, licenses) = (self.store.ready().await?, self.licenses(Some(self.who.account.id)).await?);
        let mut why = Some(Verdict::new(Code::PlanNotEntitled, Act::Keep));
        for license in &licenses {
            why = issues_no_tokens(license, now);
            if why.is_none() {
                break;
            }
        }
        Ok(why)
    }

    /// The API token that a form of the user's made, once more; `None` when it is too long ago, it
    /// was somebody else's form, or the token was deleted.
    pub async fn issued_api_token(
        &self,
        id: Uuid,
        key: &str,
    ) -> Result<Option<IssuedApiToken>, ServiceError> {
        let idempotency_key = IdempotencyKey { key, request: &[] };
        let found =
            self.store.run(FindIdempotencyRecord(self.memory().name(API_TOKEN, idempotency_key))).await?;
        let Some((_, sealed)) = found.filter(|(subject, _)| *subject == id) else { return Ok(None) };
        let Some(api_token) = self.api_tokens().await?.into_iter().find(|known| known.id == id) else {
            return Ok(None);
        };
        let token = self.memory().recall(Some(idempotency_key), API_TOKEN, TokenKind::Api, &sealed)?;
        Ok(Some(IssuedApiToken { api_token, token }))
    }

    /// Whether the user has a password, which nobody has who was let in by a sign-in service from
    /// the beginning.
    pub async fn has_password(&self) -> Result<bool, ServiceError> {
        let kept = self.store.run(FindUser(self.who.user.email.clone())).await?;
        Ok(kept.is_some_and(|(_, kept)| kept.is_somebodys()))
    }

    /// A new API token for the user.
    ///
    /// # Errors
    /// See [`ServiceError`]; [`StoreError::ApiTokenLimit`] when there are as many as there may be.
    pub async fn create_api_token(
        &self,
        name: &str,
        idempotency_key: Option<IdempotencyKey<'_>>,
    ) -> Result<IssuedApiToken, ServiceError> {
        self.issue(self.who.user.id, name, idempotency_key).await
    }

    async fn issue(
        &self,
        user: Uuid,
        name: &str,
        idempotency_key: Option<IdempotencyKey<'_>>,
    ) -> Result<IssuedApiToken, ServiceError> {
        let name = name.trim();
        if name.is_empty() || name.len() > NAME_MAX || name.contains(char::is_control) {
            return Err(ServiceError::invalid("name", "say in 1 to 100 bytes what the API token is for"));
        }
        if let Some(verdict) = self.no_api_tokens().await? {
            return Err(ServiceError::Verdict(verdict));
        }
        let token = Token::generate(TokenKind::Api, getrandom::fill)?;
        let made = self.store.run(AddApiToken(
            NewApiToken {
                id: Uuid::new_v4(),
                user,
                name: name.to_owned(),
                hash: token.stored_hash(self.pepper),
                remember: self.memory().remember(idempotency_key, API_TOKEN, Some(&token))?,
            },
            self.actor(),
        ));
        match made.await? {
            Created::New(api_token) => Ok(IssuedApiToken { api_token, token }),
            Created::Before { subject, sealed } => {
                let known = self.store.run(ListApiTokens(user)).await?;
                let api_token = known.into_iter().find(|known| known.id == subject);
                let api_token = api_token.ok_or_else(|| ServiceError::no_such("API token", subject))?;
                Ok(IssuedApiToken {
                    api_token,
                    token: self.memory().recall(idempotency_key, API_TOKEN, TokenKind::Api, &sealed)?,
                })
            }
        }
    }

    /// A new API token for somebody: the console makes them for every user.
    ///
    /// # Errors
    /// See [`ServiceError`]; [`ServiceError::OwnOnly`] for another user's.
    pub async fn create_api_token_for(
        &self,
        user: Uuid,
        name: &str,
        idempotency_key: Option<IdempotencyKey<'_>>,
    ) -> Result<IssuedApiToken, ServiceError> {
        if user != self.who.user.id && self.by != Actor::Console {
            return Err(ServiceError::OwnOnly(self.who.user.email.clone()));
        }
        self.issue(user, name, idempotency_key).await
    }

    /// Deletes one of the user's API tokens, at once.
    pub async fn delete_api_token(&self, id: Uuid) -> Result<(), ServiceError> {
        Ok(self.store.run(RemoveApiToken { user: self.who.user.id, id, by: self.actor() }).await?)
    }

    /// Another password for the user, who must know the one that he has. Ends all other sessions.
    pub async fn change_password(
        &self,
        passwords: &Passwords,
        present: Zeroizing<String>,
        new: Zeroizing<String>,
    ) -> Result<(), ServiceError> {
        let email = &self.who.user.email;
        check_password(&new, email).map_err(|reason| ServiceError::invalid("new_password", reason))?;
        // Whoever has stolen a session must not find the password out by it. Counted apart from sign-ins,
        // so that he keeps nobody from those.
        self.attempt(AttemptBy::Person, b"change\0").await?;
        let kept = self.store.run(FindUser(email.clone())).await?;
        if !passwords.verify(present, kept.as_ref().map(|(_, kept)| kept)).await? {
            return Err(ServiceError::invalid("password", "That is not your current password."));
        }
        let change = UserChange::Password(passwords.hash(new).await?);
        self.store
            .run(ChangeUser { id: self.who.user.id, change, keep: self.who.session, by: self.actor() })
            .await?;
        Ok(())
    }

    /// Counts something that the user may try so often only.
    pub(super) async fn attempt(&self, by: AttemptBy, what: &[u8]) -> Result<(), ServiceError> {
        let tried = name(self.pepper, what, self.who.user.id.as_bytes());
        match self.store.run(CountAttempt(vec![(by, tried)])).await? {
            None => Ok(()),
            Some(until) => {
                Err(ServiceError::Verdict(Verdict::new(Code::RateLimited, Act::Keep).available(Some(until))))
            }
        }
    }

    /// The user's sessions, the newest first.
    pub async fn sessions(&self) -> Result<Vec<Session>, ServiceError> {
        Ok(self.store.run(ListSessions(self.who.user.id)).await?)
    }

    /// Signs the user out everywhere.
    pub async fn sign_out_everywhere(&self) -> Result<(), StoreError> {
        self.store.run(EndSessions(SessionScope::All(self.who.user.id))).await
    }
}
