use super::audit::{Entry, append};
use super::dialect::BackEnd;
use super::dialect::{DbRow, locked};
use super::rows::{entitlement_words, entitlements, moment, parsed, time};
use super::writer::{Tx, Write};
use crate::rules::{Plan, Role};
use crate::store::{Account, Actor, NewUser, PasswordHash, StoreError, User, UserChange};
use serde_json::json;
use sqlx::Row as _;
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

pub(super) struct AddAccount {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) by: Actor,
}

impl Write for AddAccount {
    type Output = Account;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Account, StoreError> {
        let account = Account { id: self.id, name: self.name.clone(), created_at: tx.now };
        sqlx::query("INSERT INTO account (id, name, created_at) VALUES ($1, $2, $3)")
            .bind(account.id.to_string())
            .bind(&account.name)
            .bind(account.created_at.seconds())
            .execute(tx.conn())
            .await?;
        let detail = Some(json!({ "name": account.name }));
        append(tx, &self.by, Entry { detail, ..Entry::new("account_created", self.id) }).await?;
        Ok(account)
    }
}

pub(super) struct SetPlan(pub(super) Plan, pub(super) Actor);

impl Write for SetPlan {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self(plan, by) = self;
        sqlx::query(
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
        append(tx, by, Entry { detail, ..Entry::new("plan_set", Uuid::nil()) }).await
    }
}

pub(super) struct AddUser(pub(super) NewUser, pub(super) Actor);

impl Write for AddUser {
    type Output = User;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<User, StoreError> {
        let Self(new, by) = self;
        let added = sqlx::query(
            "INSERT INTO person (id, account_id, email, email_key, role, password, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
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

pub(super) struct ChangeUser {
    pub(super) id: Uuid,
    pub(super) change: UserChange,
    pub(super) keep: Option<Uuid>,
    pub(super) by: Actor,
}

impl Write for ChangeUser {
    type Output = User;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<User, StoreError> {
        tx_user(tx, self.id).await?;
        let id = self.id.to_string();
        let (event, update) = match &self.change {
            UserChange::Password(password) => (
                "password_changed",
                sqlx::query("UPDATE person SET password = $2 WHERE id = $1").bind(&id).bind(&password.0),
            ),
            UserChange::Role(role) => (
                "role_changed",
                sqlx::query("UPDATE person SET role = $2 WHERE id = $1").bind(&id).bind(role_name(*role)),
            ),
            UserChange::Disable => (
                "user_disabled",
                sqlx::query("UPDATE person SET disabled_at = coalesce(disabled_at, $2) WHERE id = $1")
                    .bind(&id)
                    .bind(tx.now.seconds()),
            ),
            UserChange::Enable => {
                ("user_enabled", sqlx::query("UPDATE person SET disabled_at = NULL WHERE id = $1").bind(&id))
            }
        };
        update.execute(tx.conn()).await?;
        sqlx::query("DELETE FROM session WHERE user_id = $1 AND id IS DISTINCT FROM $2")
            .bind(&id)
            .bind(self.keep.map(|session| session.to_string()))
            .execute(tx.conn())
            .await?;
        if matches!(self.change, UserChange::Disable) {
            sqlx::query("DELETE FROM api_token WHERE user_id = $1").bind(&id).execute(tx.conn()).await?;
        }
        let changed = tx_user(tx, self.id).await?;
        record(tx, &self.by, event, changed).await
    }
}

async fn record(tx: &mut Tx<'_>, by: &Actor, event: &str, user: User) -> Result<User, StoreError> {
    let detail = Some(json!({ "user": user.id, "email": user.email, "role": user.role }));
    append(tx, by, Entry { detail, ..Entry::new(event, user.account) }).await?;
    Ok(user)
}

pub(super) async fn tx_user(tx: &mut Tx<'_>, id: Uuid) -> Result<User, StoreError> {
    let query = concat!("SELECT ", user_columns!(), " FROM person u WHERE u.id = $1", locked!("u"));
    let row = sqlx::query(query).bind(id.to_string()).fetch_optional(tx.conn()).await?;
    tx.look_at_clock().await?;
    user(&row.ok_or_else(|| StoreError::NotFound(format!("user {id}")))?)
}

impl BackEnd {
    pub(super) async fn read_accounts(&self) -> Result<Vec<Account>, StoreError> {
        let query = concat!("SELECT ", account_columns!(), " FROM account a ORDER BY a.created_at, a.rowid");
        sqlx::query(query).fetch_all(self.pool()).await?.iter().map(account).collect()
    }

    pub(super) async fn read_plans(&self) -> Result<Vec<Plan>, StoreError> {
        let rows = sqlx::query("SELECT * FROM plan ORDER BY name").fetch_all(self.pool()).await?;
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

    pub(super) async fn read_users(&self, account: Option<Uuid>) -> Result<Vec<User>, StoreError> {
        let query = concat!(
            "SELECT ",
            user_columns!(),
            " FROM person u WHERE CAST($1 AS TEXT) IS NULL OR u.account_id = $1 ORDER BY u.created_at, u.rowid"
        );
        let account = account.map(|id| id.to_string());
        sqlx::query(query).bind(account).fetch_all(self.pool()).await?.iter().map(user).collect()
    }

    pub(super) async fn read_user(&self, email: &str) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let query = concat!("SELECT u.password, ", user_columns!(), " FROM person u WHERE u.email_key = $1");
        let Some(row) = sqlx::query(query).bind(email.to_lowercase()).fetch_optional(self.pool()).await?
        else {
            return Ok(None);
        };
        let password = PasswordHash(row.try_get("password")?);
        Ok(Some((user(&row)?, password)))
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
