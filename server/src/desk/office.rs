use super::{Desk, Refused};
use crate::checkpoint;
use crate::password::{Passwords, generate};
use crate::rules::{License, Plan, Role, check_email};
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{Account, AuditState, NewUser, Store, User, UserChange};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A century; longer is a slip of the finger.
const LONGEST: u64 = 100 * 365 * 86_400;

/// A user whose first password is shown now, and never again.
pub struct Invited {
    /// The user.
    pub user: User,
    /// The password.
    pub password: Zeroizing<String>,
}

impl<S: Store> Desk<'_, S> {
    /// Every account, for admins; the own one for owners.
    ///
    /// # Errors
    /// [`Refused::Store`].
    pub async fn accounts(&self) -> Result<Vec<Account>, Refused> {
        let mut accounts = self.store.accounts().await?;
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
        Ok(self.store.add_account(Uuid::new_v4(), name.to_owned(), self.actor()).await?)
    }

    /// The users of one account, or of all.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn users(&self, account: Option<Uuid>) -> Result<Vec<User>, Refused> {
        Ok(self.store.users(self.scope(account)).await?)
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
        Ok(Invited { user: self.store.add_user(new, self.actor()).await?, password })
    }

    /// Another role, or an end, for a user.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn change_user(&self, id: Uuid, change: UserChange) -> Result<User, Refused> {
        self.admins_only()?;
        if id == self.who.user.id {
            return Err(Refused::invalid("user", "you can not change yourself, and lock yourself out"));
        }
        Ok(self.store.change_user(id, change, None, self.actor()).await?)
    }

    /// A new license.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn create_license(&self, license: License) -> Result<License, Refused> {
        self.admins_only()?;
        check(&license)?;
        Ok(self.store.add_license(license, self.actor()).await?)
    }

    /// One license, of whatever account.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn license(&self, id: Uuid) -> Result<License, Refused> {
        let found = self.store.licenses(None).await?.into_iter().find(|license| license.id == id);
        let found = found.filter(|license| self.may_see(license.account));
        found.ok_or_else(|| Refused::no_such("license", id))
    }

    /// Makes `new` of the license that is `old`.
    ///
    /// # Errors
    /// See [`Refused`]; [`StoreError::Conflict`] when somebody else has changed it meanwhile.
    pub async fn change_license(&self, old: License, new: License) -> Result<License, Refused> {
        self.admins_only()?;
        check(&new)?;
        Ok(self.store.change_license(old, new, self.actor()).await?)
    }

    /// Whether the audit trail of the whole server is as it was written, from the newest checkpoint on that is kept.
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
        Ok(self.store.plans().await?)
    }

    /// Makes a plan, or replaces what it contains.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn set_plan(&self, plan: Plan) -> Result<(), Refused> {
        self.admins_only()?;
        check_names("name", std::slice::from_ref(&plan.name))?;
        check_names("entitlements", &plan.entitlements)?;
        Ok(self.store.set_plan(plan, self.actor()).await?)
    }
}

/// Plans, products and entitlements are names: what has a blank in it would be two of them.
fn check_names(field: &'static str, names: &[String]) -> Result<(), Refused> {
    match names.iter().find(|name| name.is_empty() || name.contains(char::is_whitespace)) {
        Some(name) => Err(Refused::invalid(field, format!("{name:?} is not a name without blanks"))),
        None => Ok(()),
    }
}

fn check(license: &License) -> Result<(), Refused> {
    check_names("products", &license.products)?;
    check_names("entitlements", &license.entitlements)?;
    if license.products.is_empty() {
        return Err(Refused::invalid("products", "a license needs a product"));
    }
    let durations = [
        ("offline_ttl", license.offline_ttl),
        ("airgap_ttl", license.airgap_ttl),
        ("auto_release", license.auto_release),
        ("renew", license.renew),
        ("warn", license.warn),
        ("release_window", license.release_window),
        ("clock_tolerance", license.clock.tol),
    ];
    if let Some((field, _)) = durations.iter().find(|(_, seconds)| !(1..=LONGEST).contains(seconds)) {
        return Err(Refused::invalid(field, "1 second to 36500 days are needed"));
    }
    if license.auto_release < 2 {
        return Err(Refused::invalid("auto_release", "2 seconds or more, so that a lease can end before it"));
    }
    Ok(())
}
