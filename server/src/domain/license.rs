use super::entitlements::{self, Entitlements};
use super::{LicenseDelta, Plan, plan::is_word};
use seatlock_protocol::{
    UnixTime,
    claims::{ClockAction, ClockPolicy},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Longest duration, in seconds: a century. Longer is a slip of the finger.
pub const LONGEST: u64 = 36_500 * DAY;
/// Seats of the largest license.
pub const SEATS_MAX: u32 = 10_000_000;
/// Installations that are remembered of one seat: a token's holder can invent any number of them.
pub const INSTALLS_MAX: u32 = 64;
/// Bytes of the longest name of a product, plan, entitlement or version.
pub const WORD_MAX: usize = 255;
/// Bytes of the vendor's own data, written without white space.
pub const DATA_MAX: usize = 2048;
/// Names of one kind that a license or a plan may have.
pub const WORDS_MAX: usize = 100;

/// What happens to a seat's place in the license when its owner releases it while a lease is still
/// alive.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseMode {
    /// The place is free at once; the old lease runs out beside the new one.
    #[default]
    Immediate,
    /// The place stays taken until the old lease ends or its machine has fetched the verdict.
    Drain,
}

/// What happens when two copies of one installation show up.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ClonePolicy {
    /// Mark the seat and go on.
    #[default]
    Flag,
    /// Refuse the older copy and ask for the token again.
    Enforce,
}

/// What a machine meets whose id was supplied, by its host or by `SEATLOCK_MACHINE_ID`: the same one
/// may be supplied on any number of computers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SuppliedIds {
    /// It is served as any other: for farms and containers.
    Allow,
    /// It is served, and its seat is marked.
    #[default]
    Flag,
    /// It is refused.
    Forbid,
}

/// Limits and policy of one subscription. Durations are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct License {
    /// The license.
    pub id: Uuid,
    /// Who holds it.
    pub account: Uuid,
    /// Their name.
    #[serde(skip)]
    pub licensee: String,
    /// The plan.
    pub plan: Plan,
    /// Entitlements such as `cad` that were bought beside those of the plan.
    pub entitlements: Entitlements,
    /// Products that may be activated.
    pub products: Vec<String>,
    /// How many seats may be in use, and how many tokens may exist.
    pub seats_max: u32,
    /// Seats in use, and released seats that are still draining.
    pub in_use: u32,
    /// Seats whose token was not revoked.
    pub tokens: u32,
    /// Longest life of a lease.
    pub offline_ttl: u64,
    /// Life of a lease for a machine without a network. It holds off auto-release.
    pub airgap_ttl: u64,
    /// A seat without a ping for this long is released.
    pub auto_release: u64,
    /// Time until the next ping should be tried.
    pub renew: u64,
    /// Time before a lease's end from which to warn.
    pub warn: u64,
    /// Time between two manual releases.
    pub release_window: u64,
    /// What a manual release does to a living lease.
    pub release_mode: ReleaseMode,
    /// Whether a released machine takes its seat back when its host is started.
    pub relaunch_rebinds: bool,
    /// What a second copy of an installation meets.
    pub clone_policy: ClonePolicy,
    /// What a machine meets whose id was supplied.
    pub supplied_ids: SuppliedIds,
    /// Installations that may use one hold at a time: users of one computer, and plug-ins beside
    /// each other. [`INSTALLS_MAX`] is any number.
    pub installs_max: u32,
    /// What a computer does when its clock goes back.
    pub clock: ClockPolicy,
    /// Version of the terms that must have been accepted.
    pub terms: Option<String>,
    /// Oldest version of the plug-in that is served.
    pub min_plugin: Option<String>,
    /// Since when the subscription is paused.
    pub suspended_at: Option<UnixTime>,
    /// End of the subscription.
    pub expires_at: Option<UnixTime>,
    /// Versions of the plug-in that were released later are not included.
    pub updates_until: Option<UnixTime>,
    /// The vendor's own, which every lease carries.
    pub data: Option<Map<String, Value>>,
    /// Last release by the owner or by a machine.
    pub last_manual_release_at: Option<UnixTime>,
}

impl License {
    /// A license with the usual values, and no product yet. An ephemeral one is for farms and
    /// containers, which come and go by the hour. Of its plan only the name counts.
    #[must_use]
    pub fn usual(id: Uuid, account: Uuid, ephemeral: bool) -> Self {
        let (offline_ttl, auto_release) = if ephemeral { (30 * MINUTE, HOUR) } else { (7 * DAY, 14 * DAY) };
        Self {
            id,
            account,
            licensee: String::new(),
            plan: Plan::named("pro".to_owned()),
            entitlements: Entitlements::new(),
            products: Vec::new(),
            seats_max: 1,
            in_use: 0,
            tokens: 0,
            offline_ttl,
            airgap_ttl: 90 * DAY,
            auto_release,
            renew: if ephemeral { offline_ttl / 3 } else { 6 * HOUR },
            warn: 48 * HOUR,
            release_window: DAY,
            release_mode: ReleaseMode::Immediate,
            relaunch_rebinds: true,
            clone_policy: ClonePolicy::Flag,
            supplied_ids: if ephemeral { SuppliedIds::Allow } else { SuppliedIds::Flag },
            installs_max: if ephemeral { INSTALLS_MAX } else { 4 },
            clock: ClockPolicy { tol: 26 * HOUR, act: ClockAction::Freeze },
            terms: None,
            min_plugin: None,
            suspended_at: None,
            expires_at: None,
            updates_until: None,
            data: None,
            last_manual_release_at: None,
        }
    }

    /// Why there cannot be such a license.
    ///
    /// # Errors
    /// The member, and the end of a sentence.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.products.is_empty() {
            return Err(("products", "a license needs a product".to_owned()));
        }
        if self.products.len() > WORDS_MAX || !self.products.iter().all(|word| is_word(word)) {
            return Err(("products", format!("at most {WORDS_MAX} names, without blanks in them")));
        }
        entitlements::check(&self.entitlements).map_err(|reason| ("entitlements", reason))?;
        for (name, text) in [("terms", &self.terms), ("min_plugin", &self.min_plugin)] {
            let fits =
                |text: &str| !text.is_empty() && text.len() <= WORD_MAX && !text.contains(char::is_control);
            if !text.as_deref().is_none_or(fits) {
                return Err((name, format!("1 to {WORD_MAX} bytes")));
            }
        }
        if !self.min_plugin.as_deref().is_none_or(|text| text.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(("min_plugin", "a version that begins with a number, such as 2.4.1".to_owned()));
        }
        if self.data.as_ref().is_some_and(|data| !can_be_signed(data)) {
            return Err(("data", format!("a JSON object of at most {DATA_MAX} bytes without white space")));
        }
        if self.seats_max > SEATS_MAX {
            return Err(("seats_max", format!("at most {SEATS_MAX}")));
        }
        if !(1..=INSTALLS_MAX).contains(&self.installs_max) {
            return Err(("installs_max", format!("1 to {INSTALLS_MAX}")));
        }
        for (name, seconds) in [
            ("offline_ttl", self.offline_ttl),
            ("airgap_ttl", self.airgap_ttl),
            ("auto_release", self.auto_release),
            ("renew", self.renew),
            ("warn", self.warn),
            ("release_window", self.release_window),
            ("clock.tol", self.clock.tol),
        ] {
            if !(1..=LONGEST).contains(&seconds) {
                return Err((name, format!("1 to {LONGEST} seconds")));
            }
        }
        if self.auto_release < 2 {
            return Err(("auto_release", "2 seconds or more, so that a lease can end before it".to_owned()));
        }
        Ok(())
    }

    /// What every lease carries: the plan's entitlements and those beside it. Of the same name the
    /// license's own counts.
    #[must_use]
    pub fn granted(&self) -> Entitlements {
        let mut granted = self.plan.entitlements.clone();
        granted.extend(self.entitlements.clone());
        granted
    }

    /// The license after `change`.
    pub fn apply(&mut self, change: LicenseDelta) {
        self.in_use = self.in_use.saturating_add_signed(change.in_use);
        self.tokens = self.tokens.saturating_add_signed(change.tokens);
        self.last_manual_release_at = change.manual_release.or(self.last_manual_release_at);
    }

    /// When the next manual release is possible; `None` when it is now.
    #[must_use]
    pub fn release_possible_at(&self, now: UnixTime) -> Option<UnixTime> {
        let next = self.last_manual_release_at?.plus(self.release_window);
        (next > now).then_some(next)
    }
}

/// Whether a lease can carry `data`, and its reader, who goes down no deeper than this one, can
/// read it.
fn can_be_signed(data: &Map<String, Value>) -> bool {
    let text = serde_json::to_string(data).unwrap_or_default();
    let read = |claims: String| serde_json::from_str::<Value>(&claims).is_ok();
    (1..=DATA_MAX).contains(&text.len()) && read(format!("[{text}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatlock_protocol::claims::EntitlementClaim;

    #[test]
    fn what_no_license_can_be() {
        let usual =
            License { products: vec!["p".to_owned()], ..License::usual(Uuid::nil(), Uuid::nil(), false) };
        assert_eq!(usual.check(), Ok(()));
        let ephemeral =
            License { products: vec!["p".to_owned()], ..License::usual(Uuid::nil(), Uuid::nil(), true) };
        assert_eq!((ephemeral.check(), ephemeral.renew), (Ok(()), 600));
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let named = |name: &str| Entitlements::from([(name.to_owned(), EntitlementClaim::default())]);
        let data = |json: &str| Some(serde_json::from_str(json).unwrap());
        let text = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        for data in [data("{}"), data(&text(2048)), data(&nested(125))] {
            assert_eq!(License { data, ..usual.clone() }.check(), Ok(()));
        }
        let rows = [
            ("products", License { products: Vec::new(), ..usual.clone() }),
            ("products", License { products: words(&["a b"]), ..usual.clone() }),
            ("products", License { products: words(&[""]), ..usual.clone() }),
            ("entitlements", License { entitlements: named("cad\n"), ..usual.clone() }),
            ("data", License { data: data(&text(2049)), ..usual.clone() }),
            ("data", License { data: data(&nested(126)), ..usual.clone() }),
            ("min_plugin", License { min_plugin: Some("v2".to_owned()), ..usual.clone() }),
            ("terms", License { terms: Some(String::new()), ..usual.clone() }),
            ("min_plugin", License { min_plugin: Some("1\u{1b}".to_owned()), ..usual.clone() }),
            ("seats_max", License { seats_max: SEATS_MAX + 1, ..usual.clone() }),
            ("installs_max", License { installs_max: 0, ..usual.clone() }),
            ("installs_max", License { installs_max: 65, ..usual.clone() }),
            ("warn", License { warn: 0, ..usual.clone() }),
            ("airgap_ttl", License { airgap_ttl: LONGEST + 1, ..usual.clone() }),
            ("auto_release", License { auto_release: 1, ..usual.clone() }),
        ];
        for (member, license) in rows {
            assert_eq!(license.check().unwrap_err().0, member);
        }
    }
}
