//! A browser before the server's pages: cookies, forms, and what it shows.

use crate::harness::{Server, Site, http_client};
use reqwest::{Method, Response, StatusCode, header::HeaderMap};
use std::collections::BTreeMap;

/// The owner of the accounts here.
pub const OWNER: &str = "mira@nordlicht.example";

/// What came back.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub html: String,
}

impl Page {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, html: response.text().await.unwrap() }
    }

    pub fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.html);
        self.header("location")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a field of a form.
    pub fn field(&self, name: &str) -> String {
        let (_, rest) = self.html.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
        rest.split('"').next().unwrap().replace("&#34;", "\"").replace("&quot;", "\"")
    }

    /// The secret that it shows.
    pub fn secret(&self) -> String {
        self.find_secret().expect(&self.html)
    }

    /// The secret, where it shows one.
    pub fn find_secret(&self) -> Option<String> {
        let (_, rest) = self.html.split_once("id=\"secret\"")?;
        Some(rest.split_once('>')?.1.split('<').next()?.to_owned())
    }

    /// What a person reads.
    pub fn words(&self) -> String {
        let body = self.html.split_once("<main").map_or(self.html.as_str(), |(_, main)| main);
        let mut text = String::new();
        for part in body.split('<') {
            text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
        }
        let text = text.replace("&#39;", "'").replace("&#34;", "\"").replace("&#38;", "&");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Fails unless the HTML has this.
    pub fn says(&self, words: &str) -> &Self {
        assert!(self.html.contains(words), "no \"{words}\" in {} {}", self.status, self.html);
        self
    }

    /// Fails unless a person reads this.
    pub fn reads(&self, words: &str) -> &Self {
        assert!(self.words().contains(words), "no \"{words}\" in {} {}", self.status, self.words());
        self
    }

    /// Fails if a person reads this.
    pub fn does_not_read(&self, words: &str) -> &Self {
        assert!(!self.words().contains(words), "\"{words}\" in {} {}", self.status, self.words());
        self
    }
}

/// A browser with its cookies.
pub struct Browser<'a> {
    pub server: &'a Server<'a>,
    http: reqwest::Client,
    pub cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub fn new(server: &'a Server<'a>) -> Self {
        http_client();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, http, cookies: BTreeMap::new() }
    }

    pub async fn signed_in(server: &'a Server<'a>, email: &str, password: &str) -> Self {
        let mut browser = Self::new(server);
        assert_eq!(browser.sign_in(email, password).await.location(), "/seats");
        browser
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        self.post("/sign-in", &[("email", email), ("password", password)]).await
    }

    pub async fn get(&mut self, path: &str) -> Page {
        let page = self.send(Method::GET, path, &[], "", "").await;
        self.keep_cookies(page)
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let here = [("origin", self.server.url.as_str()), ("sec-fetch-site", "same-origin")];
        let page = self.post_from(path, form, &here).await;
        self.keep_cookies(page)
    }

    fn keep_cookies(&mut self, page: Page) -> Page {
        for cookie in page.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            for word in ["HttpOnly", "Secure", "Path=/", "SameSite=Lax"] {
                assert!(cookie.contains(word), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.remove(name);
            if !value.is_empty() {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        page
    }

    /// A form from anywhere; cookies that come back are not kept.
    pub async fn post_from(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(Method::POST, path, headers, "application/x-www-form-urlencoded", &body).await
    }

    /// Any request; cookies that come back are not kept.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        content_type: &str,
        body: &str,
    ) -> Page {
        let mut request = self.http.request(method, format!("{}{path}", self.server.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            request = request.header("cookie", cookies.collect::<Vec<_>>().join("; "));
        }
        if !content_type.is_empty() {
            request = request.header("content-type", content_type).body(body.to_owned());
        }
        Page::of(request.send().await.unwrap()).await
    }

    /// What a browser shows after a form was taken.
    pub async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let sent = self.post(path, form).await;
        self.get(sent.location()).await
    }

    /// What a browser shows after a form was sent, whether it was taken or not.
    pub async fn try_submit(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let sent = self.post(path, form).await;
        if sent.status == 303 { self.get(sent.location()).await } else { sent }
    }

    /// Makes a seat as a person does: its id and its token.
    pub async fn seat(&mut self, email: &str) -> (String, String) {
        let (id, token, _) = self.seat_and_address(email).await;
        (id, token)
    }

    /// Makes a seat as a person does: its id, its token, and where the token is shown.
    pub async fn seat_and_address(&mut self, email: &str) -> (String, String, String) {
        let key = self.get("/seats/new").await.field("form_key");
        let sent = self.post("/seats/new", &[("form_key", &key), ("email", email)]).await;
        let made = self.get(sent.location()).await;
        let id =
            made.html.split("href=\"/seats/").find(|part| part.as_bytes().get(8) == Some(&b'-')).unwrap();
        (id[..36].to_owned(), made.secret(), sent.location().to_owned())
    }
}

/// Adds a user and answers the password.
pub fn user(site: &Site, email: &str, options: &[&str]) -> String {
    let mut args = vec!["user", "add", email];
    args.extend(options);
    site.cli(&args).json()["password"].as_str().unwrap().to_owned()
}
