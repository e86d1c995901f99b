//! How the commands reach licenses and seats: by the data folder, or by the admin API of a server
//! that runs somewhere.

/// By the admin API: what is asked of it.
mod api;
/// By the data folder.
mod folder;
/// By the admin API: one request and its answer.
mod http;

pub(super) use folder::{Folder, invalid};
pub(super) use http::{Api, http_client};

use anyhow::{Context as _, bail};
use seatlock_server::{
    keys::DataFolder,
    rules::{OwnerAct, Role},
    store::{SeatQuery, UserChange},
    view::{
        AccountView, ActedView, AuditStateView, AuditView, ChangedIssuerView, IssuedApiTokenView, IssuedView,
        IssuerChange, IssuerView, LicenseSettings, LicenseView, NewIssuer, PlanView, RemovedIssuerView,
        SeatStatus, SeatView, Shown, UsageList, UserView,
    },
};
use std::path::PathBuf;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What a command works on.
pub(super) struct Place {
    /// The data folder.
    pub(super) folder: DataFolder,
    /// Address of the server whose admin API is used instead.
    pub(super) server: Option<String>,
    /// File with the API token.
    pub(super) api_token_file: Option<PathBuf>,
}

impl Place {
    /// For what needs the data folder's keys or whole database.
    pub(super) fn on_the_folder(&self, command: &str) -> anyhow::Result<()> {
        if self.server.is_some() {
            bail!("\"{command}\" works on the data folder only; leave --server out");
        }
        Ok(())
    }
}

/// Which seats.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) license: Option<Uuid>,
    pub(super) status: Option<SeatStatus>,
    pub(super) search: Option<String>,
}

/// Name of the account of those who run the server.
const ADMINISTRATORS: &str = "Administrators";

/// A password that somebody knows already, or that is to be made.
pub(super) type Typed = Option<Zeroizing<String>>;

pub(super) enum Access {
    Folder(Folder),
    Api(Api),
}

/// Asks whichever it is.
macro_rules! either {
    ($self:ident, $there:ident => $ask:expr) => {
        match $self {
            Access::Folder($there) => $ask,
            Access::Api($there) => $ask,
        }
    };
}

impl Access {
    pub(super) async fn open(place: &Place) -> anyhow::Result<Self> {
        match &place.server {
            Some(url) => Ok(Self::Api(Api::new(url, place.api_token_file.as_deref())?)),
            None => Ok(Self::Folder(Folder::open(&place.folder).await?)),
        }
    }

    pub(super) async fn close(self) {
        if let Self::Folder(folder) = self {
            folder.close().await;
        }
    }

    /// The oldest first.
    pub(super) async fn seats(&self, wanted: Wanted) -> anyhow::Result<Vec<SeatView>> {
        let mut seats = either!(self, there => there.seats(wanted).await)?;
        seats.reverse();
        Ok(seats)
    }

    pub(super) async fn seat(&self, id: Uuid) -> anyhow::Result<SeatView> {
        either!(self, there => there.seat(id).await)
    }

    /// With a `key`, the same request is carried out once, and answered again.
    pub(super) async fn create_seat(
        &self,
        email: &str,
        license: Option<Uuid>,
        key: Option<&str>,
    ) -> Result<IssuedView, Trouble> {
        either!(self, there => there.create_seat(email, license, key).await)
    }

    pub(super) async fn act(&self, id: Uuid, act: OwnerAct, dry_run: bool) -> anyhow::Result<ActedView> {
        either!(self, there => there.act(id, act, dry_run).await)
    }

    pub(super) async fn licenses(&self) -> anyhow::Result<Vec<LicenseView>> {
        either!(self, there => there.licenses().await)
    }

    pub(super) async fn usage(&self) -> anyhow::Result<UsageList> {
        either!(self, there => there.usage().await)
    }

    pub(super) async fn create_license(
        &self,
        account: Uuid,
        settings: LicenseSettings,
    ) -> anyhow::Result<LicenseView> {
        either!(self, there => there.create_license(account, settings).await)
    }

    pub(super) async fn change_license(
        &self,
        id: Uuid,
        settings: LicenseSettings,
    ) -> anyhow::Result<LicenseView> {
        either!(self, there => there.change_license(id, settings).await)
    }

    pub(super) async fn accounts(&self) -> anyhow::Result<Vec<AccountView>> {
        either!(self, there => there.accounts().await)
    }

    pub(super) async fn create_account(&self, name: &str) -> anyhow::Result<AccountView> {
        either!(self, there => there.create_account(name).await)
    }

    /// The account that was named, or the only one. That of the administrators has no licenses, so
    /// it is never meant.
    pub(super) async fn account(&self, named: Option<Uuid>) -> anyhow::Result<AccountView> {
        let mut accounts = self.accounts().await?;
        if let Some(id) = named {
            let found = accounts.into_iter().find(|account| account.id == id);
            return found.with_context(|| format!("there is no account {id}"));
        }
        accounts.retain(|account| account.name != ADMINISTRATORS);
        match accounts.len() {
            1 => accounts.pop().context("there is no account"),
            count => bail!("there are {count} accounts; say which one with --account"),
        }
    }

    /// The account of those who run the server, who are members of no customer's. It is made for
    /// the first of them.
    pub(super) async fn administrators(&self) -> anyhow::Result<AccountView> {
        let found = self.accounts().await?.into_iter().find(|account| account.name == ADMINISTRATORS);
        match found {
            Some(account) => Ok(account),
            None => self.create_account(ADMINISTRATORS).await,
        }
    }

    pub(super) async fn users(&self) -> anyhow::Result<Vec<UserView>> {
        either!(self, there => there.users().await)
    }

    /// The user with this e-mail address.
    pub(super) async fn user(&self, email: &str) -> anyhow::Result<UserView> {
        let found = self.users().await?.into_iter().find(|user| user.email.eq_ignore_ascii_case(email));
        found.with_context(|| format!("there is no user {}", email.escape_debug()))
    }

    /// The user, and the password if it was made now.
    pub(super) async fn add_user(
        &self,
        account: Uuid,
        email: &str,
        role: Role,
        typed: Typed,
    ) -> anyhow::Result<(UserView, Option<Shown>)> {
        either!(self, there => there.add_user(account, email, role, typed).await)
    }

    /// The user, and the password if it was made now.
    pub(super) async fn replace_password(
        &self,
        user: &UserView,
        typed: Typed,
    ) -> anyhow::Result<(UserView, Option<Shown>)> {
        either!(self, there => there.replace_password(user, typed).await)
    }

    pub(super) async fn change_user(&self, id: Uuid, change: UserChange) -> anyhow::Result<UserView> {
        either!(self, there => there.change_user(id, change).await)
    }

    pub(super) async fn create_api_token(
        &self,
        user: &UserView,
        name: &str,
    ) -> anyhow::Result<IssuedApiTokenView> {
        either!(self, there => there.create_api_token(user, name).await)
    }

    pub(super) async fn plans(&self) -> anyhow::Result<Vec<PlanView>> {
        either!(self, there => there.plans().await)
    }

    pub(super) async fn set_plan(&self, plan: PlanView) -> anyhow::Result<PlanView> {
        either!(self, there => there.set_plan(plan).await)
    }

    pub(super) async fn issuers(&self) -> anyhow::Result<Vec<IssuerView>> {
        either!(self, there => there.issuers().await)
    }

    /// The issuer with this address.
    pub(super) async fn issuer(&self, url: &str) -> anyhow::Result<IssuerView> {
        let found = self.issuers().await?.into_iter().find(|issuer| issuer.issuer == url);
        found.with_context(|| format!("there is no issuer {}; see \"issuer list\"", url.escape_debug()))
    }

    pub(super) async fn add_issuer(&self, new: NewIssuer) -> anyhow::Result<IssuerView> {
        either!(self, there => there.add_issuer(new).await)
    }

    pub(super) async fn change_issuer(
        &self,
        id: Uuid,
        change: IssuerChange,
        dry_run: bool,
    ) -> anyhow::Result<ChangedIssuerView> {
        either!(self, there => there.change_issuer(id, change, dry_run).await)
    }

    pub(super) async fn remove_issuer(&self, id: Uuid, dry_run: bool) -> anyhow::Result<RemovedIssuerView> {
        either!(self, there => there.remove_issuer(id, dry_run).await)
    }

    /// The newest first.
    pub(super) async fn audit(&self, seat: Option<Uuid>, last: u32) -> anyhow::Result<Vec<AuditView>> {
        either!(self, there => there.audit(seat, last).await)
    }

    pub(super) async fn verify_audit(&self) -> anyhow::Result<AuditStateView> {
        either!(self, there => there.verify_audit().await)
    }
}

impl From<Wanted> for SeatQuery {
    fn from(wanted: Wanted) -> Self {
        Self {
            license: wanted.license,
            status: wanted.status.map(Into::into),
            search: wanted.search,
            ..Self::default()
        }
    }
}

/// Why something was not made, and whether it is worth another try.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: anyhow::Error,
    /// It may be made by the same request a little later; it may have been made, too.
    pub(super) passing: bool,
    /// Seconds until then, if the server said so.
    pub(super) wait: Option<u64>,
}

impl Trouble {
    fn lasting(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), passing: false, wait: None }
    }
}
