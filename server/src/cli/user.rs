use super::account::chosen;
use super::output::{Output, cell};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_protocol::{Token, TokenKind};
use seatlock_server::{
    keys::DataFolder,
    password::{Passwords, generate},
    rules::{Role, check_password, timestamp},
    store::{
        Actor, AnyStore, Made, NewApiToken, NewUser, PasswordHash, People as _, Store as _, StoreError, User,
        UserChange,
    },
};
use serde_json::{Value, json};
use std::io::Read as _;
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; prints the first password, this once
    Add {
        /// E-mail address, by which the user signs in
        email: String,
        /// The account, when there are several
        #[arg(long, value_name = "UUID")]
        account: Option<Uuid>,
        /// What the user may do
        #[arg(long, default_value = "owner")]
        role: Role,
        #[command(flatten)]
        password: Password,
    },
    /// List users
    List,
    /// Give a user another password, and end all sessions; prints it, this once
    Password {
        /// Whose
        email: String,
        #[command(flatten)]
        password: Password,
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
pub(super) struct Password {
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

impl UserCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        let done = self.carry_out(&store, folder, output).await;
        store.close().await;
        done
    }

    async fn carry_out(self, store: &AnyStore, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let change = |email: String, change, what: &'static str| async move {
            let user = find(store, &email).await?;
            let changed = store.change_user(user.id, change, None, Actor::Console).await;
            let user = changed.with_context(|| format!("{email} was not {what}"))?;
            output.done(&view(&user), &format!("{} {what}", user.email))
        };
        match self {
            Self::Add { email, account, role, password } => {
                if let Err(reason) = seatlock_server::rules::check_email(&email) {
                    bail!("\"{}\": {reason}; no user was added", email.escape_debug());
                }
                let account = chosen(store, account).await?.id;
                let (made, password) = password.get(&email).await?;
                let user = NewUser { id: Uuid::new_v4(), account, email: email.clone(), role, password };
                let added = store.add_user(user, Actor::Console).await;
                let user = added.with_context(|| format!("{email} was not added"))?;
                tell(output, &user, "added", made)
            }
            Self::List => {
                let users: Vec<Value> = store.users(None).await?.iter().map(view).collect();
                let names = ["id", "email", "role", "account", "disabled_at"];
                output.table(&users, ["USER", "E-MAIL", "ROLE", "ACCOUNT", "DISABLED"], |user| {
                    names.map(|name| cell(user, name))
                })
            }
            Self::Password { email, password } => {
                let user = find(store, &email).await?;
                let (made, hash) = password.get(&user.email).await?;
                let change = UserChange::Password(hash);
                let user = store.change_user(user.id, change, None, Actor::Console).await?;
                tell(output, &user, "has a new password", made)
            }
            Self::Role { email, role } => change(email, UserChange::Role(role), "changed").await,
            Self::Disable { email } => change(email, UserChange::Disable, "disabled").await,
            Self::Enable { email } => change(email, UserChange::Enable, "enabled").await,
            Self::ApiToken { email, name } => api_token(store, folder, output, &email, name).await,
        }
    }
}

impl Password {
    /// The password to be printed, unless somebody else knows it, and what is kept of it.
    async fn get(self, email: &str) -> anyhow::Result<(Option<Zeroizing<String>>, PasswordHash)> {
        let passwords = Passwords::new()?;
        if !self.password_stdin {
            let made = generate()?;
            let hash = passwords.hash(made.clone()).await?;
            return Ok((Some(made), hash));
        }
        let mut typed = Zeroizing::new(String::new());
        std::io::stdin().read_to_string(&mut typed).context("the password can not be read")?;
        let typed = Zeroizing::new(typed.trim_end_matches(['\r', '\n']).to_owned());
        if let Err(reason) = check_password(&typed, email) {
            bail!("{reason} Nothing was changed.");
        }
        Ok((None, passwords.hash(typed).await?))
    }
}

fn tell(output: Output, user: &User, what: &str, password: Option<Zeroizing<String>>) -> anyhow::Result<()> {
    let mut value = view(user);
    let mut text = format!("{} {what}", user.email);
    if let Some(password) = password {
        let fields = value.as_object_mut().context("a user is a JSON object")?;
        fields.insert("password".to_owned(), json!(*password));
        text.push_str(&format!(
            "\npassword  {}\n\nThe password is shown this once. It can be changed on the account page.",
            *password
        ));
    }
    output.done(&value, &text)
}

async fn api_token(
    store: &AnyStore,
    folder: &DataFolder,
    output: Output,
    email: &str,
    name: String,
) -> anyhow::Result<()> {
    let user = find(store, email).await?;
    let token = Token::generate(TokenKind::Api, getrandom::fill)
        .context("the operating system gives no random numbers; no token was made")?;
    let hash = token.stored_hash(&*folder.pepper()?);
    let new = NewApiToken { id: Uuid::new_v4(), user: user.id, name: name.clone(), hash, remember: None };
    let made = store.add_api_token(new, Actor::Console).await;
    let made = made.with_context(|| format!("no API token was made for {email}"))?;
    let Made::New(made) = made else { bail!("no API token was made for {email}") };
    let value = json!({ "id": made.id, "name": name, "user": user.id, "token": token.expose_secret() });
    let text = format!(
        "API token  {}\nfor        {email}\ntoken      {}\n\nThe token is shown this once.",
        made.id,
        token.expose_secret()
    );
    output.done(&value, &text)
}

async fn find(store: &AnyStore, email: &str) -> anyhow::Result<User> {
    let found = store.user(email).await?;
    let (user, _) = found.ok_or_else(|| StoreError::NotFound(format!("user {}", email.escape_debug())))?;
    Ok(user)
}

fn view(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "role": user.role,
        "account": user.account,
        "disabled_at": user.disabled_at.map(timestamp),
        "created_at": timestamp(user.created_at),
    })
}
