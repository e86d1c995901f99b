//! Mail servers that are not there, do not answer, do not stop, or lie. Real ones are before `cargo
//! xtask ci mail`.

use seatlock_protocol::{Token, TokenKind};
use seatlock_server::mail::{Letter, LetterSecret, MailError, MailSettings, Mailer, address};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};
use xtask::port::Port;
use zeroize::Zeroizing;

const TOKEN: &str = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
/// Of the letters that end by it.
const DEADLINE: Duration = Duration::from_millis(700);
/// Of all others, which end by themselves; and what a busy computer adds to the one above.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a connection begins with, in the place of a line.
const CONNECT: &str = "CONNECT";

/// What the letter's sender was told.
async fn send(url: &str) -> Result<(), MailError> {
    send_within(PATIENCE, url).await
}

async fn send_within(deadline: Duration, url: &str) -> Result<(), MailError> {
    let mut settings = MailSettings::new(Zeroizing::new(url.to_owned()), "licenses@example.com".to_owned());
    settings.deadline = deadline;
    let mailer = Mailer::new(&settings).unwrap();
    let (to, shared_by) = (address("eve@example.org").unwrap(), address("ada@example.com").unwrap());
    let token = Token::parse(TOKEN, TokenKind::Integration).unwrap();
    let product = "Bridge";
    let letter = Letter {
        to: &to,
        shared_by: &shared_by,
        product,
        support: None,
        secret: LetterSecret::Token(&token),
    };
    let begin = Instant::now();
    let sent = mailer.send(&letter).await;
    assert!(begin.elapsed() < deadline + PATIENCE, "it took {:?}", begin.elapsed());
    let said = format!("{sent:?} {}", sent.as_ref().err().map(ToString::to_string).unwrap_or_default());
    assert!(!said.contains("sesame") && !said.contains("8uVq2Z"), "{said}");
    sent
}

/// A mail server for one connection, by what it answers to each line, and to `CONNECT`. Answers its
/// port.
fn server(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        answer(CONNECT, &mut stream);
        let lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n').map_while(Result::ok);
        lines.for_each(|line| answer(String::from_utf8_lossy(&line).trim_end(), &mut stream));
    });
    port
}

fn say(stream: &mut TcpStream, text: &str) {
    // Who has gone does not hear it.
    let _ = stream.write_all(text.as_bytes());
}

/// An honest server's answer; nothing while a letter is under way.
fn usual(line: &str) -> &'static str {
    match line.split([' ', ':']).next().unwrap_or_default() {
        CONNECT => "220 mail.example.com\r\n",
        "EHLO" => "250-mail.example.com\r\n250 AUTH PLAIN\r\n",
        "DATA" => "354 go on\r\n",
        "AUTH" | "MAIL" | "RCPT" | "." => "250 OK\r\n",
        "QUIT" => "221 bye\r\n",
        _ => "",
    }
}

/// An honest server, apart from what it answers to lines that begin with `command`.
fn except(command: &'static str, answer: &'static str) -> u16 {
    server(move |line, stream| {
        say(stream, if line.starts_with(command) { answer } else { usual(line) });
    })
}

#[tokio::test]
async fn an_honest_server_takes_it() {
    let port = except("nothing", "");
    assert_eq!(send(&format!("smtp://ada:sesame@127.0.0.1:{port}")).await, Ok(()));
}

#[tokio::test]
async fn a_letter_that_was_taken_is_sent_whatever_comes_then() {
    for answer in ["", "500 no\r\n", "nonsense\r\n"] {
        let port = except("QUIT", answer);
        assert_eq!(send(&format!("smtp://127.0.0.1:{port}")).await, Ok(()), "{answer:?}");
    }
}

#[tokio::test]
async fn nobody_is_there() {
    let nobody = Port::hold().unwrap();
    let port = nobody.number();
    for url in [format!("smtp://127.0.0.1:{port}"), format!("smtps://127.0.0.1:{port}")] {
        let said = send(&url).await.unwrap_err();
        assert!(matches!(said, MailError::Unreachable { .. }), "{said}");
        assert!(said.to_string().contains("refused"), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_stops_answering_is_given_up() {
    for command in [CONNECT, "EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        let port = except(command, "");
        let said = send_within(DEADLINE, &format!("smtp://ada:sesame@127.0.0.1:{port}")).await.unwrap_err();
        assert!(matches!(said, MailError::TooSlow { .. }), "{command}: {said}");
    }
    for tls in ["smtps://127.0.0.1:{}", "smtp://127.0.0.1:{}?tls=required"] {
        let port = server(|_, _| {});
        let said = send_within(DEADLINE, &tls.replace("{}", &port.to_string())).await.unwrap_err();
        assert!(matches!(said, MailError::TooSlow { .. }), "{tls}: {said}");
    }
}

#[tokio::test]
async fn a_letter_that_was_not_confirmed_may_have_been_sent() {
    // The first one never comes; until then a busy computer has all the time that it needs.
    for (answer, deadline) in [("", Duration::from_secs(5)), ("nonsense\r\n", PATIENCE)] {
        let port = except(".", answer);
        let said = send_within(deadline, &format!("smtp://127.0.0.1:{port}")).await.unwrap_err();
        assert!(matches!(said, MailError::Unconfirmed { .. }), "{said}");
    }
    let port = except(".", "554 5.7.1 no links, please\r\n");
    let said = send(&format!("smtp://127.0.0.1:{port}")).await.unwrap_err().to_string();
    assert_eq!(
        said,
        format!("the mail server 127.0.0.1:{port} refused: 554 5.7.1 no links, please. Nothing was sent.")
    );
}

#[tokio::test]
async fn nobody_learns_a_secret_from_an_answer() {
    let echo = |command: &'static str, code: &'static str| {
        server(move |line, stream| {
            let mine = line.starts_with(command);
            say(
                stream,
                &if mine { format!("{code} you said {line}: {TOKEN}\r\n") } else { usual(line).to_owned() },
            );
        })
    };
    for (command, code) in [("AUTH", "535"), ("RCPT", "550"), ("DATA", "554"), ("MAIL", "nonsense")] {
        let said = send(&format!("smtp://ada:sesame@127.0.0.1:{}", echo(command, code))).await.unwrap_err();
        assert!(!said.to_string().contains("you said"), "{said}");
    }
    let port = server(|line, stream| {
        let repeats = line.starts_with("AUTH");
        say(stream, &if repeats { format!("535 {line}\r\n") } else { usual(line).to_owned() });
    });
    let said = send(&format!("smtp://ada:sesame@127.0.0.1:{port}")).await.unwrap_err();
    assert!(matches!(&said, MailError::Password { reply, .. } if reply.words.is_empty()), "{said}");
}

#[tokio::test]
async fn no_tls_and_no_password_are_said() {
    let port = except("nothing", "");
    let said = send(&format!("smtp://127.0.0.1:{port}?tls=required")).await.unwrap_err();
    assert!(matches!(said, MailError::NoTls { .. }), "{said}");
    let port = except("EHLO", "250 mail.example.com\r\n");
    let said = send(&format!("smtp://ada:sesame@127.0.0.1:{port}")).await.unwrap_err();
    assert!(matches!(said, MailError::NoLogin { .. }), "{said}");
    let port = except(CONNECT, "HTTP/1.1 400 Bad Request\r\n\r\n");
    let said = send(&format!("smtps://127.0.0.1:{port}")).await.unwrap_err();
    assert!(matches!(said, MailError::Tls { .. }), "{said}");
}

#[tokio::test]
async fn a_server_that_talks_nonsense_ends_nothing_else() {
    // Of all these, only the line of spaces stops lettre with a panic.
    for answer in [
        "nonsense\r\n",
        "250-x\r\n250- \r\n250 y\r\n",
        "250 \r\n",
        "\u{0}\r\n",
        "999 x\r\n",
        "250-é\r\n250\r\n",
    ] {
        let port = except("EHLO", answer);
        let said = send(&format!("smtp://127.0.0.1:{port}?tls=required")).await.unwrap_err();
        let broken = matches!(said, MailError::Broken { .. } | MailError::NoTls { .. });
        assert!(broken, "{answer:?}: {said}");
    }
}

#[tokio::test]
async fn a_server_that_talks_for_ever_is_cut_off() {
    // Of many short lines lettre reads all again at each, so the deadline may come first.
    for (line, deadline) in [("220-welcome\r\n", DEADLINE), ("x", PATIENCE)] {
        let port = server(move |_, stream| while stream.write_all(line.repeat(1000).as_bytes()).is_ok() {});
        let said = send_within(deadline, &format!("smtp://127.0.0.1:{port}")).await.unwrap_err();
        let ended = matches!(said, MailError::Broken { .. });
        assert!(ended || line != "x" && matches!(said, MailError::TooSlow { .. }), "{line}: {said}");
    }
}

#[tokio::test]
async fn what_is_added_before_tls_is_not_believed() {
    // Without the wall between both, the client would take these lines for words that came through TLS,
    // and wait on.
    let port = server(|line, stream| {
        let answer = match line {
            line if line.starts_with("EHLO") => "250-mail.example.com\r\n250 STARTTLS\r\n",
            "STARTTLS" => "220 go\r\n250-mail.example.com\r\n250 AUTH PLAIN\r\n",
            line => usual(line),
        };
        say(stream, answer);
    });
    let said = send(&format!("smtp://ada:sesame@127.0.0.1:{port}?tls=required")).await.unwrap_err();
    assert!(matches!(said, MailError::Tls { .. }), "{said}");
}
