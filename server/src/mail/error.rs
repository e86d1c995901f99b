use super::SmtpReply;
use std::time::Duration;

/// Why a letter was not sent, or may not have been. Holds neither password nor link nor token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    #[error("the mail server {server} cannot be reached: {reason}. Nothing was sent.")]
    Unreachable {
        server: String,
        /// What the operating system said.
        reason: String,
    },
    /// The server offers no TLS, and its address asks for it.
    #[error(
        "the mail server {server} offers no TLS (STARTTLS). Nothing was sent, because anybody could read it."
    )]
    NoTls { server: String },
    /// TLS was begun, and failed.
    #[error("there is no secure connection with the mail server {server}: {reason}. Nothing was sent.")]
    Tls {
        server: String,
        /// What is wrong with it, such as its certificate.
        reason: String,
    },
    /// The server takes no password, or in no way that is known here.
    #[error(
        "the mail server {server} lets nobody sign in with a password (AUTH PLAIN or LOGIN). Nothing was sent."
    )]
    NoLogin { server: String },
    /// User name or password are wrong.
    #[error(
        "the mail server {server} does not accept the user name or the password: {reply}. Nothing was sent."
    )]
    Password { server: String, reply: SmtpReply },
    /// The sender may not send.
    #[error("the mail server {server} does not send for {from}: {reply}. Nothing was sent.")]
    Sender { server: String, from: String, reply: SmtpReply },
    /// The recipient is not known, or not now.
    #[error("the mail server {server} does not deliver to {to}: {reply}. Nothing was sent.")]
    Recipient { server: String, to: String, reply: SmtpReply },
    /// The server refused something else, such as the letter itself.
    #[error("the mail server {server} refused: {reply}. Nothing was sent.")]
    Refused { server: String, reply: SmtpReply },
    /// What answers is no mail server, or broke off.
    #[error("the mail server {server} broke off or does not speak SMTP: {reason}. Nothing was sent.")]
    Broken { server: String, reason: String },
    /// The deadline passed before the letter was handed over.
    #[error("the mail server {server} did not answer within {deadline:?}. Nothing was sent.")]
    TooSlow {
        server: String,
        /// For connecting, TLS and dialogue together.
        deadline: Duration,
    },
    /// The letter was on its way when the deadline passed or the connection broke.
    #[error("the mail server {server} did not confirm the message: {reason}. It may arrive all the same.")]
    Unconfirmed {
        server: String,
        /// What was seen instead.
        reason: String,
    },
    /// The letter cannot be written.
    #[error("the message cannot be written")]
    Letter,
}

/// Whose fault it is that a letter was not sent, as far as it concerns whoever wanted it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFault {
    /// The recipient's: the address is not known.
    Recipient,
    /// The recipient's, for now.
    NotNow,
    /// It may have been sent.
    Unconfirmed,
    /// That of the mail server, or of its settings: nothing for the eyes of those who use the
    /// pages.
    Server,
}

impl MailError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> MailFault {
        match self {
            Self::Recipient { reply, .. } if reply.code >= 500 => MailFault::Recipient,
            Self::Recipient { .. } => MailFault::NotNow,
            Self::Unconfirmed { .. } => MailFault::Unconfirmed,
            Self::Unreachable { .. }
            | Self::NoTls { .. }
            | Self::Tls { .. }
            | Self::NoLogin { .. }
            | Self::Password { .. }
            | Self::Sender { .. }
            | Self::Refused { .. }
            | Self::Broken { .. }
            | Self::TooSlow { .. }
            | Self::Letter => MailFault::Server,
        }
    }
}
