//! The C++ example of signing in, at a real OpenID provider and a real license server.

use crate::person::Person;
use crate::support::{Computer, until};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use xtask::oidc_provider::{Provider, RunningProvider};
use xtask::server::Running;
use xtask::{build, c, repository, run};

const MIRA: &str = "mira@example.com";
const LICENSED: i32 = 0;
const USAGE: i32 = 2;
const LOCKED: i32 = 3;

/// Stands where a desktop has its own, and notes the page that it was asked to show.
const XDG_OPEN: &str = "#!/bin/sh\necho \"$1\" > \"$OPENED\"\n";

struct Scene {
    provider: RunningProvider,
    server: Running,
    computer: Computer,
    /// The program, and the folder in which programs are looked for.
    folder: TempDir,
}

impl Scene {
    /// The example with this scene's server and provider compiled in, as a plug-in has its own.
    fn new() -> Self {
        let (provider, server) = (Provider::default().start().unwrap(), Running::start().unwrap());
        let add =
            ["issuer", "add", provider.url(), "--audience", provider.audience(), "--admit", "everybody"];
        server.administer(&add).unwrap();
        let scene =
            Self { provider, server, computer: Computer::new("cpp"), folder: tempfile::tempdir().unwrap() };
        let compiled_in = [
            ("PRODUCT", "com.example.bridge"),
            ("SERVER", &scene.server.url()),
            ("ROOT_KEY", scene.server.root_key()),
            ("OIDC_ISSUER", scene.provider.url()),
            ("CLIENT_ID", "plugin"),
        ]
        .map(|(name, value)| format!("-DEXAMPLE_{name}=\"{value}\""));
        let link = c::link_with(&build::shared_library(false).unwrap()).unwrap();
        let flags =
            c::CXX_WARNINGS.iter().copied().chain(compiled_in.iter().chain(&link).map(String::as_str));
        let source = repository().join("examples/cpp/sign_in.cpp");
        let flags: Vec<&str> = flags.collect();
        c::cxx(&[&source], &[&repository().join("include")], &scene.path("sign_in"), &flags).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn example(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.path("sign_in"));
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SEATLOCK_")) {
            command.env_remove(name);
        }
        command.env("SEATLOCK_STATE_DIR", self.computer.folder.path());
        command.env("SEATLOCK_MACHINE_ID", &self.computer.machine);
        command.env("SEATLOCK_AUDIENCE", self.provider.audience());
        command.env("PATH", self.folder.path()).env("OPENED", self.path("opened")).args(words);
        command
    }

    /// Runs the example to its end without anybody, and answers what it said.
    fn alone(&self, words: &[&str], code: i32) -> String {
        let (ended, said) = run::status(&mut self.example(words), None).unwrap();
        assert_eq!(ended, code, "{words:?}: {said}");
        said
    }

    /// Runs the example with somebody who does what it says: `acts` is given the page, and with
    /// --device the code.
    fn with_person(&self, words: &[&str], code: i32, acts: impl FnOnce(&str, &str)) -> String {
        let mut command = self.example(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut value = |name: &str| lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
        let page = value("page ").expect("a page to open");
        let typed =
            if words == ["--device"] { value("code ").expect("a code to type") } else { String::new() };
        acts(&page, &typed);
        let mut said: Vec<String> = lines.collect();
        let output = child.wait_with_output().unwrap();
        said.push(String::from_utf8_lossy(&output.stderr).into_owned());
        let said = said.join("\n");
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        said
    }

    fn in_use(&self) -> usize {
        let seats = self.server.administer(&["seat", "list", "--json"]).unwrap();
        let seats: serde_json::Value = serde_json::from_str(&seats).unwrap();
        seats.as_array().unwrap().iter().filter(|seat| seat["lock_status"] == "in_use").count()
    }
}

#[test]
fn a_person_signs_in_with_a_browser_or_a_telephone_and_out_again() {
    let scene = Scene::new();
    let mut browser = Person::default();
    // Without a browser somebody opens the page by hand.
    let denied = scene.with_person(&[], LOCKED, |page, _| {
        browser.visit(page).follow("/abort");
    });
    assert!(denied.contains("(sign_in_refused)") && denied.contains("access_denied"), "{denied}");
    assert_eq!(scene.in_use(), 0);

    fs::write(scene.path("xdg-open"), XDG_OPEN).unwrap();
    fs::set_permissions(scene.path("xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    let signed_in = scene.with_person(&[], LICENSED, |page, _| {
        assert_eq!(shown_by_the_browser(&scene), page);
        browser.sign_in(page, MIRA);
    });
    assert!(signed_in.contains("Licensed."), "{signed_in}");
    assert!(browser.page.contains("You may close this window"), "{}", browser.page);
    assert_eq!(scene.in_use(), 1);
    let again = scene.alone(&[], LICENSED);
    assert!(!again.contains("page "), "nobody is asked again: {again}");

    let out = scene.alone(&["--sign-out"], LICENSED);
    assert!(!out.contains("Licensed.") && scene.computer.stored_token().is_none(), "{out}");
    let signed_in = scene.with_person(&["--device"], LICENSED, |page, code| {
        let mut telephone = Person::default();
        telephone.visit(page).submit(&[("user_code", code)]).submit(&[]);
        telephone.submit(&[("login", MIRA), ("password", "any")]).submit(&[]);
    });
    assert!(signed_in.contains("Licensed."), "{signed_in}");
    assert_eq!(scene.in_use(), 1, "it is the same person's seat");

    assert!(scene.alone(&["--help"], LICENSED).contains("usage: sign_in [--device | --sign-out]"));
    assert!(scene.alone(&["--devise"], USAGE).contains("usage: sign_in"));
}

/// The page that the library had the desktop show.
fn shown_by_the_browser(scene: &Scene) -> String {
    let mut page = String::new();
    until("a browser is opened", || {
        page = fs::read_to_string(scene.path("opened")).unwrap_or_default();
        page.ends_with('\n')
    });
    page.trim_end().to_owned()
}
