//! Somebody with a browser: as much of one as a sign-in page needs.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A browser without history, and what it shows.
#[derive(Default)]
pub struct Person {
    cookies: BTreeMap<String, String>,
    pub url: String,
    pub page: String,
}

impl Person {
    /// Opens a page.
    pub fn visit(&mut self, url: &str) -> &mut Self {
        self.ask("GET", url, "")
    }

    /// Types into the form that is shown, and sends it.
    pub fn submit(&mut self, typed: &[(&str, &str)]) -> &mut Self {
        let action = between(&self.page, "action=\"", "\"").expect("a form").replace("&amp;", "&");
        let hidden = self.page.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
        let hidden: Vec<(String, String)> = hidden
            .filter_map(|input| {
                Some((between(input, "name=\"", "\"")?, between(input, "value=\"", "\"").unwrap_or_default()))
            })
            .collect();
        let fields =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(typed.iter().copied());
        let body: Vec<String> =
            fields.map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        self.ask("POST", &action, &body.join("&"))
    }

    /// Follows the link to another page that contains a word.
    pub fn follow(&mut self, word: &str) -> &mut Self {
        let link = self.page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let link = link.into_iter().find(|link| link.contains(word)).expect("a link").to_owned();
        self.visit(&link)
    }

    /// Signs in and allows what is asked for.
    pub fn sign_in(&mut self, url: &str, name: &str) -> &mut Self {
        self.visit(url).submit(&[("login", name), ("password", "any")]);
        self.submit(&[])
    }

    fn ask(&mut self, method: &str, url: &str, body: &str) -> &mut Self {
        let (mut method, mut url, mut body) = (method, absolute(&self.url, url), body);
        loop {
            let (address, path) =
                url.strip_prefix("http://").unwrap().split_once('/').unwrap_or((&url[7..], ""));
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut stream = TcpStream::connect(address).unwrap();
            write!(
                stream,
                "{method} /{path} HTTP/1.0\r\nHost: {address}\r\nCookie: {}\r\nContent-Length: {}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
                cookies.join("; "),
                body.len()
            )
            .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (head, page) = answer.split_once("\r\n\r\n").unwrap();
            for line in head.lines() {
                let Some((name, value)) = line.split_once(": ") else { continue };
                if name.eq_ignore_ascii_case("set-cookie") {
                    let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
            let found = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("location").then(|| value.to_owned())
            });
            (self.url, self.page) = (url.clone(), page.to_owned());
            match found {
                Some(next) => (method, url, body) = ("GET", absolute(&url, &next), ""),
                None => return self,
            }
        }
    }
}

fn absolute(base: &str, url: &str) -> String {
    if url.starts_with("http") {
        return url.to_owned();
    }
    let origin = base.match_indices('/').nth(2).map_or(base, |(at, _)| &base[..at]);
    format!("{origin}{url}")
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    Some(text.split_once(before)?.1.split_once(after)?.0.to_owned())
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}
