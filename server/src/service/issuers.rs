use super::{Service, ServiceError};
use crate::crypto::seal::client_secret_key;
use crate::domain::{Issuer, IssuerChange, IssuerClient};
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{Actor, ChangeIssuer, CountIssuerSeats, ListAccounts, ListIssuers, ListLicenses, Store};
use seatlock_protocol::address::address;
use uuid::Uuid;

/// Characters of the longest client secret.
const SECRET_MAX: usize = 4096;

/// Sign-in services, for whoever may decide which of them are believed.
pub struct Issuers<'a> {
    store: &'a Store,
    pepper: &'a [u8; 32],
    by: Actor,
}

impl<'a> Service<'a> {
    /// Issuers, for admins: their rules name everybody's accounts.
    pub fn issuers(&self) -> Result<Issuers<'a>, ServiceError> {
        self.admins_only()?;
        Ok(Issuers { store: self.store, pepper: self.pepper, by: self.actor() })
    }
}

impl Issuers<'_> {
    /// Every issuer, oldest first.
    pub async fn list(&self) -> Result<Vec<Issuer>, ServiceError> {
        Ok(self.store.run(ListIssuers).await?.issuers)
    }

    pub async fn find(&self, id: Uuid) -> Result<Issuer, ServiceError> {
        let found = self.list().await?.into_iter().find(|issuer| issuer.id() == id);
        found.ok_or_else(|| ServiceError::no_such("issuer", id))
    }

    /// Accepts the access tokens of an issuer, which is called by the host of its address unless a
    /// name is given.
    ///
    /// # Errors
    /// See [`ServiceError`]; [`StoreError::Taken`] when there is one of that address.
    pub async fn add(&self, url: String, settings: IssuerChange) -> Result<Issuer, ServiceError> {
        // It stays as it is written: tokens name it letter by letter.
        let url = url.trim().to_owned();
        let found = address(&url).map_err(|error| ServiceError::invalid("issuer", error.to_string()))?;
        let name = found.host_str().unwrap_or_default().to_owned();
        let new = Issuer { url, name, audience: String::new(), client: None, admissions: Vec::new() };
        let issuer = self.settled(new, settings).await?;
        self.store.run(ChangeIssuer::Add(issuer.clone(), self.by.clone())).await?;
        Ok(issuer)
    }

    /// The issuer as it is to become.
    pub async fn change(
        &self,
        id: Uuid,
        change: IssuerChange,
        dry_run: bool,
    ) -> Result<Issuer, ServiceError> {
        let issuer = self.settled(self.find(id).await?, change).await?;
        if !dry_run {
            self.store.run(ChangeIssuer::Replace(issuer.clone(), self.by.clone())).await?;
        }
        Ok(issuer)
    }

    /// Refuses the access tokens of an issuer from now on. Answers what it was, and how many open
    /// seats its users have, whose leases live until they end.
    pub async fn remove(&self, id: Uuid, dry_run: bool) -> Result<(Issuer, u64), ServiceError> {
        let issuer = self.find(id).await?;
        let seats = self.store.run(CountIssuerSeats(issuer.url.clone())).await?;
        if !dry_run {
            self.store.run(ChangeIssuer::Remove(issuer.url.clone(), self.by.clone())).await?;
        }
        Ok((issuer, seats))
    }

    /// `issuer` with what is named. A client secret is sealed for its address.
    async fn settled(&self, issuer: Issuer, change: IssuerChange) -> Result<Issuer, ServiceError> {
        let mut settled = Issuer {
            name: change.name.unwrap_or(issuer.name),
            audience: change.audience.unwrap_or(issuer.audience),
            admissions: change.admits.unwrap_or(issuer.admissions),
            client: match change.client_id {
                Some(Some(id)) => match issuer.client {
                    Some(same) if same.id == id => Some(same),
                    _ => Some(IssuerClient { id, sealed_secret: None }),
                },
                Some(None) => None,
                None => issuer.client,
            },
            url: issuer.url,
        };
        if let Some(secret) = change.client_secret {
            if secret.is_empty() || secret.chars().count() > SECRET_MAX {
                return Err(ServiceError::invalid("client_secret", format!("1 to {SECRET_MAX} characters")));
            }
            let client = settled.client.as_mut();
            let client =
                client.ok_or_else(|| ServiceError::invalid("client_secret", "it needs a client_id"))?;
            let key = client_secret_key(self.pepper);
            client.sealed_secret = Some(key.seal(settled.url.as_bytes(), secret.as_bytes())?);
        }
        settled.check().map_err(|(member, reason)| ServiceError::invalid(member, reason))?;
        let accounts: Vec<Uuid> =
            self.store.run(ListAccounts).await?.iter().map(|account| account.id).collect();
        let licenses = self.store.run(ListLicenses(None)).await?;
        for rule in &settled.admissions {
            rule.check(&accounts, &licenses).map_err(|reason| ServiceError::invalid("admits", reason))?;
        }
        Ok(settled)
    }
}
