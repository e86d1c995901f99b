use crate::crypto::{one_time_link, seal};
use crate::domain::moment;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use seatlock_protocol::{Token, UnixTime, plain};
use uuid::Uuid;
use zeroize::Zeroizing;

/// As much of a name as a letter repeats.
const SHOWN: usize = 100;

/// The labels of the plug-in's own check boxes.
const STEPS: [&str; 3] = [
    "Paste it in the plug-in.",
    "Tick \"use token for future sessions\", so that you need not enter it again.",
    "Tick \"I have read and agree\".",
];
const WARNING: &str =
    "Whoever has it can use your seat: do not pass it on. If you did not expect this message, delete it.";

/// How it looks, without anything that is loaded from elsewhere. Mail programs read styles only
/// where they are used.
const BODY: &str = "margin:0;padding:24px;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif";
const CARD: &str = "max-width:36em;margin:0 auto";
const TITLE: &str = "margin:0 0 16px;font-size:20px;line-height:1.3";
const BUTTON: &str = "display:inline-block;padding:10px 18px;border-radius:8px;background:#4f46e5;color:#ffffff;\
                      font-weight:600;text-decoration:none";
const CODE: &str = "font:16px/1.5 ui-monospace,Menlo,Consolas,monospace";
const FINE: &str = "font-size:14px";

/// A letter to somebody with whom a seat is shared. Names may hold anything: they stay on one line.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    pub to: &'a Address,
    /// Who shares the seat. Answers go there.
    pub shared_by: &'a Address,
    /// What the seat is for.
    pub product: &'a str,
    /// Where to ask for help.
    pub support: Option<&'a str>,
    pub secret: LetterSecret<'a>,
}

/// What a letter brings.
#[derive(Debug, Clone, Copy)]
pub enum LetterSecret<'a> {
    /// A link that shows the token once.
    Link {
        /// The server's public address, such as `https://licenses.example.com`.
        origin: &'a str,
        /// The secret of the link.
        secret: &'a seal::Secret,
        /// From then on the link is over.
        until: UnixTime,
    },
    Token(&'a Token),
}

impl Letter<'_> {
    /// The secret as it stands in the letter, for searching what comes back.
    pub(super) fn exposed(&self) -> Zeroizing<String> {
        match self.secret {
            LetterSecret::Link { secret, .. } => secret.expose(),
            LetterSecret::Token(token) => Zeroizing::new(token.expose_secret().to_owned()),
        }
    }

    /// The letter as it goes over the wire.
    pub(super) fn written(&self, from: &Mailbox) -> Result<Zeroizing<Vec<u8>>, lettre::error::Error> {
        let [text, html] = self.bodies();
        let message = Message::builder()
            .from(from.clone())
            .reply_to(self.shared_by.clone().into())
            .to(self.to.clone().into())
            .subject(self.subject())
            .message_id(Some(format!("<{}@{}>", Uuid::new_v4(), from.email.domain())))
            // Nobody's absence should be answered to a machine (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(text.to_string(), html.to_string()))?;
        Ok(Zeroizing::new(message.formatted()))
    }

    fn subject(&self) -> String {
        format!("{} shares {} with you", one_line(self.shared_by.as_ref()), one_line(self.product))
    }

    /// Plain text, and the same as HTML. The secret stands in each of them once, and nothing is
    /// loaded from elsewhere.
    fn bodies(&self) -> [Zeroizing<String>; 2] {
        let [by, product] = [self.shared_by.as_ref(), self.product].map(one_line);
        let lead = format!("{by} shares a seat of {product} with you.");
        let help = self.support.map(one_line);
        let (before, secret, after, first) = match self.secret {
            LetterSecret::Link { origin, secret, until } => (
                "This link shows you the integration token of the seat:",
                one_time_link::link(origin, secret),
                format!(
                    "The link is good until {}. It shows the token once: copy it before you close the page.",
                    last_minute(until)
                ),
                Some("Open the link and copy the token."),
            ),
            LetterSecret::Token(token) => (
                "This is the integration token of the seat:",
                Zeroizing::new(token.expose_secret().to_owned()),
                "Keep it: nobody can show it to you again.".to_owned(),
                None,
            ),
        };
        let steps: Vec<&str> = first.into_iter().chain(STEPS).collect();

        let numbered: Vec<String> = steps.iter().zip(1..).map(|(step, n)| format!("{n}. {step}")).collect();
        let text = format!(
            "{lead}\r\n\r\n{before}\r\n\r\n{}\r\n\r\n{after}\r\n\r\nWhat to do:\r\n{}\r\n\r\n{WARNING}\r\n{}",
            *secret,
            numbered.join("\r\n"),
            help.as_ref().map(|help| format!("\r\nHelp: {help}\r\n")).unwrap_or_default(),
        );
        let [lead, after, warning] = [&lead, &after, WARNING].map(escaped);
        let shown = escaped(&secret);
        let secret = match self.secret {
            LetterSecret::Link { .. } => format!("<a href=\"{shown}\" style=\"{BUTTON}\">Show the token</a>"),
            LetterSecret::Token(_) => format!("<code style=\"{CODE}\">{shown}</code>"),
        };
        let items: String = steps.iter().map(|step| format!("<li>{}</li>\r\n", escaped(step))).collect();
        let help = help.map(|help| {
            let help = escaped(&help);
            format!("<p style=\"{FINE}\"><a href=\"{help}\">Ask for help</a></p>\r\n")
        });
        let html = format!(
            "<!doctype html>\r\n<html lang=\"en\">\r\n<head><meta charset=\"utf-8\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title></head>\r\n\
             <body style=\"{BODY}\">\r\n<div style=\"{CARD}\">\r\n\
             <h1 style=\"{TITLE}\">{}</h1>\r\n<p>{lead}</p>\r\n<p>{before}</p>\r\n<p>{secret}</p>\r\n<p>{after}</p>\r\n\
             <p><strong>What to do:</strong></p>\r\n<ol>\r\n{items}</ol>\r\n<p style=\"{FINE}\">{warning}</p>\r\n\
             {}</div>\r\n</body>\r\n</html>\r\n",
            escaped(&self.subject()),
            escaped(&product),
            help.unwrap_or_default(),
        );
        [Zeroizing::new(text), Zeroizing::new(html)]
    }
}

/// The last whole minute at which something that ends at `until` is still good.
fn last_minute(until: UnixTime) -> String {
    let whole = UnixTime::new(until.seconds() - until.seconds() % 60);
    moment(whole.unwrap_or(until))
}

/// A name on one line, cut, without what would break the line or turn its direction.
fn one_line(name: &str) -> String {
    plain(name).chars().take(SHOWN).collect::<String>().trim().to_owned()
}

fn escaped(text: &(impl AsRef<str> + ?Sized)) -> String {
    let text = text.as_ref();
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::address;
    use seatlock_protocol::TokenKind;

    const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    const LINK: &str = "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s";

    fn with_letter<T>(
        secret: LetterSecret<'_>,
        product: &str,
        support: &str,
        test: impl Fn(&Letter<'_>) -> T,
    ) -> T {
        let (to, shared_by) = (address("eve@example.org").unwrap(), address("ada@example.com").unwrap());
        let support = Some(support).filter(|support| !support.is_empty());
        test(&Letter { to: &to, shared_by: &shared_by, product, support, secret })
    }

    fn with_link<T>(product: &str, support: &str, test: impl Fn(&Letter<'_>) -> T) -> T {
        let secret = seal::Secret::parse(LINK).unwrap();
        let until = UnixTime::new(1_795_338_059).unwrap();
        let secret = LetterSecret::Link { origin: "https://licenses.example.com", secret: &secret, until };
        with_letter(secret, product, support, test)
    }

    fn with_token<T>(test: impl Fn(&Letter<'_>) -> T) -> T {
        let token = Token::parse(TOKEN, TokenKind::Integration).unwrap();
        with_letter(LetterSecret::Token(&token), "Bridge", "", test)
    }

    #[test]
    fn a_link() {
        let [text, html] = with_link("Bridge", "mailto:help@example.com", |letter| letter.bodies());
        assert_eq!(
            *text,
            "ada@example.com shares a seat of Bridge with you.\r\n\r\n\
             This link shows you the integration token of the seat:\r\n\r\n\
             https://licenses.example.com/open/-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s\r\n\r\n\
             The link is good until 2026-11-22 09:00 UTC. It shows the token once: copy it before you close the page.\r\n\r\n\
             What to do:\r\n\
             1. Open the link and copy the token.\r\n\
             2. Paste it in the plug-in.\r\n\
             3. Tick \"use token for future sessions\", so that you need not enter it again.\r\n\
             4. Tick \"I have read and agree\".\r\n\r\n\
             Whoever has it can use your seat: do not pass it on. If you did not expect this message, delete it.\r\n\r\n\
             Help: mailto:help@example.com\r\n"
        );
        assert!(html.contains("<h1 style") && html.contains(">Bridge</h1>"), "{}", *html);
        assert!(html.contains("<a href=\"mailto:help@example.com\">Ask for help</a>"), "{}", *html);
        assert!(html.contains("<li>Tick &quot;I have read and agree&quot;.</li>"));
        assert_eq!(html.matches("//").count(), 1, "nothing is loaded from elsewhere\n{}", *html);
        for body in [text, html] {
            assert_eq!(body.matches(LINK).count(), 1);
        }
    }

    #[test]
    fn a_token() {
        for body in with_token(|letter| letter.bodies()) {
            assert_eq!(body.matches(TOKEN).count(), 1);
            assert!(
                !body.contains("//") && body.contains("future sessions") && body.contains("read and agree")
            );
        }
    }

    #[test]
    fn headers() {
        let from: Mailbox = "\"Ex, Inc.\" <licenses@mail.example.com>".parse().unwrap();
        let written = with_token(|letter| letter.written(&from).unwrap());
        let text = std::str::from_utf8(&written).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: =?utf-8?b?RXgsIEluYy4=?= <licenses@mail.example.com>",
            "Reply-To: ada@example.com",
            "To: eve@example.org",
            "Subject: ada@example.com shares Bridge with you",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(head.lines().any(|there| there == line), "{line}\n{head}");
        }
        let id = head.lines().find(|line| line.starts_with("Message-ID: <")).unwrap();
        assert!(id.ends_with("@mail.example.com>"), "{id}");
        assert!(head.contains("\r\nDate: ") && head.contains("multipart/alternative"), "{head}");
        assert!(text.is_ascii());
    }

    #[test]
    fn names_stay_names() {
        let attack = "B\r\nBcc: eve@example.org\r\n\r\n<script src=//evil.example>\u{202e}é\u{2028}";
        let from: Mailbox = "licenses@example.com".parse().unwrap();
        let written = with_link(attack, &attack.repeat(9), |letter| letter.written(&from).unwrap());
        let (head, _) = std::str::from_utf8(&written).unwrap().split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> =
            head.lines().filter_map(|line| line.split_once(": ")).map(|pair| pair.0).collect();
        let expected =
            ["From", "Reply-To", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Date"];
        for name in &names {
            assert!(expected.contains(name) || *name == "Content-Type", "{name}\n{head}");
        }
        assert_eq!(names.len(), expected.len() + 1, "{head}");
        for body in with_link(attack, &attack.repeat(9), |letter| letter.bodies()) {
            assert!(!body.contains("<script") || body.starts_with("ada@"), "{}", *body);
            assert!(!body.lines().any(|line| line.starts_with("Bcc")), "{}", *body);
            assert!(body.lines().all(|line| line.len() < 500) && !body.contains(['\u{202e}', '\u{2028}']));
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        for shown in
            [with_link("B", "", |letter| format!("{letter:?}")), with_token(|letter| format!("{letter:?}"))]
        {
            assert!(!shown.contains("8uVq2Z") && !shown.contains("_v7-"), "{shown}");
        }
    }
}
