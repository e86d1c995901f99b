//! One table of texts, `catalogues/table.json`, and the catalogues that are made of it.

use seatlock::words::{Language, Message, Phrase};
use seatlock::{Code, protocol::is_plain};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};
use xtask::{install::Install, plugin::Plugin, repository};

const ROOT_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

const LANGUAGES: [&str; 7] = ["de", "es", "fr", "ja", "ko", "pt", "zh-Hans"];

/// Texts by language, by id.
type Table = BTreeMap<String, BTreeMap<String, String>>;

fn path(name: &str) -> PathBuf {
    repository().join("catalogues").join(name)
}

fn table() -> Table {
    serde_json::from_slice(&fs::read(path("table.json")).unwrap()).unwrap()
}

fn english() -> BTreeMap<String, &'static str> {
    let codes = Code::TABLE.iter().map(|row| (row.name.to_owned(), row.text));
    let remedies = Code::TABLE.iter().map(|row| (format!("{}.remedy", row.name), row.remedy));
    let phrases = Phrase::TABLE.iter().map(|phrase| (phrase.id.to_owned(), phrase.english));
    let all: Vec<_> = codes.chain(remedies).chain(phrases).collect();
    let (count, by_id) = (all.len(), BTreeMap::from_iter(all));
    assert_eq!(by_id.len(), count, "an id stands for two texts");
    by_id
}

fn blanks(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|part| part.split_once('}').expect("a blank ends").0).collect()
}

fn ends_as_a_sentence(text: &str) -> bool {
    text.ends_with(['.', '。'])
}

#[test]
fn every_language_has_every_text() {
    let (table, english) = (table(), english());
    let missing: Vec<_> = english.keys().filter(|id| !table.contains_key(*id)).collect();
    assert!(missing.is_empty(), "catalogues/table.json has no {missing:?}");
    let superfluous: Vec<_> = table.keys().filter(|id| !english.contains_key(*id)).collect();
    assert!(superfluous.is_empty(), "nobody says {superfluous:?} of catalogues/table.json");
    for (id, texts) in &table {
        let english = english[id];
        assert!(texts.keys().eq(LANGUAGES), "{id} is in {:?}", texts.keys());
        for (language, text) in texts {
            assert_eq!(blanks(text), blanks(english), "blanks of {id} in {language}: {text}");
            assert!(is_plain(text) && text.trim() == text, "{id} in {language}: {text:?}");
            assert_eq!(
                ends_as_a_sentence(text),
                ends_as_a_sentence(english),
                "end of {id} in {language}: {text}"
            );
            let east = matches!(language.as_str(), "ja" | "zh-Hans");
            assert!(!text.ends_with(if east { '.' } else { '。' }), "end of {id} in {language}: {text}");
            // French minutes are English ones.
            let said = text != english || (id, language.as_str()) == (&"minutes".to_owned(), "fr");
            assert!(!text.is_empty() && said, "{id} is not said in {language}");
        }
    }
}

#[test]
fn the_catalogues_are_made_of_the_table() {
    let (table, english) = (table(), english());
    for language in LANGUAGES.into_iter().chain(["en"]) {
        let mut catalogue = BTreeMap::from([("language", language)]);
        match language {
            "en" => catalogue.extend(english.iter().map(|(id, text)| (id.as_str(), *text))),
            _ => catalogue.extend(table.iter().map(|(id, texts)| (id.as_str(), texts[language].as_str()))),
        }
        let made = serde_json::to_string_pretty(&catalogue).unwrap() + "\n";
        let path = path(&format!("{language}.json"));
        if env::var_os("SEATLOCK_UPDATE").is_some() {
            fs::write(&path, &made).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == made,
            "{} is out of date: SEATLOCK_UPDATE=1 cargo test --test library catalogues",
            path.display()
        );
    }
}

#[test]
fn every_catalogue_is_installed() {
    let install = Install { prefix: "/usr".into(), destdir: None, debug: true };
    let installed = install.plan().unwrap();
    for language in LANGUAGES.into_iter().chain(["en"]) {
        let path = format!("/usr/share/seatlock/catalogues/{language}.json");
        assert!(installed.contains(&PathBuf::from(&path)), "{path}");
    }
}

/// The C example, with a server that nobody listens at.
#[test]
fn the_example_speaks_german_and_japanese() {
    let plugin = Plugin::build().unwrap();
    let state = tempfile::tempdir().unwrap();
    let said = |language: &str, arguments: &[&str]| {
        let mut command = Command::new(plugin.program());
        command.env_clear().env("EXAMPLE_PROXY", "").env("EXAMPLE_STATE_FOLDER", state.path());
        command.env("SEATLOCK_MACHINE_ID", "catalogue-test");
        command.args(arguments).args(["--server", "http://127.0.0.1:1", "--root-key", ROOT_KEY]);
        command.arg("--catalogue").arg(path(&format!("{language}.json")));
        let output = command.output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let token = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    for (language, arguments, sentences) in [
        (
            "de",
            ["preflight", token],
            [
                "Der Lizenzserver ist nicht erreichbar. Die Verbindung wurde abgelehnt.",
                "Prüfen Sie das Netzwerk, den Proxy und die Adresse des Servers.",
            ],
        ),
        (
            "de",
            ["activate", "sit_8uVq"],
            [
                "Das Token ist unvollständig oder enthält Tippfehler. Kopieren Sie es noch einmal.",
                "Geben Sie Ihr Lizenz-Token ein.",
            ],
        ),
        (
            "ja",
            ["activate", token],
            [
                "ライセンスサーバーに接続できません。接続が拒否されました。",
                "ライセンストークンを入力してください。",
            ],
        ),
        (
            "ja",
            ["import-file", "/nowhere"],
            [
                "ファイル /nowhere を使用できません: 見つかりません。",
                "ライセンストークンを入力してください。",
            ],
        ),
        ("en", ["activate", "sit_8uVq"], ["The token looks incomplete", "Enter your license token."]),
    ] {
        let said = said(language, &arguments);
        for sentence in sentences {
            assert!(said.contains(sentence), "{language} {arguments:?}: {said}");
        }
    }
}

#[test]
fn what_is_said_in_other_languages() {
    let say = |language: &str, message: Message| {
        let mut said = Language::default();
        said.set_catalogue(&fs::read(path(&format!("{language}.json"))).unwrap()).unwrap();
        assert_eq!(said.tag(), language);
        said.say(&message)
    };
    let refused = || Message::from(Code::Unreachable).because("reason", Phrase::NET_REFUSED.into());
    let elsewhere = || {
        let message = Message::from(Code::SeatInUseElsewhere).with("machine", "YBWE-SEZM");
        message.with("date", "2026-11-20").with("time", 1_795_338_001)
    };
    let limited = || Message::from(Code::ReleaseRateLimited).with("window", "7 days");
    let rows: &[(&str, Message, &str)] = &[
        ("en", refused(), "The license server is not reachable. The connection was refused."),
        ("de", refused(), "Der Lizenzserver ist nicht erreichbar. Die Verbindung wurde abgelehnt."),
        ("ja", refused(), "ライセンスサーバーに接続できません。接続が拒否されました。"),
        ("de", Code::Unreachable.into(), "Der Lizenzserver ist nicht erreichbar."),
        (
            "de",
            elsewhere(),
            "Seit 2026-11-20 auf YBWE-SEZM in Verwendung. Freigabe möglich ab 2026-11-22 09:01 UTC.",
        ),
        ("zh-Hans", elsewhere(), "自 2026-11-20 起在 YBWE-SEZM 上使用。可于 2026-11-22 09:01 UTC 起释放。"),
        ("ja", limited(), "シートはすでに解放されています。ライセンスごとに 7 日 に 1 回解放できます。"),
        ("ko", Code::LicenseExpired.into(), "계정 소유자에게 구독 갱신을 요청하십시오."),
    ];
    for (language, message, expected) in rows {
        assert_eq!(say(language, message.clone()), *expected);
    }
}
