use super::{Host, wine};
use anyhow::{Context as _, Result, ensure};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use xtask::run;

/// Where Windows keeps them.
const KEY: &str =
    "HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections";

/// (what, server, proxies, exceptions, setup script, whether the proxy is asked, code). `@` stands
/// for the address of the proxy.
#[rustfmt::skip] // one row, one case
const CASES: &[(&str, &str, &str, &str, &str, bool, &str)] = &[
    ("one for everything",         "license.invalid", "@",                        "",                "",      true,  "proxy_auth_required"),
    ("one for each scheme",        "license.invalid", "http=127.0.0.1:1;https=@", "",                "",      true,  "proxy_auth_required"),
    ("a URL for a scheme",         "license.invalid", "https=http://@",           "",                "",      true,  "proxy_auth_required"),
    ("another scheme only",        "license.invalid", "http=@",                   "",                "",      false, "unreachable"),
    ("SOCKS only",                 "license.invalid", "socks=@",                  "",                "",      false, "unreachable"),
    ("a wildcard inside",          "license.invalid", "@",                        "*cense.inv*",     "",      false, "unreachable"),
    ("a name and its port",        "license.invalid", "@",                        "license.invalid:443", "",  false, "unreachable"),
    ("a name and another port",    "license.invalid", "@",                        "license.invalid:8443", "", true,  "proxy_auth_required"),
    ("local names",                "license",         "@",                        "<local>",         "",      false, "unreachable"),
    ("a script",                   "license.invalid", "",                         "",                "/proxy.pac",  true,  "proxy_auth_required"),
    ("a script that says DIRECT",  "license.invalid", "@",                        "",                "/direct.pac", false, "unreachable"),
    ("a script that is not there", "license.invalid", "@",                        "",                "/gone.pac",   true,  "proxy_auth_required"),
    ("a script that hangs",        "license.invalid", "@",                        "",                "/hang.pac",   true,  "proxy_auth_required"),
    ("none",                       "license.invalid", "",                         "",                "",      false, "unreachable"),
];

/// The proxy that the settings of Windows name, in each of their forms, hears of a request or does
/// not.
pub fn read() -> Result<String> {
    let host = Host::new()?;
    let example = host.example()?;
    let (address, heard) = proxy()?;
    let hanging = TcpListener::bind("127.0.0.1:0")?;
    // Wine makes its engine for scripts ready at the first one, and that takes longer than a client
    // waits.
    let first = ("the first script", "license.invalid", "", "", "/direct.pac", false, "unreachable");
    for (what, server, list, except, script, asked, code) in [&first].into_iter().chain(CASES) {
        let list = list.replace('@', &address);
        let script = if script.is_empty() { String::new() } else { format!("http://{address}{script}") };
        let script = match script.strip_suffix("/hang.pac") {
            Some(_) => format!("http://{}/", hanging.local_addr()?),
            None => script,
        };
        settings(&list, except, &script)?;
        while heard.try_recv().is_ok() {}
        let mut ping = wine::command(&example);
        ping.args(["preflight", "-"]).env("EXAMPLE_SERVER", format!("https://{server}"));
        ping.env("EXAMPLE_ROOT_KEY", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        ping.env("EXAMPLE_STATE_FOLDER", host.name("state"));
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
            ping.env_remove(name);
        }
        let (_, said) = run::status(&mut ping, Some("sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs"))?;
        let found: Vec<String> = heard.try_iter().filter(|line| line.starts_with("CONNECT")).collect();
        ensure!(found.is_empty() != *asked, "{what}: the proxy heard {found:?}\n{said}");
        ensure!(said.contains(&format!("({code})")), "{what}: not {code}\n{said}");
    }
    settings("", "", "")?;
    Ok(format!("{} settings", CASES.len()))
}

/// Sets what a user sets in the dialog of Windows, in its own form; an empty text is not set.
fn settings(list: &str, except: &str, script: &str) -> Result<()> {
    let flags = 1 | u8::from(!list.is_empty()) << 1 | u8::from(!script.is_empty()) << 2;
    let mut bytes = vec![0x46, 0, 0, 0, 1, 0, 0, 0, flags, 0, 0, 0];
    for text in [list, except, script] {
        bytes.extend(u32::try_from(text.len())?.to_le_bytes());
        bytes.extend(text.bytes());
    }
    bytes.extend([0; 32]);
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    wine::registry(KEY, &format!("\"DefaultConnectionSettings\"=hex:{}\n", bytes.join(",")))
}

/// A proxy that wants a password of everybody, and has setup scripts that name itself. Tells the
/// first line of each request.
fn proxy() -> Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (say, heard) = channel();
    let own = address.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(line) = answer(stream, &own) {
                let _ = say.send(line);
            }
        }
    });
    Ok((address, heard))
}

fn answer(stream: TcpStream, own: &str) -> Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().context("nothing was asked")??;
    while !lines.next().context("half a request")??.trim().is_empty() {}
    let script = |way: &str| {
        let body = format!("function FindProxyForURL(url, host) {{ return \"{way}\"; }}\n");
        let kind = "Content-Type: application/x-ns-proxy-autoconfig";
        format!(
            "HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let answer = match first.split(' ').nth(1) {
        Some("/proxy.pac") => script(&format!("PROXY {own}")),
        Some("/direct.pac") => script("DIRECT"),
        Some("/gone.pac") => {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        }
        _ => "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n\
              Content-Length: 0\r\nConnection: close\r\n\r\n"
            .to_owned(),
    };
    (&stream).write_all(answer.as_bytes())?;
    Ok(first)
}
