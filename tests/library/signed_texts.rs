//! What a server has signed reaches people on one line and in the order in which it is written: no
//! control, format or bidirectional character, in an event, a status or a text, whoever has got
//! hold of the key.

use crate::license_support::{self as support, PINNED, PRODUCT, RENEWAL, key, signed};
use seatlock::protocol::api::{SeatCall, SeatRequest};
use seatlock::protocol::claims::EntitlementClaim;
use seatlock::protocol::{Act, Code, Token, TokenHash, TokenKind, Typ, UnixTime, is_plain};
use seatlock::{Client, Consent, Event, Intent, LockState, OperationId, Options, Text};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
/// An escape sequence, a second line, a text that runs backwards, and characters that nobody sees.
const ODD: &str =
    "Ada\u{1b}[2J\r\nUnlocked.\u{202e}cba\u{2066}\u{200b}\u{feff}\u{85}\u{2028}\u{e0041}\0\u{7}";
const SHOWN: &str = "Ada [2J  Unlocked.cba    ";

fn now() -> UnixTime {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    UnixTime::new(seconds.try_into().unwrap()).unwrap()
}

/// A server that signs odd texts: a lease for an activation, a verdict on everything else.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    url
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(&stream);
    let mut head: Vec<String> =
        reader.by_ref().lines().map(Result::unwrap).take_while(|l| !l.is_empty()).collect();
    head.iter_mut().for_each(|line| line.make_ascii_lowercase());
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let asked: SeatRequest = serde_json::from_slice(&body).unwrap();
    let tkh = Token::parse(TOKEN, TokenKind::Integration).unwrap().hash();
    let body =
        if head[0].contains(SeatCall::Activate.path()) { lease(&asked, tkh) } else { verdict(&asked, tkh) };
    let kind = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(stream, "{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
}

fn lease(asked: &SeatRequest, tkh: TokenHash) -> String {
    let claims = support::lease(|claims| {
        (claims.mid, claims.nonce, claims.tkh) = (asked.machine.id.clone(), asked.nonce, tkh);
        (claims.iat, claims.exp) = (now(), now().plus(7 * 24 * 3600));
        claims.plan = ODD.to_owned();
        claims.ent = ["cad", ODD].map(|name| (name.to_owned(), EntitlementClaim::default())).into();
        (claims.lic.account, claims.lic.email) = (ODD.to_owned(), ODD.to_owned());
    });
    json!({ "lease": signed(Typ::Lease, PINNED, &claims), "renewal": RENEWAL }).to_string()
}

fn verdict(asked: &SeatRequest, tkh: TokenHash) -> String {
    let claims = support::verdict(Code::SeatInUseElsewhere, Act::Drop, |claims| {
        (claims.mid, claims.nonce, claims.tkh) = (asked.machine.id.clone(), asked.nonce, tkh);
        claims.iat = now();
        claims.params = ["machine", "date", "time"].map(|name| (name.to_owned(), ODD.to_owned())).into();
    });
    json!({ "verdict": signed(Typ::Verdict, PINNED, &claims) }).to_string()
}

fn end_of(client: &Client, started: OperationId) -> Event {
    client.wait(started, Duration::from_secs(60)).unwrap().unwrap()
}

#[test]
fn signed_texts_are_shown_plain() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new();
    options.set_product(PRODUCT).unwrap();
    options.set_server(&serve()).unwrap();
    options.set_license_issuer(support::ISSUER).unwrap();
    options.add_lease_key(&key(PINNED).public().jwk_x()).unwrap();
    options.set_state_folder(folder.path().to_str().unwrap()).unwrap();
    options.set_machine_id("test-computer-texts").unwrap();
    let client = Client::open(&options).unwrap();
    let consent = Consent { terms: true, remember: true };
    let activated = end_of(&client, client.activate(TOKEN, consent).unwrap());
    assert_eq!(activated.code, Code::Ok, "{}", activated.message);
    let text = |what| client.text(what).unwrap().unwrap();
    assert_eq!(text(Text::Plan), SHOWN);
    assert_eq!(text(Text::Entitlements), format!("{SHOWN} cad"));
    let license = client.license().unwrap().unwrap();
    assert_eq!((license.account.as_str(), license.email.as_str()), (SHOWN, SHOWN));
    assert!(client.entitlement(ODD).unwrap().included, "for programs it is what was signed");

    let refused = end_of(&client, client.ping(Intent::Launch).unwrap());
    assert_eq!(refused.code, Code::SeatInUseElsewhere, "{}", refused.message);
    assert_eq!(client.status().unwrap().lock_state, LockState::Locked);
    let mut said = vec![refused.message.to_string(), text(Text::Status)];
    while let Some(event) = client.next_event(Duration::ZERO).unwrap() {
        said.push(event.message.to_string());
    }
    assert!(said.len() >= 3, "{said:?}");
    drop(client);
    said.push(Client::open(&options).unwrap().text(Text::Status).unwrap().unwrap());
    for text in &said {
        assert!(is_plain(text), "{text:?}");
    }
    assert_eq!(
        said.iter().filter(|text| text.contains(SHOWN.trim_end())).count(),
        said.len() - 1,
        "{said:?}"
    );
}
