use super::wire::Denied;
use crate::license::RequestError;
use crate::scarcity::scarce;
use crate::words::{Language, Phrase};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Url;
use seatlock_protocol::{Code, address::is_same_issuer};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PATH: &str = "/callback";
/// As the pages of the license server look.
const STYLE: &str = ":root{color-scheme:light dark;--ground:#f6f7f9;--surface:#fff;--line:#e2e5ea;--text:#171a21;\
--muted:#59616f;--good:#0f6b45;--bad:#b3261e}\
@media (prefers-color-scheme:dark){:root{--ground:#0e1014;--surface:#16191f;--line:#2a2f39;--text:#e9ebef;\
--muted:#a0a8b6;--good:#6fd6a6;--bad:#ff9c94}}\
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--ground);color:var(--text);\
font:400 1rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}\
main{box-sizing:border-box;width:min(30rem,100vw - 2rem);padding:2rem;border:1px solid var(--line);\
border-top:4px solid var(--good);border-radius:12px;background:var(--surface)}\
main.bad{border-top-color:var(--bad)}h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3}\
p{margin:0;color:var(--muted)}";
/// Longest request that is read, in bytes.
const LONGEST_REQUEST: usize = 16 * 1024;
/// Browsers open connections that they do not use.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries to take a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a browser may take to be shown the end.
const GOOD_BYE: Duration = Duration::from_secs(1);
/// More are not talked to at once.
const MOST_CONNECTIONS: usize = 16;

/// Where a browser comes back to after a sign-in: a port of this computer alone (RFC 8252, section
/// 7.3), until the value is dropped.
pub(super) struct Listener {
    listener: TcpListener,
    url: Url,
    language: Arc<Language>,
}

/// What a browser brought back.
type Brought = Result<String, Denied>;

/// The browser that came back, which is shown what became of the sign-in. It waits meanwhile.
pub(super) struct Waiting(Option<TcpStream>, Arc<Language>);

/// What a browser is shown.
#[derive(Clone, Copy)]
enum Shown {
    SignedIn,
    NotSignedIn,
    Nothing,
}

impl Listener {
    pub(super) async fn bind(language: Arc<Language>) -> Result<Self, Denied> {
        let none = |error: io::Error| Denied::because(scarce(&error).unwrap_or(Phrase::OIDC_NO_PORT));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(none)?;
        let port = listener.local_addr().map_err(none)?.port();
        let url = Url::parse(&format!("http://127.0.0.1:{port}{PATH}"));
        Ok(Self {
            listener,
            language,
            url: url.map_err(|_| Denied::RequestError(RequestError::of(Code::Internal)))?,
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Waits for the browser and answers the code that it brings, and the browser. What does not
    /// bring `state` is not the browser that was sent, and changes nothing. Nothing listens any
    /// more afterwards.
    pub(super) async fn code(self, state: &str, issuer: &str) -> (Brought, Waiting) {
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
                    let language = Arc::clone(&self.language);
                    connections.spawn(async move {
                        tokio::time::timeout(PATIENCE, served(stream, &state, &issuer, &language)).await.ok().flatten()
                    });
                }
                Some(served) = connections.join_next() => {
                    if let Ok(Some((brought, stream))) = served {
                        return (brought, Waiting(Some(stream), self.language));
                    }
                }
            }
        }
    }
}

impl Waiting {
    /// Shows whether the person is signed in, once that is known.
    pub(super) async fn show(mut self, signed_in: bool) {
        let Some(mut stream) = self.0.take() else { return };
        let shown = if signed_in { Shown::SignedIn } else { Shown::NotSignedIn };
        // Whether the page is seen or not, the sign-in has ended.
        let _ = tokio::time::timeout(GOOD_BYE, answer(&mut stream, shown, &self.1)).await;
    }
}

/// A sign-in that was given up while the browser waited.
impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(stream) = self.0.take() {
            // All of it fits into the connection's buffer.
            let _ = stream.try_write(written(Shown::NotSignedIn, &self.1).as_bytes());
        }
    }
}

/// Reads one request. Who brings back what was asked for waits on; everybody else is told that
/// nothing is here.
async fn served(
    mut stream: TcpStream,
    state: &str,
    issuer: &str,
    language: &Language,
) -> Option<(Brought, TcpStream)> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < LONGEST_REQUEST {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    match brought(&String::from_utf8_lossy(&request), state, issuer) {
        Some(brought) => Some((brought, stream)),
        None => {
            let _ = answer(&mut stream, Shown::Nothing, language).await;
            None
        }
    }
}

async fn answer(stream: &mut TcpStream, shown: Shown, language: &Language) -> io::Result<()> {
    stream.write_all(written(shown, language).as_bytes()).await?;
    stream.shutdown().await
}

/// A whole answer of HTTP. The page needs nothing else, and may load nothing.
fn written(shown: Shown, language: &Language) -> String {
    let (status, class, title, words) = match shown {
        Shown::SignedIn => ("200 OK", "good", Phrase::PAGE_SIGNED_IN, Phrase::PAGE_SIGNED_IN_THEN),
        Shown::NotSignedIn => ("200 OK", "bad", Phrase::PAGE_NOT_SIGNED_IN, Phrase::PAGE_NOT_SIGNED_IN_THEN),
        Shown::Nothing => ("404 Not Found", "bad", Phrase::PAGE_NOTHING, Phrase::PAGE_NOTHING_THEN),
    };
    // A catalogue is the vendor's, and may hold what HTML reads otherwise.
    let text = |phrase| language.text(phrase).replace('&', "&amp;").replace('<', "&lt;");
    let (title, words, tag) = (text(title), text(words), language.tag());
    let page = format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><main class=\"{class}\"><h1>{title}</h1><p>{words}</p></main></body>\n</html>\n"
    );
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    )
}

/// What a request says, when it is from the browser that was sent (RFC 6749, section 4.1.2; RFC
/// 9207).
fn brought(request: &str, state: &str, issuer: &str) -> Option<Brought> {
    let mut line = request.lines().next()?.split(' ');
    let (Some("GET"), Some(target)) = (line.next(), line.next()) else { return None };
    let url = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)).ok()?;
    let value = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value);
    if url.path() != PATH || value("state") != Some(Cow::Borrowed(state)) {
        return None;
    }
    if value("iss").is_some_and(|named| !is_same_issuer(&named, issuer)) {
        return Some(Err(Denied::Error("mixed_up".to_owned())));
    }
    if let Some(error) = value("error") {
        return Some(Err(Denied::Error(error.into_owned())));
    }
    let code = value("code").filter(|code| !code.is_empty());
    Some(code.map(Cow::into_owned).ok_or(Denied::because(Phrase::OIDC_NO_CODE)))
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
                Some(Err(denied)) => denied.into_error().reason.unwrap().to_string(),
            };
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{line}: {found}");
        }
    }

    async fn ask(address: std::net::SocketAddr, line: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{line}\r\n\r\n").as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn the_page_is_in_the_language_of_the_client() {
        let mut language = Language::default();
        let json =
            r#"{"language":"de","page_signed_in":"Sie sind <b> & angemeldet","page_nothing":"Nichts"}"#;
        language.set_catalogue(json.as_bytes()).unwrap();
        let page = written(Shown::SignedIn, &language);
        assert!(
            page.contains("<html lang=\"de\">") && page.contains("<h1>Sie sind &lt;b> &amp; angemeldet</h1>")
        );
        assert!(page.contains("<p>You may close this window and go back to the application.</p>"), "{page}");
        assert!(written(Shown::Nothing, &language).contains("<title>Nichts</title>"));
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    }

    /// A page of another website can send a browser here, but does not know the state.
    #[test]
    fn strangers_do_not_end_a_sign_in() {
        run(async {
            let listener = Listener::bind(Arc::default()).await.unwrap();
            let address = listener.listener.local_addr().unwrap();
            let _silent = TcpStream::connect(address).await.unwrap();
            let browser = async {
                let stranger = ask(address, "GET /callback?code=x&state=guessed HTTP/1.1").await;
                assert!(stranger.starts_with("HTTP/1.1 404"));
                ask(address, "GET /callback?code=c1&state=s1 HTTP/1.1").await
            };
            let signed_in = async {
                let (code, browser) = listener.code("s1", "https://login.example").await;
                assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
                browser.show(true).await;
                code
            };
            let (code, page) = tokio::join!(signed_in, browser);
            assert_eq!(code, Ok("c1".to_owned()));
            assert!(!page.contains("c1"), "the code is not shown");
        });
    }

    #[test]
    fn the_browser_is_told_what_became_of_the_sign_in() {
        for (signed_in, line, says) in [
            (Some(true), "GET /callback?code=c1&state=s1 HTTP/1.1", "You are signed in"),
            (Some(false), "GET /callback?code=c1&state=s1 HTTP/1.1", "You are not signed in"),
            (Some(false), "GET /callback?error=access_denied&state=s1 HTTP/1.1", "You are not signed in"),
            // Given up while the browser waited.
            (None, "GET /callback?code=c1&state=s1 HTTP/1.1", "You are not signed in"),
        ] {
            run(async {
                let listener = Listener::bind(Arc::default()).await.unwrap();
                let address = listener.listener.local_addr().unwrap();
                let exchange = async {
                    let (_, browser) = listener.code("s1", "https://login.example").await;
                    match signed_in {
                        Some(signed_in) => browser.show(signed_in).await,
                        None => drop(browser),
                    }
                };
                let (page, ()) = tokio::join!(ask(address, line), exchange);
                assert!(page.starts_with("HTTP/1.1 200") && page.contains(says), "{page}");
                assert!(page.contains("You may close this window"), "{page}");
                let (head, body) = page.split_once("\r\n\r\n").unwrap();
                let length = format!("Content-Length: {}", body.len());
                assert!(head.contains(&length), "{head}");
                // The style is let through by its hash, and nothing else is.
                let style = body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
                let hash = STANDARD.encode(Sha256::digest(style));
                let policy = format!("default-src 'none'; style-src 'sha256-{hash}';");
                assert!(head.contains(&policy) && !body.contains("//") && !body.contains("style="), "{page}");
            });
        }
    }

    /// Whoever is told too early is thanked for a sign-in that fails.
    #[test]
    fn the_browser_waits_for_the_exchange() {
        run(async {
            let listener = Listener::bind(Arc::default()).await.unwrap();
            let address = listener.listener.local_addr().unwrap();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /callback?code=c1&state=s1 HTTP/1.1\r\n\r\n").await.unwrap();
            let (code, browser) = listener.code("s1", "https://login.example").await;
            assert_eq!(code, Ok("c1".to_owned()));
            let mut said = [0; 1];
            let early = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut said)).await;
            assert!(early.is_err(), "nothing is said before the end");
            browser.show(false).await;
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            assert!(page.contains("You are not signed in"), "{page}");
        });
    }
}
