//! Writes e-mail, and hands it to a mail server.
//!
//! A letter is sent while somebody waits for the page: it either was accepted within the deadline,
//! or the error says what happened. Nothing is queued. Plain SMTP is for this computer only; every
//! other way is TLS.

/// What counts as an e-mail address.
mod address;
/// The dialogue with the mail server.
mod dialogue;
/// Why a letter was not sent, in sentences.
mod error;
/// What a letter says, and how it looks on the wire.
mod letter;
/// What a server said, fit to be shown.
mod reply;
/// Which mail server, who signs in there, and who the sender is.
mod settings;
/// A connection on which a server cannot say more than it is asked.
mod wire;

pub use address::{NotAnAddress, address};
pub use dialogue::Mailer;
pub use error::{MailError, MailFault};
pub use letter::{Letter, LetterSecret};
pub use lettre::Address;
pub use reply::SmtpReply;
pub use settings::{DEADLINE, MailSettings, SettingsError, URL_VARIABLE, is_sender, read_url};
