use super::{Trouble, Typed, Wanted};
use crate::cli::seat::refusal;
use anyhow::{Context as _, bail};
use seatlock_protocol::{Token, TokenKind};
use seatlock_server::view::entitlements_of;
use seatlock_server::{
    checkpoint,
    desk::{Again, Issuers, Memory},
    keys::{DataFolder, pepper_check},
    password::{Passwords, generate},
    rules::{Answer, License, OwnerAct, Plan, Role, check_email, check_password},
    store::{
        Actor, AddAccount, AddApiToken, AddLicense, AddUser, Answered, ApiToken, AuditQuery, ChangeLicense,
        ChangeUser, FindSeat, GetRecovery, KnowPepper, ListAccounts, ListLicenses, ListPlans, ListUsers,
        Made, NewApiToken, NewSeat, NewUser, OwnerOrder, PasswordHash, Recovery, SeatQuery, SetPlan, Store,
        StoreError, TokenHashes, UserChange,
    },
    view::{
        AccountView, ActedView, AuditStateView, AuditView, ChangedIssuerView, IssuedApiTokenView, IssuedView,
        IssuerChange, IssuerView, LicenseSettings, LicenseView, NewIssuer, PlanView, RemovedIssuerView,
        SeatView, Shown, UsageList, UserView,
    },
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Seats that are read at a time.
const PAGE: u32 = 1000;

/// A data folder: whoever may open it may do everything.
pub(in crate::cli) struct Folder {
    store: Store,
    pepper: Zeroizing<[u8; 32]>,
}

impl Folder {
    pub(super) async fn open(folder: &DataFolder) -> anyhow::Result<Self> {
        let (store, pepper) = (crate::cli::open(folder).await?, folder.pepper()?);
        store.run(KnowPepper(pepper_check(&pepper))).await?;
        Ok(Self { store, pepper })
    }

    pub(super) async fn close(self) {
        self.store.close().await;
    }

    pub(super) async fn seats(&self, wanted: Wanted) -> anyhow::Result<Vec<SeatView>> {
        let mut query = SeatQuery { limit: PAGE, ..wanted.into() };
        let mut seats = Vec::new();
        loop {
            let page = self.store.run(query.clone()).await?;
            seats.extend(page.rows.iter().map(SeatView::from));
            match page.rows.last().filter(|_| page.more) {
                Some(last) => query.after = Some(last.cursor()),
                None => return Ok(seats),
            }
        }
    }

    pub(super) async fn seat(&self, id: Uuid) -> anyhow::Result<SeatView> {
        let found = self.store.run(FindSeat(id)).await?;
        let (seat, _) = found.ok_or_else(|| StoreError::NotFound(format!("seat {id}")))?;
        Ok((&seat).into())
    }

    pub(super) async fn create_seat(
        &self,
        email: &str,
        license: Option<Uuid>,
        key: Option<&str>,
    ) -> Result<IssuedView, Trouble> {
        let made = self.try_create_seat(email, license, key).await;
        made.map_err(|error| {
            let passing = error.downcast_ref().is_some_and(StoreError::passes);
            Trouble { error, passing, wait: None }
        })
    }

    async fn try_create_seat(
        &self,
        email: &str,
        license: Option<Uuid>,
        key: Option<&str>,
    ) -> anyhow::Result<IssuedView> {
        const WHAT: &str = "seat";
        if let Err(reason) = check_email(email) {
            bail!("\"{}\": {reason}", email.escape_debug());
        }
        let memory = Memory { pepper: &self.pepper, who: Uuid::nil() };
        let request = serde_json::to_vec(&(email, license))?;
        let again = key.map(|key| Again { key, request: &request });
        let token = new_token(TokenKind::Integration)?;
        let made = self.store.run(NewSeat {
            id: Uuid::new_v4(),
            license,
            shared_with: email.to_owned(),
            token: TokenHashes::of(&token, &self.pepper),
            identity: None,
            remember: memory.remember(again, WHAT, Some(&token))?,
            by: Actor::Console,
        });
        let (id, token) = match made.await? {
            Made::New(answered) => (accepted(&answered)?.0, token),
            Made::Before { subject, sealed } => {
                (subject, memory.recall(again, WHAT, TokenKind::Integration, &sealed)?)
            }
        };
        Ok(IssuedView { seat: self.seat(id).await?, token: token.into() })
    }

    pub(super) async fn act(&self, id: Uuid, act: OwnerAct, dry_run: bool) -> anyhow::Result<ActedView> {
        let token = match act {
            OwnerAct::Refresh => Some(new_token(TokenKind::Integration)?),
            OwnerAct::Release | OwnerAct::Revoke | OwnerAct::Allow => None,
        };
        let new_token = token.as_ref().map(|token| TokenHashes::of(token, &self.pepper));
        let (seat, remember, by) = (id, None, Actor::Console);
        let order =
            self.store.run(OwnerOrder { seat, act, new_token, shared_with: None, dry_run, remember, by });
        let Made::New(answered) = order.await? else { bail!("it was answered before") };
        let (_, would_change) = accepted(&answered)?;
        Ok(ActedView {
            seat: self.seat(id).await?,
            changed: would_change && !dry_run,
            would_change,
            dry_run,
            token: token.filter(|_| would_change && !dry_run).map(Into::into),
        })
    }

    pub(super) async fn licenses(&self) -> anyhow::Result<Vec<LicenseView>> {
        Ok(self.store.run(ListLicenses(None)).await?.iter().map(Into::into).collect())
    }

    pub(super) async fn usage(&self) -> anyhow::Result<UsageList> {
        let recovery = self.store.run(GetRecovery).await?.filter(Recovery::is_open);
        Ok(UsageList::new(self.store.run(ListLicenses(None)).await?.iter(), recovery.as_ref()))
    }

    pub(super) async fn create_license(
        &self,
        account: Uuid,
        settings: LicenseSettings,
    ) -> anyhow::Result<LicenseView> {
        let usual = License::usual(Uuid::new_v4(), account, false);
        let license = settings.apply(usual, self.store.ready().await?).map_err(invalid)?;
        Ok((&self.store.run(AddLicense(license, Actor::Console)).await?).into())
    }

    pub(super) async fn change_license(
        &self,
        id: Uuid,
        settings: LicenseSettings,
    ) -> anyhow::Result<LicenseView> {
        let found = self.store.run(ListLicenses(None)).await?.into_iter().find(|license| license.id == id);
        let old = found.ok_or_else(|| StoreError::NotFound(format!("license {id}")))?;
        let new = settings.apply(old.clone(), self.store.ready().await?).map_err(invalid)?;
        Ok((&self.store.run(ChangeLicense { old, new, by: Actor::Console }).await?).into())
    }

    pub(super) async fn accounts(&self) -> anyhow::Result<Vec<AccountView>> {
        Ok(self.store.run(ListAccounts).await?.iter().map(Into::into).collect())
    }

    pub(super) async fn create_account(&self, name: &str) -> anyhow::Result<AccountView> {
        let name = name.trim().to_owned();
        if name.is_empty() || name.len() > 200 || name.contains(char::is_control) {
            bail!("an account needs a name of 1 to 200 bytes");
        }
        Ok((&self.store.run(AddAccount { id: Uuid::new_v4(), name, by: Actor::Console }).await?).into())
    }

    pub(super) async fn users(&self) -> anyhow::Result<Vec<UserView>> {
        Ok(self.store.run(ListUsers(None)).await?.iter().map(Into::into).collect())
    }

    pub(super) async fn add_user(
        &self,
        account: Uuid,
        email: &str,
        role: Role,
        typed: Typed,
    ) -> anyhow::Result<(UserView, Option<Shown>)> {
        if let Err(reason) = check_email(email) {
            bail!("\"{}\": {reason}", email.escape_debug());
        }
        let (password, shown) = chosen_password(email, typed).await?;
        let user = NewUser { id: Uuid::new_v4(), account, email: email.to_owned(), role, password };
        Ok(((&self.store.run(AddUser(user, Actor::Console)).await?).into(), shown))
    }

    pub(super) async fn replace_password(
        &self,
        user: &UserView,
        typed: Typed,
    ) -> anyhow::Result<(UserView, Option<Shown>)> {
        let (password, shown) = chosen_password(&user.email, typed).await?;
        Ok((self.change_user(user.id, UserChange::Password(password)).await?, shown))
    }

    pub(super) async fn change_user(&self, id: Uuid, change: UserChange) -> anyhow::Result<UserView> {
        Ok((&self.store.run(ChangeUser { id, change, keep: None, by: Actor::Console }).await?).into())
    }

    pub(super) async fn create_api_token(
        &self,
        user: &UserView,
        name: &str,
    ) -> anyhow::Result<IssuedApiTokenView> {
        let token = new_token(TokenKind::Api)?;
        let hash = token.stored_hash(&self.pepper);
        let new =
            NewApiToken { id: Uuid::new_v4(), user: user.id, name: name.to_owned(), hash, remember: None };
        let made: Made<ApiToken> = self.store.run(AddApiToken(new, Actor::Console)).await?;
        let Made::New(api_token) = made else { bail!("it was answered before") };
        Ok(IssuedApiTokenView { api_token: (&api_token).into(), token: token.into() })
    }

    pub(super) async fn plans(&self) -> anyhow::Result<Vec<PlanView>> {
        Ok(self.store.run(ListPlans).await?.iter().map(Into::into).collect())
    }

    pub(super) async fn set_plan(&self, plan: PlanView) -> anyhow::Result<PlanView> {
        let PlanView { name, carries_seats, entitlements } = plan;
        let plan = Plan { name, carries_seats, entitlements: entitlements_of(entitlements) };
        plan.check().map_err(invalid)?;
        self.store.run(SetPlan(plan.clone(), Actor::Console)).await?;
        Ok((&plan).into())
    }

    fn at_issuers(&self) -> Issuers<'_> {
        Issuers::new(&self.store, &self.pepper, Actor::Console)
    }

    pub(super) async fn issuers(&self) -> anyhow::Result<Vec<IssuerView>> {
        Ok(self.at_issuers().list().await?.iter().map(Into::into).collect())
    }

    pub(super) async fn add_issuer(&self, new: NewIssuer) -> anyhow::Result<IssuerView> {
        let (url, settings) = new.into_parts();
        Ok((&self.at_issuers().add(url, settings).await?).into())
    }

    pub(super) async fn change_issuer(
        &self,
        id: Uuid,
        change: IssuerChange,
        dry_run: bool,
    ) -> anyhow::Result<ChangedIssuerView> {
        let issuer = self.at_issuers().change(id, change, dry_run).await?;
        Ok(ChangedIssuerView { issuer: (&issuer).into(), dry_run })
    }

    pub(super) async fn remove_issuer(&self, id: Uuid, dry_run: bool) -> anyhow::Result<RemovedIssuerView> {
        let (issuer, seats) = self.at_issuers().remove(id, dry_run).await?;
        Ok(RemovedIssuerView { issuer: (&issuer).into(), seats, dry_run })
    }

    pub(super) async fn audit(&self, seat: Option<Uuid>, last: u32) -> anyhow::Result<Vec<AuditView>> {
        let query = AuditQuery { seat, limit: last, ..AuditQuery::default() };
        Ok(self.store.run(query).await?.rows.iter().map(Into::into).collect())
    }

    pub(super) async fn verify_audit(&self) -> anyhow::Result<AuditStateView> {
        Ok((&checkpoint::verify(&self.store).await?).into())
    }
}

/// A member of a license or a plan that cannot be so.
pub(in crate::cli) fn invalid((field, reason): (&'static str, String)) -> anyhow::Error {
    let hint = match field {
        "products" => ". Name products with --product",
        "entitlements" => ". Name them with --entitlement",
        _ => "",
    };
    anyhow::anyhow!("{field}: {reason}{hint}")
}

fn new_token(kind: TokenKind) -> anyhow::Result<Token> {
    let token = Token::generate(kind, getrandom::fill);
    token.context("the operating system gives no random numbers; no token was made")
}

/// The seat, and whether it was changed; a refusal in the words of the table of codes.
fn accepted(answered: &Answered) -> anyhow::Result<(Uuid, bool)> {
    let changed = match &answered.answer {
        Answer::Verdict(verdict) => return Err(refusal(verdict)),
        Answer::Unchanged => false,
        Answer::Done | Answer::Lease { .. } => true,
    };
    let (seat, _) = answered.subject.as_ref().context("there is no such seat")?;
    Ok((seat.id, changed))
}

/// What is kept of a password, and the password to be printed, unless somebody knows it already.
async fn chosen_password(email: &str, typed: Typed) -> Result<(PasswordHash, Option<Shown>), anyhow::Error> {
    let passwords = Passwords::new()?;
    let Some(typed) = typed else {
        let made = generate()?;
        return Ok((passwords.hash(made.clone()).await?, Some(made.into())));
    };
    check_password(&typed, email).map_err(|reason| anyhow::anyhow!(reason))?;
    Ok((passwords.hash(typed).await?, None))
}
