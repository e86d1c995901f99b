use super::{Service, ServiceError};
use crate::crypto::password::PasswordHash;
use crate::crypto::password::{Passwords, generate};
use crate::domain::{License, Plan, Role, check_email, check_password};
use crate::service::checkpoint;
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{
    Account, AddAccount, AddLicense, AddUser, AuditState, ChangeLicense, ChangeUser, ListAccounts,
    ListLicenses, ListPlans, ListUsers, NewUser, SetPlan, User, UserChange,
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A user with a new password.
pub struct Invitation {
    pub user: User,
    /// The password, if it was made here: shown now, and never again.
    pub password: Option<Zeroizing<String>>,
}

impl Service<'_> {
    /// Every account, for admins; the own one for owners.
    pub async fn accounts(&self) -> Result<Vec<Account>, ServiceError> {
        let mut accounts = self.store.run(ListAccounts).await?;
        accounts.retain(|account| self.may_see(account.id));
        Ok(accounts)
    }

    pub async fn create_account(&self, name: &str) -> Result<Account, ServiceError> {
        self.admins_only()?;
        let name = name.trim();
        if name.is_empty() || name.len() > 200 || name.contains(char::is_control) {
            return Err(ServiceError::invalid("name", "1 to 200 bytes are needed"));
        }
        Ok(self.store.run(AddAccount { id: Uuid::new_v4(), name: name.to_owned(), by: self.actor() }).await?)
    }

    /// The users of one account, or of all.
    pub async fn users(&self, account: Option<Uuid>) -> Result<Vec<User>, ServiceError> {
        Ok(self.store.run(ListUsers(self.scope(account))).await?)
    }

    /// A new user, with the password that somebody has chosen, or one that is made.
    pub async fn add_user(
        &self,
        passwords: &Passwords,
        account: Uuid,
        email: &str,
        role: Role,
        chosen: Option<Zeroizing<String>>,
    ) -> Result<Invitation, ServiceError> {
        self.admins_only()?;
        check_email(email).map_err(|reason| ServiceError::invalid("email", reason))?;
        let (kept, password) = new_password(passwords, email, chosen).await?;
        let id = Uuid::new_v4();
        let new = NewUser { id, account, email: email.to_owned(), role, password: kept };
        Ok(Invitation { user: self.store.run(AddUser(new, self.actor())).await?, password })
    }

    /// Another password for a user: the one that somebody has chosen, or one that is made.
    pub async fn replace_password(
        &self,
        passwords: &Passwords,
        id: Uuid,
        chosen: Option<Zeroizing<String>>,
    ) -> Result<Invitation, ServiceError> {
        self.admins_only()?;
        let found = self.store.run(ListUsers(None)).await?.into_iter().find(|user| user.id == id);
        let email = found.ok_or_else(|| ServiceError::no_such("user", id))?.email;
        let (kept, password) = new_password(passwords, &email, chosen).await?;
        Ok(Invitation { user: self.change_user(id, UserChange::Password(kept)).await?, password })
    }

    /// Another role, or an end, for a user.
    pub async fn change_user(&self, id: Uuid, change: UserChange) -> Result<User, ServiceError> {
        self.admins_only()?;
        if id == self.who.user.id {
            return Err(ServiceError::invalid("user", "you cannot change yourself, and lock yourself out"));
        }
        Ok(self.store.run(ChangeUser { id, change, keep: None, by: self.actor() }).await?)
    }

    pub async fn create_license(&self, license: License) -> Result<License, ServiceError> {
        self.admins_only()?;
        self.check(&license).await?;
        Ok(self.store.run(AddLicense(license, self.actor())).await?)
    }

    /// One license, of whatever account.
    pub async fn license(&self, id: Uuid) -> Result<License, ServiceError> {
        let found = self.store.run(ListLicenses(None)).await?.into_iter().find(|license| license.id == id);
        let found = found.filter(|license| self.may_see(license.account));
        found.ok_or_else(|| ServiceError::no_such("license", id))
    }

    /// Makes `new` of the license that is `old`.
    ///
    /// # Errors
    /// See [`ServiceError`]; [`StoreError::Conflict`] when somebody else has changed it meanwhile.
    pub async fn change_license(&self, old: License, new: License) -> Result<License, ServiceError> {
        self.admins_only()?;
        self.check(&new).await?;
        Ok(self.store.run(ChangeLicense { old, new, by: self.actor() }).await?)
    }

    async fn check(&self, license: &License) -> Result<(), ServiceError> {
        license.check().map_err(invalid)?;
        let known = self.plans().await?.iter().any(|plan| plan.name == license.plan.name);
        if known { Ok(()) } else { Err(ServiceError::invalid("plan", "there is no plan of this name")) }
    }

    /// Whether the audit trail of the whole server is as it was written; if asked for, only from
    /// the newest checkpoint on that is kept.
    pub async fn verify_audit(&self, from_checkpoint: bool) -> Result<AuditState, ServiceError> {
        self.admins_only()?;
        if from_checkpoint {
            Ok(checkpoint::verify_newest(self.store).await?)
        } else {
            Ok(checkpoint::verify(self.store).await?)
        }
    }

    pub async fn plans(&self) -> Result<Vec<Plan>, ServiceError> {
        Ok(self.store.run(ListPlans).await?)
    }

    /// Makes a plan, or replaces what it contains.
    pub async fn set_plan(&self, plan: Plan) -> Result<(), ServiceError> {
        self.admins_only()?;
        plan.check().map_err(invalid)?;
        Ok(self.store.run(SetPlan(plan, self.actor())).await?)
    }
}

/// What is kept of the password, and the password itself if it is made now.
async fn new_password(
    passwords: &Passwords,
    email: &str,
    chosen: Option<Zeroizing<String>>,
) -> Result<(PasswordHash, Option<Zeroizing<String>>), ServiceError> {
    match chosen {
        Some(chosen) => {
            check_password(&chosen, email).map_err(|reason| ServiceError::invalid("password", reason))?;
            Ok((passwords.hash(chosen).await?, None))
        }
        None => {
            let made = generate()?;
            Ok((passwords.hash(made.clone()).await?, Some(made)))
        }
    }
}

/// A member of a license or a plan that cannot be so.
fn invalid((field, reason): (&'static str, String)) -> ServiceError {
    ServiceError::invalid(field, reason)
}
