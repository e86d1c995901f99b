use super::account;
use super::client::AdminClient;
use super::output::{Output, cell};
use anyhow::{Context as _, bail};
use axum::http::Method;
use clap::{Args, Subcommand};
use seatlock_protocol::edited;
use seatlock_server::domain::{Role, check_email};
use seatlock_server::http::api::schema::{
    InvitationJson, IssuedApiTokenJson, NewApiTokenRequest, NewPassword, NewUserRequest, SecretText,
    UserChangeRequest, UserJson,
};
use seatlock_server::system::files;
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
        password: PasswordSource,
    },
    /// List users
    List,
    /// Give a user another password, and end all sessions; prints it, this once
    Password {
        /// Whose
        email: String,
        #[command(flatten)]
        password: PasswordSource,
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
pub(super) struct PasswordSource {
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

impl UserCommand {
    pub(super) async fn run(self, client: &AdminClient, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Add { email, account, role, password } => {
                let email = email.trim().to_owned();
                // Before an account is made for the first administrator.
                if let Err(reason) = check_email(&email) {
                    bail!("\"{}\" was not added: {reason}", email.escape_debug());
                }
                let account = match (account, role) {
                    (None, Role::Admin) => account::administrators(client).await?.id,
                    (named, _) => account::chosen(client, named).await?.id,
                };
                let new = NewUserRequest { account, email: email.clone(), role, password: password.typed()? };
                let added = client.post("/users", &new).await;
                let added = added.with_context(|| format!("{} was not added", email.escape_debug()))?;
                tell(output, &added, "added")
            }
            Self::List => {
                let head = ["USER", "E-MAIL", "ROLE", "ACCOUNT", "DISABLED"];
                output.table(&client.all::<UserJson>("/users").await?, head, |user| {
                    let user = serde_json::to_value(user).unwrap_or_default();
                    ["id", "email", "role", "account", "disabled_at"].map(|name| cell(&user, name))
                })
            }
            Self::Password { email, password } => {
                let path = format!("/users/{}/password", user(client, &email).await?.id);
                let typed = password.typed()?.map(|password| NewPassword { password });
                let method = if typed.is_some() { Method::PUT } else { Method::POST };
                let done = client.send(method, &path, &[], typed.as_ref(), None).await;
                let changed = done.with_context(|| format!("{email} has no new password"))?;
                tell(output, &changed, "has a new password")
            }
            Self::Role { email, role } => {
                let request = UserChangeRequest { role: Some(role), disabled: None };
                change(client, output, &email, request, "changed").await
            }
            Self::Disable { email } => {
                let request = UserChangeRequest { role: None, disabled: Some(true) };
                change(client, output, &email, request, "disabled").await
            }
            Self::Enable { email } => {
                let request = UserChangeRequest { role: None, disabled: Some(false) };
                change(client, output, &email, request, "enabled").await
            }
            Self::ApiToken { email, name } => api_token(client, output, &email, name).await,
        }
    }
}

impl PasswordSource {
    /// The password that somebody types; `None` when it is to be made.
    fn typed(self) -> anyhow::Result<Option<SecretText>> {
        if !self.password_stdin {
            return Ok(None);
        }
        let password = |text: &str| Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
        Ok(Some(files::read_input(|bytes| edited::text(bytes).map(password))?.into()))
    }
}

/// The user with this e-mail address.
async fn user(client: &AdminClient, email: &str) -> anyhow::Result<UserJson> {
    let users: Vec<UserJson> = client.all("/users").await?;
    let found = users.into_iter().find(|user| user.email.eq_ignore_ascii_case(email));
    found.with_context(|| format!("there is no user {}", email.escape_debug()))
}

async fn change(
    client: &AdminClient,
    output: Output,
    email: &str,
    request: UserChangeRequest,
    what: &str,
) -> anyhow::Result<()> {
    let path = format!("/users/{}", user(client, email).await?.id);
    let changed = client.send(Method::PATCH, &path, &[], Some(&request), None).await;
    let user: UserJson = changed.with_context(|| format!("{email} was not {what}"))?;
    output.done(&user, &format!("{} {what}", user.email))
}

fn tell(output: Output, invited: &InvitationJson, what: &str) -> anyhow::Result<()> {
    let mut text = format!("{} {what}", invited.user.email);
    if let Some(password) = &invited.password {
        text.push_str(&format!(
            "\npassword  {}\n\nThe password is shown this once. It can be changed on the account page.",
            password.expose()
        ));
    }
    output.done(invited, &text)
}

async fn api_token(client: &AdminClient, output: Output, email: &str, name: String) -> anyhow::Result<()> {
    let user = user(client, email).await?;
    let made = client.post("/api-tokens", &NewApiTokenRequest { name, user: Some(user.id) }).await;
    let made: IssuedApiTokenJson = made.with_context(|| format!("no API token was made for {email}"))?;
    let (id, token) = (made.api_token.id, made.token.expose());
    let value = json!({ "id": id, "name": made.api_token.name, "user": user.id, "token": token });
    let text = format!(
        "API token  {id}\nfor        {}\ntoken      {token}\n\nThe token is shown this once.",
        user.email
    );
    output.done(&value, &text)
}
