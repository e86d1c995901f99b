use super::wire::Denied;
use crate::license::Trouble;
use crate::scarcity::scarce;
use reqwest::Url;
use seatlock_protocol::Code;
use std::borrow::Cow;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PATH: &str = "/callback";
/// Longest request that is read, in bytes.
const LONGEST_REQUEST: usize = 16 * 1024;
/// Browsers open connections that they do not use.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries to take a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// More are not talked to at once.
const MOST_CONNECTIONS: usize = 16;

/// Where a browser comes back to after a sign-in: a port of this computer alone (RFC 8252, section 7.3), until the value
/// is dropped.
pub(super) struct Listener {
    listener: TcpListener,
    url: Url,
}

/// What a browser brought back.
type Brought = Result<String, Denied>;

impl Listener {
    pub(super) async fn bind() -> Result<Self, Denied> {
        let none = |error: io::Error| {
            Denied::because(
                scarce(&error).unwrap_or("This computer has no port for the browser to come back to"),
            )
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(none)?;
        let port = listener.local_addr().map_err(none)?.port();
        let url = Url::parse(&format!("http://127.0.0.1:{port}{PATH}"));
        Ok(Self { listener, url: url.map_err(|_| Denied::Trouble(Trouble::of(Code::Internal)))? })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Waits for the browser and answers the code that it brings. What does not bring `state` is not the browser that was
    /// sent, and changes nothing. Nothing listens any more afterwards.
    pub(super) async fn code(self, state: &str, issuer: &str) -> Brought {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                    // One that broke off before it was accepted is nobody's problem; without a descriptor for it, it
                    // is still there in a moment.
                    let Ok((stream, _)) = accepted else {
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    };
                    let (state, issuer) = (state.to_owned(), issuer.to_owned());
                    connections.spawn(async move {
                        tokio::time::timeout(PATIENCE, served(stream, &state, &issuer)).await.ok().flatten()
                    });
                }
                Some(served) = connections.join_next() => {
                    if let Ok(Some(brought)) = served {
                        return brought;
                    }
                }
            }
        }
    }
}

/// Reads one request and shows a small page.
async fn served(mut stream: TcpStream, state: &str, issuer: &str) -> Option<Brought> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < LONGEST_REQUEST {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let brought = brought(&String::from_utf8_lossy(&request), state, issuer);
    let (status, words) = match &brought {
        Some(Ok(_)) => ("200 OK", "Thank you. You may close this window and go back to the application."),
        Some(Err(_)) => {
            ("200 OK", "You are not signed in. You may close this window and go back to the application.")
        }
        None => ("404 Not Found", "There is nothing here."),
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-in</title><p>{words}</p></html>\n"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    // Whether the page is seen or not, the code is there.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    brought
}

/// What a request says, when it is from the browser that was sent (RFC 6749, section 4.1.2; RFC 9207).
fn brought(request: &str, state: &str, issuer: &str) -> Option<Brought> {
    let mut line = request.lines().next()?.split(' ');
    let (Some("GET"), Some(target)) = (line.next(), line.next()) else { return None };
    let url = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)).ok()?;
    let value = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value);
    if url.path() != PATH || value("state") != Some(Cow::Borrowed(state)) {
        return None;
    }
    if value("iss").is_some_and(|named| named.trim_end_matches('/') != issuer.trim_end_matches('/')) {
        return Some(Err(Denied::Error("mixed_up".to_owned())));
    }
    if let Some(error) = value("error") {
        return Some(Err(Denied::Error(error.into_owned())));
    }
    let code = value("code").filter(|code| !code.is_empty());
    Some(code.map(Cow::into_owned).ok_or(Denied::because("It sent the browser back without a code")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_may_bring() {
        let issuer = "https://login.example";
        // (the request's first line, what comes of it: a code, "" for nothing, or a part of the reason)
        for (line, expected) in [
            ("GET /callback?code=c1&state=s1 HTTP/1.1", "c1"),
            ("GET /callback?state=s1&code=a%2Bb%20c HTTP/1.1", "a+b c"),
            ("GET /callback?code=c1&state=s1&iss=https%3A%2F%2Flogin.example HTTP/1.1", "c1"),
            ("GET /callback?code=c1&state=s1&iss=https%3A%2F%2Fevil.example HTTP/1.1", "another issuer"),
            ("GET /callback?error=access_denied&state=s1 HTTP/1.1", "not allowed"),
            ("GET /callback?state=s1 HTTP/1.1", "without a code"),
            ("GET /callback?code=&state=s1 HTTP/1.1", "without a code"),
            ("GET /callback?code=c1&state=s2 HTTP/1.1", ""),
            ("GET /callback?code=c1 HTTP/1.1", ""),
            ("GET /callback?error=access_denied HTTP/1.1", ""),
            ("GET /callback?code=c1&state=s2&state=s1 HTTP/1.1", ""),
            ("GET /favicon.ico HTTP/1.1", ""),
            ("GET /?code=c1&state=s1 HTTP/1.1", ""),
            ("POST /callback?code=c1&state=s1 HTTP/1.1", ""),
            ("GET", ""),
            ("", ""),
            ("\u{fffd}\u{fffd}", ""),
        ] {
            let found = match brought(line, "s1", issuer) {
                None => String::new(),
                Some(Ok(code)) => code,
                Some(Err(denied)) => denied.into_trouble().detail.unwrap(),
            };
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{line}: {found}");
        }
    }

    /// A page of another website can send a browser here, but does not know the state.
    #[test]
    fn strangers_do_not_end_a_sign_in() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = Listener::bind().await.unwrap();
            let address = listener.listener.local_addr().unwrap();
            let ask = async |line: &str| {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(format!("{line}\r\n\r\n").as_bytes()).await.unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).await.unwrap();
                said
            };
            let _silent = TcpStream::connect(address).await.unwrap();
            let browser = async {
                assert!(ask("GET /callback?code=x&state=guessed HTTP/1.1").await.starts_with("HTTP/1.1 404"));
                let page = ask("GET /callback?code=c1&state=s1 HTTP/1.1").await;
                assert!(page.starts_with("HTTP/1.1 200") && page.contains("close this window"), "{page}");
                assert!(!page.contains("c1"), "the code is not shown");
            };
            let (code, ()) = tokio::join!(listener.code("s1", "https://login.example"), browser);
            assert_eq!(code, Ok("c1".to_owned()));
            assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
        });
    }
}
