use super::{ServiceError, Services};
use crate::crypto::one_time_link;
use crate::crypto::seal::Secret;
use crate::store::{ConsumeOneTimeLink, FindOneTimeLink, FindSeat, ListAccounts, StoreError};
use seatlock_protocol::{Token, UnixTime};
use uuid::Uuid;

/// A token that waits behind a one-time link.
pub(crate) struct SharedToken {
    /// The name of the account that shares it.
    pub(crate) account: String,
    /// When the link ends.
    pub(crate) until: UnixTime,
}

/// A token that was shown by its one-time link, which is used up.
pub(crate) struct OpenedLink {
    pub(crate) account: String,
    pub(crate) seat: Uuid,
    pub(crate) token: Token,
}

/// For the person who has the link: nobody is signed in.
impl Services {
    /// What waits behind a link, which stays as it is.
    pub(crate) async fn shared_token(&self, link: &Secret) -> Result<Option<SharedToken>, ServiceError> {
        let Some(found) = self.store.run(FindOneTimeLink(one_time_link::id(link))).await? else {
            return Ok(None);
        };
        let account = self.sharing_account(found.seat).await?;
        Ok(Some(SharedToken { account, until: found.expires_at }))
    }

    /// Uses a link up: only the first one who asks gets the token.
    pub(crate) async fn open_link(&self, link: &Secret) -> Result<Option<OpenedLink>, ServiceError> {
        let Some(found) = self.store.run(ConsumeOneTimeLink(one_time_link::id(link))).await? else {
            return Ok(None);
        };
        let token = one_time_link::open_token(link, &found.sealed, found.seat, found.expires_at)?;
        let account = self.sharing_account(found.seat).await?;
        Ok(Some(OpenedLink { account, seat: found.seat, token }))
    }

    async fn sharing_account(&self, seat: Uuid) -> Result<String, StoreError> {
        let found = self.store.run(FindSeat(seat)).await?;
        let (_, license) = found.ok_or_else(|| StoreError::NotFound(format!("seat {seat}")))?;
        let accounts = self.store.run(ListAccounts).await?;
        let found = accounts.into_iter().find(|account| account.id == license.account);
        Ok(found.map(|account| account.name).unwrap_or_default())
    }
}
