//! People and machines that sign in at a real OpenID provider, npm's oidc-provider: in front of a
//! license server that shows what it was asked, and of the real one.

use crate::person::Person;
use crate::support::{AGREED, AGREED_FOR_NOW, Computer, PATIENCE, end_of, standing, until};
use seatlock::protocol::AccessToken;
use seatlock::{Client, Code, Event, EventKind, Intent, LockState, OperationId, Options, Text};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use xtask::mock_server::MockServer;
use xtask::oidc_provider::{Provider, RunningProvider};
use xtask::server::Running;

const MIRA: &str = "mira@example.com";
/// After it every access token has ended.
const HOUR: Duration = Duration::from_secs(3600);

/// A provider, a license server and a computer.
struct Scene {
    provider: RunningProvider,
    server: MockServer,
    computer: Computer,
}

impl Scene {
    fn new(name: &str) -> Self {
        Self::with_lifetime(name, Duration::from_secs(300))
    }

    /// Access tokens live for so long.
    fn with_lifetime(name: &str, lifetime: Duration) -> Self {
        let provider = Provider { ttl: lifetime.as_secs(), ..Provider::default() }.start().unwrap();
        Self { provider, server: MockServer::start().unwrap(), computer: Computer::new(name) }
    }

    fn options(&self, client_id: &str) -> Options {
        let server = &self.server;
        let mut options = self.computer.options_for(server.url(), server.name(), &server.root_key());
        options.set_oidc_issuer(self.provider.url()).unwrap();
        options.set_client_id(client_id).unwrap();
        options.set_audience(self.provider.audience()).unwrap();
        options
    }

    fn person(&self) -> Client {
        Client::open(&self.options("plugin")).unwrap()
    }

    fn machine(&self, secret: &str) -> Client {
        let mut options = self.options("farm");
        options.set_client_secret(secret).unwrap();
        Client::open(&options).unwrap()
    }

    /// A computer at which Mira has signed in.
    fn signed_in(self) -> Self {
        let client = self.person();
        let operation = client.sign_in_browser(AGREED, false, None).unwrap();
        Person::default().sign_in(&page_of(&client), MIRA);
        assert_eq!(end_of(&client, Ok(operation)).code, Code::Ok);
        self.server.seen();
        self
    }
}

/// Waits for the page that a person is to open.
fn page_of(client: &Client) -> String {
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < PATIENCE, "nobody was asked to sign in");
        let event = client.next_event(Duration::from_millis(100)).unwrap();
        if event.as_ref().is_some_and(|event| event.kind == EventKind::SignIn) {
            return client.text(Text::SignInUrl).unwrap().unwrap();
        }
        assert!(event.is_none_or(|event| event.kind != EventKind::Operation), "it ended");
    }
}

fn subject(bearer: &str) -> String {
    AccessToken::read(bearer).unwrap().identity().subject.clone()
}

/// The port at which the library waits for the browser.
fn port(page: &str) -> String {
    let at = page.split_once("127.0.0.1%3A").unwrap().1;
    at.chars().take_while(char::is_ascii_digit).collect()
}

fn nobody_listens(page: &str) -> bool {
    TcpStream::connect(format!("127.0.0.1:{}", port(page))).is_err()
}

fn kept_sign_in(computer: &Computer) -> String {
    computer.stored_token().unwrap()
}

#[test]
fn a_machine_signs_in_by_itself_and_keeps_its_license_offline() {
    let scene = Scene::new("farm");
    let client = scene.machine("farm-secret");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(standing(&client), (LockState::Unlocked, Code::Ok));
    let seen = scene.server.seen();
    assert_eq!((seen.len(), seen[0].path.as_str()), (1, "/v1/seat/activate"));
    assert_eq!(subject(&seen[0].bearer), "farm");
    drop(client);
    for (path, bytes) in scene.computer.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("farm-secret") && !text.contains(&seen[0].bearer), "{}", path.display());
    }
    assert_eq!(scene.computer.stored_token(), None);

    let client = scene.machine("farm-secret");
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked, "before anything is asked");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(scene.server.seen()[0].path, "/v1/seat/ping");
}

#[test]
fn a_machine_that_is_refused_is_told_why() {
    let scene = Scene::new("refused");
    let client = scene.machine("wrong-secret");
    let event = end_of(&client, client.ping(Intent::Launch));
    assert_eq!(event.code, Code::SignInRefused, "{}", event.message);
    assert!(event.message.contains("client id or its secret (invalid_client)"), "{}", event.message);
    assert!(!event.message.contains("wrong-secret"));
    assert!(scene.server.seen().is_empty());
}

#[test]
fn a_client_that_the_provider_revoked_keeps_its_license() {
    let mut machine = Scene::new("revoked machine");
    let client = machine.machine("farm-secret");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let lease = machine.computer.stored_lease().unwrap();
    machine.provider.revoke("farm").unwrap();
    machine.server.refuse(&[Code::SignInRequired]);
    let event = end_of(&client, client.ping(Intent::Launch));
    assert_eq!(event.code, Code::SignInRefused, "{}", event.message);
    assert!(event.message.contains("invalid_client"), "{}", event.message);
    assert_eq!(standing(&client), (LockState::Grace, Code::OkOffline));
    assert_eq!(machine.computer.stored_lease().unwrap(), lease);

    let mut person = Scene::new("revoked plug-in").signed_in();
    person.provider.revoke("plugin").unwrap();
    let client = person.person();
    let event = end_of(&client, client.ping(Intent::Launch));
    assert_eq!(event.code, Code::SignInRefused, "{}", event.message);
    assert_eq!(standing(&client), (LockState::Grace, Code::OkOffline));
    assert!(person.server.seen().is_empty(), "there is nothing to show");
}

#[test]
fn an_access_token_is_shown_until_shortly_before_its_end() {
    let scene = Scene::new("lifetime");
    let client = scene.machine("farm-secret");
    for wait in [0, 180, 100] {
        scene.computer.time.advance(Duration::from_secs(wait));
        assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    }
    let seen = scene.server.seen();
    assert_eq!(seen[0].bearer, seen[1].bearer, "it is used again");
    assert_ne!(seen[1].bearer, seen[2].bearer, "and renewed while it is still good");
}

#[test]
fn a_refused_access_token_is_renewed_once() {
    let scene = Scene::new("once");
    let client = scene.machine("farm-secret");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let lease = scene.computer.stored_lease().unwrap();
    scene.server.seen();
    scene.server.refuse(&[Code::SignInRequired; 2]);
    let event = end_of(&client, client.ping(Intent::Launch));
    assert_eq!(event.code, Code::SignInRequired, "{}", event.message);
    let seen = scene.server.seen();
    assert_eq!(seen.len(), 2, "once more, and no more");
    assert_ne!(seen[0].bearer, seen[1].bearer);
    assert_eq!(standing(&client), (LockState::Grace, Code::OkOffline));
    assert_eq!(scene.computer.stored_lease().unwrap(), lease, "the license outlives the sign-in");
    scene.server.refuse(&[Code::SignInRequired]);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    assert_eq!(scene.server.seen().len(), 2);
    scene.server.refuse(&[Code::ScopeMissing]);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::ScopeMissing);
    assert_eq!(scene.server.seen().len(), 1, "another token would say the same");
}

#[test]
fn a_person_signs_in_once_and_later_launches_are_quiet() {
    let scene = Scene::new("person");
    let client = scene.person();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::NotActivated);
    let operation = client.sign_in_browser(AGREED, false, None).unwrap();
    let page = page_of(&client);
    assert!(page.contains("code_challenge_method=S256") && page.contains("state="), "{page}");
    let mut mira = Person::default();
    mira.sign_in(&page, MIRA);
    assert!(mira.page.contains("You may close this window"), "{}", mira.page);
    let event = end_of(&client, Ok(operation));
    assert_eq!(event.code, Code::Ok, "{}", event.message);
    assert_eq!(standing(&client), (LockState::Unlocked, Code::Ok));
    assert!(nobody_listens(&page), "nothing listens any more");
    assert_eq!(client.text(Text::SignInUrl).unwrap(), None);
    let seen = scene.server.seen();
    assert_eq!((seen[0].path.as_str(), subject(&seen[0].bearer).as_str()), ("/v1/seat/activate", MIRA));
    drop(client);
    let first = kept_sign_in(&scene.computer);
    assert!(!first.contains(&seen[0].bearer), "an access token is never kept");

    scene.computer.time.advance(HOUR);
    let client = scene.person();
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked);
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let seen = scene.server.seen();
    assert_eq!((seen[0].path.as_str(), subject(&seen[0].bearer).as_str()), ("/v1/seat/ping", MIRA));
    assert_ne!(kept_sign_in(&scene.computer), first, "the refresh token was rotated");
}

#[test]
fn a_sign_in_for_now_leaves_nothing_on_disk() {
    let scene = Scene::new("for-now");
    let client = scene.person();
    let operation = client.sign_in_browser(AGREED_FOR_NOW, false, None).unwrap();
    Person::default().sign_in(&page_of(&client), MIRA);
    assert_eq!(end_of(&client, Ok(operation)).code, Code::Ok);
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked);
    assert!(scene.computer.files().is_empty(), "{:?}", scene.computer.files().keys());
}

#[test]
fn a_sign_in_that_does_not_happen_changes_nothing() {
    let scene = Scene::new("not").signed_in();
    let client = scene.person();
    let sign_in = |timeout| client.sign_in_browser(AGREED, false, timeout).unwrap();
    let ended = |operation: OperationId| -> Event { end_of(&client, Ok(operation)) };

    let denied = sign_in(None);
    let page = page_of(&client);
    let mut mira = Person::default();
    mira.visit(&page).follow("/abort");
    assert!(mira.page.contains("You are not signed in"), "{}", mira.page);
    let event = ended(denied);
    assert_eq!(event.code, Code::SignInRefused);
    assert!(event.message.contains("not allowed (access_denied)"), "{}", event.message);

    let late = sign_in(Some(Duration::from_secs(600)));
    let page = page_of(&client);
    scene.computer.time.advance(Duration::from_secs(300));
    assert!(client.wait(late, Duration::from_millis(100)).unwrap().is_none(), "there is time left");
    scene.computer.time.advance(Duration::from_secs(300));
    let event = ended(late);
    assert_eq!(event.code, Code::SignInRefused);
    assert!(event.message.contains("in time") && nobody_listens(&page), "{}", event.message);

    let cancelled = sign_in(None);
    let page = page_of(&client);
    assert_eq!(end_of(&client, client.sign_in_device(AGREED, None)).code, Code::Busy, "one at a time");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok, "everything else goes on");
    client.cancel(cancelled).unwrap();
    assert_eq!(ended(cancelled).code, Code::Cancelled);
    // The worker stops listening a moment after the host is told.
    until("nobody listens", || nobody_listens(&page));

    let switched_off = sign_in(None);
    page_of(&client);
    client.allow_network(false).unwrap();
    assert_eq!(ended(switched_off).code, Code::NetworkDisallowed);
    client.allow_network(true).unwrap();

    sign_in(None);
    let page = page_of(&client);
    let begin = Instant::now();
    client.close(PATIENCE);
    assert!(begin.elapsed() < PATIENCE / 4, "closing does not wait for a person");
    assert!(nobody_listens(&page));
    assert!(kept_sign_in(&scene.computer).contains("refresh"), "whoever was signed in still is");
    assert!(scene.computer.stored_lease().is_some());
}

#[test]
fn another_device_will_do() {
    let scene = Scene::new("device");
    let client = scene.person();
    let denied = client.sign_in_device(AGREED, None).unwrap();
    let page = page_of(&client);
    let code = client.text(Text::SignInCode).unwrap().unwrap();
    let mut mira = Person::default();
    mira.visit(&page).submit(&[("user_code", &code)]).submit(&[("abort", "yes")]);
    let event = end_of(&client, Ok(denied));
    assert_eq!(event.code, Code::SignInRefused, "{}", event.message);

    let accepted = client.sign_in_device(AGREED, None).unwrap();
    let page = page_of(&client);
    let code = client.text(Text::SignInCode).unwrap().unwrap();
    let mut mira = Person::default();
    mira.visit(&page).submit(&[("user_code", &code)]).submit(&[]);
    mira.submit(&[("login", MIRA), ("password", "any")]).submit(&[]);
    let event = end_of(&client, Ok(accepted));
    assert_eq!(event.code, Code::Ok, "{} {}", event.message, mira.page);
    assert_eq!(subject(&scene.server.seen()[0].bearer), MIRA);
    assert!(kept_sign_in(&scene.computer).contains("refresh"));
}

#[test]
fn two_processes_do_not_use_one_refresh_token() {
    let scene = Scene::new("two").signed_in();
    for round in 0..3 {
        scene.computer.time.advance(HOUR);
        let clients = [scene.person(), scene.person(), scene.person()];
        let pings = clients.each_ref().map(|client| client.ping(Intent::Launch));
        let ends: Vec<_> = clients.iter().zip(pings).map(|(client, ping)| end_of(client, ping)).collect();
        let others = clients
            .iter()
            .flat_map(|client| std::iter::from_fn(|| client.next_event(Duration::ZERO).unwrap()));
        let said: Vec<_> = ends.iter().cloned().chain(others).map(|event| event.message).collect();
        assert!(ends.iter().all(|event| event.code == Code::Ok), "round {round}: {said:#?}");
    }
}

#[test]
fn an_access_token_that_ended_while_others_were_asking_is_still_shown() {
    let lifetime = Duration::from_secs(12);
    let scene = Scene::with_lifetime("turn", lifetime);
    let client = scene.machine("farm-secret");
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = scene.options("farm");
    options.set_server(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    options.set_client_secret("farm-secret").unwrap();
    let other = Client::open(&options).unwrap();
    other.ping(Intent::Launch).unwrap();
    let _connection = silent.accept().unwrap();
    let ping = client.ping(Intent::Launch).unwrap();
    assert!(client.wait(ping, Duration::from_millis(100)).unwrap().is_none(), "the other one has the turn");
    scene.computer.time.advance(lifetime);
    assert!(client.wait(ping, Duration::from_millis(100)).unwrap().is_none(), "and keeps it");
    drop(other);
    let event = end_of(&client, Ok(ping));
    assert_eq!(event.code, Code::Ok, "{}", event.message);
}

#[test]
fn a_refresh_token_that_was_used_twice_ends_the_sign_in_and_not_the_license() {
    let scene = Scene::new("reuse").signed_in();
    let stale = kept_sign_in(&scene.computer);
    let lease = scene.computer.stored_lease().unwrap();
    scene.computer.time.advance(HOUR);
    let client = scene.person();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::Ok);
    drop(client);
    // What a backup or a lost answer leaves behind.
    let file = scene.computer.file("state.json").unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    state["state"]["token"] = stale.into();
    fs::write(&file, state.to_string()).unwrap();
    scene.computer.time.advance(HOUR);
    for _ in 0..2 {
        let client = scene.person();
        let event = end_of(&client, client.ping(Intent::Launch));
        assert_eq!(event.code, Code::SignInRequired, "{}", event.message);
        assert_eq!(client.status().unwrap().lock_state, LockState::Grace);
    }
    assert!(!kept_sign_in(&scene.computer).contains("refresh"), "it is not shown again");
    assert_ne!(scene.computer.stored_lease().unwrap(), lease, "renewed by the first ping, and kept");

    let client = scene.person();
    let operation = client.sign_in_browser(AGREED, false, None).unwrap();
    Person::default().sign_in(&page_of(&client), MIRA);
    assert_eq!(end_of(&client, Ok(operation)).code, Code::Ok);
    assert_eq!(standing(&client), (LockState::Unlocked, Code::Ok));
}

#[test]
fn signing_out_is_told_to_the_issuer() {
    let scene = Scene::new("out").signed_in();
    let file = scene.computer.file("state.json").unwrap();
    let kept = fs::read(&file).unwrap();
    let client = scene.person();
    assert_eq!(end_of(&client, client.sign_out()).code, Code::Ok);
    assert_eq!(client.status().unwrap().lock_state, LockState::Locked);
    assert!(scene.computer.stored_token().is_none() && scene.computer.stored_lease().is_none());
    drop(client);
    // Whoever has made a copy has nothing of it.
    fs::write(&file, kept).unwrap();
    let client = scene.person();
    assert_eq!(end_of(&client, client.ping(Intent::Launch)).code, Code::SignInRequired);
    assert!(scene.server.seen().is_empty());
}

#[test]
fn the_real_server_gives_everybody_a_seat_of_their_own() {
    let provider = Provider::default().start().unwrap();
    let server = Running::start().unwrap();
    let add = ["issuer", "add", provider.url(), "--audience", provider.audience(), "--admit", "everybody"];
    server.administer(&add).unwrap();
    let open = |computer: &Computer, client_id: &str, secret: Option<&str>| {
        let mut options = computer.options(&server);
        options.set_oidc_issuer(provider.url()).unwrap();
        options.set_client_id(client_id).unwrap();
        options.set_audience(provider.audience()).unwrap();
        secret.iter().for_each(|secret| options.set_client_secret(secret).unwrap());
        Client::open(&options).unwrap()
    };
    let (farm, desk) = (Computer::new("real-farm"), Computer::new("real-desk"));
    let machine = open(&farm, "farm", Some("farm-secret"));
    let event = end_of(&machine, machine.ping(Intent::Launch));
    assert_eq!(event.code, Code::Ok, "{}", event.message);
    let person = open(&desk, "plugin", None);
    let operation = person.sign_in_browser(AGREED, false, None).unwrap();
    Person::default().sign_in(&page_of(&person), MIRA);
    let event = end_of(&person, Ok(operation));
    assert_eq!(event.code, Code::Ok, "{}", event.message);
    let seats = [&machine, &person].map(|client| client.text(Text::Seat).unwrap().unwrap());
    assert_ne!(seats[0], seats[1]);
    for client in [&machine, &person] {
        assert_eq!(end_of(client, client.ping(Intent::Launch)).code, Code::Ok);
        assert_eq!(standing(client), (LockState::Unlocked, Code::Ok));
    }
    server.administer(&["seat", "revoke", &seats[1], "--yes"]).unwrap();
    assert_eq!(end_of(&person, person.ping(Intent::Launch)).code, Code::TokenRevoked);
    assert_eq!(standing(&person), (LockState::Locked, Code::TokenRevoked));
    let event = end_of(&machine, machine.release());
    assert_eq!(event.code, Code::Ok, "{}", event.message);
    server.administer(&["issuer", "remove", provider.url()]).unwrap();
    let machine = open(&Computer::new("late"), "farm", Some("farm-secret"));
    assert_eq!(end_of(&machine, machine.ping(Intent::Launch)).code, Code::SignInRequired);
}
