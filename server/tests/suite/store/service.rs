//! The service: who may do what, what belongs to whom, and what a repeated or a stolen request leads
//! to.

use crate::{
    ENGINE,
    harness::{
        DAY, ISSUER, PRODUCT,
        database::Database,
        join_all, machine,
        store::{
            self, AT_ONCE, another_account, call, contains, granted, license, plan, seat, service, signed_in,
            tally, token, user,
        },
    },
};
use seatlock_protocol::{
    Nonce, Token,
    file::{AirgapFile as _, RequestFile},
};
use seatlock_server::crypto::one_time_link;
use seatlock_server::crypto::password::Passwords;
use seatlock_server::crypto::seal::Hash;
use seatlock_server::crypto::seal::Secret;
use seatlock_server::domain::{License, Plan, REMEMBERED, Role, SeatAction, SeatOperation};
use seatlock_server::service::airgap::AirgapError;
use seatlock_server::service::{
    IdempotencyKey, IssuedSeat, Service, ServiceError, SignInAttempt, SignInError, session_hash, sign_in,
};
use seatlock_server::store::{
    Account, Actor, AddUser, AuditQuery, ChangeUser, ConsumeOneTimeLink, FindBearer, FindOneTimeLink,
    FindSession, ListSessions, MarkRestored, NewUser, SeatQuery, SignedIn, UserChange,
};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;
use zeroize::Zeroizing;

const WORD: &str = "a long enough password";

/// What became of a request, as a word of a table.
fn word<T>(result: Result<T, ServiceError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(ServiceError::AdminsOnly) => "admins only".to_owned(),
        Err(ServiceError::Invalid { field, .. }) => format!("invalid {field}"),
        Err(ServiceError::Store(error)) => store::word::<()>(&Err(error)).to_owned(),
        Err(ServiceError::Verdict(verdict)) => verdict.code.name().to_owned(),
        Err(other) => panic!("{other}"),
    }
}

fn airgap_word<T>(result: Result<T, AirgapError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(AirgapError::Refused(verdict)) => verdict.code.name().to_owned(),
        Err(other) => panic!("{other}"),
    }
}

/// The file that a computer without a network writes.
fn request(token: &Token, computer: &str) -> RequestFile {
    let file = json!({
        "format": "seatlock-request", "version": 1, "call": "lease", "issuer": ISSUER, "token_hash": token.hash(),
        "request": {
            "nonce": Nonce::new([7; 16]), "product": PRODUCT, "install_id": Uuid::new_v4(), "intent": "launch",
            "machine": { "id": machine(computer), "source": "os" },
            "client": { "lib": "1.0.0", "host": "blender" }, "clock": { "wall": 0 },
        },
    });
    RequestFile::parse(file.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn whoever_belongs_to_another_account_finds_nothing() {
    let db = Database::new(ENGINE).await;
    let pepper = db.pepper();
    let (mine, license) = db.first().await;
    let (other, theirs) = another_account(&db, "Other", 5).await;
    let eve = signed_in(&db, &other, "eve@example.com", Role::Owner).await;
    let bob = user(&db, &mine, "bob@example.com", Role::Owner).await;
    let (_, of_bob) = store::api_token(&db, &bob).await.unwrap();
    let (id, token) = seat(&db, &license, "ada@example.com").await;
    call(&db, SeatOperation::Activate, &token, "a").await;
    let service = service(&db, &pepper, &eve);
    let before = row_counts(&db).await;

    let again = || Some(IdempotencyKey { key: "once", request: b"x" });
    let file = request(&token, "a");
    let release = RequestFile { call: seatlock_protocol::file::FileCall::Release, ..file.clone() };
    let folder = db.folder();
    for (what, found, wanted) in [
        ("seat", word(service.seat(id).await), "not found"),
        ("release", word(service.act(id, SeatAction::Release, false).await), "not found"),
        ("refresh", word(service.refresh(id, None, false, again()).await), "not found"),
        ("revoke", word(service.act(id, SeatAction::Revoke, false).await), "not found"),
        ("dry run", word(service.act(id, SeatAction::Revoke, true).await), "not found"),
        ("share", word(service.share(id, &token).await), "not found"),
        ("create", word(service.create_seat("x@example.com", Some(license.id), again()).await), "not found"),
        ("license", word(service.license(license.id).await), "not found"),
        ("delete API token", word(service.delete_api_token(of_bob.id).await), "not found"),
        ("preview airgap", airgap_word(service.preview_airgap(&file).await), "token_unknown"),
        ("answer airgap", airgap_word(service.answer_airgap(folder, &file).await), "token_unknown"),
        ("preview release", airgap_word(service.preview_airgap(&release).await), "token_unknown"),
        ("answer release", airgap_word(service.answer_airgap(folder, &release).await), "token_unknown"),
    ] {
        assert_eq!(found, wanted, "{what}");
    }
    // What is not there at all looks the same.
    let nothing = Uuid::new_v4();
    for (theirs, nobodys) in [
        (said(service.seat(id).await), said(service.seat(nothing).await)),
        (said(service.license(license.id).await), said(service.license(nothing).await)),
        (
            said(service.act(id, SeatAction::Revoke, false).await),
            said(service.act(nothing, SeatAction::Revoke, false).await),
        ),
        (said(service.delete_api_token(of_bob.id).await), said(service.delete_api_token(nothing).await)),
    ] {
        let hidden = |text: String, id: Uuid| text.replace(&id.to_string(), "ID");
        let theirs = [id, license.id, of_bob.id].into_iter().fold(theirs, hidden);
        assert_eq!(theirs, hidden(nobodys, nothing));
    }
    // Lists are the own account's, whatever is asked for.
    for account in [None, Some(mine.id), Some(other.id)] {
        let own = |found: Vec<Uuid>| assert!(found.iter().all(|of| *of == other.id), "{account:?}");
        own(service.accounts().await.unwrap().iter().map(|account| account.id).collect());
        own(service.users(account).await.unwrap().iter().map(|user| user.account).collect());
        own(service.licenses(account).await.unwrap().iter().map(|license| license.account).collect());
        for seat in [None, Some(id)] {
            let query = AuditQuery { account, seat, limit: 100, ..AuditQuery::default() };
            own(service.audit(query).await.unwrap().rows.iter().map(|row| row.account).collect());
        }
        for of in [None, Some(license.id)] {
            let query = SeatQuery { account, license: of, limit: 100, ..SeatQuery::default() };
            assert_eq!(service.seats(query).await.unwrap().rows.len(), 0);
        }
    }
    assert_eq!(row_counts(&db).await, before, "nothing was changed");

    // Her own license is chosen without being named, though the server has several.
    let made = service.create_seat("x@example.com", None, None).await.unwrap();
    assert_eq!((made.license.id, word(service.seat(made.seat.seat.id).await).as_str()), (theirs.id, "ok"));
}

fn said<T>(refused: Result<T, ServiceError>) -> String {
    refused.err().expect("it was to be refused").to_string()
}

/// How many rows each table has.
async fn row_counts(db: &Database) -> Vec<(&'static str, i64)> {
    let mut rows = Vec::new();
    for table in [
        "account",
        "person",
        "license",
        "seat",
        "token",
        "share",
        "remembered",
        "api_token",
        "session",
        "audit",
    ] {
        rows.push((table, db.rows(table).await));
    }
    rows
}

/// Everything that only an admin may do, and what becomes of it.
async fn office(
    service: &Service<'_>,
    passwords: &Passwords,
    account: &Account,
    somebody: Uuid,
    present: &License,
    tag: &str,
) -> Vec<(&'static str, String)> {
    let email = format!("new-{tag}@example.com");
    let plan = Plan { name: format!("plan-{tag}"), ..plan("x") };
    let more = License { seats_max: present.seats_max + 1, ..present.clone() };
    vec![
        ("create account", word(service.create_account(tag).await)),
        ("add user", word(service.add_user(passwords, account.id, &email, Role::Owner, None).await)),
        (
            "add admin",
            word(service.add_user(passwords, account.id, &format!("a{email}"), Role::Admin, None).await),
        ),
        ("change role", word(service.change_user(somebody, UserChange::Role(Role::Admin)).await)),
        ("disable", word(service.change_user(somebody, UserChange::Disable).await)),
        ("enable", word(service.change_user(somebody, UserChange::Enable).await)),
        ("create license", word(service.create_license(license(account.id, 1)).await)),
        ("change license", word(service.change_license(present.clone(), more).await)),
        ("set plan", word(service.set_plan(plan).await)),
        ("verify audit", word(service.verify_audit(false).await)),
    ]
}

#[tokio::test]
async fn only_admins_do_what_admins_do() {
    let db = Database::new(ENGINE).await;
    let (pepper, passwords) = (db.pepper(), Passwords::new());
    let (account, license) = db.first().await;
    let owner = signed_in(&db, &account, "owner@example.com", Role::Owner).await;
    let admin = signed_in(&db, &account, "admin@example.com", Role::Admin).await;
    let somebody = user(&db, &account, "bob@example.com", Role::Owner).await;
    let before = row_counts(&db).await;
    for (who, wanted) in [(&owner, "admins only"), (&admin, "ok")] {
        let service = service(&db, &pepper, who);
        let role = who.user.email.split('@').next().unwrap();
        for (what, found) in office(&service, &passwords, &account, somebody.id, &license, role).await {
            assert_eq!(found, wanted, "{role}: {what}");
        }
        if wanted != "ok" {
            assert_eq!(row_counts(&db).await, before, "nothing was changed");
        }
        for (what, found) in [
            ("accounts", word(service.accounts().await)),
            ("users", word(service.users(None).await)),
            ("plans", word(service.plans().await)),
            ("licenses", word(service.licenses(None).await)),
            ("license", word(service.license(license.id).await)),
            ("create API token", word(service.create_api_token("farm", None).await)),
        ] {
            assert_eq!(found, "ok", "{role}: {what}");
        }
    }
}

#[tokio::test]
async fn an_admin_serves_every_account() {
    let db = Database::new(ENGINE).await;
    let pepper = db.pepper();
    let (mine, _) = db.first().await;
    let (other, theirs) = another_account(&db, "Other", 5).await;
    let mut admin = signed_in(&db, &mine, "admin@example.com", Role::Admin).await;
    admin.api_token = Some("nightly".to_owned());
    let (id, token) = seat(&db, &theirs, "ada@example.com").await;
    let service = service(&db, &pepper, &admin);
    assert_eq!(word(service.seat(id).await), "ok");
    assert_eq!(word(service.share(id, &token).await), "ok");
    assert_eq!(
        word(service.create_seat("x@example.com", None, None).await),
        "invalid license",
        "which of them?"
    );
    assert_eq!(word(service.create_seat("x@example.com", Some(theirs.id), None).await), "ok");
    assert_eq!(airgap_word(service.answer_airgap(db.folder(), &request(&token, "a")).await), "ok");
    assert_eq!(word(service.act(id, SeatAction::Revoke, false).await), "ok");
    for (account, count) in [(None, 2), (Some(other.id), 1), (Some(mine.id), 1), (Some(Uuid::new_v4()), 0)] {
        assert_eq!(service.licenses(account).await.unwrap().len(), count, "{account:?}");
    }
    let query = AuditQuery { account: Some(other.id), limit: 100, ..AuditQuery::default() };
    let newest = service.audit(query).await.unwrap().rows.remove(0);
    let who = (newest.actor_name.as_deref(), newest.api_token.as_deref());
    assert_eq!((newest.event.as_str(), who), ("revoked", (Some("admin@example.com"), Some("nightly"))));
}

#[tokio::test]
async fn nobody_locks_himself_out() {
    let db = Database::new(ENGINE).await;
    let pepper = db.pepper();
    let (account, _) = db.first().await;
    let admin = signed_in(&db, &account, "admin@example.com", Role::Admin).await;
    for change in [UserChange::Disable, UserChange::Role(Role::Owner), UserChange::Enable] {
        let changed = service(&db, &pepper, &admin).change_user(admin.user.id, change).await;
        assert_eq!(word(changed), "invalid user");
    }
}

#[tokio::test]
async fn names_that_would_be_two_are_refused() {
    let db = Database::new(ENGINE).await;
    let (pepper, passwords) = (db.pepper(), Passwords::new());
    let (account, present) = db.first().await;
    let admin = signed_in(&db, &account, "admin@example.com", Role::Admin).await;
    let service = service(&db, &pepper, &admin);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (name, entitlements, wanted) in [
        ("gold", &["cad", "farm"][..], "ok"),
        ("go ld", &[], "invalid name"),
        ("", &[], "invalid name"),
        ("gold", &["c ad"], "invalid entitlements"),
        ("gold", &["cad", ""], "invalid entitlements"),
        ("gold", &["cad\n"], "invalid entitlements"),
    ] {
        let plan = Plan { entitlements: granted(entitlements), ..plan(name) };
        assert_eq!(word(service.set_plan(plan).await), wanted, "{name:?} {entitlements:?}");
    }
    for (products, entitlements, auto_release, wanted) in [
        (&[PRODUCT][..], &["cad"][..], DAY, "ok"),
        (&[], &[], DAY, "invalid products"),
        (&["a b"], &[], DAY, "invalid products"),
        (&["a", ""], &[], DAY, "invalid products"),
        (&["a"], &["c ad"], DAY, "invalid entitlements"),
        // A lease must be able to end before it.
        (&["a"], &[], 1, "invalid auto_release"),
        (&["a"], &[], u64::MAX, "invalid auto_release"),
    ] {
        let new = License {
            products: names(products),
            entitlements: granted(entitlements),
            auto_release,
            ..license(account.id, 1)
        };
        let changed = License { id: present.id, seats_max: present.seats_max, ..new.clone() };
        assert_eq!(word(service.create_license(new).await), wanted, "{products:?} {entitlements:?}");
        let old = service.license(present.id).await.unwrap();
        assert_eq!(word(service.change_license(old, changed).await), wanted, "{products:?} {entitlements:?}");
    }
    for (email, wanted) in [
        ("x@example.com", "ok"),
        ("x@EXAMPLE.com", "taken"),
        ("x", "invalid email"),
        ("x y@example.com", "invalid email"),
    ] {
        assert_eq!(
            word(service.add_user(&passwords, account.id, email, Role::Owner, None).await),
            wanted,
            "{email}"
        );
    }
    for (name, wanted) in [("Studio", "ok"), ("  ", "invalid name"), ("a\u{7}b", "invalid name")] {
        assert_eq!(word(service.create_account(name).await), wanted, "{name:?}");
        assert_eq!(word(service.create_api_token(name, None).await), wanted, "{name:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_sent_again_is_answered_again() {
    let db = Database::new(ENGINE).await;
    let pepper = db.pepper();
    let (account, license) = db.first().await;
    let ada = signed_in(&db, &account, "ada@example.com", Role::Owner).await;
    let bob = signed_in(&db, &account, "bob@example.com", Role::Owner).await;
    let (service, of_bob) = (service(&db, &pepper, &ada), service(&db, &pepper, &bob));
    let key = "4f9c3a61-6c1d-4f0e-9a53-2b8f0c7d1e55";
    let with = |request: &'static [u8]| Some(IdempotencyKey { key, request });
    let shown = |token: &Token| token.expose_secret().to_owned();
    let create = async |service: &Service<'_>, again| {
        let made = service.create_seat("eve@example.com", Some(license.id), again).await;
        made.map(|IssuedSeat { seat, token, .. }| (seat.seat.id, shown(&token)))
    };

    let first = create(&service, with(b"1")).await.unwrap();
    assert_eq!(create(&service, with(b"1")).await.unwrap(), first);
    let race = join_all((0..AT_ONCE).map(|_| create(&service, with(b"1")))).await;
    assert!(race.into_iter().all(|made| made.unwrap() == first));
    assert_eq!(word(create(&service, with(b"2")).await), "key reused");
    assert_ne!(create(&of_bob, with(b"1")).await.unwrap(), first, "each user has his own keys");
    assert_ne!(create(&service, None).await.unwrap(), first);

    let refresh = async |again| {
        let acted = service.refresh(first.0, None, false, again).await.unwrap();
        (acted.changed, shown(&acted.token.unwrap()), acted.seat.seat.epoch)
    };
    let refreshed = refresh(with(b"1")).await;
    assert_eq!((refreshed.0, refreshed.2), (true, 1));
    assert_eq!(
        refresh(with(b"1")).await,
        refreshed,
        "the token can be read again, and is not refreshed again"
    );
    let dry = service.refresh(first.0, None, true, with(b"1")).await.unwrap();
    assert!(dry.token.is_none() && dry.changed, "a dry run shows nothing");

    let made = service.create_api_token("farm", with(b"1")).await.unwrap();
    let again = service.create_api_token("farm", with(b"1")).await.unwrap();
    assert_eq!((made.api_token.id, shown(&made.token)), (again.api_token.id, shown(&again.token)));
    assert_eq!(service.api_tokens().await.unwrap().len(), 1);
    service.delete_api_token(made.api_token.id).await.unwrap();
    assert_eq!(word(service.create_api_token("farm", with(b"1")).await), "not found", "it is gone");

    let bytes = db.stolen().await;
    for secret in [&first.1, &refreshed.1, &shown(&made.token), key] {
        assert!(!contains(&bytes, secret) && !contains(&bytes, &secret[4..]), "it lies in the database");
    }
    assert!(contains(&bytes, "eve@example.com"), "the right bytes were looked at");
    // With another pepper, as a thief of the database has it, nothing opens.
    let thief = Service::new(db.store(), &[0; 32], &ada);
    assert_ne!(create(&thief, with(b"1")).await.unwrap(), first);

    db.age(REMEMBERED).await;
    assert_ne!(create(&service, with(b"1")).await.unwrap(), first, "after a day it is a new request");
}

#[tokio::test]
async fn a_key_that_is_no_key_is_refused() {
    let db = Database::new(ENGINE).await;
    let pepper = db.pepper();
    let (account, _) = db.first().await;
    let ada = signed_in(&db, &account, "ada@example.com", Role::Owner).await;
    let service = service(&db, &pepper, &ada);
    for (key, fits) in [
        ("x", true),
        (&*"x".repeat(255), true),
        ("\"quoted-as-the-draft-does\"", true),
        ("", false),
        (&*"x".repeat(256), false),
        ("a b", false),
        ("a\u{0}", false),
        ("\u{e4}", false),
    ] {
        let again = Some(IdempotencyKey { key, request: b"1" });
        let wanted = if fits { "ok" } else { "invalid Idempotency-Key" };
        assert_eq!(word(service.create_seat("x@example.com", None, again).await), wanted, "{key:?}");
    }
    assert_eq!(db.rows("seat").await, 3);
}

#[tokio::test]
async fn a_link_shows_the_token_that_the_seat_has() {
    let db = Database::new(ENGINE).await;
    let pepper = db.pepper();
    let (account, _) = db.first().await;
    let ada = signed_in(&db, &account, "ada@example.com", Role::Owner).await;
    let service = service(&db, &pepper, &ada);
    let issued = service.create_seat("eve@example.com", None, None).await.unwrap();
    let id = issued.seat.seat.id;
    let (link, ends) = service.share(id, &issued.token).await.unwrap();
    let now = db.store().ready().await.unwrap();
    assert!(ends.since(now) <= 7 * DAY && ends.since(now) > 7 * DAY - 30);
    let bytes = db.stolen().await;
    assert!(!contains(&bytes, issued.token.expose_secret()) && !contains(&bytes, &link.expose()));

    let kept = db.store().run(ConsumeOneTimeLink(one_time_link::id(&link))).await.unwrap().unwrap();
    let open =
        |link: &Secret, expires_at| one_time_link::open_token(link, &kept.sealed, kept.seat, expires_at);
    assert_eq!(open(&link, kept.expires_at).unwrap(), issued.token);
    assert!(open(&Secret::generate().unwrap(), kept.expires_at).is_err());
    assert!(open(&link, kept.expires_at.plus(DAY)).is_err(), "a thief cannot prolong it");

    let acted = service.refresh(id, None, false, None).await.unwrap();
    assert_eq!(word(service.share(id, &issued.token).await), "conflict", "the seat has another one now");
    assert_eq!(word(service.share(id, &token()).await), "conflict", "nobody's");
    assert_eq!(word(service.share(id, &acted.token.unwrap()).await), "ok");
    service.act(id, SeatAction::Revoke, false).await.unwrap();
    assert_eq!(db.rows("share").await, 0);
}

/// A user with a password that can be typed.
async fn with_password(db: &Database, passwords: &Passwords, email: &str) -> SignedIn {
    let (account, _) = db.first().await;
    let password = passwords.hash(Zeroizing::new(WORD.to_owned())).await.unwrap();
    let (id, role, email) = (Uuid::new_v4(), Role::Owner, email.to_owned());
    let new = NewUser { id, account: account.id, email, role, password };
    let user = db.store().run(AddUser(new, Actor::Console)).await.unwrap();
    SignedIn { user, account, api_token: None, session: None }
}

async fn knock(
    db: &Database,
    passwords: &Passwords,
    email: &str,
    password: &str,
    shown: Option<Hash>,
) -> Result<Secret, SignInError> {
    knock_from("192.0.2.7", db, passwords, email, password, shown).await
}

async fn knock_from(
    address: &str,
    db: &Database,
    passwords: &Passwords,
    email: &str,
    password: &str,
    shown: Option<Hash>,
) -> Result<Secret, SignInError> {
    let asking = SignInAttempt {
        email: email.to_owned(),
        password: Zeroizing::new(password.to_owned()),
        browser: seatlock_server::service::Browser {
            address: address.parse().unwrap(),
            agent: "Test\r\n".to_owned() + &"x".repeat(500),
        },
    };
    sign_in(db.store(), passwords, &db.pepper(), asking, shown).await
}

/// Whether somebody was let in, as a word of a table.
fn door<T>(result: &Result<T, SignInError>) -> &'static str {
    match result {
        Ok(_) => "in",
        Err(SignInError::Wrong) => "wrong",
        Err(SignInError::TooMany { .. }) => "too many",
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn signing_in_begins_a_new_session_each_time() {
    let db = Database::new(ENGINE).await;
    let passwords = Passwords::new();
    let ada = with_password(&db, &passwords, "Ada@example.com").await;
    let mut secrets = BTreeSet::new();
    let mut shown = None;
    for _ in 0..3 {
        let secret = knock(&db, &passwords, " ADA@example.com ", WORD, shown).await.unwrap();
        assert!(secrets.insert(secret.expose().to_string()), "the same secret twice");
        let found = db.store().run(FindSession(session_hash(&secret))).await.unwrap().unwrap();
        assert_eq!(found.user, ada.user);
        if let Some(before) = shown {
            assert_eq!(
                db.store().run(FindSession(before)).await.unwrap(),
                None,
                "what the browser showed has ended"
            );
        }
        shown = Some(session_hash(&secret));
    }
    // A session that somebody put into the browser is not taken over.
    let planted = Secret::generate().unwrap();
    let secret = knock(&db, &passwords, "ada@example.com", WORD, Some(session_hash(&planted))).await.unwrap();
    assert_ne!(*secret.expose(), *planted.expose());
    assert_eq!(db.store().run(FindSession(session_hash(&planted))).await.unwrap(), None);
    let listed = db.store().run(ListSessions(ada.user.id)).await.unwrap();
    assert_eq!(listed.len(), 2, "the last one of the loop, which nobody showed, and this one");
    assert_eq!(listed[0].agent.chars().filter(|c| *c != 'x').collect::<String>(), "Test");
    assert_eq!((listed[0].agent.len(), listed[0].address.as_str()), (200, "192.0.2.7"));
    let bytes = db.stolen().await;
    assert!(!contains(&bytes, &secret.expose()) && !contains(&bytes, WORD));

    let wrong = knock(&db, &passwords, "ada@example.com", "something else", shown).await;
    assert_eq!(door(&wrong), "wrong");
    assert!(
        db.store().run(FindSession(shown.unwrap())).await.unwrap().is_some(),
        "a failure ends no session"
    );
    db.store()
        .run(ChangeUser { id: ada.user.id, change: UserChange::Disable, keep: None, by: Actor::Console })
        .await
        .unwrap();
    assert_eq!(door(&knock(&db, &passwords, "ada@example.com", WORD, None).await), "wrong", "disabled");
    assert_eq!(door(&knock(&db, &passwords, "nobody@example.com", WORD, None).await), "wrong");
}

#[tokio::test]
async fn wrong_passwords_are_counted_and_wait() {
    let db = Database::new(ENGINE).await;
    let passwords = Passwords::new();
    with_password(&db, &passwords, "ada@example.com").await;
    with_password(&db, &passwords, "bob@example.com").await;
    for (times, password, wanted) in
        [(9, "wrong word", "wrong"), (1, WORD, "in"), (10, "wrong word", "wrong")]
    {
        for _ in 0..times {
            assert_eq!(door(&knock(&db, &passwords, "ada@example.com", password, None).await), wanted);
        }
    }
    for email in ["ada@example.com", " ADA@Example.com"] {
        let refused = knock(&db, &passwords, email, WORD, None).await;
        assert_eq!(door(&refused), "too many", "{email}: even with the right one");
    }
    assert_eq!(door(&knock(&db, &passwords, "bob@example.com", WORD, None).await), "in", "somebody else");
    let from =
        async |address| door(&knock_from(address, &db, &passwords, "ada@example.com", WORD, None).await);
    assert_eq!(from("198.51.100.1").await, "in", "whoever guesses keeps nobody out elsewhere");
    for address in ["2001:db8::1", "2001:db8::2"] {
        for _ in 0..5 {
            let from = knock_from(address, &db, &passwords, "ada@example.com", "wrong word", None);
            assert_eq!(door(&from.await), "wrong");
        }
    }
    assert_eq!(from("2001:db8::3").await, "too many", "one household has many addresses");
    let bytes = db.stolen().await;
    knock(&db, &passwords, "typed in the wrong field", WORD, None).await.unwrap_err();
    assert!(!contains(&bytes, "wrong field"));
    db.age(900).await;
    assert_eq!(door(&knock(&db, &passwords, "ada@example.com", WORD, None).await), "in");
}

#[tokio::test]
async fn sixteen_wrong_passwords_at_once_are_ten_tries() {
    let db = Database::new(ENGINE).await;
    let passwords = Passwords::new();
    with_password(&db, &passwords, "ada@example.com").await;
    let tries = (0..AT_ONCE).map(|_| knock(&db, &passwords, "ada@example.com", "wrong word", None));
    let doors = join_all(tries).await;
    assert_eq!(tally(doors.iter().map(door)), [("too many", 6), ("wrong", 10)].into());
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it() {
    const NEW: &str = "another long password";
    let db = Database::new(ENGINE).await;
    let (pepper, passwords) = (db.pepper(), Passwords::new());
    let mut ada = with_password(&db, &passwords, "ada@example.com").await;
    let mine = knock(&db, &passwords, "ada@example.com", WORD, None).await.unwrap();
    let elsewhere = knock(&db, &passwords, "ada@example.com", WORD, None).await.unwrap();
    let lives =
        async |secret: &Secret| db.store().run(FindSession(session_hash(secret))).await.unwrap().is_some();
    ada.session = db.store().run(FindSession(session_hash(&mine))).await.unwrap().unwrap().session;
    let change = async |present: &str, new: &str| {
        let [present, new] = [present, new].map(|text| Zeroizing::new(text.to_owned()));
        word(service(&db, &pepper, &ada).change_password(&passwords, present, new).await)
    };
    for (present, new, wanted) in [
        (WORD, "too short", "invalid new_password"),
        (WORD, "ADA@example.com", "invalid new_password"),
        ("not the present one", NEW, "invalid password"),
        ("", NEW, "invalid password"),
    ] {
        assert_eq!(change(present, new).await, wanted);
        assert!(lives(&elsewhere).await, "{wanted}");
    }
    assert_eq!(change(WORD, NEW).await, "ok");
    assert!(lives(&mine).await && !lives(&elsewhere).await, "signed out everywhere else");
    assert_eq!(door(&knock(&db, &passwords, "ada@example.com", WORD, None).await), "wrong");
    assert_eq!(door(&knock(&db, &passwords, "ada@example.com", NEW, None).await), "in");
    db.age(900).await;
    // Whoever has stolen a session must not find the password out by it.
    let guesses = join_all((0..AT_ONCE).map(|_| change("a guess", NEW))).await;
    let expected = [("invalid password".to_owned(), 10), ("rate_limited".to_owned(), 6)];
    assert_eq!(tally(guesses), expected.into());
    assert_eq!(change(NEW, WORD).await, "rate_limited");
    db.age(900).await;
    assert_eq!(change(NEW, WORD).await, "ok");
    service(&db, &pepper, &ada).sign_out_everywhere().await.unwrap();
    assert!(!lives(&mine).await);
}

#[tokio::test]
async fn a_backup_that_is_restored_forgets_what_was_handed_out() {
    let db = Database::new(ENGINE).await;
    let (pepper, passwords) = (db.pepper(), Passwords::new());
    let ada = with_password(&db, &passwords, "ada@example.com").await;
    let cookie = session_hash(&knock(&db, &passwords, "ada@example.com", WORD, None).await.unwrap());
    let service = service(&db, &pepper, &ada);
    let again = || Some(IdempotencyKey { key: "once", request: b"1" });
    let issued = service.create_seat("eve@example.com", None, again()).await.unwrap();
    let (link, _) = service.share(issued.seat.seat.id, &issued.token).await.unwrap();
    let bearer = service.create_api_token("farm", None).await.unwrap().token.stored_hash(&pepper);

    db.store().run(MarkRestored).await.unwrap();
    assert_eq!(db.store().run(FindSession(cookie)).await.unwrap(), None);
    assert_eq!(db.store().run(FindOneTimeLink(one_time_link::id(&link))).await.unwrap(), None);
    let made = service.create_seat("eve@example.com", None, again()).await.unwrap();
    assert_ne!(made.seat.seat.id, issued.seat.seat.id, "the answer of the past is not given again");
    assert!(db.store().run(FindBearer(bearer)).await.unwrap().is_some(), "API tokens stay");
    assert_eq!(
        call(&db, SeatOperation::Activate, &issued.token, "a").await.subject.unwrap().0.id,
        issued.seat.seat.id
    );
    assert_eq!(door(&knock(&db, &passwords, "ada@example.com", WORD, None).await), "in");
}
