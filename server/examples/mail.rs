//! Sends one letter as the server would: `echo TOKEN-OR-LINK-SECRET | SEATLOCK_SMTP_URL=... cargo
//! run --example mail`.
//!
//! A way to try a mail server's settings, and what `cargo xtask ci mail` puts before a real one.
//! The variables are `MAIL_FROM`, `MAIL_TO`, and, where others than the usual ones are wanted,
//! `MAIL_BY`, `MAIL_PRODUCT`, `MAIL_SUPPORT`, `MAIL_CA` (a file) and `MAIL_SECONDS`.

use anyhow::{Context as _, Result};
use seatlock_protocol::{Token, TokenKind, UnixTime};
use seatlock_server::crypto::seal;
use seatlock_server::mail::{Letter, LetterSecret, MailSettings, Mailer, URL_VARIABLE, address, read_url};
use std::{env, fs, io::Write as _, time::Duration};
use zeroize::Zeroizing;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let given = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.to_owned());
    let url = read_url(None)?.with_context(|| format!("{URL_VARIABLE} is not set"))?;
    let mut settings = MailSettings::new(url, given("MAIL_FROM", ""));
    if let Ok(file) = env::var("MAIL_CA") {
        settings.extra_ca = Some(fs::read(&file).with_context(|| file)?);
    }
    settings.deadline = Duration::from_secs(given("MAIL_SECONDS", "10").parse()?);
    let mailer = Mailer::new(&settings)?;

    let (to, shared_by) = (address(&given("MAIL_TO", ""))?, address(&given("MAIL_BY", "ada@example.com"))?);
    let product = given("MAIL_PRODUCT", "com.example.bridge");
    let mut secret = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut secret)?;
    let (token, link);
    let secret = if secret.starts_with(TokenKind::Integration.prefix()) {
        token = Token::parse(&secret, TokenKind::Integration)?;
        LetterSecret::Token(&token)
    } else {
        link = seal::Secret::parse(secret.trim()).context("this link is incomplete; copy it again")?;
        let until = UnixTime::new(1_795_338_000).context("no time")?;
        LetterSecret::Link { origin: "https://licenses.example.com", secret: &link, until }
    };
    let letter = Letter { to: &to, shared_by: &shared_by, product: &product, support: None, secret };
    mailer.send(&letter).await?;
    writeln!(std::io::stdout(), "sent")?;
    Ok(())
}
