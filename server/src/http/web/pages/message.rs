use super::{Help, Moment, Tone};
use askama::Template;

/// One page that says what happened and what to do next.
#[derive(Debug, Clone, Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    /// Where to read more, and whom to ask.
    pub help: Help,
    /// How it is coloured.
    pub tone: Tone,
    /// What happened, in a few words.
    pub title: String,
    /// What happened, to whom, and what was left as it was.
    pub text: String,
    /// Until when to wait.
    pub wait_until: Option<Moment>,
    /// What to do next.
    pub next: Vec<NextStep>,
    /// Id of the request, to be quoted to support.
    pub request: Option<String>,
}

/// Something to do next.
#[derive(Debug, Clone)]
pub struct NextStep {
    /// Where it is done.
    pub path: String,
    /// What it is.
    pub label: String,
}

impl MessagePage {
    /// A page with one step: back to the list of seats.
    #[must_use]
    pub fn new(help: Help, tone: Tone, title: &str, text: &str) -> Self {
        let (title, text) = (title.to_owned(), text.to_owned());
        let next = vec![NextStep::new("/seats", "Go to the seats")];
        Self { help, tone, title, text, wait_until: None, next, request: None }
    }

    /// There is no such page, seat or token, or it belongs to somebody else.
    #[must_use]
    pub fn not_found(help: Help) -> Self {
        let text = "The address may be mistyped, or what it led to is gone or belongs to another account.";
        Self::new(help, Tone::Calm, "There is nothing here", text)
    }

    /// A form came from another website.
    #[must_use]
    pub fn cross_site(help: Help) -> Self {
        let text = "This form was sent from another website, so nothing was done. If you meant to do it, open the page \
                    here and send the form again.";
        Self::new(help, Tone::Danger, "The request was refused", text)
    }

    /// The user may not do this.
    #[must_use]
    pub fn forbidden(help: Help) -> Self {
        let text = "Your account does not allow this, so nothing was done. Ask the administrator of this licensing server.";
        Self::new(help, Tone::Warning, "You are not allowed to do this", text)
    }

    /// Too many tries to sign in.
    #[must_use]
    pub fn too_many_tries(help: Help, until: Moment) -> Self {
        let text = "There were too many failed tries to sign in, so this address has to wait. Nothing was changed, and \
                    everybody who is signed in stays signed in.";
        let mut page = Self::new(help, Tone::Warning, "Too many tries", text);
        page.wait_until = Some(until);
        page.next = vec![NextStep::new("/sign-in", "Back to sign-in")];
        page
    }

    /// A form was sent a second time.
    #[must_use]
    pub fn already_done(help: Help) -> Self {
        let text = "This form was sent before, so nothing was done a second time. A token is shown only once: if it was \
                    lost, refresh its seat to make a new one.";
        Self::new(help, Tone::Calm, "This was done already", text)
    }

    /// The server failed.
    #[must_use]
    pub fn server_error(help: Help, request: &str) -> Self {
        let text = "The licensing server has a problem. Nothing was changed. Try again in a few minutes; if it stays, \
                    ask for help and quote the number below.";
        let mut page = Self::new(help, Tone::Danger, "Something went wrong", text);
        page.request = Some(request.to_owned());
        page
    }
}

impl NextStep {
    /// What is done where.
    #[must_use]
    pub fn new(path: &str, label: &str) -> Self {
        Self { path: path.to_owned(), label: label.to_owned() }
    }
}
