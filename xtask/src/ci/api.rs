use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::server::{Running, Setup};
use xtask::{build, run};

/// Examples for each endpoint, so that it takes about a minute.
const EXAMPLES: &str = "20";
/// A name rather than a secret: the token itself goes through the environment.
const TOKEN: &str = "SEATLOCK_API_TOKEN";

/// schemathesis makes requests up from the description, good ones and bad ones, and looks at the
/// answers: no server error, no status, type or body that is not described, nothing accepted that
/// ought not to be, nothing without authentication. That every good request is accepted cannot be
/// said in a description: there are plans, limits and other servers' files.
pub fn described() -> Result<String> {
    let program = xtask::python::program("python", "server/tests/requirements.txt", "schemathesis")?;

    let server = Running::start_with(&Setup { seats: 1_000_000, ..Setup::default() })?;
    let made = |arguments: &[&str], member: &str| -> Result<String> {
        let printed: Value = serde_json::from_str(&server.administer(&[arguments, &["--json"]].concat())?)?;
        let found = printed.pointer(member).and_then(Value::as_str).map(str::to_owned);
        found.with_context(|| format!("{arguments:?} printed no {member}"))
    };
    made(&["user", "add", "root@example.com", "--role", "admin"], "/id")?;
    let token = made(&["user", "api-token", "root@example.com", "--name", "schemathesis"], "/token")?;
    // Something real behind each address that has an id in it.
    let places = [
        ("seats", server.create_seat("ada@example.com")?.id),
        ("users", made(&["user", "add", "owner@example.com"], "/id")?),
        ("licenses", made(&["license", "show"], "/0/id")?),
        ("issuers", made(&["issuer", "add", "https://login.example.com", "--audience", "seats"], "/id")?),
    ];
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("schemathesis.toml");
    fs::write(&settings, configuration(&places))?;
    let report = folder.path().join("report.json");

    let mut check = Command::new(program);
    check.arg("--config-file").arg(&settings).arg("run");
    check.arg(format!("{}/admin/v1/openapi.json", server.url())).args(["--url", &server.url()]);
    check.args(["--max-examples", EXAMPLES, "--seed", "1", "--phases", "examples,coverage,fuzzing,stateful"]);
    check.args(["--exclude-checks", "positive_data_acceptance", "--continue-on-failure"]);
    check.args(["--request-timeout", "30", "--report", "json", "--report-json-path"]).arg(&report);
    let (code, said) = run::status(check.current_dir(folder.path()).env(TOKEN, &token), None)?;
    ensure!(!said.contains(&token), "schemathesis printed the API token");
    ensure!(code == 0, "{said}");
    let seen = seen(&report).with_context(|| said.clone())?;
    let log = server.log();
    ensure!(!log.contains(&token), "the server's log has the API token");
    ensure!(!log.contains("a request of the admin API failed"), "{log}");
    // Otherwise everything after a moment was refused, and that proves nothing.
    let mut still = Command::new(build::server()?);
    run::output(still.arg("usage").env("SEATLOCK_SERVER_URL", server.url()).env(TOKEN, &token))
        .context("the API token works no more")?;
    Ok(seen)
}

fn configuration(places: &[(&str, String)]) -> String {
    let mut text = format!("headers = {{ Authorization = \"Bearer ${{{TOKEN}}}\" }}\n");
    for (noun, id) in places {
        text.push_str(&format!(
            "\n[[operations]]\ninclude-path-regex = \"/admin/v1/{noun}/\"\nparameters = {{ \"path.id\" = \"{id}\" }}\n"
        ));
    }
    text
}

/// What was looked at: every endpoint, and some of them with success.
fn seen(report: &Path) -> Result<String> {
    let report: Value = serde_json::from_slice(&fs::read(report)?)?;
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (all, tested) = (number("/operations/total"), number("/operations/tested"));
    ensure!(report.pointer("/complete") == Some(&Value::Bool(true)), "it did not come to its end");
    ensure!(all > 20 && tested == all, "{tested} of {all} endpoints were tested");
    let rates =
        report.pointer("/valid_rates").and_then(Value::as_object).context("no rates in the report")?;
    let accepted = rates.values().filter(|phases| {
        let mut phases = phases.as_object().into_iter().flat_map(|phases| phases.values());
        phases.any(|phase| phase.pointer("/accepted").and_then(Value::as_u64).unwrap_or(0) > 0)
    });
    let accepted = accepted.count();
    ensure!(accepted > 20, "only {accepted} endpoints ever accepted something");
    Ok(format!(
        "{all} endpoints, {} requests, {accepted} endpoints with success",
        number("/test_cases/generated")
    ))
}
