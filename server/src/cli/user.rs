use super::access::{Access, Place, Typed};
use super::output::{Output, cell};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_protocol::edited;
use seatlock_server::{
    files,
    rules::{Role, check_email},
    store::UserChange,
    view::{Shown, UserView},
};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; prints the first password, this once
    Add {
        /// E-mail address, by which the user signs in
        email: String,
        /// The account, when there are several [default for administrators: one of their own,
        /// "Administrators"]
        #[arg(long, value_name = "UUID")]
        account: Option<Uuid>,
        /// What the user may do
        #[arg(long, default_value = "owner")]
        role: Role,
        #[command(flatten)]
        password: Source,
    },
    /// List users
    List,
    /// Give a user another password, and end all sessions; prints it, this once
    Password {
        /// Whose
        email: String,
        #[command(flatten)]
        password: Source,
    },
    /// Change what a user may do, and end all sessions
    Role {
        /// Who
        email: String,
        /// What the user may do
        role: Role,
    },
    /// End a user's sessions and delete the API tokens; no sign-in any more
    Disable {
        /// Who
        email: String,
    },
    /// Let a disabled user sign in again
    Enable {
        /// Who
        email: String,
    },
    /// Make an API token for a user and print it, this once
    ApiToken {
        /// Whose
        email: String,
        /// What it is for
        #[arg(long)]
        name: String,
    },
}

#[derive(Args)]
pub(super) struct Source {
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

impl UserCommand {
    pub(super) async fn run(self, place: &Place, output: Output) -> anyhow::Result<()> {
        let access = Access::open(place).await?;
        let done = self.carry_out(&access, output).await;
        access.close().await;
        done
    }

    async fn carry_out(self, access: &Access, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Add { email, account, role, password } => {
                let email = email.trim().to_owned();
                // Before an account is made for the first administrator.
                if let Err(reason) = check_email(&email) {
                    bail!("\"{}\" was not added: {reason}", email.escape_debug());
                }
                let account = match (account, role) {
                    (None, Role::Admin) => access.administrators().await?.id,
                    (named, _) => access.account(named).await?.id,
                };
                let added = access.add_user(account, &email, role, password.typed()?).await;
                let (user, made) =
                    added.with_context(|| format!("{} was not added", email.escape_debug()))?;
                tell(output, &user, "added", made)
            }
            Self::List => {
                let head = ["USER", "E-MAIL", "ROLE", "ACCOUNT", "DISABLED"];
                output.table(&access.users().await?, head, |user| {
                    let user = serde_json::to_value(user).unwrap_or_default();
                    ["id", "email", "role", "account", "disabled_at"].map(|name| cell(&user, name))
                })
            }
            Self::Password { email, password } => {
                let user = access.user(&email).await?;
                let done = access.replace_password(&user, password.typed()?).await;
                let (user, made) = done.with_context(|| format!("{email} has no new password"))?;
                tell(output, &user, "has a new password", made)
            }
            Self::Role { email, role } => {
                change(access, output, &email, UserChange::Role(role), "changed").await
            }
            Self::Disable { email } => change(access, output, &email, UserChange::Disable, "disabled").await,
            Self::Enable { email } => change(access, output, &email, UserChange::Enable, "enabled").await,
            Self::ApiToken { email, name } => api_token(access, output, &email, &name).await,
        }
    }
}

impl Source {
    /// The password that somebody types; `None` when it is to be made.
    fn typed(self) -> anyhow::Result<Typed> {
        if !self.password_stdin {
            return Ok(None);
        }
        let password = |text: &str| Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
        Ok(Some(files::read_input(|bytes| edited::text(bytes).map(password))?))
    }
}

async fn change(
    access: &Access,
    output: Output,
    email: &str,
    change: UserChange,
    what: &str,
) -> anyhow::Result<()> {
    let user = access.user(email).await?;
    let changed = access.change_user(user.id, change).await;
    let user = changed.with_context(|| format!("{email} was not {what}"))?;
    output.done(&user, &format!("{} {what}", user.email))
}

fn tell(output: Output, user: &UserView, what: &str, password: Option<Shown>) -> anyhow::Result<()> {
    let mut value = serde_json::to_value(user)?;
    let mut text = format!("{} {what}", user.email);
    if let Some(password) = password {
        let fields = value.as_object_mut().context("a user is a JSON object")?;
        fields.insert("password".to_owned(), json!(password.expose()));
        text.push_str(&format!(
            "\npassword  {}\n\nThe password is shown this once. It can be changed on the account page.",
            password.expose()
        ));
    }
    output.done(&value, &text)
}

async fn api_token(access: &Access, output: Output, email: &str, name: &str) -> anyhow::Result<()> {
    let user = access.user(email).await?;
    let made = access.create_api_token(&user, name).await;
    let made = made.with_context(|| format!("no API token was made for {email}"))?;
    let (id, token) = (made.api_token.id, made.token.expose());
    let value = json!({ "id": id, "name": made.api_token.name, "user": user.id, "token": token });
    let text = format!(
        "API token  {id}\nfor        {}\ntoken      {token}\n\nThe token is shown this once.",
        user.email
    );
    output.done(&value, &text)
}
