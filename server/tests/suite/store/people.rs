//! Accounts, users, sessions, API tokens and one-time links, as every store must keep them.

use crate::{
    ENGINE,
    harness::{
        DAY,
        database::Database,
        join_all,
        store::{
            AT_ONCE, act, another_account, api_token, call, earlier, granted, license, new_seat, no_password,
            now, plan, random_hash, seat, session, session_by, tally, token, user, word,
        },
    },
};
use seatlock_protocol::Token;
use seatlock_server::crypto::password::PasswordHash;
use seatlock_server::domain::{
    API_TOKENS, AttemptBy, License, Plan, REMEMBERED, Role, SESSION_IDLE, SESSION_LIFE, SHARE_LIFE,
    SeatAction, SeatAnswer, SeatOperation,
};
use seatlock_server::store::{
    Actor, AddLicense, AddOneTimeLink, AddUser, ChangeLicense, ChangeUser, ConsumeOneTimeLink, CountAttempt,
    Created, EndSessions, FindBearer, FindOneTimeLink, FindSeat, FindSession, FindUser, IdempotencyRecord,
    ListAccounts, ListApiTokens, ListLicenses, ListPlans, ListSessions, ListUsers, NewSeat, NewUser,
    OneTimeLink, RemoveApiToken, SeatActionRequest, SessionScope, SetPlan, StoreError, TokenHashes,
    UserChange,
};
use uuid::Uuid;

#[tokio::test]
async fn what_a_license_or_a_user_belongs_to_must_be_there() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let nobody = Uuid::new_v4();
    for (of, named, wanted) in [
        (account.id, "pro", "ok"),
        (account.id, "starter", "ok"),
        (account.id, "gold", "not found"),
        (nobody, "pro", "not found"),
    ] {
        let mut new = license(of, 1);
        new.plan = plan(named);
        let made = db.store().run(AddLicense(new, Actor::Console)).await;
        assert_eq!(word(&made), wanted, "{named}");
        if let Ok(made) = made {
            assert_eq!(made.plan.carries_seats, named != "starter", "of the plan only the name counts");
        }
    }
    for (of, email, wanted) in
        [(account.id, "ada@example.com", "ok"), (nobody, "bob@example.com", "not found")]
    {
        let (id, email) = (Uuid::new_v4(), email.to_owned());
        let new = NewUser { id, account: of, email, role: Role::Owner, password: no_password() };
        assert_eq!(word(&db.store().run(AddUser(new, Actor::Console)).await), wanted);
    }
    let gone = db
        .store()
        .run(ChangeUser { id: nobody, change: UserChange::Enable, keep: None, by: Actor::Console })
        .await;
    assert_eq!(word(&gone), "not found");

    let (other, theirs) = another_account(&db, "Other", 3).await;
    let of = async |account| db.store().run(ListLicenses(account)).await.unwrap().len();
    assert_eq!((of(None).await, of(Some(account.id)).await, of(Some(other.id)).await), (4, 3, 1));
    assert_eq!(db.store().run(ListLicenses(Some(other.id))).await.unwrap(), [theirs]);
    let names = db.store().run(ListAccounts).await.unwrap().into_iter().map(|account| account.name);
    assert_eq!(names.collect::<Vec<_>>(), ["Example", "Other"], "the oldest first");
    user(&db, &other, "eve@example.com", Role::Owner).await;
    let of = async |account| db.store().run(ListUsers(account)).await.unwrap().len();
    assert_eq!((of(None).await, of(Some(account.id)).await, of(Some(other.id)).await), (2, 1, 1));
}

#[tokio::test]
async fn plans_are_made_and_replaced_for_every_license_that_has_them() {
    let db = Database::new(ENGINE).await;
    let row = |plan: &Plan| {
        (
            plan.name.clone(),
            plan.carries_seats,
            plan.entitlements.keys().cloned().collect::<Vec<_>>().join(" "),
        )
    };
    let all = async || db.store().run(ListPlans).await.unwrap().iter().map(row).collect::<Vec<_>>();
    let text = str::to_owned;
    assert_eq!(
        all().await,
        [
            (text("enterprise"), true, text("cad")),
            (text("pro"), true, String::new()),
            (text("starter"), false, String::new())
        ]
    );
    let gold = |carries_seats, entitlements: &[&str]| Plan {
        name: "gold".to_owned(),
        carries_seats,
        entitlements: granted(entitlements),
    };
    db.store().run(SetPlan(gold(true, &["cad", "farm"]), Actor::Console)).await.unwrap();
    let (account, _) = db.first().await;
    let mut new = license(account.id, 1);
    new.plan = plan("gold");
    let old = db.store().run(AddLicense(new.clone(), Actor::Console)).await.unwrap();
    assert_eq!(
        old,
        License { licensee: account.name.clone(), plan: old.plan.clone(), ..new },
        "read as written"
    );
    assert_eq!(old.plan.entitlements, granted(&["cad", "farm"]));
    db.store().run(SetPlan(gold(false, &[]), Actor::Console)).await.unwrap();
    let licenses = db.store().run(ListLicenses(None)).await.unwrap();
    let found = licenses.into_iter().find(|license| license.id == old.id).unwrap();
    assert_eq!((found.plan.carries_seats, found.plan.entitlements), (false, granted(&[])));
    // Who read the license before has decided by something else.
    let changed = db.store().run(ChangeLicense { old: old.clone(), new: old, by: Actor::Console }).await;
    assert_eq!(word(&changed), "conflict");
    assert_eq!(all().await.len(), 4);
}

#[tokio::test]
async fn an_email_address_is_one_persons_in_whatever_letters() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let (other, _) = another_account(&db, "Other", 1).await;
    for (of, email, wanted) in [
        (&account, "Ada@Example.com", "ok"),
        (&account, "ada@example.com", "taken"),
        (&other, "ADA@EXAMPLE.COM", "taken"),
        (&account, "ada@example.org", "ok"),
        (&account, "Änne@example.com", "ok"),
        (&other, "änne@example.com", "taken"),
        (&other, "anne@example.com", "ok"),
    ] {
        let (id, password) = (Uuid::new_v4(), no_password());
        let new = NewUser { id, account: of.id, email: email.to_owned(), role: Role::Owner, password };
        assert_eq!(word(&db.store().run(AddUser(new, Actor::Console)).await), wanted, "{email}");
    }
    for (typed, found) in [
        ("ada@example.com", Some("Ada@Example.com")),
        ("aDA@eXAMPLE.COM", Some("Ada@Example.com")),
        ("ada@example.net", None),
        ("änne@example.com", Some("Änne@example.com")),
        ("ÄNNE@EXAMPLE.COM", Some("Änne@example.com")),
        ("", None),
    ] {
        let user = db.store().run(FindUser(typed.to_owned())).await.unwrap();
        assert_eq!(user.map(|(user, _)| user.email).as_deref(), found, "{typed}");
    }
}

#[tokio::test]
async fn a_changed_user_is_signed_out_except_where_he_asked() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let bystander = user(&db, &account, "bob@example.com", Role::Owner).await;
    let (untouched, _) = session(&db, &bystander).await.unwrap();
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    let password = || PasswordHash("$argon2id$another".to_owned());
    for (change, keeps) in [
        (UserChange::Password(password()), true),
        (UserChange::Password(password()), false),
        (UserChange::Role(Role::Admin), true),
        (UserChange::Role(Role::Owner), false),
        (UserChange::Enable, true),
        (UserChange::Enable, false),
    ] {
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(session_now(&db, "ada@example.com").await);
        }
        let keep = keeps.then_some(made[1].1);
        let changed = db
            .store()
            .run(ChangeUser { id: ada.id, change: change.clone(), keep, by: Actor::Console })
            .await
            .unwrap();
        if let UserChange::Role(role) = change {
            assert_eq!(changed.role, role);
        }
        let mut living = Vec::new();
        for (hash, id) in &made {
            if db.store().run(FindSession(*hash)).await.unwrap().is_some() {
                living.push(*id);
            }
        }
        assert_eq!(living, Vec::from_iter(keep), "{change:?}, keeps {keeps}");
        let listed = db.store().run(ListSessions(ada.id)).await.unwrap();
        assert_eq!(listed.iter().map(|session| session.id).collect::<Vec<_>>(), living);
        assert!(db.store().run(FindSession(untouched)).await.unwrap().is_some(), "{change:?}");
        db.store().run(EndSessions(SessionScope::All(ada.id))).await.unwrap();
    }
    assert_eq!(db.store().run(FindUser("ada@example.com".to_owned())).await.unwrap().unwrap().1, password());
}

/// A session of whoever has this address, with the password that he has now.
async fn session_now(db: &Database, email: &str) -> ([u8; 32], Uuid) {
    let (user, password) = db.store().run(FindUser(email.to_owned())).await.unwrap().unwrap();
    session_by(db, &user, password).await.unwrap()
}

#[tokio::test]
async fn a_disabled_user_loses_his_api_tokens_and_comes_in_by_nothing() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    let bob = user(&db, &account, "bob@example.com", Role::Owner).await;
    let (of_bob, _) = api_token(&db, &bob).await.unwrap();
    let (cookie, _) = session(&db, &ada).await.unwrap();
    let (bearer, _) = api_token(&db, &ada).await.unwrap();
    assert_eq!(db.store().run(FindBearer(bearer)).await.unwrap().unwrap().user, ada);
    let change = async |change| {
        db.store().run(ChangeUser { id: ada.id, change, keep: None, by: Actor::Console }).await.unwrap()
    };

    let disabled = change(UserChange::Disable).await;
    let since = disabled.disabled_at.unwrap();
    db.run(&format!(
        "UPDATE person SET disabled_at = {} WHERE email = 'ada@example.com'",
        since.seconds() - 5
    ))
    .await;
    assert_eq!(change(UserChange::Disable).await.disabled_at, Some(since.minus(5)), "since when stays");
    assert_eq!(db.store().run(FindSession(cookie)).await.unwrap(), None);
    assert_eq!(db.store().run(FindBearer(bearer)).await.unwrap(), None);
    assert_eq!(db.store().run(ListApiTokens(ada.id)).await.unwrap(), []);
    assert_eq!(word(&session(&db, &ada).await), "not found");
    assert_eq!(word(&api_token(&db, &ada).await), "not found");
    assert!(db.store().run(FindBearer(of_bob)).await.unwrap().is_some());

    assert_eq!(change(UserChange::Enable).await.disabled_at, None);
    assert_eq!(db.store().run(FindBearer(bearer)).await.unwrap(), None, "deleted for good");
    assert_eq!(db.store().run(FindSession(cookie)).await.unwrap(), None);
    let (cookie, _) = session(&db, &ada).await.unwrap();
    assert!(db.store().run(FindSession(cookie)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_ends_by_idleness_and_by_age() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    // The clock goes on during the test, on a slow computer for a while.
    const SLACK: u64 = 30;
    for (steps, lives) in [
        (vec![SESSION_IDLE - SLACK], true),
        (vec![SESSION_IDLE], false),
        (vec![SESSION_IDLE - SLACK; 21], true),
        (vec![SESSION_IDLE / 2; 14], true),
        (vec![SESSION_LIFE / 24; 24], false),
    ] {
        let (hash, id) = session(&db, &ada).await.unwrap();
        let total: u64 = steps.iter().sum();
        for (at, step) in steps.iter().enumerate() {
            db.age(*step).await;
            let found = db.store().run(FindSession(hash)).await.unwrap();
            let last = at + 1 == steps.len();
            assert_eq!(found.is_some(), lives || !last, "{step} s, {total} s in all");
            let listed = db.store().run(ListSessions(ada.id)).await.unwrap();
            assert_eq!(listed.iter().any(|session| session.id == id), found.is_some(), "as it is listed");
        }
        // The next sign-in clears up.
        let (_, newest) = session(&db, &ada).await.unwrap();
        assert_eq!(
            db.number(&format!("SELECT count(*) FROM session WHERE id = '{id}'")).await,
            i64::from(lives)
        );
        assert_eq!(db.store().run(ListSessions(ada.id)).await.unwrap()[0].id, newest, "the newest first");
        db.store().run(EndSessions(SessionScope::All(ada.id))).await.unwrap();
    }
}

/// The clock was set back a little: time stands still until it has caught up.
#[tokio::test]
async fn a_session_ends_by_the_clock_that_is_believed() {
    const SET_BACK: u64 = 200;
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    for (left, lives) in [(SET_BACK / 2, false), (SET_BACK + 60, true)] {
        db.run("UPDATE clock SET mark = NULL").await;
        let (hash, _) = session(&db, &ada).await.unwrap();
        db.age(SESSION_IDLE - left).await;
        let mark = db.store().ready().await.unwrap().plus(SET_BACK).seconds();
        db.run(&format!("UPDATE clock SET mark = {mark}")).await;
        assert_eq!(
            db.store().run(ListSessions(ada.id)).await.unwrap().len(),
            usize::from(lives),
            "{left} s left"
        );
        assert_eq!(db.store().run(FindSession(hash)).await.unwrap().is_some(), lives, "{left} s left");
        db.store().run(EndSessions(SessionScope::All(ada.id))).await.unwrap();
    }
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_begins_no_session() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    // Somebody who knows the old password is being let in while it is changed.
    let change = UserChange::Password(PasswordHash("$argon2id$another".to_owned()));
    db.store().run(ChangeUser { id: ada.id, change, keep: None, by: Actor::Console }).await.unwrap();
    assert_eq!(word(&session(&db, &ada).await), "not found");
    assert_eq!(db.rows("session").await, 0);
}

#[tokio::test]
async fn when_something_was_used_is_known_to_the_minute() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    let (cookie, _) = session(&db, &ada).await.unwrap();
    let (bearer, made) = api_token(&db, &ada).await.unwrap();
    assert_eq!(made.last_used_at, None);
    let seen = async || db.store().run(ListSessions(ada.id)).await.unwrap()[0].seen_at;
    let used = async || db.store().run(ListApiTokens(ada.id)).await.unwrap()[0].last_used_at;
    db.store().run(FindBearer(bearer)).await.unwrap().unwrap();
    assert!(used().await.is_some(), "the first use is written");
    for (seconds, written) in [(20, false), (70, true), (20, false), (3600, true)] {
        db.age(seconds).await;
        let (session_before, token_before) = (seen().await, used().await);
        db.store().run(FindSession(cookie)).await.unwrap().unwrap();
        db.store().run(FindBearer(bearer)).await.unwrap().unwrap();
        assert_eq!(seen().await > session_before, written, "{seconds}");
        assert_eq!(used().await > token_before, written, "{seconds}");
    }
    // A clock that was wrong: what is in the future is written anew.
    db.run("UPDATE session SET seen_at = seen_at + 100000").await;
    let wrong = seen().await;
    db.store().run(FindSession(cookie)).await.unwrap().unwrap();
    assert!(seen().await < wrong);
}

#[tokio::test]
async fn ended_sessions_are_those_that_were_named() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let mut cookies = Vec::new();
    for email in ["ada@example.com", "bob@example.com"] {
        let user = user(&db, &account, email, Role::Owner).await;
        for _ in 0..2 {
            cookies.push((user.id, session(&db, &user).await.unwrap().0));
        }
    }
    let living = async || {
        let mut living = Vec::new();
        for (at, (_, hash)) in cookies.iter().enumerate() {
            if let Some(found) = db.store().run(FindSession(*hash)).await.unwrap() {
                assert_eq!((found.user.id, found.api_token), (cookies[at].0, None));
                living.push(at);
            }
        }
        living
    };
    for (ending, left) in [
        (SessionScope::Hash(random_hash()), vec![0, 1, 2, 3]),
        (SessionScope::All(Uuid::new_v4()), vec![0, 1, 2, 3]),
        (SessionScope::Hash(cookies[0].1), vec![1, 2, 3]),
        (SessionScope::Hash(cookies[0].1), vec![1, 2, 3]),
        (SessionScope::All(cookies[2].0), vec![1]),
    ] {
        db.store().run(EndSessions(ending)).await.unwrap();
        assert_eq!(living().await, left, "{ending:?}");
    }
}

#[tokio::test]
async fn attempts_at_once_are_counted_each() {
    let db = Database::new(ENGINE).await;
    let attempt = |email: [u8; 32], address: [u8; 32]| {
        db.store().run(CountAttempt(vec![(AttemptBy::Person, email), (AttemptBy::Address, address)]))
    };
    let (email, address) = ([1; 32], [2; 32]);
    let tried = join_all((0..AT_ONCE).map(|_| attempt(email, address))).await;
    let refused: Vec<_> = tried.into_iter().map(Result::unwrap).collect();
    assert_eq!(tally(refused.iter().map(Option::is_some)), [(false, 10), (true, 6)].into());
    let most = async || db.number("SELECT max(count) FROM attempt").await;
    assert_eq!(most().await, 10, "a refused one counts for nobody");
    let until = refused.into_iter().flatten().max().unwrap();
    let now = db.store().ready().await.unwrap();
    assert!(until > now && until.since(now) <= 900, "{until:?}");

    // One address, many names.
    let names: Vec<[u8; 32]> = (0..AT_ONCE).map(|_| random_hash()).collect();
    let tried = join_all(names.iter().map(|name| attempt(*name, address))).await;
    assert!(tried.into_iter().all(|tried| tried.unwrap().is_none()));
    assert_eq!(most().await, 10 + AT_ONCE as i64);
    let tried = join_all((0..100).map(|_| attempt(random_hash(), address))).await;
    let refused = tried.into_iter().filter(|tried| tried.as_ref().unwrap().is_some()).count();
    assert_eq!((most().await, refused), (100, 26));
    assert_eq!(attempt(random_hash(), [3; 32]).await.unwrap(), None, "another address");

    db.age(900).await;
    assert_eq!(attempt(email, address).await.unwrap(), None);
    assert_eq!(db.rows("attempt").await, 2, "what is over is forgotten");
}

#[tokio::test]
async fn a_sign_in_forgets_the_attempts_of_its_user_only() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    let (mine, theirs, address) = ([0; 32], [1; 32], [2; 32]);
    for name in [mine, mine, theirs, theirs] {
        let names = vec![(AttemptBy::Person, name), (AttemptBy::Address, address)];
        assert_eq!(db.store().run(CountAttempt(names)).await.unwrap(), None);
    }
    session(&db, &ada).await.unwrap();
    assert_eq!(db.number("SELECT CAST(sum(count) AS BIGINT) FROM attempt").await, 2 + 4);
}

#[tokio::test]
async fn a_fourth_api_token_is_refused_however_many_ask() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    let bob = user(&db, &account, "bob@example.com", Role::Owner).await;
    let asked = join_all((0..AT_ONCE).map(|_| api_token(&db, &ada))).await;
    let limit = API_TOKENS as usize;
    assert_eq!(tally(asked.iter().map(word)), [("limit", AT_ONCE - limit), ("ok", limit)].into());
    assert_eq!(db.store().run(ListApiTokens(ada.id)).await.unwrap().len(), limit);
    assert!(api_token(&db, &bob).await.is_ok(), "each user has his own");
    let (_, first) = asked.into_iter().find_map(Result::ok).unwrap();
    db.store().run(RemoveApiToken { user: ada.id, id: first.id, by: Actor::Console }).await.unwrap();
    assert!(api_token(&db, &ada).await.is_ok(), "a place is free again");
    assert_eq!(word(&api_token(&db, &ada).await), "limit");
}

#[tokio::test]
async fn a_deleted_api_token_is_refused_at_once() {
    let db = Database::new(ENGINE).await;
    let (account, _) = db.first().await;
    let ada = user(&db, &account, "ada@example.com", Role::Owner).await;
    let bob = user(&db, &account, "bob@example.com", Role::Owner).await;
    let (hash, made) = api_token(&db, &ada).await.unwrap();
    let shown = db.store().run(FindBearer(hash)).await.unwrap().unwrap();
    assert_eq!((shown.user, shown.account, shown.api_token.as_deref()), (ada.clone(), account, Some("farm")));
    assert_eq!(shown.session, None);
    let remove =
        async |user, id| word(&db.store().run(RemoveApiToken { user, id, by: Actor::Console }).await);
    assert_eq!(remove(bob.id, made.id).await, "not found", "somebody else's");
    assert_eq!(remove(ada.id, Uuid::new_v4()).await, "not found");
    assert!(db.store().run(FindBearer(hash)).await.unwrap().is_some());
    assert_eq!(remove(ada.id, made.id).await, "ok");
    assert_eq!(db.store().run(FindBearer(hash)).await.unwrap(), None);
    assert_eq!(remove(ada.id, made.id).await, "not found");
    assert_eq!(db.store().run(FindBearer(random_hash())).await.unwrap(), None);
}

async fn link(db: &Database, seat: Uuid, token: &Token) -> Result<[u8; 32], StoreError> {
    let id = random_hash();
    let expires_at = db.store().ready().await.unwrap().plus(SHARE_LIFE);
    let share = OneTimeLink { id, seat, sealed: vec![1, 2, 3], expires_at };
    let by = Actor::User("ada@example.com".to_owned());
    db.store()
        .run(AddOneTimeLink { link: share, token: token.stored_hash(&db.pepper()), by })
        .await
        .map(|()| id)
}

#[tokio::test]
async fn a_link_is_opened_once_however_many_click() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let (id, token) = seat(&db, &license, "ada@example.com").await;
    let link = link(&db, id, &token).await.unwrap();
    for _ in 0..3 {
        let looked = db.store().run(FindOneTimeLink(link)).await.unwrap().unwrap();
        assert_eq!((looked.seat, looked.sealed), (id, vec![1, 2, 3]), "looking changes nothing");
    }
    let opened = join_all((0..AT_ONCE).map(|_| db.store().run(ConsumeOneTimeLink(link)))).await;
    let got: Vec<_> = opened.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].seat, got[0].id), (id, link));
    assert_eq!(db.store().run(FindOneTimeLink(link)).await.unwrap(), None);
    assert_eq!(db.store().run(ConsumeOneTimeLink(link)).await.unwrap(), None);
    assert_eq!(db.number("SELECT count(*) FROM audit WHERE event = 'share_opened'").await, 1);
}

#[tokio::test]
async fn a_link_ends_with_time_and_with_its_token() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    type Step = (&'static str, Option<SeatAction>, u64, bool);
    let table: [Step; 6] = [
        ("at once", None, 0, true),
        ("shortly before its end", None, SHARE_LIFE - 30, true),
        ("at its end", None, SHARE_LIFE, false),
        ("after a release", Some(SeatAction::Release), 0, true),
        ("after a refresh", Some(SeatAction::Refresh), 0, false),
        ("after a revocation", Some(SeatAction::Revoke), 0, false),
    ];
    for (what, order, seconds, opens) in table {
        let (id, token) = seat(&db, &license, "ada@example.com").await;
        let (bystander, their) = seat(&db, &license, "bob@example.com").await;
        call(&db, SeatOperation::Activate, &token, "a").await;
        let link_of_other = link(&db, bystander, &their).await.unwrap();
        let link_of_seat = link(&db, id, &token).await.unwrap();
        if let Some(order) = order {
            assert_eq!(act(&db, id, order).await, SeatAnswer::Done, "{what}");
        }
        db.age(seconds).await;
        assert_eq!(db.store().run(FindOneTimeLink(link_of_seat)).await.unwrap().is_some(), opens, "{what}");
        assert_eq!(
            db.store().run(ConsumeOneTimeLink(link_of_seat)).await.unwrap().is_some(),
            opens,
            "{what}"
        );
        let other = db.store().run(FindOneTimeLink(link_of_other)).await.unwrap().is_some();
        assert_eq!(other, seconds < SHARE_LIFE, "{what}: somebody else's");
        if order.is_some_and(|order| order != SeatAction::Release) {
            assert_eq!(word(&link(&db, id, &token).await), "conflict", "{what}: a token of the past");
        }
        assert_eq!(word(&link(&db, id, &their).await), "conflict", "{what}: another seat's token");
        assert_eq!(word(&link(&db, Uuid::new_v4(), &token).await), "not found");
        for (seat, closed) in [(id, order == Some(SeatAction::Revoke)), (bystander, false)] {
            if !closed {
                act(&db, seat, SeatAction::Revoke).await;
            }
        }
        db.age(2 * DAY).await;
    }
    // Making one clears away those that have ended.
    let (id, token) = seat(&db, &license, "ada@example.com").await;
    link(&db, id, &token).await.unwrap();
    db.age(SHARE_LIFE).await;
    assert_eq!(db.rows("share").await, 1);
    link(&db, id, &token).await.unwrap();
    assert_eq!(db.rows("share").await, 1);
}

#[tokio::test]
async fn a_repeated_request_is_carried_out_once() {
    let db = Database::new(ENGINE).await;
    let (_, license) = db.first().await;
    let remember = |key: u8, request: u8| {
        Some(IdempotencyRecord { key: [key; 32], request: [request; 32], sealed: vec![key, request] })
    };
    let create = async |key, request| {
        let new = NewSeat {
            remember: remember(key, request),
            ..new_seat(license.id, "ada@example.com", &token(), &db.pepper())
        };
        (new.id, db.store().run(new).await)
    };
    let (first, made) = create(1, 1).await;
    now(made.unwrap());
    let again = join_all((0..AT_ONCE).map(|_| create(1, 1))).await;
    for (_, made) in again {
        assert_eq!(earlier(made.unwrap()), Some((first, vec![1, 1])));
    }
    assert_eq!(word(&create(1, 2).await.1), "key reused");
    let race = join_all((0..AT_ONCE).map(|_| create(2, 1))).await;
    let fresh = race.iter().filter(|(_, made)| matches!(made, Ok(Created::New(_)))).count();
    assert_eq!((fresh, db.rows("seat").await), (1, 2), "one of them, whoever came first");

    let refresh = async |key, request| {
        let new_token = Some(TokenHashes::of(&token(), &db.pepper()));
        let (act, by) = (SeatAction::Refresh, Actor::Console);
        let remember = remember(key, request);
        db.store()
            .run(SeatActionRequest {
                seat: first,
                act,
                new_token,
                shared_with: None,
                dry_run: false,
                remember,
                by,
            })
            .await
    };
    assert_eq!(now(refresh(3, 1).await.unwrap()).answer, SeatAnswer::Done);
    assert_eq!(earlier(refresh(3, 1).await.unwrap()), Some((first, vec![3, 1])));
    assert_eq!(word(&refresh(3, 9).await), "key reused");
    let epoch = db.store().run(FindSeat(first)).await.unwrap().unwrap().0.seat.epoch;
    assert_eq!(epoch, 1, "refreshed once");

    for (seconds, remembered) in [(REMEMBERED - 30, true), (31, false)] {
        db.age(seconds).await;
        let (_, made) = create(1, 1).await;
        assert_eq!(earlier(made.unwrap()).is_some(), remembered, "{seconds}");
    }
    assert_eq!(db.rows("remembered").await, 1, "what is over is forgotten");
}

#[tokio::test]
async fn a_refused_request_is_not_remembered() {
    let db = Database::new(ENGINE).await;
    let (_, license) = another_account(&db, "Small", 0).await;
    let request = || NewSeat {
        remember: Some(IdempotencyRecord { key: [1; 32], request: [1; 32], sealed: vec![1] }),
        ..new_seat(license.id, "ada@example.com", &token(), &db.pepper())
    };
    let refused = now(db.store().run(request()).await.unwrap());
    assert!(matches!(refused.answer, SeatAnswer::Verdict(_)) && refused.subject.is_none());
    let larger = License { seats_max: 1, ..license.clone() };
    db.store().run(ChangeLicense { old: license.clone(), new: larger, by: Actor::Console }).await.unwrap();
    assert_eq!(now(db.store().run(request()).await.unwrap()).answer, SeatAnswer::Done);
}
