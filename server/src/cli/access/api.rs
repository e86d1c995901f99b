use super::http::{Api, Request};
use super::{Trouble, Typed, Wanted};
use anyhow::bail;
use reqwest::{Method, Url};
use seatlock_server::{
    rules::{OwnerAct, Role},
    store::UserChange,
    view::{
        AccountView, ActedView, AuditStateView, AuditView, ChangedIssuerView, InvitedView,
        IssuedApiTokenView, IssuedView, IssuerChange, IssuerView, LicenseChange, LicenseSettings,
        LicenseView, List, MeView, NewAccount, NewApiTokenRequest, NewIssuer, NewLicense, NewSeatRequest,
        NewUserRequest, PlanContent, PlanView, RemovedIssuerView, SeatView, Shown, UsageList,
        UserChangeRequest, UserView,
    },
};
use uuid::Uuid;

impl Api {
    pub(super) async fn seats(&self, wanted: Wanted) -> anyhow::Result<Vec<SeatView>> {
        let status = wanted.status.map(serde_json::to_value).transpose()?;
        let status = status.as_ref().and_then(|name| name.as_str()).map(str::to_owned);
        let query = [
            ("license", wanted.license.map(|id| id.to_string())),
            ("status", status),
            ("search", wanted.search),
        ];
        let query = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Ok(self.list("/seats", query, usize::MAX).await?)
    }

    pub(super) async fn seat(&self, id: Uuid) -> anyhow::Result<SeatView> {
        Ok(self.get(&format!("/seats/{id}")).await?)
    }

    pub(super) async fn create_seat(
        &self,
        email: &str,
        license: Option<Uuid>,
        key: Option<&str>,
    ) -> Result<IssuedView, Trouble> {
        let request = NewSeatRequest { email: email.to_owned(), license };
        let request = Request::new(Method::POST, "/seats").body(&request).map_err(Trouble::lasting)?;
        Ok(self.ask(Request { key, ..request }).await?)
    }

    pub(super) async fn act(&self, id: Uuid, act: OwnerAct, dry_run: bool) -> anyhow::Result<ActedView> {
        let name = match act {
            OwnerAct::Release => "release",
            OwnerAct::Refresh => "refresh",
            OwnerAct::Revoke => "revoke",
            OwnerAct::Allow => "allow",
        };
        let path = format!("/seats/{id}/{name}");
        let query = vec![("dry_run", dry_run.to_string())];
        Ok(self.ask(Request { query, ..Request::new(Method::POST, &path) }).await?)
    }

    pub(super) async fn licenses(&self) -> anyhow::Result<Vec<LicenseView>> {
        Ok(self.list("/licenses", Vec::new(), usize::MAX).await?)
    }

    pub(super) async fn usage(&self) -> anyhow::Result<UsageList> {
        Ok(self.get("/usage").await?)
    }

    pub(super) async fn create_license(
        &self,
        account: Uuid,
        settings: LicenseSettings,
    ) -> anyhow::Result<LicenseView> {
        let request = NewLicense::new(account, settings);
        Ok(self.ask(Request::new(Method::POST, "/licenses").body(&request)?).await?)
    }

    pub(super) async fn change_license(
        &self,
        id: Uuid,
        settings: LicenseSettings,
    ) -> anyhow::Result<LicenseView> {
        let request = LicenseChange::new(None, settings);
        let path = format!("/licenses/{id}");
        Ok(self.ask(Request::new(Method::PATCH, &path).body(&request)?).await?)
    }

    pub(super) async fn accounts(&self) -> anyhow::Result<Vec<AccountView>> {
        Ok(self.list("/accounts", Vec::new(), usize::MAX).await?)
    }

    pub(super) async fn create_account(&self, name: &str) -> anyhow::Result<AccountView> {
        let request = NewAccount { name: name.to_owned() };
        Ok(self.ask(Request::new(Method::POST, "/accounts").body(&request)?).await?)
    }

    pub(super) async fn users(&self) -> anyhow::Result<Vec<UserView>> {
        Ok(self.list("/users", Vec::new(), usize::MAX).await?)
    }

    pub(super) async fn add_user(
        &self,
        account: Uuid,
        email: &str,
        role: Role,
        typed: Typed,
    ) -> anyhow::Result<(UserView, Option<Shown>)> {
        made_there(&typed)?;
        let request = NewUserRequest { account, email: email.to_owned(), role };
        let made: InvitedView = self.ask(Request::new(Method::POST, "/users").body(&request)?).await?;
        Ok((made.user, Some(made.password)))
    }

    pub(super) async fn replace_password(
        &self,
        user: &UserView,
        typed: Typed,
    ) -> anyhow::Result<(UserView, Option<Shown>)> {
        made_there(&typed)?;
        let path = format!("/users/{}/password", user.id);
        let made: InvitedView = self.ask(Request::new(Method::POST, &path)).await?;
        Ok((made.user, Some(made.password)))
    }

    pub(super) async fn change_user(&self, id: Uuid, change: UserChange) -> anyhow::Result<UserView> {
        let request = match change {
            UserChange::Role(role) => UserChangeRequest { role: Some(role), disabled: None },
            UserChange::Disable => UserChangeRequest { role: None, disabled: Some(true) },
            UserChange::Enable => UserChangeRequest { role: None, disabled: Some(false) },
            UserChange::Password(_) => bail!("passwords are made by the server"),
        };
        let path = format!("/users/{id}");
        Ok(self.ask(Request::new(Method::PATCH, &path).body(&request)?).await?)
    }

    pub(super) async fn create_api_token(
        &self,
        user: &UserView,
        name: &str,
    ) -> anyhow::Result<IssuedApiTokenView> {
        let me: MeView = self.get("/me").await?;
        if me.user.id != user.id {
            bail!("by the admin API everybody makes API tokens for himself only; you are {}", me.user.email);
        }
        let request = NewApiTokenRequest { name: name.to_owned() };
        Ok(self.ask(Request::new(Method::POST, "/api-tokens").body(&request)?).await?)
    }

    pub(super) async fn plans(&self) -> anyhow::Result<Vec<PlanView>> {
        let list: List<PlanView> = self.get("/plans").await?;
        Ok(list.items)
    }

    pub(super) async fn set_plan(&self, plan: PlanView) -> anyhow::Result<PlanView> {
        let mut path = Url::parse("http://localhost/plans")?;
        if let Ok(mut segments) = path.path_segments_mut() {
            segments.push(&plan.name);
        }
        let request = PlanContent { carries_seats: plan.carries_seats, entitlements: plan.entitlements };
        Ok(self.ask(Request::new(Method::PUT, path.path()).body(&request)?).await?)
    }

    pub(super) async fn issuers(&self) -> anyhow::Result<Vec<IssuerView>> {
        Ok(self.list("/issuers", Vec::new(), usize::MAX).await?)
    }

    pub(super) async fn add_issuer(&self, new: NewIssuer) -> anyhow::Result<IssuerView> {
        Ok(self.ask(Request::new(Method::POST, "/issuers").body(&new)?).await?)
    }

    pub(super) async fn change_issuer(
        &self,
        id: Uuid,
        change: IssuerChange,
        dry_run: bool,
    ) -> anyhow::Result<ChangedIssuerView> {
        let (path, query) = (format!("/issuers/{id}"), vec![("dry_run", dry_run.to_string())]);
        let request = Request { query, ..Request::new(Method::PATCH, &path) };
        Ok(self.ask(request.body(&change)?).await?)
    }

    pub(super) async fn remove_issuer(&self, id: Uuid, dry_run: bool) -> anyhow::Result<RemovedIssuerView> {
        let (path, query) = (format!("/issuers/{id}"), vec![("dry_run", dry_run.to_string())]);
        Ok(self.ask(Request { query, ..Request::new(Method::DELETE, &path) }).await?)
    }

    pub(super) async fn audit(&self, seat: Option<Uuid>, last: u32) -> anyhow::Result<Vec<AuditView>> {
        if last == 0 {
            return Ok(Vec::new());
        }
        let query = seat.map(|id| ("seat", id.to_string())).into_iter().collect();
        Ok(self.list("/audit", query, last as usize).await?)
    }

    pub(super) async fn verify_audit(&self) -> anyhow::Result<AuditStateView> {
        Ok(self.get("/audit/verify").await?)
    }
}

fn made_there(typed: &Typed) -> anyhow::Result<()> {
    if typed.is_some() {
        bail!(
            "--password-stdin works on the data folder only; by the admin API the server makes the password"
        );
    }
    Ok(())
}
