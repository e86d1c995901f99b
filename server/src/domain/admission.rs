use super::{License, Role};
use seatlock_protocol::{Identity, UnixTime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of the longest text of an issuer or a rule.
pub const ISSUER_TEXT_MAX: usize = 255;
/// Rules of one issuer.
pub const ADMISSIONS_MAX: usize = 1000;

/// A sign-in service whose access tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its address, which is its `iss` letter by letter.
    pub url: String,
    /// As people call it.
    pub name: String,
    /// What the `aud` of its access tokens must contain.
    pub audience: String,
    /// The client that the seat page is, where people may sign in with it there.
    pub client: Option<IssuerClient>,
    /// Who is admitted where. The first rule that fits counts; whom none fits is refused.
    pub admissions: Vec<Admission>,
}

/// What becomes of an issuer; what is not named stays.
#[derive(Debug, Clone)]
pub struct IssuerChange {
    /// As people call it.
    pub name: Option<String>,
    /// What the `aud` of its access tokens must contain.
    pub audience: Option<String>,
    /// These replace all rules that there are.
    pub admits: Option<Vec<Admission>>,
    /// The seat page's client id; `Some(None)` takes the sign-in off the seat page. Another one
    /// comes without the secret of the one before.
    pub client_id: Option<Option<String>>,
    /// The secret of that client.
    pub client_secret: Option<Zeroizing<String>>,
}

/// What the seat page is at an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerClient {
    /// `client_id`.
    pub id: String,
    /// The client secret, sealed; public clients have none.
    pub sealed_secret: Option<Vec<u8>>,
}

/// A rule: who belongs to which account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// Whom it is about: `"everybody"`, or one of `{"subject": "alice"}`, `{"client": "farm"}`,
    /// `{"domain": "example.com"}`.
    pub who: Who,
    /// Where they belong.
    pub account: Uuid,
    /// The license whose seats they get; without one, the account's first that has the product.
    pub license: Option<Uuid>,
    /// What they may do by the admin API and on the seat page; without a role, nothing there.
    pub role: Option<Role>,
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// One subject.
    Subject(String),
    /// Whoever shows a token that was given to this client: a machine, or the users of a program.
    Client(String),
    /// Whoever has an e-mail address at this host, which the issuer has verified.
    Domain(String),
    /// Whoever the issuer lets in.
    Everybody,
}

/// What a verified token says of its bearer.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'a> {
    /// Who it is.
    pub identity: &'a Identity,
    /// The client that the token was given to.
    pub client: Option<&'a str>,
    /// The verified e-mail address.
    pub email: Option<&'a str>,
}

impl Bearer<'_> {
    /// As people know him: by e-mail address, by the client's name, or else by the subject.
    #[must_use]
    pub fn name(&self) -> &str {
        self.email.or(self.client).unwrap_or(&self.identity.subject)
    }
}

impl Who {
    fn is(&self, bearer: Bearer<'_>) -> bool {
        match self {
            Self::Subject(subject) => bearer.identity.subject == *subject,
            Self::Client(client) => bearer.client == Some(client),
            Self::Domain(domain) => {
                let host = bearer.email.and_then(|email| email.rsplit_once('@')).map(|(_, host)| host);
                host.is_some_and(|host| host.eq_ignore_ascii_case(domain))
            }
            Self::Everybody => true,
        }
    }
}

impl Issuer {
    /// The rule that admits the bearer of a token of this issuer; `None` refuses him.
    #[must_use]
    pub fn admit(&self, bearer: Bearer<'_>) -> Option<&Admission> {
        self.admissions.iter().find(|admission| admission.who.is(bearer))
    }

    /// Why there cannot be such an issuer; its address is checked where addresses are read.
    ///
    /// # Errors
    /// The member, and the end of a sentence.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let texts = [("issuer", &self.url), ("name", &self.name), ("audience", &self.audience)];
        let client = self.client.as_ref().map(|client| ("client_id", &client.id));
        let whom = self.admissions.iter().filter_map(|admission| match &admission.who {
            Who::Subject(text) | Who::Client(text) | Who::Domain(text) => Some(("admits", text)),
            Who::Everybody => None,
        });
        for (member, text) in texts.into_iter().chain(client).chain(whom) {
            if text.is_empty() || text.len() > ISSUER_TEXT_MAX || text.contains(char::is_control) {
                return Err((member, format!("1 to {ISSUER_TEXT_MAX} bytes, without control characters")));
            }
        }
        if self.admissions.len() > ADMISSIONS_MAX {
            return Err(("admits", format!("at most {ADMISSIONS_MAX} rules")));
        }
        Ok(())
    }

    /// What it is called in the admin API's addresses: the name-based UUID of its own address (RFC
    /// 9562, section 5.5).
    #[must_use]
    pub fn id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, self.url.as_bytes())
    }
}

impl Admission {
    /// Why it cannot be so: what it names must be there.
    ///
    /// # Errors
    /// The end of a sentence.
    pub fn check(&self, accounts: &[Uuid], licenses: &[License]) -> Result<(), String> {
        let Self { account, license, .. } = self;
        if !accounts.contains(account) {
            return Err(format!("there is no account {account}"));
        }
        let Some(named) = license else { return Ok(()) };
        match licenses.iter().find(|license| license.id == *named) {
            None => Err(format!("there is no license {named}")),
            Some(license) if license.account != *account => {
                Err(format!("the license {named} is not of the account {account}"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The license whose seat the bearer has or gets: the one that is named, or of the account's
    /// licenses with the product the first that can be used now, or else the first. It does not
    /// depend on who holds which seat, so that nobody moves from one license to another because
    /// it fills up.
    #[must_use]
    pub fn license<'a>(&self, licenses: &'a [License], product: &str, now: UnixTime) -> Option<&'a License> {
        let own = |license: &&License| license.account == self.account;
        if let Some(named) = self.license {
            return licenses.iter().filter(own).find(|license| license.id == named);
        }
        let has_product = |license: &&License| license.products.iter().any(|other| other == product);
        let usable = |license: &&License| {
            license.suspended_at.is_none() && license.expires_at.is_none_or(|end| end > now)
        };
        let fitting = || licenses.iter().filter(own).filter(has_product);
        fitting().find(usable).or_else(|| fitting().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(who: Who, account: u128) -> Admission {
        Admission { who, account: Uuid::from_u128(account), license: None, role: None }
    }

    fn issuer(admissions: Vec<Admission>) -> Issuer {
        let text = |text: &str| text.to_owned();
        let (url, name, audience) = (text("https://login.example"), text("Login"), text("seats"));
        Issuer { url, name, audience, client: None, admissions }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let text = |text: &str| text.to_owned();
        let rules = issuer(vec![
            admission(Who::Subject(text("alice")), 1),
            admission(Who::Client(text("farm")), 2),
            admission(Who::Domain(text("example.com")), 3),
        ]);
        let found = |issuer: &Issuer, subject: &str, client, email| {
            let identity = Identity { issuer: issuer.url.clone(), subject: text(subject) };
            issuer.admit(Bearer { identity: &identity, client, email }).map(|found| found.account.as_u128())
        };
        for (subject, client, email, expected) in [
            ("alice", Some("farm"), Some("alice@example.com"), Some(1)),
            ("Alice", None, None, None),
            ("bob", Some("farm"), Some("bob@example.com"), Some(2)),
            ("bob", None, Some("bob@EXAMPLE.com"), Some(3)),
            ("bob", Some("plugin"), Some("bob@sub.example.com"), None),
            ("bob", None, Some("bob@example.com@evil.example"), None),
            ("bob", None, Some("bob@notexample.com"), None),
            ("farm", None, None, None),
            ("example.com", None, None, None),
        ] {
            assert_eq!(found(&rules, subject, client, email), expected, "{subject} {client:?} {email:?}");
        }
        let nobody = issuer(Vec::new());
        assert_eq!(found(&nobody, "alice", None, None), None, "nobody is admitted unless a rule says so");
        let all = issuer(vec![admission(Who::Everybody, 4), admission(Who::Subject(text("alice")), 1)]);
        assert_eq!(found(&all, "alice", None, None), Some(4));
    }

    #[test]
    fn which_license() {
        let now = UnixTime::new(1000).unwrap();
        let license = |id: u128, account: u128, product: &str| License {
            products: vec![product.to_owned()],
            ..License::usual(Uuid::from_u128(id), Uuid::from_u128(account), false)
        };
        let ended = License { expires_at: Some(now), ..license(2, 1, "p") };
        let paused = License { suspended_at: Some(now), ..license(3, 1, "p") };
        let licenses =
            [license(1, 9, "p"), ended, paused, license(4, 1, "q"), license(5, 1, "p"), license(6, 1, "p")];
        let chosen = |named: Option<u128>, product: &str, licenses: &[License]| {
            let rule = Admission { license: named.map(Uuid::from_u128), ..admission(Who::Everybody, 1) };
            rule.license(licenses, product, now).map(|license| license.id.as_u128())
        };
        assert_eq!(chosen(None, "p", &licenses), Some(5), "the first that can be used");
        assert_eq!(chosen(None, "p", &licenses[..4]), Some(2), "or the first, which says why it cannot");
        assert_eq!(chosen(None, "r", &licenses), None);
        assert_eq!(chosen(Some(6), "p", &licenses), Some(6));
        assert_eq!(chosen(Some(1), "p", &licenses), None, "a license of another account");
        let full = License { tokens: 1, seats_max: 1, ..license(5, 1, "p") };
        assert_eq!(chosen(None, "p", &[full, license(6, 1, "p")]), Some(5), "full or not");
    }

    #[test]
    fn a_rule_names_what_is_there() {
        let (account, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let licenses = [License::usual(Uuid::from_u128(3), other, false)];
        for (rule_account, license, expected) in [
            (1, None, Ok(())),
            (2, Some(3), Ok(())),
            (9, None, Err("there is no account")),
            (1, Some(9), Err("there is no license")),
            (1, Some(3), Err("the license 00000000-0000-0000-0000-000000000003 is not of the account")),
        ] {
            let license = license.map(Uuid::from_u128);
            let rule = Admission { license, ..admission(Who::Everybody, rule_account) };
            let checked = rule.check(&[account, other], &licenses);
            match expected {
                Ok(()) => assert_eq!(checked, Ok(())),
                Err(words) => {
                    assert!(checked.as_ref().is_err_and(|text| text.starts_with(words)), "{checked:?}")
                }
            }
        }
    }

    #[test]
    fn what_no_issuer_can_be() {
        let good = issuer(vec![admission(Who::Everybody, 1)]);
        assert_eq!(good.check(), Ok(()));
        let long = "x".repeat(ISSUER_TEXT_MAX + 1);
        for (member, bad) in [
            ("name", Issuer { name: String::new(), ..good.clone() }),
            ("audience", Issuer { audience: long.clone(), ..good.clone() }),
            ("admits", issuer(vec![admission(Who::Subject("a\nb".to_owned()), 1)])),
            ("admits", issuer(vec![admission(Who::Everybody, 1); ADMISSIONS_MAX + 1])),
            (
                "client_id",
                Issuer { client: Some(IssuerClient { id: String::new(), sealed_secret: None }), ..good },
            ),
        ] {
            assert_eq!(bad.check().unwrap_err().0, member);
        }
    }
}
