//! Every page with realistic contents: what all of them must have in common, and files to look at.
//!
//! `SEATLOCK_PAGES=DIR cargo test -p seatlock-server --test page_samples` leaves the pages in
//! `DIR`. Serve that folder and open `index.html`.

use seatlock_protocol::{MachineId, UnixTime, api::LockStatus};
use seatlock_server::http::web::{pages::*, *};
use std::{collections::HashSet, path::PathBuf};
use zeroize::Zeroizing;

/// What a name may hold. It must come out as text.
const HOSTILE: &str = "\"><script>alert('x')</script>@example.com";

const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
const API_TOKEN: &str = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";

/// 2026-11-26 09:14:20 UTC.
const NOW: i64 = 1_795_684_460;
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

fn at(offset: i64) -> Moment {
    Moment::from(UnixTime::new(NOW + offset).unwrap())
}

fn uuid(number: u128) -> ShortId {
    // Spread like random ones, so that samples look like the real thing.
    let bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ShortId(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
}

fn machine(name: &str) -> MachineId {
    MachineId::derive("com.example.bridge", "linux", name)
}

fn help() -> Help {
    Help {
        documentation: Some("https://licensing.example.com/docs".to_owned()),
        support: Some("mailto:licensing@example.com".to_owned()),
    }
}

fn shell() -> Shell {
    Shell {
        account: "Nordlicht Studios".to_owned(),
        user: "mira.halvorsen@nordlicht.example".to_owned(),
        admin: false,
        notice: None,
        help: help(),
    }
}

fn told(tone: Tone, text: &str) -> Shell {
    Shell { notice: Some(Notice { tone, text: text.to_owned() }), ..shell() }
}

fn name(number: u128, shared_with: &str) -> SeatName {
    SeatName { id: uuid(number), shared_with: shared_with.to_owned(), signs_in_at: None }
}

fn license(number: u128, state: LicenseState) -> LicenseCard {
    LicenseCard {
        id: uuid(number),
        plan: "Enterprise".to_owned(),
        products: vec!["Example Bridge".to_owned()],
        ends_in: None,
        entitlements: vec![
            "cad".to_owned(),
            "export.max: 25 until 2027-01-31".to_owned(),
            "render-farm".to_owned(),
        ],
        in_use: 5,
        seats_max: 12,
        tokens: 9,
        updates_until: Some(at(120 * DAY)),
        expires_at: Some(at(240 * DAY)),
        state,
    }
}

fn row(number: u128, shared_with: &str, status: LockStatus) -> SeatRow {
    let busy = status == LockStatus::InUse;
    let ago = (10 - i64::try_from(number).unwrap()) * 5 * HOUR;
    SeatRow {
        id: uuid(number),
        shared_with: shared_with.to_owned(),
        machine: busy.then(|| machine(shared_with)),
        supplied_id: false,
        status: StatusBadge(status),
        last_used_at: (status != LockStatus::NeverUsed).then(|| at(-ago)),
        last_offline_at: (busy && number.is_multiple_of(2)).then(|| at(-ago - 2 * HOUR)),
        lease_until: busy.then(|| at(7 * DAY - ago)),
        clone_suspected_at: None,
    }
}

fn rows() -> Vec<SeatRow> {
    let mut rows = vec![
        row(9, "new.colleague@nordlicht.example", LockStatus::NeverUsed),
        row(8, "jonas.weber@nordlicht.example", LockStatus::InUse),
        row(7, "aiko.tanaka@nordlicht.example", LockStatus::InUse),
        row(6, "render-node-03@nordlicht.example", LockStatus::InUse),
        row(5, "samuel.okafor@nordlicht.example", LockStatus::Released),
        row(4, "lea.fournier@nordlicht.example", LockStatus::InUse),
        row(3, "freelance.archviz+bridge@a-rather-long-domain-name.example", LockStatus::InUse),
        row(2, HOSTILE, LockStatus::Released),
        row(1, "intern-2025@nordlicht.example", LockStatus::Closed),
    ];
    rows[3].clone_suspected_at = Some(at(-3 * HOUR));
    rows[3].supplied_id = true;
    rows[4].machine = Some(machine("samuel"));
    rows[4].lease_until = Some(at(2 * DAY));
    rows
}

fn seats() -> SeatsPage {
    SeatsPage {
        shell: shell(),
        recovery: None,
        licenses: vec![license(101, LicenseState::Active)],
        filter: SeatFilter::default(),
        seats: rows(),
        total: 1000,
        first_page: true,
        next: Some("MTc5NTY4NDQ2MC8z".to_owned()),
    }
}

fn narrowed(search: &str) -> SeatFilter {
    SeatFilter {
        search: search.to_owned(),
        status: Some(StatusBadge(LockStatus::InUse)),
        used: None,
        license: None,
    }
}

fn new_seat() -> NewSeatPage {
    NewSeatPage {
        shell: shell(),
        licenses: vec![choice(101, None)],
        email: "mira.halvorsen@nordlicht.example".to_owned(),
        email_error: None,
        error: None,
        send: Some(SendAs::Link),
        mail_available: true,
        form_key: uuid(500).to_string(),
    }
}

fn choice(number: u128, unavailable: Option<NoSeat>) -> LicenseChoice {
    LicenseChoice {
        id: uuid(number),
        plan: "Pro".to_owned(),
        products: vec!["Example Bridge".to_owned(), HOSTILE.to_owned()],
        tokens: 9,
        seats_max: 12,
        chosen: unavailable.is_none(),
        unavailable,
    }
}

fn seat_token(mail: MailOutcome) -> SeatTokenPage {
    SeatTokenPage {
        shell: shell(),
        seat: name(9, "jonas.weber@nordlicht.example"),
        reason: TokenReason::Created,
        token: Zeroizing::new(TOKEN.to_owned()),
        mail,
        mail_available: true,
        key: uuid(503).to_string(),
        form_key: uuid(504).to_string(),
    }
}

fn entry(number: u64, event: &str, actor: AuditActor) -> AuditEntry {
    let ago = i64::try_from(1_300 - number).unwrap() * 5 * HOUR;
    let plain = matches!(event, "license_changed" | "api_token_created" | "password_changed" | "signed_in");
    AuditEntry {
        row: number,
        at: at(-ago),
        actor,
        event: event.to_owned(),
        seat: (!plain).then(|| name(8, "jonas.weber@nordlicht.example")),
        machine: matches!(
            event,
            "activated" | "rebound" | "auto_released" | "released_by_owner" | "clone_suspected"
        )
        .then(|| machine("jonas")),
        note: None,
    }
}

fn entries() -> Vec<AuditEntry> {
    let mira = |token: Option<&str>| AuditActor::User {
        email: "mira.halvorsen@nordlicht.example".to_owned(),
        token: token.map(str::to_owned),
    };
    let mut entries = vec![
        entry(1_299, "rebound", AuditActor::Plugin),
        entry(1_298, "released_by_owner", mira(None)),
        entry(1_297, "clone_suspected", AuditActor::Plugin),
        entry(1_296, "api_token_created", mira(None)),
        entry(1_295, "activated", AuditActor::Plugin),
        entry(1_294, "refreshed", mira(Some("onboarding script"))),
        entry(1_293, "auto_released", AuditActor::System),
        entry(1_292, "license_changed", AuditActor::Console),
        entry(
            1_291,
            "revoked",
            AuditActor::User { email: HOSTILE.to_owned(), token: Some(HOSTILE.to_owned()) },
        ),
        entry(1_290, "created", AuditActor::Console),
    ];
    entries[3].note = Some("onboarding script".to_owned());
    entries[7].note = Some("Seats 10 → 12".to_owned());
    entries
}

fn seat() -> SeatPage {
    SeatPage {
        shell: shell(),
        seat: name(8, "jonas.weber@nordlicht.example"),
        status: StatusBadge(LockStatus::InUse),
        license: uuid(101),
        plan: "Enterprise".to_owned(),
        products: vec!["Example Bridge".to_owned()],
        license_state: LicenseState::Active,
        ends_at: Some(at(240 * DAY)),
        window: "24 hours".to_owned(),
        machine: Some(machine("jonas")),
        supplied_id: false,
        minds_supplied_ids: true,
        installs: 1,
        outliving: Vec::new(),
        since: Some(at(-6 * DAY)),
        last_used_at: Some(at(-20)),
        last_offline_at: Some(at(-DAY)),
        lease_until: Some(at(7 * DAY)),
        draining: false,
        launches: 148,
        created_at: at(-90 * DAY),
        clone_suspected_at: None,
        link_until: None,
        release: SeatRelease::Possible,
        history: entries().into_iter().filter(|entry| entry.seat.is_some()).take(6).collect(),
        history_continues: true,
    }
}

fn release() -> ConfirmRelease {
    ConfirmRelease {
        shell: shell(),
        seat: name(8, "jonas.weber@nordlicht.example"),
        machine: Some(machine("jonas")),
        lease_until: Some(at(7 * DAY)),
        limit: ReleaseLimit::NextAfter(at(DAY)),
        window: "24 hours".to_owned(),
        drains: false,
        relaunch_rebinds: true,
        error: None,
    }
}

fn api_token(number: u128, name: &str, used: Option<i64>) -> ApiTokenRow {
    let created_at = at(-i64::try_from(number).unwrap() * 9 * DAY);
    ApiTokenRow { id: uuid(number), name: name.to_owned(), created_at, last_used_at: used.map(at) }
}

fn tokens(tokens: Vec<ApiTokenRow>) -> TokensPage {
    TokensPage {
        shell: shell(),
        tokens,
        limit: 3,
        barred: None,
        server: "https://licensing.example.com".to_owned(),
        name: String::new(),
        error: None,
        form_key: uuid(501).to_string(),
    }
}

fn account() -> AccountPage {
    let session = |device: &str, address: &str, seen, current| SessionRow {
        device: device.to_owned(),
        address: address.to_owned(),
        last_seen_at: at(seen),
        signed_in_at: at(seen - 3 * HOUR),
        current,
    };
    AccountPage {
        shell: shell(),
        password_min: 12,
        has_password: true,
        password_error: None,
        sessions: vec![
            session("Firefox on Linux", "198.51.100.24", -30, true),
            session("Safari on an iPhone", "2001:db8:85a3:8d3:1319:8a2e:370:7348", -5 * HOUR, false),
            session(HOSTILE, "203.0.113.9", -2 * DAY, false),
        ],
    }
}

fn audit(chain: Chain) -> AuditPage {
    AuditPage {
        shell: shell(),
        seat: None,
        entries: entries(),
        chain,
        first_page: true,
        next: Some("1290".to_owned()),
    }
}

fn link(state: LinkState) -> OneTimeLinkPage {
    OneTimeLinkPage { help: help(), state }
}

/// Every page in every state that looks different.
fn samples() -> Vec<(&'static str, String)> {
    let mut pages: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name, page: &dyn askama::DynTemplate| pages.push((name, page.dyn_render().unwrap()));

    add("sign_in", &SignInPage { help: help(), ..SignInPage::default() });
    let signed_out = Some(Notice { tone: Tone::Good, text: "You are signed out.".to_owned() });
    add("sign_in_after_sign_out", &SignInPage { help: help(), notice: signed_out, ..SignInPage::default() });
    let email = "mira.halvorsen@nordlicht.example".to_owned();
    let wrong = Some("E-mail address or password is wrong.".to_owned());
    add("sign_in_wrong", &SignInPage { email: email.clone(), error: wrong, ..SignInPage::default() });
    add("sign_in_wait", &SignInPage { email, wait_until: Some(at(15 * 60)), ..SignInPage::default() });

    add("seats", &seats());
    let several = vec![
        LicenseCard { in_use: 12, ..license(101, LicenseState::Active) },
        LicenseCard {
            plan: "Pro".to_owned(),
            entitlements: vec![],
            updates_until: None,
            expires_at: None,
            ..license(102, LicenseState::Active)
        },
    ];
    let admin =
        Shell { admin: true, ..told(Tone::Good, "The seat of jonas.weber@nordlicht.example was released.") };
    add("seats_several", &SeatsPage { shell: admin, licenses: several, first_page: false, ..seats() });
    let recovery = Some(RecoveryNotice { known_until: at(-DAY), until: at(6 * DAY), recovered: 3 });
    add("seats_restored", &SeatsPage { recovery, ..seats() });
    let suspended = vec![license(101, LicenseState::Suspended(at(-2 * DAY)))];
    add("seats_suspended", &SeatsPage { licenses: suspended, next: None, ..seats() });
    let ended = vec![license(101, LicenseState::Ended(at(-2 * DAY)))];
    add("seats_ended", &SeatsPage { licenses: ended, next: None, ..seats() });
    let full = vec![LicenseCard { in_use: 12, tokens: 12, ..license(101, LicenseState::Active) }];
    add("seats_all_given_out", &SeatsPage { licenses: full, ..seats() });
    let ending = LicenseCard {
        ends_in: Some("in 5 days".to_owned()),
        expires_at: Some(at(5 * DAY)),
        ..license(101, LicenseState::Active)
    };
    add("seats_ending", &SeatsPage { licenses: vec![ending], ..seats() });
    let shrunk = LicenseCard { seats_max: 4, ..license(101, LicenseState::Active) };
    add("seats_too_many_tokens", &SeatsPage { licenses: vec![shrunk], ..seats() });
    let paused = LicenseCard { in_use: 0, tokens: 0, ..license(101, LicenseState::Suspended(at(-DAY))) };
    add("seats_none_suspended", &SeatsPage { licenses: vec![paused], seats: vec![], next: None, ..seats() });
    let fresh = vec![LicenseCard { in_use: 0, tokens: 0, ..license(101, LicenseState::Active) }];
    add("seats_none_yet", &SeatsPage { licenses: fresh, seats: vec![], next: None, ..seats() });
    add(
        "seats_nothing_found",
        &SeatsPage { seats: vec![], next: None, filter: narrowed("YBWE-SEZM"), ..seats() },
    );
    let hostile = SeatFilter { search: format!("{HOSTILE}&a=b#c"), ..narrowed("") };
    add("seats_hostile_search", &SeatsPage { filter: hostile, ..seats() });
    let starter = LicenseCard {
        plan: "Starter".to_owned(),
        entitlements: vec![],
        in_use: 0,
        ..license(101, LicenseState::WithoutSeats)
    };
    add("seats_starter", &SeatsPage { licenses: vec![starter], seats: vec![], next: None, ..seats() });
    let moved = LicenseCard { plan: "Starter".to_owned(), ..license(101, LicenseState::WithoutSeats) };
    add("seats_moved_to_starter", &SeatsPage { licenses: vec![moved], next: None, ..seats() });
    add("seats_no_license", &SeatsPage { licenses: vec![], seats: vec![], next: None, ..seats() });

    add("new_seat", &new_seat());
    let choices = vec![choice(101, None), choice(102, Some(NoSeat::Suspended))];
    let bad = Some("This is not an e-mail address: it has no @.".to_owned());
    let email = "jonas.weber".to_owned();
    add(
        "new_seat_wrong",
        &NewSeatPage { licenses: choices, email, email_error: bad, send: None, ..new_seat() },
    );
    for (name, why) in [
        ("new_seat_all_issued", NoSeat::AllIssued),
        ("new_seat_suspended", NoSeat::Suspended),
        ("new_seat_ended", NoSeat::Ended(at(-DAY))),
        ("new_seat_not_in_plan", NoSeat::NotInPlan),
    ] {
        add(name, &NewSeatPage { licenses: vec![choice(101, Some(why))], ..new_seat() });
    }
    add("new_seat_no_license", &NewSeatPage { licenses: vec![], ..new_seat() });
    add("new_seat_without_mail", &NewSeatPage { mail_available: false, send: None, ..new_seat() });
    let gone =
        Some("No seat was created for jonas.weber@nordlicht.example: all 12 tokens are issued.".to_owned());
    add("new_seat_refused", &NewSeatPage { error: gone, send: Some(SendAs::Token), ..new_seat() });

    let to = || "jonas.weber@nordlicht.example".to_owned();
    add("seat_token", &seat_token(MailOutcome::LinkSent { to: to(), until: at(7 * DAY) }));
    add("seat_token_not_sent", &seat_token(MailOutcome::NotAsked));
    let why = "The address was not accepted. Check it for a typing error.".to_owned();
    add("seat_token_failed", &seat_token(MailOutcome::Failed { to: to(), why }));
    add("seat_token_maybe", &seat_token(MailOutcome::Unconfirmed { to: to() }));
    add("seat_token_again", &seat_token(MailOutcome::NotAgain));
    let hostile = SeatTokenPage {
        seat: name(9, HOSTILE),
        ..seat_token(MailOutcome::TokenSent { to: HOSTILE.to_owned() })
    };
    add("seat_token_refreshed", &SeatTokenPage { reason: TokenReason::Refreshed, ..hostile });

    add("seat", &seat());
    let service = Some("https://login.nordlicht.example".to_owned());
    let signs_in = SeatName { signs_in_at: service, ..name(8, "jonas.weber@nordlicht.example") };
    add("seat_signs_in", &SeatPage { seat: signs_in.clone(), ..seat() });
    add("confirm_release_signs_in", &ConfirmRelease { seat: signs_in, ..release() });
    let cloned =
        SeatPage { clone_suspected_at: Some(at(-3 * HOUR)), release: SeatRelease::From(at(HOUR)), ..seat() };
    add("seat_cloned", &cloned);
    let farm = SeatPage { supplied_id: true, installs: 10, ..cloned.clone() };
    let outliving = vec![(machine("lea"), at(6 * DAY)), (machine("aiko"), at(2 * DAY))];
    add("seat_supplied_id", &SeatPage { outliving, ..farm });
    let draining = SeatPage { draining: true, status: StatusBadge(LockStatus::Released), ..seat() };
    add("seat_draining", &SeatPage { release: SeatRelease::NothingToRelease, ..draining });
    let unused = SeatPage {
        shell: told(Tone::Warning, "The one-time link was withdrawn, because the token was replaced."),
        status: StatusBadge(LockStatus::NeverUsed),
        machine: None,
        since: None,
        last_used_at: None,
        last_offline_at: None,
        lease_until: None,
        link_until: Some(at(7 * DAY)),
        release: SeatRelease::NothingToRelease,
        history: entries().into_iter().rev().take(1).collect(),
        history_continues: false,
        launches: 0,
        ..seat()
    };
    add("seat_unused", &unused);
    add(
        "seat_closed",
        &SeatPage { seat: name(2, HOSTILE), status: StatusBadge(LockStatus::Closed), ..unused },
    );

    let refresh = ConfirmRefresh {
        shell: shell(),
        seat: name(8, "jonas.weber@nordlicht.example"),
        machine: Some(machine("jonas")),
        lease_until: Some(at(7 * DAY)),
        email: "jonas.weber@nordlicht.example".to_owned(),
        email_error: None,
        mail_available: true,
        form_key: uuid(502).to_string(),
        error: None,
    };
    add("confirm_refresh", &refresh);
    let (seat, error) = (name(2, HOSTILE), Some("The server is busy; nothing was changed.".to_owned()));
    add(
        "confirm_refresh_unused",
        &ConfirmRefresh { machine: None, seat, error, mail_available: false, ..refresh },
    );
    add("confirm_release", &release());
    add("confirm_release_drain", &ConfirmRelease { drains: true, relaunch_rebinds: false, ..release() });
    add(
        "confirm_release_wait",
        &ConfirmRelease { limit: ReleaseLimit::NotBefore(at(3 * HOUR)), ..release() },
    );
    add("confirm_release_nothing", &ConfirmRelease { machine: None, lease_until: None, ..release() });
    let revoke = ConfirmRevoke {
        shell: shell(),
        seat: name(8, "jonas.weber@nordlicht.example"),
        machine: Some(machine("jonas")),
        lease_until: Some(at(7 * DAY)),
        error: None,
    };
    add("confirm_revoke", &revoke);
    let error = Some("Nothing was changed: tick the box to confirm.".to_owned());
    add("confirm_revoke_unticked", &ConfirmRevoke { machine: None, error, seat: name(2, HOSTILE), ..revoke });

    let airgap = AirgapPage { shell: shell(), lease_life: "90 days".to_owned(), error: None };
    add("airgap", &airgap);
    let error =
        Some("scene.blend cannot be used: it is not a file of a plug-in. Nothing was changed.".to_owned());
    add("airgap_refused", &AirgapPage { error, ..airgap });
    let check = AirgapCheck {
        shell: shell(),
        seat: name(6, "vault-workstation@nordlicht.example"),
        machine: machine("vault"),
        product: "com.example.bridge".to_owned(),
        lease_until: Some(at(90 * DAY)),
        file: Zeroizing::new("{\"format\":\"seatlock-request\",\"version\":1}".to_owned()),
    };
    add("offline_check", &check);
    add("airgap_check_release", &AirgapCheck { lease_until: None, seat: name(2, HOSTILE), ..check });
    let lease = LeaseResult {
        name: "seatlock-YBWE-SEZM.lease.json".to_owned(),
        base64: Zeroizing::new("eyJmb3JtYXQiOiJzZWF0bG9jay1sZWFzZSIsInZlcnNpb24iOjF9".to_owned()),
        until: at(90 * DAY),
    };
    let done = AirgapDone {
        shell: shell(),
        seat: name(6, "vault-workstation@nordlicht.example"),
        machine: machine("vault"),
        lease: Some(lease),
    };
    add("airgap_done", &done);
    add("airgap_done_release", &AirgapDone { lease: None, ..done });

    let two = vec![api_token(1, "onboarding script", Some(-HOUR)), api_token(2, HOSTILE, None)];
    add("tokens", &tokens(two.clone()));
    add("tokens_none", &tokens(vec![]));
    let three = [two.clone(), vec![api_token(3, "dashboard", Some(-DAY))]].concat();
    add("tokens_full", &tokens(three));
    add(
        "tokens_barred",
        &TokensPage {
            barred: Some("Your plan has no seats for this product.".to_owned()),
            ..tokens(two.clone())
        },
    );
    let error = Some("No token was created: another one has this name already.".to_owned());
    add("tokens_refused", &TokensPage { error, name: "onboarding script".to_owned(), ..tokens(two.clone()) });
    let created = TokenCreatedPage {
        shell: shell(),
        name: "onboarding script".to_owned(),
        token: Zeroizing::new(API_TOKEN.to_owned()),
        server: "https://licensing.example.com".to_owned(),
    };
    add("token_created", &created);
    add("confirm_delete_token", &ConfirmDeleteToken { shell: shell(), token: two[0].clone() });
    add("confirm_delete_token_unused", &ConfirmDeleteToken { shell: shell(), token: two[1].clone() });

    add("account", &account());
    add("account_without_password", &AccountPage { has_password: false, ..account() });
    let password_error = Some("The password was not changed: the present one is wrong.".to_owned());
    add("account_wrong", &AccountPage { password_error, ..account() });

    add("audit", &audit(Chain::Verified { first: 1, rows: 1_299, at: at(-40) }));
    add("audit_broken", &audit(Chain::Broken { row: 1_294, at: at(-40) }));
    let one = Some(name(2, HOSTILE));
    add("audit_of_seat", &AuditPage { seat: one, first_page: false, ..audit(Chain::NotVerified) });
    add(
        "audit_empty",
        &AuditPage { entries: vec![], next: None, ..audit(Chain::Verified { first: 1, rows: 0, at: at(0) }) },
    );

    let account = || "Nordlicht Studios".to_owned();
    add("link", &link(LinkState::Ready { account: account(), until: at(5 * DAY) }));
    add(
        "link_shown",
        &link(LinkState::Shown { account: account(), token: Zeroizing::new(TOKEN.to_owned()) }),
    );
    add("link_gone", &link(LinkState::Gone));

    add("message_not_found", &MessagePage::not_found(help()));
    add("message_cross_site", &MessagePage::cross_site(help()));
    add("message_forbidden", &MessagePage::forbidden(help()));
    add("message_too_many_tries", &MessagePage::too_many_tries(help(), at(15 * 60)));
    add("message_already_done", &MessagePage::already_done(help()));
    add("message_server_error", &MessagePage::server_error(Help::default(), &uuid(600).to_string()));
    pages
}

/// Opening tags of a page, each from its name to its end.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<')
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .filter(|tag| !tag.starts_with(['/', '!']))
}

/// The value of an attribute. All of them are written with double quotes.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

#[test]
fn pages_need_nothing_that_the_policy_forbids() {
    for (name, html) in samples() {
        for tag in tags(&html) {
            assert_eq!(attribute(tag, "style"), None, "{name}: {tag}");
            assert!(!tag.starts_with("style"), "{name}: {tag}");
            let handler = |word: &str| word.starts_with("on") && word.contains("=\"");
            assert!(!tag.split_whitespace().any(handler), "{name}: {tag}");
            if tag.starts_with("script") {
                assert_eq!(tag, "script src=\"/assets/copy.js\" defer", "{name}");
            }
            for loads in ["src", "srcset", "poster"].iter().filter_map(|loads| attribute(tag, loads)) {
                assert!(loads.starts_with("/assets/"), "{name}: {tag}");
            }
            if let Some(target) = attribute(tag, "action") {
                assert!(target.starts_with('/'), "{name}: {tag}");
            }
        }
        assert!(html.contains("<script src=\"/assets/copy.js\" defer></script>"), "{name}");
    }
}

#[test]
fn names_come_out_as_text() {
    let mut seen = 0;
    for (name, html) in samples() {
        assert!(!html.contains("<script>") && !html.contains("\"><script"), "{name}");
        seen += usize::from(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"));
    }
    assert!(seen > 10, "only {seen} samples have a hostile name");
}

#[test]
fn everything_that_is_filled_in_has_a_label() {
    for (name, html) in samples() {
        for tag in tags(&html).filter(|tag| ["input", "select", "textarea"].contains(&first_word(tag))) {
            if attribute(tag, "type") == Some("hidden") {
                continue;
            }
            let id = attribute(tag, "id").map(|id| format!("<label for=\"{id}\">"));
            let labelled =
                id.is_some_and(|label| html.contains(&label)) || attribute(tag, "aria-label").is_some();
            assert!(labelled, "{name}: {tag}");
        }
    }
}

#[test]
fn ids_are_unique_and_what_refers_to_them_is_there() {
    for (name, html) in samples() {
        let mut ids = HashSet::new();
        for id in tags(&html).filter_map(|tag| attribute(tag, "id")) {
            assert!(ids.insert(id), "{name}: two elements are called {id}");
        }
        for tag in tags(&html) {
            for refers in ["for", "aria-labelledby", "aria-describedby", "data-copy"] {
                for id in attribute(tag, refers).unwrap_or_default().split_whitespace() {
                    assert!(ids.contains(id), "{name}: {tag}");
                }
            }
        }
    }
}

#[test]
fn every_page_has_one_heading_a_title_and_a_way_past_the_menu() {
    for (name, html) in samples() {
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert!(html.contains("<html lang=\"en\">") && html.contains("<main id=\"content\""), "{name}");
        assert!(html.contains("<a class=\"skip\" href=\"#content\">"), "{name}");
        let title = html.split_once("<title>").unwrap().1.split('<').next().unwrap();
        assert!(title.ends_with(" · seatlock") && title.len() > " · seatlock".len(), "{name}: {title}");
    }
}

#[test]
fn a_token_stands_on_the_pages_that_show_it_once_and_nowhere_else() {
    for (name, html) in samples() {
        let shows = ["seat_token", "token_created", "link_shown"].iter().any(|page| name.starts_with(page));
        assert_eq!(html.contains(TOKEN) || html.contains(API_TOKEN), shows, "{name}");
        for tag in tags(&html) {
            for address in ["href", "action"].iter().filter_map(|place| attribute(tag, place)) {
                assert!(!address.contains(TOKEN) && !address.contains(API_TOKEN), "{name}: {tag}");
            }
        }
    }
}

#[test]
fn a_search_stays_one_parameter_of_an_address() {
    let (_, html) = samples().into_iter().find(|(name, _)| *name == "seats_hostile_search").unwrap();
    let next = tags(&html).find(|tag| tag.contains("rel=\"next\"")).unwrap();
    let address = attribute(next, "href").unwrap();
    assert!(address.starts_with("/seats?q=%22%3E%3Cscript%3E"), "{address}");
    assert_eq!(address.matches("&amp;").count(), 4, "{address}");
    assert!(!address.contains('#'), "{address}");
}

#[test]
fn a_seat_that_can_not_be_released_has_no_button_for_it() {
    for (name, html) in samples().into_iter().filter(|(name, _)| name.starts_with("confirm_release")) {
        let possible = !name.ends_with("_wait") && !name.ends_with("_nothing");
        assert_eq!(html.contains("Release the seat</button>"), possible, "{name}");
    }
}

/// The first word of a tag.
fn first_word(tag: &str) -> &str {
    tag.split_whitespace().next().unwrap_or_default()
}

#[test]
fn samples_can_be_looked_at() {
    let kept = std::env::var_os("SEATLOCK_PAGES").map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let folder = kept.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    let mut index = String::new();
    for (name, html) in samples() {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
        index.push_str(&format!("<a href=\"{name}.html\">{name}</a><br>\n"));
    }
    std::fs::write(folder.join("index.html"), index).unwrap();
    for asset in ASSETS {
        std::fs::write(folder.join(asset.path.trim_start_matches('/')), asset.body).unwrap();
    }
    assert!(folder.join("seats.html").exists() && folder.join("assets/style.css").exists());
}

#[test]
fn what_is_grey_says_why() {
    let mut seen = 0;
    for (name, html) in samples() {
        for tag in tags(&html).filter(|tag| tag.split_whitespace().any(|word| word == "disabled")) {
            // An entry of a list says it in its own words.
            if first_word(tag) != "option" {
                assert!(attribute(tag, "aria-describedby").is_some(), "{name}: {tag}");
                seen += 1;
            }
        }
    }
    assert!(seen > 2, "only {seen}");
}
