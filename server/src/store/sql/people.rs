use super::audit::{NewAuditEntry, append};
use super::rows::{entitlement_words, entitlements, moment, parsed, time};
use crate::crypto::password::PasswordHash;
use crate::domain::{Plan, Role};
use crate::store::db::{DbRow, sql};
use crate::store::run::{Operation, Store};
use crate::store::tx::{Tx, Write};
use crate::store::{Account, Actor, NewUser, StoreError, User, UserChange};
use serde_json::json;
use uuid::Uuid;

/// Columns that [`account`] reads; the table is called `a`.
macro_rules! account_columns {
    () => {
        "a.id AS account_id, a.name AS account_name, a.created_at AS account_created_at"
    };
}

/// Columns that [`user`] reads; the table is called `u`.
macro_rules! user_columns {
    () => {
        "u.id AS user_id, u.account_id AS user_account_id, u.email, u.role, u.disabled_at, \
         u.created_at AS user_created_at"
    };
}

pub(super) use {account_columns, user_columns};

pub struct AddAccount {
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    pub by: Actor,
}

impl Write for AddAccount {
    type Output = Account;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Account, StoreError> {
        let account = Account { id: self.id, name: self.name.clone(), created_at: tx.now };
        sql("INSERT INTO account (id, name, created_at) VALUES ($1, $2, $3)")
            .bind(account.id.to_string())
            .bind(&account.name)
            .bind(account.created_at.seconds())
            .execute(tx.conn())
            .await?;
        let detail = Some(json!({ "name": account.name }));
        append(tx, &self.by, NewAuditEntry { detail, ..NewAuditEntry::new("account_created", self.id) })
            .await?;
        Ok(account)
    }
}

/// Adds a plan, or replaces what the plan of that name contains.
pub struct SetPlan(pub Plan, pub Actor);

impl Write for SetPlan {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self(plan, by) = self;
        sql(
            "INSERT INTO plan (name, carries_seats, entitlements) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET \
             carries_seats = excluded.carries_seats, entitlements = excluded.entitlements",
        )
        .bind(&plan.name)
        .bind(plan.carries_seats)
        .bind(entitlement_words(&plan.entitlements))
        .execute(tx.conn())
        .await?;
        // It is about every account that has the plan, so it is written into the trail of none.
        let detail = Some(json!({
            "name": plan.name, "carries_seats": plan.carries_seats, "entitlements": plan.entitlements,
        }));
        append(tx, by, NewAuditEntry { detail, ..NewAuditEntry::new("plan_set", Uuid::nil()) }).await
    }
}

/// Adds a user. [`StoreError::Taken`] when somebody has the e-mail address already.
pub struct AddUser(pub NewUser, pub Actor);

impl Write for AddUser {
    type Output = User;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<User, StoreError> {
        let Self(new, by) = self;
        let added = sql("INSERT INTO person (id, account_id, email, email_key, role, password, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(new.id.to_string())
        .bind(new.account.to_string())
        .bind(&new.email)
        .bind(new.email.to_lowercase())
        .bind(role_name(new.role))
        .bind(&new.password.0)
        .bind(tx.now.seconds())
        .execute(tx.conn())
        .await;
        added.map_err(|error| match error.as_database_error() {
            Some(refused) if refused.is_unique_violation() => {
                StoreError::Taken(format!("the e-mail address {}", new.email))
            }
            Some(refused) if refused.is_foreign_key_violation() => {
                StoreError::NotFound(format!("account {}", new.account))
            }
            _ => error.into(),
        })?;
        let added = tx_user(tx, new.id).await?;
        record(tx, by, "user_added", added).await
    }
}

/// Changes a user, and ends their sessions.
pub struct ChangeUser {
    pub id: Uuid,
    /// What becomes of them.
    pub change: UserChange,
    /// A session that goes on.
    pub keep: Option<Uuid>,
    pub by: Actor,
}

impl Write for ChangeUser {
    type Output = User;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<User, StoreError> {
        tx_user(tx, self.id).await?;
        let id = self.id.to_string();
        let (event, update) = match &self.change {
            UserChange::Password(password) => (
                "password_changed",
                sql("UPDATE person SET password = $2 WHERE id = $1").bind(&id).bind(&password.0),
            ),
            UserChange::Role(role) => (
                "role_changed",
                sql("UPDATE person SET role = $2 WHERE id = $1").bind(&id).bind(role_name(*role)),
            ),
            UserChange::Disable => (
                "user_disabled",
                sql("UPDATE person SET disabled_at = coalesce(disabled_at, $2) WHERE id = $1")
                    .bind(&id)
                    .bind(tx.now.seconds()),
            ),
            UserChange::Enable => {
                ("user_enabled", sql("UPDATE person SET disabled_at = NULL WHERE id = $1").bind(&id))
            }
        };
        update.execute(tx.conn()).await?;
        sql("DELETE FROM session WHERE user_id = $1 AND id IS DISTINCT FROM $2")
            .bind(&id)
            .bind(self.keep.map(|session| session.to_string()))
            .execute(tx.conn())
            .await?;
        if matches!(self.change, UserChange::Disable) {
            sql("DELETE FROM api_token WHERE user_id = $1").bind(&id).execute(tx.conn()).await?;
        }
        let changed = tx_user(tx, self.id).await?;
        record(tx, &self.by, event, changed).await
    }
}

async fn record(tx: &mut Tx<'_>, by: &Actor, event: &str, user: User) -> Result<User, StoreError> {
    let detail = Some(json!({ "user": user.id, "email": user.email, "role": user.role }));
    append(tx, by, NewAuditEntry { detail, ..NewAuditEntry::new(event, user.account) }).await?;
    Ok(user)
}

pub(super) async fn tx_user(tx: &mut Tx<'_>, id: Uuid) -> Result<User, StoreError> {
    let query = concat!("SELECT ", user_columns!(), " FROM person u WHERE u.id = $1 FOR UPDATE OF u");
    let row = sql(query).bind(id.to_string()).fetch_optional(tx.conn()).await?;
    tx.look_at_clock().await?;
    user(&row.ok_or_else(|| StoreError::NotFound(format!("user {id}")))?)
}

/// Every account, oldest first.
pub struct ListAccounts;

impl Operation for ListAccounts {
    type Output = Vec<Account>;

    async fn carry_out(self, store: &Store) -> Result<Vec<Account>, StoreError> {
        let query = concat!("SELECT ", account_columns!(), " FROM account a ORDER BY a.created_at, a.rowid");
        sql(query).fetch_all(store.reader().await?.conn()).await?.iter().map(account).collect()
    }
}

/// Every plan, by name.
pub struct ListPlans;

impl Operation for ListPlans {
    type Output = Vec<Plan>;

    async fn carry_out(self, store: &Store) -> Result<Vec<Plan>, StoreError> {
        let rows = sql("SELECT * FROM plan ORDER BY name").fetch_all(store.reader().await?.conn()).await?;
        rows.iter()
            .map(|row| {
                Ok(Plan {
                    name: row.try_get("name")?,
                    carries_seats: row.try_get("carries_seats")?,
                    entitlements: entitlements(row, "entitlements")?,
                })
            })
            .collect()
    }
}

/// The users of one account or of all, oldest first.
pub struct ListUsers(pub Option<Uuid>);

impl Operation for ListUsers {
    type Output = Vec<User>;

    async fn carry_out(self, store: &Store) -> Result<Vec<User>, StoreError> {
        let query = sql(concat!(
            "SELECT ",
            user_columns!(),
            " FROM person u WHERE CAST($1 AS TEXT) IS NULL OR u.account_id = $1 ORDER BY u.created_at, u.rowid"
        ));
        let query = query.bind(self.0.map(|id| id.to_string()));
        query.fetch_all(store.reader().await?.conn()).await?.iter().map(user).collect()
    }
}

/// The user with this e-mail address and their password, disabled or not.
pub struct FindUser(pub String);

impl Operation for FindUser {
    type Output = Option<(User, PasswordHash)>;

    async fn carry_out(self, store: &Store) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let query =
            sql(concat!("SELECT u.password, ", user_columns!(), " FROM person u WHERE u.email_key = $1"));
        let query = query.bind(self.0.to_lowercase());
        let row = query.fetch_optional(store.reader().await?.conn()).await?;
        row.map(|row| Ok((user(&row)?, PasswordHash(row.try_get("password")?)))).transpose()
    }
}

pub(super) fn account(row: &DbRow) -> Result<Account, StoreError> {
    Ok(Account {
        id: parsed(row, "account_id")?,
        name: row.try_get("account_name")?,
        created_at: moment(row, "account_created_at")?,
    })
}

pub(super) fn user(row: &DbRow) -> Result<User, StoreError> {
    let role: &str = row.try_get("role")?;
    let role = [Role::Admin, Role::Owner].into_iter().find(|known| role_name(*known) == role);
    Ok(User {
        id: parsed(row, "user_id")?,
        account: parsed(row, "user_account_id")?,
        email: row.try_get("email")?,
        role: role.ok_or(StoreError::Unexpected("person.role"))?,
        disabled_at: time(row, "disabled_at")?,
        created_at: moment(row, "user_created_at")?,
    })
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}
