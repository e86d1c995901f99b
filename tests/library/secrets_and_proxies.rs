//! What is secret goes to no proxy in plain text: neither a token nor a client secret.

use seatlock::{Client, Code, Consent, Intent, Options};
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy that tells the first bytes of every connection, and answers none.
fn proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (say, heard) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut begin = [0; 200];
            let length = stream.read(&mut begin).unwrap_or(0);
            let _ = say.send(String::from_utf8_lossy(&begin[..length]).into_owned());
        }
    });
    (address, heard)
}

fn options(server: &str, proxy: &str, folder: &tempfile::TempDir) -> Options {
    let mut options = Options::new();
    options.set_product("com.example.bridge").unwrap();
    options.set_server(server).unwrap();
    options.set_license_issuer("https://seats.example.com").unwrap();
    options.add_root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    options.set_state_folder(folder.path().to_str().unwrap()).unwrap();
    options.set_machine_id("test-computer-proxy").unwrap();
    options.set_proxy(Some(proxy)).unwrap();
    options
}

#[test]
fn a_token_is_not_sent_to_a_proxy_without_https() {
    let ((proxy, heard), folder) = (proxy(), tempfile::tempdir().unwrap());
    let client = Client::open(&options("http://127.0.0.1:9", &proxy, &folder)).unwrap();
    let consent = Consent { terms: true, remember: false };
    for started in [client.activate(TOKEN, consent), client.preflight(Some(TOKEN))] {
        let event = client.wait(started.unwrap(), PATIENCE).unwrap().unwrap();
        assert_eq!(event.code, Code::Unreachable);
        assert!(event.message.contains("proxy without https"), "{}", event.message);
    }
    assert_eq!(heard.try_recv().ok(), None, "the proxy heard something");
}

#[test]
fn to_a_server_with_https_the_proxy_hears_a_name_only() {
    let ((proxy, heard), folder) = (proxy(), tempfile::tempdir().unwrap());
    let client = Client::open(&options("https://127.0.0.1:9", &proxy, &folder)).unwrap();
    let started = client.activate(TOKEN, Consent { terms: true, remember: false });
    let event = client.wait(started.unwrap(), PATIENCE).unwrap().unwrap();
    assert_ne!(event.code, Code::Ok);
    let said = heard.recv_timeout(PATIENCE).unwrap();
    assert!(said.starts_with("CONNECT 127.0.0.1:9 "), "{said}");
    assert!(!said.to_ascii_lowercase().contains("authorization: bearer"), "{said}");
}

/// A request that is on its way stays with its proxy, and the next one goes through the new one.
#[test]
fn another_proxy_on_an_open_client() {
    let (first, folder) = (TcpListener::bind("127.0.0.1:0").unwrap(), tempfile::tempdir().unwrap());
    let ((second, heard), address) = (proxy(), format!("http://{}", first.local_addr().unwrap()));
    let client = Client::open(&options("https://127.0.0.1:9", &address, &folder)).unwrap();
    let activate = || client.activate(TOKEN, Consent { terms: true, remember: false }).unwrap();
    let ended = |operation| client.wait(operation, PATIENCE).unwrap().unwrap();
    let begun = activate();
    let (on_its_way, _) = first.accept().unwrap();
    client.set_proxy(Some(&second)).unwrap();
    assert_eq!(client.wait(begun, Duration::from_millis(300)).unwrap(), None, "it goes on");
    assert_eq!(heard.try_recv().ok(), None);
    drop(on_its_way);
    assert_eq!(ended(begun).code, Code::Unreachable);
    ended(activate());
    assert!(heard.recv_timeout(PATIENCE).unwrap().starts_with("CONNECT 127.0.0.1:9 "));

    let refused = client.set_proxy(Some("socks5://ada:hunter2@proxy.test")).unwrap_err();
    assert_eq!((refused.code, refused.to_string().contains("ter2")), (Code::InvalidArgument, false));
    ended(activate());
    assert!(heard.recv_timeout(PATIENCE).is_ok(), "what was refused has changed nothing");
    for direct in [Some(""), None] {
        client.set_proxy(direct).unwrap();
        ended(activate());
        assert_eq!(heard.try_recv().ok(), None, "{direct:?}");
    }
    client.set_proxy(Some(&second)).unwrap();
    ended(activate());
    assert!(heard.recv_timeout(PATIENCE).is_ok(), "and back");
}

#[test]
fn a_client_secret_is_not_sent_to_a_proxy_without_https() {
    let ((proxy, heard), folder) = (proxy(), tempfile::tempdir().unwrap());
    let mut options = options("https://127.0.0.1:9", &proxy, &folder);
    options.set_oidc_issuer("http://127.0.0.1:10").unwrap();
    options.set_client_id("farm").unwrap();
    options.set_client_secret("a-client-secret").unwrap();
    let client = Client::open(&options).unwrap();
    let event = client.wait(client.ping(Intent::Launch).unwrap(), PATIENCE).unwrap().unwrap();
    assert_eq!(event.code, Code::IdentityProviderUnavailable);
    assert!(event.message.contains("proxy without https"), "{}", event.message);
    assert_eq!(heard.try_recv().ok(), None, "the proxy heard something");
}
