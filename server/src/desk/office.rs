use super::{Desk, Refused};
use crate::checkpoint;
use crate::password::{Passwords, generate};
use crate::rules::{License, Plan, Role, check_email};
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{
    Account, AddAccount, AddLicense, AddUser, AuditState, ChangeLicense, ChangeUser, ListAccounts,
    ListLicenses, ListPlans, ListUsers, NewUser, SetPlan, User, UserChange,
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A user whose first password is shown now, and never again.
pub struct Invited {
    /// The user.
    pub user: User,
    /// The password.
    pub password: Zeroizing<String>,
}

impl Desk<'_> {
    /// Every account, for admins; the own one for owners.
    ///
    /// # Errors
    /// [`Refused::Store`].
    pub async fn accounts(&self) -> Result<Vec<Account>, Refused> {
        let mut accounts = self.store.run(ListAccounts).await?;
        accounts.retain(|account| self.may_see(account.id));
        Ok(accounts)
    }

    /// A new account.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn create_account(&self, name: &str) -> Result<Account, Refused> {
        self.admins_only()?;
        let name = name.trim();
        if name.is_empty() || name.len() > 200 || name.contains(char::is_control) {
            return Err(Refused::invalid("name", "1 to 200 bytes are needed"));
        }
        Ok(self.store.run(AddAccount { id: Uuid::new_v4(), name: name.to_owned(), by: self.actor() }).await?)
    }

    /// The users of one account, or of all.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn users(&self, account: Option<Uuid>) -> Result<Vec<User>, Refused> {
        Ok(self.store.run(ListUsers(self.scope(account))).await?)
    }

    /// A new user, with a password that is made for him.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn add_user(
        &self,
        passwords: &Passwords,
        account: Uuid,
        email: &str,
        role: Role,
    ) -> Result<Invited, Refused> {
        self.admins_only()?;
        check_email(email).map_err(|reason| Refused::invalid("email", reason))?;
        let password = generate()?;
        let hash = passwords.hash(password.clone()).await?;
        let id = Uuid::new_v4();
        let new = NewUser { id, account, email: email.to_owned(), role, password: hash };
        Ok(Invited { user: self.store.run(AddUser(new, self.actor())).await?, password })
    }

    /// Another role, or an end, for a user.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn change_user(&self, id: Uuid, change: UserChange) -> Result<User, Refused> {
        self.admins_only()?;
        if id == self.who.user.id {
            return Err(Refused::invalid("user", "you cannot change yourself, and lock yourself out"));
        }
        Ok(self.store.run(ChangeUser { id, change, keep: None, by: self.actor() }).await?)
    }

    /// A new license.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn create_license(&self, license: License) -> Result<License, Refused> {
        self.admins_only()?;
        license.check().map_err(invalid)?;
        Ok(self.store.run(AddLicense(license, self.actor())).await?)
    }

    /// One license, of whatever account.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn license(&self, id: Uuid) -> Result<License, Refused> {
        let found = self.store.run(ListLicenses(None)).await?.into_iter().find(|license| license.id == id);
        let found = found.filter(|license| self.may_see(license.account));
        found.ok_or_else(|| Refused::no_such("license", id))
    }

    /// Makes `new` of the license that is `old`.
    ///
    /// # Errors
    /// See [`Refused`]; [`StoreError::Conflict`] when somebody else has changed it meanwhile.
    pub async fn change_license(&self, old: License, new: License) -> Result<License, Refused> {
        self.admins_only()?;
        new.check().map_err(invalid)?;
        Ok(self.store.run(ChangeLicense { old, new, by: self.actor() }).await?)
    }

    /// Whether the audit trail of the whole server is as it was written, from the newest checkpoint
    /// on that is kept.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn verify_audit(&self) -> Result<AuditState, Refused> {
        self.admins_only()?;
        Ok(checkpoint::verify_newest(self.store).await?)
    }

    /// Every plan.
    ///
    /// # Errors
    /// [`Refused::Store`].
    pub async fn plans(&self) -> Result<Vec<Plan>, Refused> {
        Ok(self.store.run(ListPlans).await?)
    }

    /// Makes a plan, or replaces what it contains.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn set_plan(&self, plan: Plan) -> Result<(), Refused> {
        self.admins_only()?;
        plan.check().map_err(invalid)?;
        Ok(self.store.run(SetPlan(plan, self.actor())).await?)
    }
}

/// A member of a license or a plan that cannot be so.
fn invalid((field, reason): (&'static str, String)) -> Refused {
    Refused::invalid(field, reason)
}
